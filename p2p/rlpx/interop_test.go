package rlpx

import (
	"bytes"
	"crypto/ecdsa"
	"fmt"
	"math/rand/v2"
	"net"
	"testing"

	"github.com/sennit-net/sennit/internal/frame"
)

func TestMessagesPassBetweenGoEthereumAndUsInBothRoles(t *testing.T) {
	type constructor = func(net.Conn, *ecdsa.PublicKey) transport
	for _, test := range []struct {
		name                 string
		initiator, recipient constructor
	}{
		{"we dial go-ethereum", newOurs, newGeth},
		{"go-ethereum dials us", newGeth, newOurs},
		{"we dial ourselves", newOurs, newOurs},
	} {
		for _, snappy := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, snappy %t", test.name, snappy), func(t *testing.T) {
				keyI, keyR := newKey(t), newKey(t)
				c, s := tcpPair(t)
				initiator, recipient := test.initiator(c, &keyR.PublicKey), test.recipient(s, nil)
				fromI, fromR, err := shake(initiator, recipient, keyI, keyR)
				if err != nil {
					t.Fatal(err)
				}
				if !fromI.Equal(&keyR.PublicKey) || !fromR.Equal(&keyI.PublicKey) {
					t.Fatal("handshake returned the wrong keys")
				}
				initiator.SetSnappy(snappy)
				recipient.SetSnappy(snappy)
				pass(t, initiator, recipient, snappy)
				pass(t, recipient, initiator, snappy)
			})
		}
	}
}

// pass sends messages of all kinds of sizes and codes, and checks that they arrive.
func pass(t *testing.T, from, to transport, snappy bool) {
	t.Helper()
	random := make([]byte, frame.MaxSize)
	chacha := rand.NewChaCha8([32]byte{})
	chacha.Read(random)
	zeros := make([]byte, frame.MaxSize)
	type message struct {
		code    uint64
		payload []byte
	}
	messages := []message{{0x1234567890, random[:100]}, {127, nil}, {128, zeros[:1]}, {255, nil}, {256, random[:1]}}
	for _, size := range []int{0, 1, 13, 14, 15, 16, 17, 55, 56, 1000, readBuffer - 64, readBuffer, readBuffer + 1, bodyStep, bodyStep + 1, 1 << 20} {
		messages = append(messages, message{0x10, random[:size]}, message{0, zeros[:size]})
	}
	if snappy {
		messages = append(messages, message{0x11, zeros})
	} else {
		messages = append(messages, message{0x11, random[:frame.MaxSize-1]})
	}
	sizes := make(chan uint32, len(messages))
	failed := make(chan error, 1)
	go func() {
		defer close(failed)
		for _, m := range messages {
			size, err := from.Write(m.code, m.payload)
			if err != nil {
				failed <- err
				return
			}
			sizes <- size
		}
	}()
	for i, m := range messages {
		code, payload, wireSize, err := to.Read()
		if err != nil {
			t.Fatalf("message %d of %d bytes: %v", i, len(m.payload), err)
		}
		if code != m.code || !bytes.Equal(payload, m.payload) {
			t.Fatalf("message %d: code %#x, %d bytes arrived as %#x, %d bytes", i, m.code, len(m.payload), code, len(payload))
		}
		if sent := <-sizes; int(sent) != wireSize || !snappy && wireSize != len(payload) {
			t.Fatalf("message %d of %d bytes: %d bytes on the wire written, %d read", i, len(m.payload), sent, wireSize)
		}
	}
	if err := <-failed; err != nil {
		t.Fatal(err)
	}
}
