package rlpx

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/golang/snappy"

	"github.com/sennit-net/sennit/internal/frame"
	"github.com/sennit-net/sennit/internal/race"
)

func TestConnWithoutHandshakeReturnsAnError(t *testing.T) {
	c := NewConn(says(), nil)
	if _, _, _, err := c.Read(); err != ErrNoHandshake {
		t.Errorf("Read: %v, want %v", err, ErrNoHandshake)
	}
	if _, err := c.Write(0, nil); err != ErrNoHandshake {
		t.Errorf("Write: %v, want %v", err, ErrNoHandshake)
	}
	if reason := panics(func() { c.Detach() }); reason != ErrNoHandshake {
		t.Errorf("Detach panicked with %v, want %v", reason, ErrNoHandshake)
	}
}

func TestSecretsAreInstalledOnce(t *testing.T) {
	c := newReader(t, says())
	_, recipient := goldenSecrets(t)
	if reason := panics(func() { c.InitWithSecrets(recipient()) }); reason != ErrHandshakeDone {
		t.Errorf("second InitWithSecrets panicked with %v, want %v", reason, ErrHandshakeDone)
	}
	if _, err := c.Handshake(newKey(t)); err != ErrHandshakeDone {
		t.Errorf("Handshake after InitWithSecrets: %v, want %v", err, ErrHandshakeDone)
	}
	sec := recipient()
	sec.AES = sec.AES[:16]
	if reason := panics(func() { NewConn(says(), nil).InitWithSecrets(sec) }); reason == nil {
		t.Error("secret of 16 bytes was accepted")
	}
}

// panics returns what f panicked with.
func panics(f func()) (reason any) {
	defer func() { reason = recover() }()
	f()
	return nil
}

func TestMalformedFramesEndTheConnection(t *testing.T) {
	change := func(i int) func([]byte) []byte {
		return func(f []byte) []byte { f[i] ^= 1; return f }
	}
	cut := func(n int) func([]byte) []byte { return func(f []byte) []byte { return f[:n] } }
	whole := frame.SealedSize(3)
	tests := []struct {
		name   string
		data   []byte // code and payload
		snappy bool
		change func([]byte) []byte
		want   error
	}{
		{name: "header changed", data: []byte{1, 2, 3}, change: change(0), want: frame.ErrBadMAC},
		{name: "header MAC changed", data: []byte{1, 2, 3}, change: change(31), want: frame.ErrBadMAC},
		{name: "body changed", data: []byte{1, 2, 3}, change: change(32), want: frame.ErrBadMAC},
		{name: "padding changed", data: []byte{1, 2, 3}, change: change(47), want: frame.ErrBadMAC},
		{name: "body MAC changed", data: []byte{1, 2, 3}, change: change(48), want: frame.ErrBadMAC},
		{name: "large body changed", data: make([]byte, 3<<16), change: change(1 << 17), want: frame.ErrBadMAC},
		{name: "nothing after the header", data: []byte{1, 2, 3}, change: cut(32), want: io.ErrUnexpectedEOF},
		{name: "body cut", data: []byte{1, 2, 3}, change: cut(33), want: io.ErrUnexpectedEOF},
		{name: "body MAC missing", data: []byte{1, 2, 3}, change: cut(whole - frame.MACSize), want: io.ErrUnexpectedEOF},
		{name: "body MAC cut", data: []byte{1, 2, 3}, change: cut(whole - 1), want: io.ErrUnexpectedEOF},
		{name: "large body cut", data: make([]byte, 3<<16), change: cut(1 << 17), want: io.ErrUnexpectedEOF},
		{name: "large body cut after the header", data: make([]byte, 3<<16), change: cut(32), want: io.ErrUnexpectedEOF},
		{name: "large body without MAC", data: make([]byte, 3<<16), change: cut(32 + 3<<16), want: io.ErrUnexpectedEOF},
		{name: "code not canonical", data: []byte{0}, want: frame.ErrBadCode},
		{name: "code cut", data: []byte{0x84, 1}, want: frame.ErrBadCode},
		{name: "code is a list", data: []byte{0xc0}, want: frame.ErrBadCode},
		{name: "no snappy block", data: []byte{1}, snappy: true, want: ErrBadSnappy},
		{name: "snappy length unfinished", data: []byte{1, 0xff}, snappy: true, want: ErrBadSnappy},
		{name: "snappy length beyond 64 bits", data: append([]byte{1}, bytes.Repeat([]byte{0xff}, 10)...), snappy: true, want: ErrBadSnappy},
		{name: "snappy length 2^32-1", data: []byte{1, 0xff, 0xff, 0xff, 0xff, 0x0f, 0}, snappy: true, want: ErrMessageTooBig},
		{name: "snappy length 2^24", data: []byte{1, 0x80, 0x80, 0x80, 0x08, 0}, snappy: true, want: ErrMessageTooBig},
		{name: "snappy length 2^24-1 in front of little", data: []byte{1, 0xff, 0xff, 0xff, 0x07, 0}, snappy: true, want: ErrBadSnappy},
		{name: "snappy block too short", data: []byte{1, 5, 0x10, 1, 2}, snappy: true, want: ErrBadSnappy},
		{name: "snappy block too long", data: []byte{1, 1, 0x08, 1, 2, 3}, snappy: true, want: ErrBadSnappy},
	}
	for _, test := range tests {
		sealer := remoteSealer(t)
		bad := seal(sealer, test.data)
		if test.change != nil {
			bad = test.change(bad)
		}
		c := newReader(t, says(bad, seal(sealer, []byte{1}, snappy.Encode(nil, nil))))
		if len(bad) < frame.SealedSize(len(test.data)) {
			c = newReader(t, says(bad))
		}
		c.SetSnappy(test.snappy)
		for range 2 { // the error is final
			if code, data, size, err := c.Read(); !errors.Is(err, test.want) || code != 0 || data != nil || size != 0 {
				t.Errorf("%s: Read = %d, %d bytes, %d, %v, want %v", test.name, code, len(data), size, err, test.want)
			}
		}
	}
}

