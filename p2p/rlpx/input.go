package rlpx

import "io"

const (
	// firstBuffer is the room to start with: for an ack with most Hellos behind it. A connection that never says a word
	// should cost little, and neither should one that is taken apart after its Hello.
	firstBuffer = 1 << 10
	// readBuffer is the room for frames on a busy connection: small ones are read many at a time, and opened where they
	// are.
	readBuffer = 16 << 10
	// bufferGrowth is how many times larger the room gets when all of it has been needed.
	bufferGrowth = 4
)

// input reads from a connection ahead of what is asked for, and keeps the surplus.
type input struct {
	src  io.Reader
	buf  []byte
	r, w int // buf[r:w] has been read from src and not yet been taken
}

// unread returns what has been read and not been taken. It is valid until the next fill.
func (b *input) unread() []byte { return b.buf[b.r:b.w] }

// fill waits until n bytes can be taken. The buffer starts small and grows, up to readBuffer or n, when that is not enough
// for n bytes or when the remote has filled it. The error is io.EOF if the connection ended before the first byte,
// io.ErrUnexpectedEOF if it did in between.
func (b *input) fill(n int) error {
	have := b.w - b.r
	if have >= n {
		return nil
	}
	b.makeRoom(n, have)
	m, err := io.ReadAtLeast(b.src, b.buf[b.w:], n-have)
	b.w += m
	if err == io.EOF && have > 0 {
		err = io.ErrUnexpectedEOF
	}
	return err
}

// makeRoom makes a buffer that holds n bytes from b.r on, of which there are fewer so far: have.
func (b *input) makeRoom(n, have int) {
	size := max(len(b.buf), firstBuffer)
	if n > size || (b.w > 0 && b.w == len(b.buf)) {
		size = max(n, min(bufferGrowth*size, readBuffer))
	}
	switch {
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
