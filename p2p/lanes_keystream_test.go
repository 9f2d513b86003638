package p2p_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"math/rand/v2"
	"net"
	"testing"

	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/p2p/enode"
	"github.com/ethereum/go-ethereum/rlp"

	"github.com/sennit-net/sennit/p2p"
)

// tapDialer dials through a tap.
type tapDialer struct{ tap *tap }

func (d *tapDialer) Dial(ctx context.Context, n *enode.Node) (net.Conn, error) {
	endpoint, _ := n.TCPEndpoint()
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", endpoint.String())
	if err != nil {
		return nil, err
	}
	d.tap.Conn = conn
	return d.tap, nil
}

// wiretap runs a link between two nodes whose protocols send the same bytes first, and returns what an eavesdropper has of
// it, without the packets of the handshake, and the payload of the dialing node's Hello, which is no secret.
func wiretap(t *testing.T, off bool, message []byte) (sent, got, hello []byte) {
	both := make(chan error, 2)
	say := testProtocol("say", func(_ *p2p.Peer, rw p2p.MsgReadWriter) error {
		wrote := make(chan error, 1)
		go func() {
			wrote <- rw.WriteMsg(p2p.Msg{Code: 1, Size: uint32(len(message)), Payload: bytes.NewReader(message)})
		}()
		msg, err := rw.ReadMsg()
		if err == nil {
			err = msg.Discard()
		}
		if err == nil {
			err = <-wrote
		}
		both <- err
		return drain(nil, rw)
	})
	d := &tapDialer{new(tap)}
	a := startNode(t, func(c *p2p.Config) { c.NoLanes, c.Dialer, c.Name = off, d, "eavesdropped/of/one/name" }, say)
	b := startNode(t, func(c *p2p.Config) { c.NoLanes, c.Name = off, "a-secret/of-the/same-len" }, say)
	connect(t, a, b)
	for range 2 {
		if err := within(t, "the messages", both); err != nil {
			t.Fatal(err)
		}
	}
	a.Stop()
	b.Stop()
	caps := []p2p.Cap{{Name: "say", Version: 1}}
	if !off {
		caps = []p2p.Cap{lanesCap, caps[0]}
	}
	hello, err := rlp.EncodeToBytes(&greeting{5, a.Name, caps, 0, crypto.FromECDSAPub(&a.PrivateKey.PublicKey)[1:]})
	if err != nil {
		t.Fatal(err)
	}
	behindPacket := func(stream []byte) []byte { return stream[2+binary.BigEndian.Uint16(stream):] }
	return behindPacket(d.tap.sent.Bytes()), behindPacket(d.tap.got.Bytes()), hello
}

// xored returns the XOR of three strings, as far as the shortest goes.
func xored(a, b, c []byte) []byte {
	x := make([]byte, min(len(a), len(b), len(c)))
	for i := range x {
		x[i] = a[i] ^ b[i] ^ c[i]
	}
	return x
}

// helloFrame is how many bytes the frame of a Hello has on the wire: header, MAC, padded body, MAC.
func helloFrame(payload []byte) int { return 16 + 16 + (1+len(payload)+15)/16*16 + 16 }

// equalBlocks counts the blocks of 16 bytes that are the same at the same place.
func equalBlocks(a, b []byte) (n int) {
	for i := 0; i+16 <= min(len(a), len(b)); i += 16 {
		if bytes.Equal(a[i:i+16], b[i:i+16]) {
			n++
		}
	}
	return n
}

func TestOnAClassicLinkOneDirectionGivesTheOtherAwayAndOnLanesItDoesNot(t *testing.T) {
	message := make([]byte, 30_000)
	rand.NewChaCha8([32]byte{7}).Read(message)
	for _, off := range []bool{true, false} {
		sent, got, hello := wiretap(t, off, message)

		// Who knows one Hello has the key stream, and with it the other Hello. That travels under RLPx in any case.
		known := append([]byte{0x80}, hello...)
		body := xored(sent[32:], got[32:], known)
		if secret := []byte("a-secret/of-the/same-len"); !bytes.Contains(body, secret) {
			t.Errorf("NoLanes %v: the flaw of RLPx is not there: %q has no %q; then the test proves nothing below", off, body, secret)
		}

		// Behind the Hellos, which are equally long, both have sent the same.
		sent, got = sent[helloFrame(hello):], got[helloFrame(hello):]
		if len(sent) < len(message) || len(got) < len(message) {
			t.Fatalf("NoLanes %v: %d and %d bytes on the wire", off, len(sent), len(got))
		}
		switch same := equalBlocks(sent, got); {
		case off && same < len(message)/16-10:
			t.Errorf("classic: %d blocks are the same on both ways; the XOR of the messages should show as zeros", same)
		case !off && same > 0:
			t.Errorf("lanes/1: %d blocks are the same on both ways", same)
		}
		// Nor shifted, as a record in front of the message on one of the ways would make it.
		if !off {
			blocks := make(map[string]bool)
			for i := 0; i+16 <= len(sent); i++ {
				blocks[string(sent[i:i+16])] = true
			}
			for i := 0; i+16 <= len(got); i++ {
				if blocks[string(got[i:i+16])] {
					t.Fatalf("lanes/1: the bytes at %d have been on the wire the other way", i)
				}
			}
		}
	}
}