func TestConnectionThatEndsBetweenMessagesReturnsEOF(t *testing.T) {
	c := newReader(t, says(seal(remoteSealer(t), []byte{1})))
	if _, _, _, err := c.Read(); err != nil {
		t.Fatal(err)
	}
	if _, _, _, err := c.Read(); err != io.EOF {
		t.Fatalf("error %v, want %v", err, io.EOF)
	}
	c = newReader(t, says(seal(remoteSealer(t), []byte{1})[:31]))
	if _, _, _, err := c.Read(); err != io.ErrUnexpectedEOF {
		t.Fatalf("inside the header: error %v, want %v", err, io.ErrUnexpectedEOF)
	}
}

// allocated returns the bytes that f allocates.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

func TestPromisedSizesAllocateNothing(t *testing.T) {
	header := func() []byte {
		hdr := make([]byte, frame.HeaderSize)
		remoteSealer(t).SealHeader(hdr, frame.MaxSize)
		return hdr
	}
	snappyClaim := func(claim ...byte) []byte { return seal(remoteSealer(t), []byte{1}, claim) }
	tests := []struct {
		name   string
		wire   []byte
		snappy bool
		limit  uint64
	}{
		{"frame of 16 MiB that does not come", header(), false, bodyStep + 2*readBuffer},
		{"frame of 16 MiB that comes in part", append(header(), make([]byte, 3*bodyStep)...), false, 8 * bodyStep},
		{"snappy length 2^32-1", snappyClaim(0xff, 0xff, 0xff, 0xff, 0x0f, 0), true, 2 * readBuffer},
		{"snappy length 2^24-1", snappyClaim(0xff, 0xff, 0xff, 0x07, 0), true, 2 * readBuffer},
	}
	for _, test := range tests {
		c := newReader(t, says(test.wire))
		c.SetSnappy(test.snappy)
		if got := allocated(func() {
			if _, _, _, err := c.Read(); err == nil {
				t.Errorf("%s: no error", test.name)
			}
		}); got > test.limit {
			t.Errorf("%s: %d bytes allocated, want at most %d", test.name, got, test.limit)
		}
	}
	a := newAttacker(t)
	c := NewConn(says([]byte{0xff, 0xff}), nil)
	if got := allocated(func() { c.Handshake(a.nodeKey) }); got > 8<<10 {
		t.Errorf("auth that promises 64 KiB: %d bytes allocated", got)
	}
}

