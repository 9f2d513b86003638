// Package chunk holds the unit that Swarm stores and sends: up to 4096 bytes with the number of bytes they stand for, and
// the address that follows from both.
//
// A chunk is a span of 8 bytes, little-endian, and a payload. In a leaf of a file the payload is content and the span its
// length; in a node above leaves the payload is the addresses of the nodes below and the span counts the bytes of content
// under all of them. The address is the hash of span and payload by a binary Merkle tree (BMT); [Hasher] computes it.
//
// Chunks and addresses are values and safe for concurrent use. What a file looks like as chunks is the business of
// package file, where they are kept that of package store.
package chunk

import (
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
)

// Sizes in bytes.
const (
	SpanSize    = 8                        // of the span in front of a payload
	MaxPayload  = 4096                     // of the largest payload
	MinDataSize = SpanSize + 1             // of the smallest chunk: its payload is not empty
	MaxDataSize = SpanSize + MaxPayload    // of the largest
	SegmentSize = 32                       // of a leaf of the tree that the address is made from
	Segments    = MaxPayload / SegmentSize // of a full payload, and addresses that a node of a tree can hold
)

// ErrInvalid is what a chunk is that has a length no chunk has, or an address that is not its own. Errors wrap it.
var ErrInvalid = errors.New("chunk: invalid")

// Chunk is one chunk and its address. The zero value is no chunk: it has no data. Chunks are not compared with ==.
type Chunk struct {
	addr Address
	data []byte // never changes
}

// hashers are at hand for those who hash now and then. Who hashes much keeps a Hasher.
var hashers = sync.Pool{New: func() any { return new(Hasher) }}

// New makes a chunk of a copy of payload, which has 1 to [MaxPayload] bytes. Other lengths are [ErrInvalid].
func New(span uint64, payload []byte) (Chunk, error) {
	if err := checkPayload(len(payload)); err != nil {
		return Chunk{}, err
	}
	data := make([]byte, SpanSize+len(payload))
	binary.LittleEndian.PutUint64(data, span)
	copy(data[SpanSize:], payload)
	return FromData(data)
}

// FromData makes a chunk of data, which is span and payload, of [MinDataSize] to [MaxDataSize] bytes. Other lengths are
// [ErrInvalid]. The chunk keeps data, which must not change any more.
func FromData(data []byte) (Chunk, error) {
	if err := checkPayload(len(data) - SpanSize); err != nil {
		return Chunk{}, err
	}
	h := hashers.Get().(*Hasher)
	defer hashers.Put(h)
	return Chunk{addr: h.HashData(data), data: data}, nil
}

// Verify makes a chunk of data, as [FromData] does, that claims to have the address addr. If it has another one, that is
// [ErrInvalid].
func Verify(addr Address, data []byte) (Chunk, error) {
	c, err := FromData(data)
	if err != nil {
		return Chunk{}, err
	}
	if c.addr != addr {
		return Chunk{}, fmt.Errorf("%w: address is %v, not %v", ErrInvalid, c.addr, addr)
	}
	return c, nil
}

// Trusted makes a chunk of data whose address the caller knows, because it has computed it, or because it comes from
// where only verified chunks are kept. Only the length of data is checked; it must not change any more. It is also for
// chunks whose address follows from other rules, such as Swarm's feed updates.
func Trusted(addr Address, data []byte) (Chunk, error) {
	if err := checkPayload(len(data) - SpanSize); err != nil {
		return Chunk{}, err
	}
	return Chunk{addr: addr, data: data}, nil
}

func checkPayload(n int) error {
	if n < 1 || n > MaxPayload {
		return fmt.Errorf("%w: payload of %d bytes, want 1 to %d", ErrInvalid, n, MaxPayload)
	}
	return nil
}

// Address returns the chunk's address.
func (c Chunk) Address() Address { return c.addr }

// Data returns span and payload, as they are sent and stored. The caller must not change them.
func (c Chunk) Data() []byte { return c.data }

// Span returns how many bytes of content the chunk stands for, by its own account; 0 for no chunk.
func (c Chunk) Span() uint64 {
	if len(c.data) < SpanSize {
		return 0
	}
	return binary.LittleEndian.Uint64(c.data)
}

// Payload returns the bytes after the span. The caller must not change them.
func (c Chunk) Payload() []byte {
	if len(c.data) < SpanSize {
		return nil
	}
	return c.data[SpanSize:]
}

// IsZero reports whether c is the zero value, which is no chunk.
func (c Chunk) IsZero() bool { return c.data == nil }

// Valid reports whether the chunk's address is the hash of its data.
func (c Chunk) Valid() bool {
	_, err := Verify(c.addr, c.data)
	return err == nil
}
