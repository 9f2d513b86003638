//lint:file-ignore SA1019 the replacements know only the NIST curves

package rlpx

import (
	"bytes"
	"crypto/ecdsa"
	"encoding/binary"
	"errors"
	"io"
	"math/big"
	"testing"

	"github.com/ethereum/go-ethereum/crypto"
)

// attacker is an initiator or recipient that breaks the rules towards node.
type attacker struct {
	key, ephemeral *identity
	node           *identity
	nodeKey        *ecdsa.PrivateKey
}

func newAttacker(t testing.TB) *attacker {
	nodeKey := newKey(t)
	return &attacker{
		key: newTestIdentity(t, newKey(t)), ephemeral: newTestIdentity(t, newKey(t)),
		node: newTestIdentity(t, nodeKey), nodeKey: nodeKey,
	}
}

// auth returns the body of a good auth packet.
func (a *attacker) auth(t testing.TB) *authBody {
	t.Helper()
	var body authBody
	a.key.public.put(body.static[:])
	signature, err := a.ephemeral.secret.sign(xor(a.key.secret.shared(a.node.public), body.nonce))
	if err != nil {
		t.Fatal(err)
	}
	copy(body.signature[:], signature)
	return &body
}

// ack returns the body of a good ack packet.
func (a *attacker) ack() *ackBody {
	var body ackBody
	a.ephemeral.public.put(body.ephemeral[:])
	return &body
}

// encrypt returns an EIP-8 packet around any text.
func (a *attacker) encrypt(t testing.TB, text []byte) []byte {
	t.Helper()
	packet := make([]byte, prefixSize+eciesOverhead+len(text))
	binary.BigEndian.PutUint16(packet, uint16(len(packet)-prefixSize))
	copy(packet[prefixSize+textOffset:], text)
	eciesSeal(packet[prefixSize:], newTestPair(t), a.node.public, packet[:prefixSize])
	return packet
}

// asRecipient lets the node receive packet as auth, asInitiator as ack.
func (a *attacker) asRecipient(packet []byte) error {
	_, err := NewConn(says(packet), nil).Handshake(a.nodeKey)
	return err
}

func (a *attacker) asInitiator(packet []byte) error {
	_, err := NewConn(says(packet), a.key.public.key()).Handshake(a.nodeKey)
	return err
}

// roles are the two ways for a packet into the node, with the good text of each.
func (a *attacker) roles(t testing.TB) map[string]struct {
	send func([]byte) error
	text []byte
} {
	return map[string]struct {
		send func([]byte) error
		text []byte
	}{
		"auth": {a.asRecipient, a.auth(t).encode(nil)},
		"ack":  {a.asInitiator, a.ack().encode(nil)},
	}
}

func TestGoodPacketsOfTheAttackerAreAccepted(t *testing.T) {
	a := newAttacker(t)
	for name, role := range a.roles(t) {
		if err := role.send(a.encrypt(t, role.text)); err != nil {
			t.Errorf("%s: %v; the tests that break such packets would prove nothing", name, err)
		}
	}
}

func TestForgedPacketsOfEveryLengthGetOneError(t *testing.T) {
	a := newAttacker(t)
	for name, role := range a.roles(t) {
		good := a.encrypt(t, append(role.text, make([]byte, maxPacketSize-eciesOverhead-len(role.text))...))
		for size := 0; size <= maxPacketSize; size++ {
			// A real R and a text that was cut: the tag is wrong whatever the size.
			packet := bytes.Clone(good[:prefixSize+size])
			binary.BigEndian.PutUint16(packet, uint16(size))
			want := ErrHandshake
			if size == maxPacketSize {
				want = nil
			}
			if err := role.send(packet); err != want {
				t.Fatalf("%s of %d bytes: error %v, want %v", name, size, err, want)
			}
		}
	}
}

func TestEncryptedTextsOfEveryLengthGetOneError(t *testing.T) {
	a := newAttacker(t)
	for name, role := range a.roles(t) {
		text := append(role.text, bytes.Repeat([]byte{0xff}, maxPacketSize-eciesOverhead-len(role.text))...)
		for size := 0; size <= len(text); size++ {
			want := ErrHandshake
			if size >= len(role.text) {
				want = nil // the rest is padding, which may be anything
				size += 7  // and is tried now and then
			}
			if err := role.send(a.encrypt(t, text[:min(size, len(text))])); err != want {
				t.Fatalf("%s with a text of %d bytes: error %v, want %v", name, size, err, want)
			}
		}
	}
}

