package rlpx

import (
	"bytes"
	"crypto/ecdsa"
	"net"
	"testing"

	"github.com/ethereum/go-ethereum/crypto"
	gethrlpx "github.com/ethereum/go-ethereum/p2p/rlpx"
)

// transport is what go-ethereum's Conn and ours have in common.
type transport interface {
	Handshake(*ecdsa.PrivateKey) (*ecdsa.PublicKey, error)
	Read() (uint64, []byte, int, error)
	Write(uint64, []byte) (uint32, error)
	SetSnappy(bool)
	Close() error
}

var (
	_ transport = (*Conn)(nil)
	_ transport = (*gethrlpx.Conn)(nil)
)

func newOurs(c net.Conn, dest *ecdsa.PublicKey) transport { return NewConn(c, dest) }
func newGeth(c net.Conn, dest *ecdsa.PublicKey) transport { return gethrlpx.NewConn(c, dest) }

// tcpPair returns the two ends of a connection on the loopback interface.
func tcpPair(t testing.TB) (dialed, accepted net.Conn) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	if dialed, err = net.Dial("tcp", listener.Addr().String()); err != nil {
		t.Fatal(err)
	}
	if accepted, err = listener.Accept(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { dialed.Close(); accepted.Close() })
	return dialed, accepted
}

// shake does both halves of a handshake.
func shake(initiator, recipient transport, keyI, keyR *ecdsa.PrivateKey) (fromI, fromR *ecdsa.PublicKey, err error) {
	type result struct {
		key *ecdsa.PublicKey
		err error
	}
	done := make(chan result, 1)
	go func() {
		key, err := recipient.Handshake(keyR)
		done <- result{key, err}
	}()
	fromI, err = initiator.Handshake(keyI)
	r := <-done
	if err == nil {
		err = r.err
	}
	return fromI, r.key, err
}

// BenchmarkHandshake measures both ends, in one process, beside go-ethereum's.
func BenchmarkHandshake(b *testing.B) {
	for _, impl := range []struct {
		name string
		new  func(net.Conn, *ecdsa.PublicKey) transport
	}{{"geth", newGeth}, {"ours", newOurs}} {
		b.Run(impl.name, func(b *testing.B) {
			b.ReportAllocs()
			keyI, keyR := newKey(b), newKey(b)
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					c, s := net.Pipe()
					if _, _, err := shake(impl.new(c, &keyR.PublicKey), impl.new(s, nil), keyI, keyR); err != nil {
						b.Error(err)
					}
				}
			})
		})
	}
}

// BenchmarkKeys measures the two ways to make an ephemeral key.
func BenchmarkKeys(b *testing.B) {
	b.Run("crypto", func(b *testing.B) {
		for b.Loop() {
			if _, err := crypto.GenerateKey(); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("ours", func(b *testing.B) {
		for b.Loop() {
			if _, err := newKeyPair(); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkRefusedAuth measures how long a recipient works on auth packets with different faults: about as long on each.
func BenchmarkRefusedAuth(b *testing.B) {
	a := newAttacker(b)
	good := a.encrypt(b, a.auth(b).encode(nil))
	offCurve, badTag := bytes.Clone(good), bytes.Clone(good)
	offCurve[prefixSize+pointSize] ^= 1
	badTag[len(badTag)-1] ^= 1
	badKey, badSignature := a.auth(b), a.auth(b)
	badKey.static[pointSize-1] ^= 1
	badSignature.signature[signatureSize-1] = 4
	for _, bench := range []struct {
		name   string
		packet []byte
	}{
		{"R off the curve", offCurve},
		{"too short for ECIES", []byte{0, 1, uncompressed}},
		{"bad tag", badTag},
		{"no list", a.encrypt(b, make([]byte, 300))},
		{"static key off the curve", a.encrypt(b, badKey.encode(nil))},
		{"signature without a key", a.encrypt(b, badSignature.encode(nil))},
		{"good, but for the answer", good},
	} {
		b.Run(bench.name, func(b *testing.B) {
			for b.Loop() {
				_, err := NewConn(says(bench.packet), nil).readAuth(a.node)
				if (err == nil) != bytes.Equal(bench.packet, good) {
					b.Fatal(err)
				}
			}
		})
	}
}
