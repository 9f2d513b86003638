package rlpx

import (
	"bytes"
	"crypto/ecdsa"
	"encoding/hex"
	"io"
	"net"
	"os"
	"strings"
	"testing"

	"github.com/ethereum/go-ethereum/crypto"

	"github.com/sennit-net/sennit/internal/frame"
)

// vectors reads the published handshake and the frames of its session, which package frame keeps.
func vectors(t testing.TB) map[string][]byte {
	t.Helper()
	text, err := os.ReadFile("../../internal/frame/testdata/vectors.txt")
	if err != nil {
		t.Fatal(err)
	}
	m := make(map[string][]byte)
	for line := range strings.Lines(string(text)) {
		name, value, ok := strings.Cut(strings.TrimSpace(line), " ")
		if !ok || name == "#" {
			continue
		}
		if m[name], err = hex.DecodeString(value); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
	}
	return m
}

// toKey makes a private key of a vector.
func toKey(t testing.TB, b []byte) *ecdsa.PrivateKey {
	t.Helper()
	key, err := crypto.ToECDSA(b)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func newKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	key, err := crypto.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// newTestIdentity returns the form of a key that the handshake works with.
func newTestIdentity(t testing.TB, key *ecdsa.PrivateKey) *identity {
	t.Helper()
	id, err := newIdentity(key)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func newTestPair(t testing.TB) *keyPair {
	t.Helper()
	pair, err := newKeyPair()
	if err != nil {
		t.Fatal(err)
	}
	return pair
}

// scripted is a connection whose remote says what is in Reader, whatever it hears.
type scripted struct {
	net.Conn
	io.Reader
	sent   bytes.Buffer
	writes int
}

func (c *scripted) Read(p []byte) (int, error) { return c.Reader.Read(p) }
func (c *scripted) Write(p []byte) (int, error) {
	c.writes++
	return c.sent.Write(p)
}

func says(b ...[]byte) *scripted { return &scripted{Reader: bytes.NewReader(bytes.Join(b, nil))} }

// goldenSecrets returns the secrets of the published session, of initiator A and recipient B.
func goldenSecrets(t testing.TB) (a, b func() Secrets) {
	v := vectors(t)
	exchange := exchange{
		shared:         newTestIdentity(t, toKey(t, v["ephemeral-key-a"])).secret.shared(newTestIdentity(t, toKey(t, v["ephemeral-key-b"])).public),
		initiatorNonce: [32]byte(v["nonce-a"]), recipientNonce: [32]byte(v["nonce-b"]),
		auth: v["auth2"], ack: v["ack2"],
	}
	return exchange.initiatorSecrets, exchange.recipientSecrets
}

// remoteSealer returns what seals frames as the remote of newReader's connection.
func remoteSealer(t testing.TB) *frame.Sealer {
	t.Helper()
	initiator, _ := goldenSecrets(t)
	sec := initiator()
	sealer, err := frame.NewSealer(sec.AES, sec.MAC, sec.EgressMAC)
	if err != nil {
		t.Fatal(err)
	}
	return sealer
}

// newReader returns a Conn after the handshake that reads from conn.
func newReader(t testing.TB, conn net.Conn) *Conn {
	t.Helper()
	_, recipient := goldenSecrets(t)
	c := NewConn(conn, nil)
	c.InitWithSecrets(recipient())
	return c
}

// seal returns a frame around data, code and payload as they are on the wire.
func seal(s *frame.Sealer, data ...[]byte) []byte {
	body := bytes.Join(data, nil)
	buf := make([]byte, frame.SealedSize(len(body)))
	copy(buf[frame.HeaderSize:], body)
	s.Seal(buf, len(body))
	return buf
}