func TestSmallMessagesAreReadAndWrittenWithoutAllocation(t *testing.T) {
	if race.Enabled {
		t.Skip("the race detector has pools lose what they are given")
	}
	const runs = 200
	sealer := remoteSealer(t)
	payload := bytes.Repeat([]byte("some "), 20)
	var wire []byte
	for range runs + 2 {
		wire = append(wire, seal(sealer, []byte{0x10}, snappy.Encode(nil, payload))...)
	}
	network := says(wire)
	c := newReader(t, network)
	c.SetSnappy(true)
	network.sent.Grow(2 * len(wire))
	if n := testing.AllocsPerRun(runs, func() {
		if _, data, _, err := c.Read(); err != nil || len(data) != len(payload) {
			t.Fatalf("%d bytes, %v", len(data), err)
		}
		if _, err := c.Write(0x10, payload); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("%v allocations for a message read and one written, want none", n)
	}
}

func TestLargeMessagesLeaveNoLargeBuffers(t *testing.T) {
	sealer := remoteSealer(t)
	large := make([]byte, 4<<20)
	network := says(
		seal(sealer, []byte{1}, snappy.Encode(nil, large)),
		seal(sealer, []byte{1}, snappy.Encode(nil, []byte("small"))),
	)
	c := newReader(t, network)
	c.SetSnappy(true)
	for range 2 {
		if _, _, _, err := c.Read(); err != nil {
			t.Fatal(err)
		}
		if _, err := c.Write(1, large); err != nil {
			t.Fatal(err)
		}
		if kept := cap(c.in.buf) + cap(c.plain) + cap(c.out); kept > readBuffer+2*keepBuffer {
			t.Fatalf("%d bytes kept, want at most %d", kept, readBuffer+2*keepBuffer)
		}
	}
}

func TestMessagesBeyondTheLimitAreNotWritten(t *testing.T) {
	network := says()
	c := newReader(t, network)
	for name, test := range map[string]struct {
		size   int
		snappy bool
	}{
		"payload of 16 MiB":                      {frame.MaxSize + 1, false},
		"payload of 16 MiB, compressible":        {frame.MaxSize + 1, true},
		"code and payload of 16 MiB in sum":      {frame.MaxSize, false},
		"payload of twice as much, compressible": {2 * frame.MaxSize, true},
	} {
		c.SetSnappy(test.snappy)
		if _, err := c.Write(1, make([]byte, test.size)); err != ErrMessageTooBig || network.writes != 0 {
			t.Errorf("%s: error %v after %d writes, want %v", name, err, network.writes, ErrMessageTooBig)
		}
	}
	c.SetSnappy(false)
	if size, err := c.Write(1, make([]byte, frame.MaxSize-1)); err != nil || size != frame.MaxSize-1 {
		t.Errorf("largest message after them: %d, %v", size, err)
	}
}

// failing is a connection whose writes fail.
type failing struct {
	scripted
	err error
}

func (c *failing) Write(p []byte) (int, error) { c.writes++; return len(p) / 2, c.err }

func TestWriteErrorIsFinal(t *testing.T) {
	network := &failing{err: errors.New("cable cut")}
	c := newReader(t, network)
	for range 2 {
		if _, err := c.Write(1, nil); err != network.err {
			t.Errorf("error %v, want %v", err, network.err)
		}
	}
	if network.writes != 1 {
		t.Errorf("%d writes after the first failed", network.writes-1)
	}
}

func TestReadGoesOnAfterATimeoutBetweenMessages(t *testing.T) {
	local, remote := net.Pipe()
	defer local.Close()
	defer remote.Close()
	c := newReader(t, local)
	if err := c.SetReadDeadline(time.Unix(1, 0)); err != nil {
		t.Fatal(err)
	}
	if _, _, _, err := c.Read(); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("error %v, want %v", err, os.ErrDeadlineExceeded)
	}
	if err := c.SetReadDeadline(time.Time{}); err != nil {
		t.Fatal(err)
	}
	msg := seal(remoteSealer(t), []byte{7}, []byte("late"))
	var wg sync.WaitGroup
	wg.Go(func() { remote.Write(msg) })
	if code, data, _, err := c.Read(); err != nil || code != 7 || string(data) != "late" {
		t.Fatalf("read %d, %q, %v", code, data, err)
	}
	wg.Wait()
	if err := errors.Join(c.SetWriteDeadline(time.Unix(1, 0)), c.SetDeadline(time.Unix(1, 0))); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Write(1, nil); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("Write after the deadline: error %v, want %v", err, os.ErrDeadlineExceeded)
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestBytesInAnyPortionsMakeTheSameMessages(t *testing.T) {
	sealer := remoteSealer(t)
	var wire []byte
	sizes := []int{0, 5, readBuffer - 100, 40000, 1, 300000, 16, readBuffer - 33, readBuffer - 32, 2}
	for i, size := range sizes {
		wire = append(wire, seal(sealer, []byte{byte(i + 1)}, bytes.Repeat([]byte{byte(i)}, size))...)
	}
	for _, portion := range []int{1, 7, 31, 33, 1000, readBuffer, len(wire)} {
		network := &scripted{Reader: &portions{bytes.NewReader(wire), portion}}
		c := newReader(t, network)
		for i, size := range sizes {
			code, data, _, err := c.Read()
			if err != nil || code != uint64(i+1) || !bytes.Equal(data, bytes.Repeat([]byte{byte(i)}, size)) {
				t.Fatalf("portions of %d: message %d is code %d, %d bytes, %v", portion, i, code, len(data), err)
			}
		}
	}
}

// portions returns at most n bytes at a time.
type portions struct {
	io.Reader
	n int
}

func (p *portions) Read(b []byte) (int, error) { return p.Reader.Read(b[:min(len(b), p.n)]) }

func TestDetachHandsOverWhatWasReadAhead(t *testing.T) {
	sealer := remoteSealer(t)
	first, second, third := seal(sealer, []byte{1}), seal(sealer, []byte{2}, []byte("second")), seal(sealer, []byte{3})
	network := says(first, second, third[:20])
	c := newReader(t, network)
	c.SetSnappy(false)
	if _, _, _, err := c.Read(); err != nil {
		t.Fatal(err)
	}
	s := c.Detach()
	if want := append(bytes.Clone(second), third[:20]...); !bytes.Equal(s.Buffered, want) {
		t.Fatalf("%d bytes buffered, want %d", len(s.Buffered), len(want))
	}
	if s.Conn != network || s.Snappy {
		t.Error("session has another connection or snappy switched on")
	}
	n, _, err := s.Opener.Open(s.Buffered[:frame.HeaderSize])
	if err != nil {
		t.Fatal(err)
	}
	body := s.Buffered[frame.HeaderSize:][:frame.PaddedSize(n)]
	s.Opener.OpenBody(body)
	if err := s.Opener.OpenMAC(s.Buffered[frame.HeaderSize+len(body):]); err != nil || string(body[1:n]) != "second" {
		t.Fatalf("opened %q, %v", body[:n], err)
	}
	// The write half goes on as well.
	out := seal(s.Sealer, []byte{4}, []byte("answer"))
	initiator, _ := goldenSecrets(t)
	remote := NewConn(says(out), nil)
	remote.InitWithSecrets(initiator())
	if code, data, _, err := remote.Read(); err != nil || code != 4 || string(data) != "answer" {
		t.Fatalf("answer is %d, %q, %v", code, data, err)
	}

	if _, _, _, err := c.Read(); err != ErrDetached {
		t.Errorf("Read: %v, want %v", err, ErrDetached)
	}
	if _, err := c.Write(1, nil); err != ErrDetached {
		t.Errorf("Write: %v, want %v", err, ErrDetached)
	}
	if _, err := c.Handshake(newKey(t)); err != ErrDetached {
		t.Errorf("Handshake: %v, want %v", err, ErrDetached)
	}
	if reason := panics(func() { c.Detach() }); reason != ErrDetached {
		t.Errorf("second Detach panicked with %v, want %v", reason, ErrDetached)
	}
}

func TestFramesRightBehindTheAckAreKept(t *testing.T) {
	keyI, keyR := newKey(t), newKey(t)
	c, s := tcpPair(t)
	initiator, recipient := NewConn(c, &keyR.PublicKey), NewConn(s, nil)
	done := make(chan error, 1)
	go func() {
		_, err := recipient.Handshake(keyR)
		for i := uint64(0); i < 50 && err == nil; i++ {
			_, err = recipient.Write(i, []byte(strings.Repeat("x", int(i))))
		}
		done <- err
	}()
	if _, err := initiator.Handshake(keyI); err != nil {
		t.Fatal(err)
	}
	for i := range uint64(50) {
		if code, data, _, err := initiator.Read(); err != nil || code != i || len(data) != int(i) {
			t.Fatalf("message %d is code %d, %d bytes, %v", i, code, len(data), err)
		}
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}

func TestBothDirectionsWorkAtOnce(t *testing.T) {
	keyI, keyR := newKey(t), newKey(t)
	c, s := tcpPair(t)
	ends := []*Conn{NewConn(c, &keyR.PublicKey), NewConn(s, nil)}
	if _, _, err := shake(ends[0], ends[1], keyI, keyR); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for _, end := range ends {
		end.SetSnappy(true)
		wg.Go(func() {
			for i := range uint64(500) {
				if _, err := end.Write(i, make([]byte, i*50)); err != nil {
					t.Errorf("write %d: %v", i, err)
					return
				}
			}
		})
		wg.Go(func() {
			for i := range uint64(500) {
				if code, data, _, err := end.Read(); err != nil || code != i || len(data) != int(i*50) {
					t.Errorf("message %d is code %d, %d bytes, %v", i, code, len(data), err)
					return
				}
			}
		})
	}
	wg.Wait()
}
