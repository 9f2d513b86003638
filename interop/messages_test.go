package interop

import (
	"bytes"
	"crypto/ecdsa"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
	"math/rand/v2"
	"net"
	"testing"
	"time"

	"github.com/golang/snappy"

	"github.com/sennit-net/sennit/interop/stack"
)

const (
	maxFrame   = 1<<24 - 1 // code and payload on the wire (rlpx.md, framing)
	maxPayload = 1<<24 - 1 // payload, uncompressed (EIP-706)
)

// random returns n incompressible bytes that depend on seed.
func random(n int, seed byte) []byte {
	b := make([]byte, n)
	_, _ = rand.NewChaCha8([32]byte{seed}).Read(b)
	return b
}

// text returns n bytes that compress well.
func text(n int) []byte { return bytes.Repeat([]byte("a sennit is braided. "), n/21+1)[:n] }

// largestRandom returns how many of random bytes still fit a frame with a code of one byte once compressed.
func largestRandom(seed byte) []byte {
	data := random(maxPayload, seed)
	for n := maxPayload; ; {
		over := 1 + len(snappy.Encode(nil, data[:n])) - maxFrame
		if over <= 0 {
			return data[:n]
		}
		n -= over
	}
}

// TestEchoOfEverySizeOnThreeProtocols sends messages of all sizes over three protocols of one link at the same time, and
// wants each back as it was.
func TestEchoOfEverySizeOnThreeProtocols(t *testing.T) {
	payloads := [][]byte{nil}
	for _, n := range []int{1, 15, 16, 17, 1 << 10, 64 << 10, 1 << 20} {
		payloads = append(payloads, random(n, 1), text(n))
	}
	payloads = append(payloads, text(maxPayload), largestRandom(2))
	eachPairing(t, func(t *testing.T, p pairing) {
		protos := func(serve func(*stack.End) error) []stack.Serving {
			return []stack.Serving{serving("alpha", serve), serving("beta", serve), serving("gamma", serve)}
		}
		l := startHost(t, p.listener, stack.Config{}, protos(stack.Echo)...)
		d := startHost(t, p.dialer, stack.Config{NoListen: true}, protos(stack.Hold)...)
		link := connect(t, d, l, 3)
		results := make(chan error, 3)
		for _, e := range link.Dialer {
			go func() { results <- echoAll(e.RW, payloads) }()
		}
		await(t, 3, results)
	})
}

// echoAll sends each payload with another code and wants it back.
func echoAll(rw stack.ReadWriter, payloads [][]byte) error {
	for i, want := range payloads {
		code := uint64(i % 8)
		sent := make(chan error, 1)
		go func() { sent <- rw.Write(code, uint32(len(want)), bytes.NewReader(want)) }()
		m, err := rw.Read()
		if err != nil {
			return fmt.Errorf("message %d of %d bytes: %w", i, len(want), err)
		}
		got, err := io.ReadAll(m.Payload)
		if err != nil {
			return fmt.Errorf("payload %d: %w", i, err)
		}
		if m.Code != code || int(m.Size) != len(want) || !bytes.Equal(got, want) {
			return fmt.Errorf("message %d: sent code %d and %d bytes, got code %d, size %d and %d bytes, equal: %v",
				i, code, len(want), m.Code, m.Size, len(got), bytes.Equal(got, want))
		}
		if err := <-sent; err != nil {
			return fmt.Errorf("write of message %d: %w", i, err)
		}
	}
	return nil
}

// TestTheLargestMessageOfEachTransportIsTheSame finds out where each transport's Write says no, with and without Snappy, and
// has the other one read what is just small enough.
func TestTheLargestMessageOfEachTransportIsTheSame(t *testing.T) {
	whole := random(maxPayload, 3)
	tight := largestRandom(3)
	for _, c := range []struct {
		name          string
		snappy        bool
		code          uint64
		fits, tooLong []byte
	}{
		{"compressible", true, 17, text(maxPayload), text(maxPayload + 1)},
		{"incompressible", true, 17, tight, whole[:len(tight)+1]},
		{"no Snappy", false, 17, whole[:maxFrame-1], whole[:maxFrame]},
		{"no Snappy, code of two bytes", false, 200, whole[:maxFrame-2], whole[:maxFrame-1]},
	} {
		t.Run(c.name, func(t *testing.T) {
			eachPairing(t, func(t *testing.T, p pairing) {
				w, r := rawPair(t, p)
				w.SetSnappy(c.snappy)
				r.SetSnappy(c.snappy)
				if _, err := w.Write(c.code, c.tooLong); err == nil {
					t.Fatalf("%s writes %d bytes", p.dialer.Name(), len(c.tooLong))
				}
				results := make(chan error, 1)
				go func() {
					_, err := w.Write(c.code, c.fits)
					results <- err
				}()
				code, got, _, err := r.Read()
				if err != nil || code != c.code || !bytes.Equal(got, c.fits) {
					t.Fatalf("%s reads code %d, %d bytes, error %v; sent were code %d, %d bytes", p.listener.Name(), code, len(got), err, c.code, len(c.fits))
				}
				await(t, 1, results)
			})
		})
	}
}