func TestOversizedPacketsAreRefusedBeforeTheyAreRead(t *testing.T) {
	a := newAttacker(t)
	for name, role := range a.roles(t) {
		for _, size := range []uint16{maxPacketSize + 1, 0x7fff, 0xffff} {
			if err := role.send(binary.BigEndian.AppendUint16(nil, size)); err != ErrHandshake {
				t.Errorf("%s of %d bytes: error %v, want %v", name, size, err, ErrHandshake)
			}
		}
	}
}

func TestPacketsCutByTheConnectionEndWithItsError(t *testing.T) {
	a := newAttacker(t)
	for name, role := range a.roles(t) {
		packet := a.encrypt(t, role.text)
		if err := role.send(nil); err != io.EOF {
			t.Errorf("no %s: error %v, want %v", name, err, io.EOF)
		}
		for size := 1; size < len(packet); size++ {
			if err := role.send(packet[:size]); err != io.ErrUnexpectedEOF {
				t.Fatalf("%s cut to %d bytes: error %v, want %v", name, size, err, io.ErrUnexpectedEOF)
			}
		}
	}
}

// badPoints are pairs of coordinates that are no point of the curve, or not in the one form a point has.
func badPoints(t testing.TB) map[string][]byte {
	t.Helper()
	curve := crypto.S256().Params()
	pair := func(x, y *big.Int) []byte {
		b := make([]byte, pointSize)
		point{x, y}.put(b)
		return b
	}
	// A point with an x so small that x plus the prime still fits into 32 bytes.
	small := &point{}
	for x := int64(1); small.x == nil; x++ {
		if key, err := crypto.DecompressPubkey(append([]byte{2}, big.NewInt(x).FillBytes(make([]byte, 32))...)); err == nil {
			small = &point{key.X, key.Y}
		}
	}
	one := big.NewInt(1)
	return map[string][]byte{
		"zero":               make([]byte, pointSize),
		"off the curve":      pair(curve.Gx, new(big.Int).Add(curve.Gy, one)),
		"on the twist":       pair(new(big.Int).Add(curve.Gx, one), curve.Gy),
		"x is the prime":     pair(curve.P, curve.Gy),
		"y is the prime":     pair(curve.Gx, curve.P),
		"x beyond the prime": pair(new(big.Int).Add(small.x, curve.P), small.y),
		"y beyond the prime": pair(curve.Gx, new(big.Int).Sub(new(big.Int).Lsh(one, 256), one)),
		"all ones":           bytes.Repeat([]byte{0xff}, pointSize),
	}
}

func TestBadPointsAreRefusedAtEveryEntry(t *testing.T) {
	a := newAttacker(t)
	auth, ack := a.encrypt(t, a.auth(t).encode(nil)), a.encrypt(t, a.ack().encode(nil))
	for name, bad := range badPoints(t) {
		entries := map[string]func() error{
			"static key in auth": func() error {
				body := a.auth(t)
				copy(body.static[:], bad)
				return a.asRecipient(a.encrypt(t, body.encode(nil)))
			},
			"static key in a plain auth": func() error {
				body := a.auth(t)
				copy(body.static[:], bad)
				return a.asPlainRecipient(t, body)
			},
			"ephemeral key in ack": func() error {
				body := a.ack()
				copy(body.ephemeral[:], bad)
				return a.asInitiator(a.encrypt(t, body.encode(nil)))
			},
			"R of auth": func() error {
				packet := bytes.Clone(auth)
				copy(packet[prefixSize+1:], bad)
				return a.asRecipient(packet)
			},
			"R of ack": func() error {
				packet := bytes.Clone(ack)
				copy(packet[prefixSize+1:], bad)
				return a.asInitiator(packet)
			},
		}
		for entry, send := range entries {
			if err := send(); err != ErrHandshake {
				t.Errorf("%s is %s: error %v, want %v", entry, name, err, ErrHandshake)
			}
		}
		dest := &ecdsa.PublicKey{Curve: crypto.S256(), X: new(big.Int).SetBytes(bad[:32]), Y: new(big.Int).SetBytes(bad[32:])}
		network := says(ack)
		if _, err := NewConn(network, dest).Handshake(a.nodeKey); err != ErrBadKey || network.writes != 0 {
			t.Errorf("key to dial is %s: error %v after %d writes, want %v", name, err, network.writes, ErrBadKey)
		}
	}
}

