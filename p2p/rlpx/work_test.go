package rlpx

import (
	"bytes"
	"encoding/binary"
	"math/big"
	"testing"

	"github.com/ethereum/go-ethereum/crypto"
)

// work is how often the expensive operations ran to their end.
type work struct{ multiplied, recovered int }

// workOf runs f and counts. Tests that use it must not run in parallel with others.
func workOf(f func()) (w work) {
	originalMultiply, originalRecover := multiply, ecrecover
	defer func() { multiply, ecrecover = originalMultiply, originalRecover }()
	multiply = func(p point, s *secret) *big.Int {
		w.multiplied++
		return originalMultiply(p, s)
	}
	ecrecover = func(hash, sig []byte) ([]byte, error) {
		key, err := originalRecover(hash, sig)
		if err == nil { // refusing a signature by its numbers costs nothing
			w.recovered++
		}
		return key, err
	}
	f()
	return w
}

// refusals are packets that are wrong in one way each, around a body with these fields in RLP.
func refusals(t *testing.T, a *attacker, text []byte) map[string][]byte {
	good := a.encrypt(t, text)
	badTag, badText := bytes.Clone(good), bytes.Clone(good)
	badTag[len(badTag)-1] ^= 1
	badText[prefixSize+textOffset] ^= 1
	packets := map[string][]byte{
		"nothing":            {0, 0},
		"a byte":             {0, 1, uncompressed},
		"too short by one":   append(binary.BigEndian.AppendUint16(nil, eciesOverhead-1), good[prefixSize:prefixSize+eciesOverhead-1]...),
		"a tag that is bad":  badTag,
		"a text that is bad": badText,
		"no text":            a.encrypt(t, nil),
		"no list":            a.encrypt(t, bytes.Repeat([]byte{1}, len(text))),
		"half a list":        a.encrypt(t, text[:len(text)/2]),
		"a list cut by one":  a.encrypt(t, text[:len(text)-1]),
	}
	for name, bad := range badPoints(t) {
		packet := bytes.Clone(good)
		copy(packet[prefixSize+1:], bad)
		packets["R is "+name] = packet
	}
	return packets
}

func TestARefusedAuthCostsTheSameWorkWhateverIsWrong(t *testing.T) {
	a := newAttacker(t)
	packets := refusals(t, a, a.auth(t).encode(nil))
	for name, bad := range badPoints(t) {
		body := a.auth(t)
		copy(body.static[:], bad)
		packets["static key is "+name] = a.encrypt(t, body.encode(nil))
	}
	order := crypto.S256().Params().N.Bytes()
	for name, change := range map[string]func(sig []byte){
		"without r":             func(sig []byte) { clear(sig[:32]) },
		"with s = order":        func(sig []byte) { copy(sig[32:], order) },
		"with r of no point":    func(sig []byte) { copy(sig, big.NewInt(5).FillBytes(make([]byte, 32))) },
		"with a bad id":         func(sig []byte) { sig[64] = 4 },
		"with an id beyond all": func(sig []byte) { sig[64] = 255 },
	} {
		body := a.auth(t)
		change(body.signature[:])
		packets["signature "+name] = a.encrypt(t, body.encode(nil))
	}
	receive := func(packet []byte) (w work, err error) {
		w = workOf(func() { _, err = NewConn(says(packet), nil).readAuth(a.node) })
		return w, err
	}
	want, err := receive(a.encrypt(t, a.auth(t).encode(nil)))
	if err != nil || want != (work{2, 1}) {
		t.Fatalf("a good auth: error %v, %+v", err, want)
	}
	for name, packet := range packets {
		if got, err := receive(packet); err != ErrHandshake || got != want {
			t.Errorf("%s: error %v, %+v, want %v, %+v", name, err, got, ErrHandshake, want)
		}
	}
}

func TestARefusedAckCostsTheSameWorkWhateverIsWrong(t *testing.T) {
	a := newAttacker(t)
	packets := refusals(t, a, a.ack().encode(nil))
	for name, bad := range badPoints(t) {
		body := a.ack()
		copy(body.ephemeral[:], bad)
		packets["ephemeral key is "+name] = a.encrypt(t, body.encode(nil))
	}
	send := func(packet []byte) (w work, err error) {
		w = workOf(func() { err = a.asInitiator(packet) })
		return w, err
	}
	want, err := send(a.encrypt(t, a.ack().encode(nil)))
	if err != nil || want != (work{4, 0}) {
		t.Fatalf("a good ack: error %v, %+v", err, want)
	}
	for name, packet := range packets {
		if got, err := send(packet); err != ErrHandshake || got != want {
			t.Errorf("%s: error %v, %+v, want %v, %+v", name, err, got, ErrHandshake, want)
		}
	}
}

func TestARefusedPlainAuthCostsTheSameWorkWhateverIsWrong(t *testing.T) {
	a := newAttacker(t)
	receive := func(body *authBody) (w work, err error) {
		c := NewConn(says(plainAuth(t, body, a.node.public)), nil)
		c.AcceptLegacy(true)
		w = workOf(func() { _, err = c.readAuth(a.node) })
		return w, err
	}
	want, err := receive(a.auth(t))
	if err != nil || want != (work{2, 1}) {
		t.Fatalf("a good auth: error %v, %+v", err, want)
	}
	bodies := map[string]*authBody{}
	for name, bad := range badPoints(t) {
		body := a.auth(t)
		copy(body.static[:], bad)
		bodies["static key is "+name] = body
	}
	noSigner := a.auth(t)
	noSigner.signature[64] = 4
	bodies["signature"] = noSigner
	for name, body := range bodies {
		if got, err := receive(body); err != ErrHandshake || got != want {
			t.Errorf("%s: error %v, %+v, want %v, %+v", name, err, got, ErrHandshake, want)
		}
	}
}
