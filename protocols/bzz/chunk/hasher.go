package chunk

import (
	"fmt"

	"github.com/ethereum/go-ethereum/crypto"
)

const (
	pairSize = 2 * SegmentSize // of what one node of the tree hashes
	levels   = 7               // from 128 segments to one root
)

// zeroRoots[l] is the root of a tree of 1<<l segments of zeros. Payloads are hashed as if zeros filled them up to 4096
// bytes, so a short payload needs only the nodes that lie above its own bytes, and these.
var zeroRoots = func() (roots [levels][SegmentSize]byte) {
	for l := 1; l < levels; l++ {
		copy(roots[l][:], crypto.Keccak256(roots[l-1][:], roots[l-1][:]))
	}
	return roots
}()

// Hasher computes addresses of chunks (bzz fact sheet, section 6):
//
//	address = keccak256(span || root of the binary Merkle tree over 128 segments of 32 bytes)
//
// The zero value is ready. A Hasher allocates when it is first used and never again. It is not safe for concurrent use:
// each goroutine that hashes has its own.
type Hasher struct {
	keccak crypto.KeccakState
	nodes  [MaxPayload / 2]byte // level by level, in place
	last   [pairSize]byte       // the pair that the payload ends in, filled with zeros
	sum    [SegmentSize]byte    // where results are read into; on the stack they would escape, as last would
}

// HashData returns the address of the chunk that data, span and payload, is. It panics if data is longer than
// [MaxDataSize] or has no whole span: the caller has checked it.
func (h *Hasher) HashData(data []byte) Address {
	return h.hash(data[:SpanSize], data[SpanSize:])
}

// hash computes the address of a chunk with this span, which is hashed as it stands.
func (h *Hasher) hash(span, payload []byte) Address {
	root := h.root(payload)
	return Address(h.keccak256(span, root))
}

// Root returns the root of the tree over payload, which is the address but for the span. It panics if payload is longer
// than [MaxPayload].
func (h *Hasher) Root(payload []byte) [SegmentSize]byte {
	return [SegmentSize]byte(h.root(payload))
}

// root returns the root in h.nodes.
func (h *Hasher) root(payload []byte) []byte {
	if len(payload) > MaxPayload {
		panic(fmt.Sprintf("chunk: payload of %d bytes to hash, at most %d", len(payload), MaxPayload))
	}
	whole := len(payload) / pairSize
	h.pairs(h.nodes[:], payload[:whole*pairSize])
	n := whole
	if rest := payload[whole*pairSize:]; len(rest) > 0 || n == 0 {
		clear(h.last[copy(h.last[:], rest):])
		copy(h.nodes[n*SegmentSize:], h.keccak256(h.last[:], nil))
		n++
	}
	for level := 1; level < levels; level++ {
		if n%2 == 1 {
			copy(h.nodes[n*SegmentSize:], zeroRoots[level][:])
			n++
		}
		h.pairs(h.nodes[:], h.nodes[:n*SegmentSize])
		n /= 2
	}
	return h.nodes[:SegmentSize]
}

// pairs hashes each 64 bytes of src to 32 bytes of dst. They may be the same memory: what is written has been read.
func (h *Hasher) pairs(dst, src []byte) {
	for i := 0; i*pairSize < len(src); i++ {
		copy(dst[i*SegmentSize:], h.keccak256(src[i*pairSize:(i+1)*pairSize], nil))
	}
}

// keccak256 returns the hash of a and b, in memory that the next call writes to.
func (h *Hasher) keccak256(a, b []byte) []byte {
	if h.keccak == nil {
		h.keccak = crypto.NewKeccakState()
	}
	h.keccak.Reset()
	h.keccak.Write(a)
	h.keccak.Write(b)
	h.keccak.Read(h.sum[:])
	return h.sum[:]
}
