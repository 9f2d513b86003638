package link

import (
	"github.com/sennit-net/sennit/internal/buffer"
)

const (
	// firstAssembly is how much memory a large message gets before any of it has arrived, in bytes; it gets four times as
	// much whenever that is full, so that memory is taken for what came and not for what was announced.
	firstAssembly = 64 << 10
	growAssembly  = 4
	// readPiece is how much of a large message is read, verified and decrypted at a time, in bytes: it stays in the cache.
	readPiece = 128 << 10
)

// Assembly collects the bytes of a large message while they arrive. The zero value is one that nobody wants: it passes
// the bytes through a small buffer, so that they can be verified, and keeps none. It belongs to the reader.
type Assembly struct {
	grow func(to int) (*buffer.Buffer, error) // memory of to bytes, charged; nil if the message is not wanted any more
	done func(charged int64)                  // takes the charge back

	buf     *buffer.Buffer // all of the message so far, or if that is not wanted the bytes not yet handed out
	kept    bool           // the message is still wanted
	size    int            // bytes that will come
	got     int            // bytes that came
	next    int            // place in buf of the first byte not yet handed out
	end     int            // place in buf behind the last byte
	charged int64          // for buf
}

// start begins an assembly of size bytes with those that have already been read and handed out.
func (a *Assembly) start(first []byte, size int) error {
	a.size, a.got = size, len(first)
	if a.grow != nil {
		if err := a.more(min(size, firstAssembly)); err != nil {
			return err
		}
	}
	if a.kept {
		a.end = copy(a.buf.B, first)
		a.next = a.end
	}
	return nil
}

// missing returns how many bytes have not come yet.
func (a *Assembly) missing() int { return a.size - a.got }

// room returns memory to read some of the missing bytes to.
func (a *Assembly) room() ([]byte, error) {
	if a.kept && a.end == len(a.buf.B) {
		if err := a.more(min(a.size, growAssembly*len(a.buf.B))); err != nil {
			return nil, err
		}
	}
	if !a.kept {
		if a.buf == nil {
			a.buf = buffer.Get(busyRead)
		}
		a.end = copy(a.buf.B, a.buf.B[a.next:a.end])
		a.next = 0
	}
	return a.buf.B[a.end:min(len(a.buf.B), a.end+readPiece, a.end+a.missing())], nil
}

// more replaces the memory by a larger piece, or stops keeping the message.
func (a *Assembly) more(to int) error {
	b, err := a.grow(to)
	if err != nil {
		return err
	}
	old, charged := a.buf, a.charged
	a.buf, a.kept, a.charged = b, b != nil, int64(buffer.ClassSize(to))
	if b == nil {
		a.buf, a.charged = nil, 0
		if a.end > a.next {
			a.buf = buffer.Get(busyRead)
			a.end = copy(a.buf.B, old.B[a.next:a.end])
		} else {
			a.end = 0
		}
		a.next = 0
	} else if old != nil {
		copy(b.B, old.B[:a.end])
	}
	old.Free()
	if charged > 0 {
		a.done(charged)
	}
	return nil
}

// filled takes note that n bytes have been read to where room said, and returns those that can be verified and decrypted
// now: whole cipher blocks.
func (a *Assembly) filled(n int) []byte {
	a.got += n
	a.end += n
	whole := a.next + (a.end-a.next)&^15
	p := a.buf.B[a.next:whole]
	a.next = whole
	return p
}

// bytes returns what has been collected, nil if the message is not wanted.
func (a *Assembly) bytes() []byte {
	if !a.kept {
		return nil
	}
	return a.buf.B
}

// fits tells whether the memory is no larger than that of a message of n bytes, which was charged for it.
func (a *Assembly) fits(n int) bool { return cap(a.buf.B) <= buffer.ClassSize(n) }

// take hands the memory over to the caller; it stays charged until free.
func (a *Assembly) take() *buffer.Buffer {
	b := a.buf
	a.buf = nil
	return b
}

// free gives back memory and charge.
func (a *Assembly) free() {
	a.buf.Free()
	a.buf = nil
	if a.charged > 0 {
		a.done(a.charged)
		a.charged = 0
	}
}
