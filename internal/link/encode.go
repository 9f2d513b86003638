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

// readPayload fills p with payload.
func readPayload(p []byte, payload io.Reader) error {
	if len(p) == 0 {
		return nil
	}
	if _, err := io.ReadFull(payload, p); err != nil {
		return fmt.Errorf("payload is shorter than the message size of %d bytes: %w", len(p), err)
	}
	return nil
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
		if len(r.rest) == size && r.Len() == size {
			return r
		}
	}
	return nil
}

// withPayload calls use with the size bytes of a payload in one piece: where they are if they are in memory already,
// else in a buffer that is given back afterwards.
func withPayload(payload io.Reader, size int, use func(raw []byte)) error {
	if whole := wholeBytes(payload, size); whole != nil {
		u := users.Get().(*user)
		u.use = use
		_, err := whole.WriteTo(u)
		u.use = nil
		users.Put(u)
		return err
	}
	own := buffer.Get(size)
	defer own.Free()
	if err := readPayload(own.B, payload); err != nil {
		return err
	}
	use(own.B)
	return nil
}

// user is an io.Writer for the one call of Write that a whole payload makes.
type user struct{ use func([]byte) }

var users = sync.Pool{New: func() any { return new(user) }}

func (u *user) Write(raw []byte) (int, error) {
	u.use(raw)
	return len(raw), nil
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
