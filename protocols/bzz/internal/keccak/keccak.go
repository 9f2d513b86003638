// Package keccak computes Keccak-256 as Swarm uses it: of many short messages at once. A processor with AVX-512 hashes
// eight in little more time than one, one with AVX2 four in about twice the time.
package keccak

import (
	"fmt"

	"github.com/ethereum/go-ethereum/crypto"
)

// Sizes in bytes.
const (
	Size      = 32 // of a hash
	BlockSize = 64 // of the largest message that [Hasher.Blocks] takes
)

// Lanes is how many messages are hashed at once at most.
const Lanes = 8

// Hasher computes hashes. The zero value is ready; it allocates when it is first used and never again. It is not safe
// for concurrent use.
type Hasher struct {
	state crypto.KeccakState
	sum   [Size]byte // on the stack it would escape
}

// Sum returns the hash of a and b, one after the other, in memory that the next call of any method writes to.
func (h *Hasher) Sum(a, b []byte) []byte {
	if h.state == nil {
		h.state = crypto.NewKeccakState()
	}
	h.state.Reset()
	h.state.Write(a)
	h.state.Write(b)
	h.state.Read(h.sum[:])
	return h.sum[:]
}

// Blocks hashes n messages of length bytes each. Message i is at src[i*BlockSize:], its hash goes to dst[i*Size:]. Both
// slices have room for a number of messages that is a multiple of [Lanes], or for one if n is one; what is behind the
// n hashes in dst, and behind each message in its block of src, is arbitrary afterwards. dst and src may begin at the
// same byte: what is written has been read. Blocks panics if length is larger than [BlockSize].
func (h *Hasher) Blocks(dst, src []byte, n, length int) {
	if length > BlockSize {
		panic(fmt.Sprintf("keccak: messages of %d bytes, at most %d", length, BlockSize))
	}
	if width == 1 || n < 2 { // as soon as there are two, all lanes at once are faster than one after the other
		for i := range n {
			copy(dst[i*Size:], h.Sum(src[i*BlockSize:][:length], nil))
		}
		return
	}
	after := uint64(1) // the first bit of the padding, in the word behind the block
	if length < BlockSize {
		after = 0
	}
	for i := 0; i < n; i += width {
		if length < BlockSize {
			for at := i * BlockSize; at < (i+width)*BlockSize; at += BlockSize {
				clear(src[at+length : at+BlockSize])
				src[at+length] = 1
			}
		}
		if width == 8 {
			blocks8((*[8 * Size]byte)(dst[i*Size:]), (*[8 * BlockSize]byte)(src[i*BlockSize:]), after)
		} else {
			blocks4((*[4 * Size]byte)(dst[i*Size:]), (*[4 * BlockSize]byte)(src[i*BlockSize:]), after)
		}
	}
}
