package link

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"sync"

	"github.com/golang/snappy"

	"github.com/sennit-net/sennit/internal/buffer"
)

// literalSize is the largest payload, in bytes, that is not searched for repetitions: it travels as one Snappy literal,
// which any decoder takes. Messages this small are mostly hashes and numbers, and the search costs more than the bytes.
const literalSize = 64

// encodedSize bounds what appendPayload appends for n bytes of payload.
func encodedSize(n int) int { return snappy.MaxEncodedLen(n) }

// appendPayload appends a payload as it travels. dst must have room for encodedSize more bytes, and not overlap payload.
func appendPayload(dst, payload []byte, compress bool) []byte {
	if !compress {
		return append(dst, payload...)
	}
	n := len(payload)
	if n <= literalSize {
		dst = binary.AppendUvarint(dst, uint64(n))
		switch {
		case n > 60:
			dst = append(dst, 60<<2, byte(n-1))
		case n > 0:
			dst = append(dst, byte(n-1)<<2)
		}
		return append(dst, payload...)
	}
	room := dst[len(dst) : len(dst)+encodedSize(n)]
	return dst[:len(dst)+len(snappy.Encode(room, payload))]
}

// encode reads size bytes of payload and returns the message with that code as the framing wants it, unsealed.
func encode(f Framing, code uint64, size int, payload io.Reader) (b *buffer.Buffer, wire int, err error) {
	if raw := wholeBytes(payload, size); raw != nil {
		// The payload is in memory in one piece: encode it from there.
		b = buffer.Get(f.Overhead() + encodedSize(size))
		e := encoders.Get().(*encoder)
		e.framing, e.code, e.dst = f, code, b.B[:0]
		_, err = raw.WriteTo(e)
		b.B, wire = e.dst, e.wire
		*e = encoder{}
		encoders.Put(e)
		return b, wire, err
	}
	// A small payload is read behind the place where it is encoded to, a large one to memory that is given back at once:
	// together they may be more than the largest buffer, and would be held until the message has been sent.
	room := f.Overhead() + encodedSize(size)
	var raw []byte
	if size <= packedSize {
		b = buffer.Get(room + size)
		raw = b.B[room:]
	} else {
		own := buffer.Get(size)
		defer own.Free()
		raw = own.B
	}
	if size > 0 {
		if _, err = io.ReadFull(payload, raw); err != nil {
			b.Free()
			return nil, 0, fmt.Errorf("payload is shorter than the message size of %d bytes: %w", size, err)
		}
	}
	if b == nil {
		b = buffer.Get(room)
	}
	e := encoder{framing: f, code: code, dst: b.B[:0]}
	e.message(raw)
	b.B = e.dst
	return b, e.wire, nil
}

// shrunk returns b, or its contents in a smaller buffer if they have shrunk so much that it would be a waste to keep b
// until they have been sent.
func shrunk(b *buffer.Buffer) *buffer.Buffer {
	n := len(b.B)
	if n <= packedSize || 2*buffer.ClassSize(n) > cap(b.B) {
		return b
	}
	small := buffer.Get(n)
	copy(small.B, b.B)
	b.Free()
	return small
}

// wholeBytes returns payload if it is known to hand out exactly size bytes in one call of Write. Small ones are not
// worth the detour.
func wholeBytes(payload io.Reader, size int) io.WriterTo {
	if size <= packedSize {
		return nil
	}
	switch r := payload.(type) {
	case *bytes.Reader:
		if r.Len() == size {
			return r
		}
	case *bytes.Buffer:
		if r.Len() == size {
			return r
		}
	case *Message:
		if r.Len() == size {
			return r
		}
	}
	return nil
}

// encoder encodes the one payload written to it.
type encoder struct {
	framing Framing
	code    uint64
	dst     []byte
	wire    int // bytes of code and payload as they travel
}

var encoders = sync.Pool{New: func() any { return new(encoder) }}

func (e *encoder) Write(payload []byte) (int, error) {
	e.message(payload)
	return len(payload), nil
}

func (e *encoder) message(payload []byte) {
	e.dst = e.framing.AppendHead(e.dst, e.code)
	head := len(e.dst)
	e.dst = appendPayload(e.dst, payload, e.framing.Compress())
	e.wire = len(e.dst) - head + codeSize(e.code)
	e.dst = e.framing.AppendTail(e.dst, 0)
}

// codeSize is the length of a message code in RLP.
func codeSize(code uint64) int {
	n := 1
	if code >= 0x80 {
		for ; code > 0; code >>= 8 {
			n++
		}
	}
	return n
}
