//lint:file-ignore SA1019 the replacements know only the NIST curves

package rlpx

import (
	"bytes"
	"encoding/binary"
	"io"
	"testing"

	"github.com/ethereum/go-ethereum/crypto"
)

// plainAuth encrypts body in the form from before EIP-8.
func plainAuth(t testing.TB, body *authBody, to point) []byte {
	t.Helper()
	text := append([]byte(nil), body.signature[:]...)
	text = append(text, make([]byte, 32)...) // hash of the ephemeral key, which nobody looks at
	text = append(append(append(text, body.static[:]...), body.nonce[:]...), 0)
	packet := make([]byte, eciesOverhead+len(text))
	copy(packet[textOffset:], text)
	eciesSeal(packet, newTestPair(t), to, nil)
	return packet
}

func TestPlainAuthIsNotAcceptedUnlessAskedFor(t *testing.T) {
	v := vectors(t)
	network := says(v["auth1"])
	_, err := NewConn(network, nil).Handshake(toKey(t, v["static-key-b"]))
	// Its first bytes are a size of 0x048c, for which there are not enough bytes.
	if err != io.ErrUnexpectedEOF || network.writes != 0 {
		t.Fatalf("error %v after %d writes, want %v", err, network.writes, io.ErrUnexpectedEOF)
	}
}

func TestPlainAuthIsAnsweredInKind(t *testing.T) {
	v := vectors(t)
	a := newAttacker(t)
	mine := plainAuth(t, a.auth(t), a.node.public)
	for name, test := range map[string]struct {
		auth             []byte
		node             *attacker
		static, initator *identity
	}{
		"published": {v["auth1"], &attacker{nodeKey: toKey(t, v["static-key-b"])}, newTestIdentity(t, toKey(t, v["static-key-a"])), newTestIdentity(t, toKey(t, v["ephemeral-key-a"]))},
		"our own":   {mine, a, a.key, a.ephemeral},
	} {
		network := says(test.auth)
		c := NewConn(network, nil)
		c.AcceptLegacy(true)
		key, err := c.Handshake(test.node.nodeKey)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if key.X.Cmp(test.static.public.x) != 0 {
			t.Fatalf("%s: wrong static key", name)
		}
		ackPacket := bytes.Clone(network.sent.Bytes())
		text, ok := eciesOpen(ackPacket, &test.static.secret, nil)
		if !ok || len(ackPacket) != plainAckSize || len(text) != plainAckBody || text[plainAckBody-1] != 0 {
			t.Fatalf("%s: ack of %d bytes, opened %t, %x", name, len(ackPacket), ok, text)
		}
		remote, ok := parsePoint(text[:pointSize])
		if !ok {
			t.Fatalf("%s: ack without a point", name)
		}
		// What the recipient sends can be read with the secrets as the initiator derives them.
		x := exchange{shared: test.initator.secret.shared(remote), recipientNonce: [32]byte(text[pointSize:]), auth: test.auth, ack: ackPacket}
		if name == "published" {
			x.initiatorNonce = [32]byte(v["nonce-a"])
		}
		network.sent.Reset()
		if _, err := c.Write(5, []byte("hello")); err != nil {
			t.Fatal(err)
		}
		initiator := NewConn(says(network.sent.Bytes()), nil)
		initiator.InitWithSecrets(x.initiatorSecrets())
		if code, data, _, err := initiator.Read(); err != nil || code != 5 || string(data) != "hello" {
			t.Fatalf("%s: read %d, %q, %v", name, code, data, err)
		}
	}
}

func TestAuthWithPaddingIsUnderstoodWhereLegacyIsAccepted(t *testing.T) {
	a := newAttacker(t)
	// From 0x0400 on the size looks like the start of a plain packet.
	for _, size := range []int{0x01b3, 0x03ff, 0x0400, 0x0401, 0x04ff, 0x0500, maxPacketSize} {
		text := a.auth(t).encode(nil)
		text = append(text, make([]byte, size-eciesOverhead-len(text))...)
		packet := a.encrypt(t, text)
		if got := int(binary.BigEndian.Uint16(packet)); got != size {
			t.Fatalf("packet of %d bytes, want %d", got, size)
		}
		c := NewConn(says(packet), nil)
		c.AcceptLegacy(true)
		if key, err := c.Handshake(a.nodeKey); err != nil || key.X.Cmp(a.key.public.x) != 0 {
			t.Errorf("size %#x: %v", size, err)
		}
	}
}

func TestForgedAuthOfEveryLengthIsRefusedWhereLegacyIsAccepted(t *testing.T) {
	a := newAttacker(t)
	good := append([]byte{0, 0, uncompressed}, crypto.FromECDSAPub(a.key.public.key())[1:]...)
	good = append(good, make([]byte, maxPacketSize-len(good)+prefixSize)...)
	for size := 0; size <= maxPacketSize; size++ {
		packet := good[:prefixSize+size]
		binary.BigEndian.PutUint16(packet, uint16(size))
		c := NewConn(says(packet), nil)
		c.AcceptLegacy(true)
		if _, err := c.Handshake(a.nodeKey); err != ErrHandshake {
			t.Fatalf("auth of %d bytes: error %v, want %v", size, err, ErrHandshake)
		}
	}
}
