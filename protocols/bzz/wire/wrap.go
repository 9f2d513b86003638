package wire

import (
	"fmt"
	"math"

	"github.com/ethereum/go-ethereum/rlp"
)

// Message is a message of one of the protocols: those of this package.
type Message interface {
	// Code returns the message's code within its protocol.
	Code() uint64

	encode(w rlp.EncoderBuffer)
}

// Append appends the message with its wrapper, as a link carries it. It allocates nothing if dst has room.
func Append(dst []byte, m Message) []byte {
	w := rlp.NewEncoderBuffer(nil)
	m.encode(w)
	size := w.Size()
	content := 1 + rlp.IntSize(uint64(size)) + int(rlp.ListSize(uint64(size))) // a string has a head like a list's
	dst = appendHead(dst, 0xc0, content)
	dst = append(dst, 0x80) // context
	dst = rlp.AppendUint64(dst, uint64(size))
	dst = appendHead(dst, 0x80, size)
	dst = w.AppendToBytes(dst)
	_ = w.Flush() // gives the buffer back; it has no writer that could fail
	return dst
}

// Unwrap returns the payload of a wrapper, which still has to be parsed. The context is ignored, and so is the size, as
// those do who were there at the time: it need not be that of the payload.
func Unwrap(data []byte) ([]byte, error) {
	if len(data) > MaxMessage {
		return nil, fmt.Errorf("%w: %d bytes, at most %d are allowed", ErrMalformed, len(data), MaxMessage)
	}
	r := openList("wrapper", data)
	r.bytes("context", MaxMessage)
	r.uint("size", math.MaxUint32)
	payload := r.bytes("payload", MaxMessage)
	return payload, r.end()
}
