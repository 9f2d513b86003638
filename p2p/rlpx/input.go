package rlpx

import "io"

const (
	// handshakeBuffer is the room to start with: a connection that never says a word should cost little.
	handshakeBuffer = 512
	// readBuffer is the room for frames: small ones are read many at a time, and opened where they are.
	readBuffer = 16 << 10
)

// input reads from a connection ahead of what is asked for, and keeps the surplus.
type input struct {
	src  io.Reader
	buf  []byte
	r, w int // buf[r:w] has been read from src and not yet been taken
}

// unread returns what has been read and not been taken. It is valid until the next fill.
func (b *input) unread() []byte { return b.buf[b.r:b.w] }

// fill waits until n bytes can be taken. The buffer then has at least size bytes; it never grows beyond what fill was
// asked for. The error is io.EOF if the connection ended before the first byte, io.ErrUnexpectedEOF if it did in between.
func (b *input) fill(n, size int) error {
	have := b.w - b.r
	if have >= n {
		return nil
	}
	switch size = max(size, n); {
	case len(b.buf) < size:
		grown := make([]byte, size)
		copy(grown, b.unread())
		b.buf, b.r, b.w = grown, 0, have
	case have == 0:
		b.r, b.w = 0, 0
	case len(b.buf)-b.r < n:
		copy(b.buf, b.unread())
		b.r, b.w = 0, have
	}
	m, err := io.ReadAtLeast(b.src, b.buf[b.w:], n-have)
	b.w += m
	if err == io.EOF && have > 0 {
		err = io.ErrUnexpectedEOF
	}
	return err
}

// take returns the next n bytes, which fill has waited for. They are valid until the next fill.
func (b *input) take(n int) []byte {
	p := b.buf[b.r : b.r+n : b.r+n]
	b.r += n
	return p
}

// readFull fills p, first with what is there already. It reads nothing ahead, so that a large body is not copied.
func (b *input) readFull(p []byte) error {
	n := copy(p, b.unread())
	b.r += n
	if n == len(p) {
		return nil
	}
	_, err := io.ReadFull(b.src, p[n:])
	if err == io.EOF && n > 0 {
		err = io.ErrUnexpectedEOF
	}
	return err
}
