package link

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestAStreamWritesManyPiecesWholeAndInOrderToASlowReader(t *testing.T) {
	a, b := tcpPair(t)
	a.(*net.TCPConn).SetWriteBuffer(64 << 10)
	src, random := rand.NewChaCha8([32]byte{1}), rand.New(rand.NewPCG(1, 2))
	var pieces net.Buffers
	for range 3000 { // more than the kernel takes at once
		p := make([]byte, random.IntN(1500)) // some of them empty
		src.Read(p)
		pieces = append(pieces, p)
	}
	want := bytes.Join(pieces, nil)

	written := make(chan error, 1)
	go func() {
		n, err := newStream(a).writeAll(pieces)
		if err == nil && n != int64(len(want)) {
			err = errors.New("fewer bytes than there were, and no error")
		}
		a.Close()
		written <- err
	}()
	b.SetReadDeadline(time.Now().Add(30 * time.Second))
	got, err := io.ReadAll(newStream(b))
	if err != nil {
		t.Fatal(err)
	}
	if err := <-written; err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%d bytes came, not the %d that were written", len(got), len(want))
	}
}

func TestAStreamKeepsTheDeadlinesOfItsConnection(t *testing.T) {
	a, _ := tcpPair(t)
	s := newStream(a)
	a.SetDeadline(time.Now().Add(20 * time.Millisecond))
	if n, err := s.Read(make([]byte, 8)); n != 0 || !isTimeout(err) || !errors.Is(err, os.ErrDeadlineExceeded) || !strings.HasPrefix(err.Error(), "read tcp ") {
		t.Errorf("read %d bytes, error %v, want a time-out", n, err)
	}
	const piece = 1 << 20
	var n int64
	var err error
	for sent := 0; err == nil && sent < 1<<30; sent += piece {
		n, err = s.writeAll(net.Buffers{make([]byte, piece)})
	}
	if n >= piece || !isTimeout(err) || !strings.HasPrefix(err.Error(), "write tcp ") {
		t.Errorf("wrote %d bytes, error %v, want a time-out before all of them", n, err)
	}
}

func TestAStreamEndsWithTheErrorsOfItsConnection(t *testing.T) {
	t.Run("closed by the other end", func(t *testing.T) {
		a, b := tcpPair(t)
		b.Close()
		if n, err := newStream(a).Read(make([]byte, 8)); n != 0 || err != io.EOF {
			t.Errorf("read %d bytes, error %v, want io.EOF", n, err)
		}
	})
	t.Run("reset by the other end", func(t *testing.T) {
		a, b := tcpPair(t)
		b.(*net.TCPConn).SetLinger(0)
		b.Close()
		_, err := newStream(a).Read(make([]byte, 8))
		if !errors.Is(err, syscall.ECONNRESET) || !strings.Contains(err.Error(), a.RemoteAddr().String()) {
			t.Errorf("read error %v, want a reset that names the address", err)
		}
		if _, err := newStream(a).writeAll(net.Buffers{{1}, {2}}); !errors.Is(err, syscall.EPIPE) {
			t.Errorf("write error %v, want a broken pipe", err)
		}
	})
	t.Run("closed by this end", func(t *testing.T) {
		a, _ := tcpPair(t)
		s := newStream(a)
		a.Close()
		if _, err := s.Read(make([]byte, 8)); !errors.Is(err, net.ErrClosed) {
			t.Errorf("read error %v, want net.ErrClosed", err)
		}
		if _, err := s.writeAll(net.Buffers{{1}}); !errors.Is(err, net.ErrClosed) {
			t.Errorf("write error %v, want net.ErrClosed", err)
		}
	})
}

func TestAStreamSaysWhetherAReadHadToWait(t *testing.T) {
	a, b := tcpPair(t)
	s := newStream(a)
	a.SetReadDeadline(time.Now().Add(20 * time.Millisecond))
	if _, err := s.Read(make([]byte, 1)); !isTimeout(err) || !s.waited() {
		t.Errorf("error %v, waited: %v, with nothing to be read", err, s.waited())
	}
	a.SetReadDeadline(time.Time{})
	const bytes = 100
	if _, err := b.Write(make([]byte, bytes)); err != nil {
		t.Fatal(err)
	}
	for range bytes { // a system call may be held up, but not each
		if _, err := s.Read(make([]byte, 1)); err != nil {
			t.Fatal(err)
		}
		if !s.waited() {
			return
		}
	}
	t.Error("waited each time, for bytes that were there")
}