// rawPair returns two RLPx connections with each other, over TCP, after their handshake.
func rawPair(t *testing.T, p pairing) (dialer, listener stack.Conn) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	key := stack.NewKey()
	results := make(chan error, 2)
	go func() {
		fd, err := net.Dial("tcp", ln.Addr().String())
		if err == nil {
			dialer = p.dialer.NewConn(fd, &key.PublicKey)
			err = shake(dialer, stack.NewKey())
		}
		results <- err
	}()
	fd, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	listener = p.listener.NewConn(fd, nil)
	results <- shake(listener, key)
	await(t, 2, results)
	t.Cleanup(func() { dialer.Close(); listener.Close() })
	return dialer, listener
}

// shake runs the handshake and gives the connection a deadline that a test on a busy machine does not meet.
func shake(c stack.Conn, key *ecdsa.PrivateKey) error {
	if err := c.SetDeadline(time.Now().Add(patience)); err != nil {
		return err
	}
	_, err := c.Handshake(key)
	return err
}

// TestAHundredThousandMessagesEachWay sends 100,000 messages of odd sizes over three protocols, in both directions at once,
// each with a number and a checksum.
func TestAHundredThousandMessagesEachWay(t *testing.T) {
	const each = 33_334 // per protocol and direction
	eachPairing(t, func(t *testing.T, p pairing) {
		results := make(chan error, 12)
		talk := func(e *stack.End) error {
			go func() { results <- sendNumbered(e.RW, each) }()
			results <- checkNumbered(e.RW, each)
			return <-e.Return
		}
		protos := []stack.Serving{serving("alpha", talk), serving("beta", talk), serving("gamma", talk)}
		l := startHost(t, p.listener, stack.Config{}, protos...)
		d := startHost(t, p.dialer, stack.Config{NoListen: true}, protos...)
		connect(t, d, l, 3)
		await(t, 12, results)
	})
}

// sendNumbered sends n messages: number, checksum of what follows, 0 to 1,500 bytes.
func sendNumbered(rw stack.ReadWriter, n uint32) error {
	body := random(1500, 9)
	var buf []byte
	for i := range n {
		rest := body[:(i*7919)%1500]
		buf = binary.BigEndian.AppendUint32(buf[:0], i)
		buf = binary.BigEndian.AppendUint32(buf, crc32.ChecksumIEEE(rest)^i)
		buf = append(buf, rest...)
		if err := rw.Write(uint64(i%8), uint32(len(buf)), bytes.NewReader(buf)); err != nil {
			return fmt.Errorf("write message %d: %w", i, err)
		}
	}
	return nil
}

// checkNumbered reads n messages of sendNumbered in their order.
func checkNumbered(rw stack.ReadWriter, n uint32) error {
	for i := range n {
		m, err := rw.Read()
		if err != nil {
			return fmt.Errorf("read message %d: %w", i, err)
		}
		data, err := io.ReadAll(m.Payload)
		if err != nil {
			return err
		}
		if len(data) < 8 || len(data) != int(m.Size) || m.Code != uint64(i%8) {
			return fmt.Errorf("message %d: code %d, size %d, %d bytes", i, m.Code, m.Size, len(data))
		}
		number, sum := binary.BigEndian.Uint32(data), binary.BigEndian.Uint32(data[4:])
		if number != i || sum != crc32.ChecksumIEEE(data[8:])^i || len(data) != 8+int(i*7919%1500) {
			return fmt.Errorf("message %d came as number %d, %d bytes, or with a wrong checksum", i, number, len(data))
		}
	}
	return nil
}