// asPlainRecipient lets the node receive body in the form from before EIP-8.
func (a *attacker) asPlainRecipient(t testing.TB, body *authBody) error {
	t.Helper()
	c := NewConn(says(plainAuth(t, body, a.node.public)), nil)
	c.AcceptLegacy(true)
	_, err := c.Handshake(a.nodeKey)
	return err
}

func TestOtherFormsOfPointsAreRefused(t *testing.T) {
	a := newAttacker(t)
	for name, role := range a.roles(t) {
		good := a.encrypt(t, role.text)
		for prefix := range 256 {
			packet := bytes.Clone(good)
			packet[prefixSize] = byte(prefix)
			want := ErrHandshake
			if prefix == uncompressed {
				want = nil
			}
			if err := role.send(packet); err != want {
				t.Errorf("R of %s with prefix %02x: error %v, want %v", name, prefix, err, want)
			}
		}
		// In the list a key has 64 bytes, not 65 with a prefix, nor 33, nor 63.
		for _, size := range []int{0, 33, 63, 65} {
			text := bytes.Clone(role.text)
			at := bytes.Index(text, []byte{0xb8, pointSize})
			key := append([]byte{uncompressed}, text[at+2:at+2+pointSize]...)
			if size < pointSize {
				key = key[1:]
			}
			long := append([]byte{0xb8, byte(size)}, key[:size]...)
			if size <= 55 {
				long = append([]byte{0x80 + byte(size)}, key[:size]...)
			}
			text = append(append(bytes.Clone(text[:at]), long...), text[at+2+pointSize:]...)
			text[1] = byte(len(text) - 2)
			if err := role.send(a.encrypt(t, text)); err != ErrHandshake {
				t.Errorf("key of %d bytes in %s: error %v, want %v", size, name, err, ErrHandshake)
			}
		}
	}
}

func TestSignaturesThatRecoverToNothingAreRefused(t *testing.T) {
	a := newAttacker(t)
	order := crypto.S256().Params().N.Bytes()
	for name, change := range map[string]func(sig []byte){
		"r is zero":            func(sig []byte) { clear(sig[:32]) },
		"s is zero":            func(sig []byte) { clear(sig[32:64]) },
		"r is the order":       func(sig []byte) { copy(sig, order) },
		"s is the order":       func(sig []byte) { copy(sig[32:], order) },
		"r of no point":        func(sig []byte) { copy(sig, big.NewInt(5).FillBytes(make([]byte, 32))) },
		"recovery id 2":        func(sig []byte) { sig[64] = 2 },
		"recovery id 4":        func(sig []byte) { sig[64] = 4 },
		"recovery id of Eth 1": func(sig []byte) { sig[64] += 27 },
		"recovery id 255":      func(sig []byte) { sig[64] = 255 },
	} {
		body := a.auth(t)
		change(body.signature[:])
		if err := a.asRecipient(a.encrypt(t, body.encode(nil))); err != ErrHandshake {
			t.Errorf("%s: error %v, want %v", name, err, ErrHandshake)
		}
		if err := a.asPlainRecipient(t, body); err != ErrHandshake {
			t.Errorf("%s, plain auth: error %v, want %v", name, err, ErrHandshake)
		}
	}
}

func TestSubstituteSignatureRecovers(t *testing.T) {
	if _, ok := recoverSigner([32]byte{1, 2, 3}, substituteSignature); !ok {
		t.Fatal("the substitute does less work than what it stands in for")
	}
}

func TestLocalKeysThatAreNotKeysAreRefused(t *testing.T) {
	good := newKey(t)
	for name, key := range map[string]*ecdsa.PrivateKey{
		"nil":                nil,
		"empty":              {},
		"zero":               {D: new(big.Int), PublicKey: good.PublicKey},
		"negative":           {D: big.NewInt(-1), PublicKey: good.PublicKey},
		"the order":          {D: crypto.S256().Params().N, PublicKey: good.PublicKey},
		"without its public": {D: good.D},
		"negative public":    {D: good.D, PublicKey: ecdsa.PublicKey{X: big.NewInt(-1), Y: good.Y}},
		"overlong public":    {D: good.D, PublicKey: ecdsa.PublicKey{X: new(big.Int).Lsh(good.X, 256), Y: good.Y}},
	} {
		if _, err := NewConn(says(), nil).Handshake(key); !errors.Is(err, ErrBadKey) {
			t.Errorf("key is %s: error %v, want %v", name, err, ErrBadKey)
		}
	}
}
