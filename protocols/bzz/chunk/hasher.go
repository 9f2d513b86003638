package chunk

import (
	"fmt"

	"github.com/ethereum/go-ethereum/crypto"

	"github.com/sennit-net/sennit/protocols/bzz/internal/keccak"
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
	keccak keccak.Hasher
	nodes  [MaxPayload / 2]byte          // level by level, in place
	last   [keccak.Lanes * pairSize]byte // the pairs that the payload ends in, filled with zeros
}

// HashData returns the address of the chunk that data, span and payload, is. It panics if data is longer than
// [MaxDataSize] or has no whole span: the caller has checked it.
func (h *Hasher) HashData(data []byte) Address {
	return h.hash(data[:SpanSize], data[SpanSize:])
}

// hash computes the address of a chunk with this span, which is hashed as it stands.
func (h *Hasher) hash(span, payload []byte) Address {
	root := h.root(payload)
	return Address(h.keccak.Sum(span, root))
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
	n := h.firstLevel(payload)
	for level := 1; level < levels; level++ {
		if n%2 == 1 {
			copy(h.nodes[n*SegmentSize:], zeroRoots[level][:])
			n++
		}
		n /= 2
		h.keccak.Blocks(h.nodes[:], h.nodes[:], n, pairSize)
	}
	return h.nodes[:SegmentSize]
}

// firstLevel hashes the payload's pairs of segments into h.nodes and returns how many there are, at least one.
func (h *Hasher) firstLevel(payload []byte) int {
	whole := len(payload) / len(h.last) * keccak.Lanes
	h.keccak.Blocks(h.nodes[:], payload, whole, pairSize)
	rest := payload[whole*pairSize:]
	if len(rest) == 0 && whole > 0 {
		return whole
	}
	clear(h.last[copy(h.last[:], rest):])
	n := max(1, (len(rest)+pairSize-1)/pairSize)
	h.keccak.Blocks(h.nodes[whole*SegmentSize:], h.last[:], n, pairSize)
	return whole + n
}
