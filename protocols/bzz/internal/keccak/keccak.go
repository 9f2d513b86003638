// Package keccak computes Keccak-256 as Swarm uses it: of many short messages at once. A processor with AVX2 hashes four in
// little more than the time of one.
package keccak

import (
	"encoding/binary"
	"fmt"

	"github.com/cloudflare/circl/simd/keccakf1600"
	"github.com/ethereum/go-ethereum/crypto"
)

// Sizes in bytes.
const (
	Size      = 32 // of a hash
	BlockSize = 64 // of the largest message that [Hasher.Blocks] takes
)

// Lanes is how many messages are hashed at once at most.
const Lanes = 4

// The padding of a message: a bit behind it, and the last bit of the 136 bytes that are absorbed at a time.
const (
	wordsAbsorbed = 136 / 8
	firstPadding  = 0x01
	lastPadding   = 0x80 << 56
)

// wide tells whether this processor hashes several at once. Tests turn it off.
var wide = keccakf1600.IsEnabledX4()

// Hasher computes hashes. The zero value is ready; it allocates when it is first used and never again. It is not safe
// for concurrent use.
type Hasher struct {
	state crypto.KeccakState
	lanes *keccakf1600.StateX4 // by itself on the heap: it must stay where it is
	sum   [Size]byte           // on the stack it would escape
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
	if !wide || n < 2 { // as soon as there are two, all lanes at once are faster than one after the other
		for i := range n {
			copy(dst[i*Size:], h.Sum(src[i*BlockSize:][:length], nil))
		}
		return
	}
	if h.lanes == nil {
		h.lanes = new(keccakf1600.StateX4)
	}
	for i := 0; i < n; i += Lanes {
		h.four(dst[i*Size:][:Lanes*Size], src[i*BlockSize:][:Lanes*BlockSize], length)
	}
}

// four hashes as many messages.
func (h *Hasher) four(dst, src []byte, length int) {
	after := uint64(firstPadding) // in the word behind the block
	if length < BlockSize {
		after = 0
		for at := 0; at < len(src); at += BlockSize {
			clear(src[at+length : at+BlockSize])
			src[at+length] = firstPadding
		}
	}
	state := h.lanes.Initialize(false)
	clear(state)
	for lane := range Lanes {
		block := src[lane*BlockSize:][:BlockSize]
		for word := range BlockSize / 8 {
			state[word*Lanes+lane] = binary.LittleEndian.Uint64(block[word*8:])
		}
		state[BlockSize/8*Lanes+lane] = after
		state[(wordsAbsorbed-1)*Lanes+lane] = lastPadding
	}
	h.lanes.Permute()
	for lane := range Lanes {
		hash := dst[lane*Size:][:Size]
		for word := range Size / 8 {
			binary.LittleEndian.PutUint64(hash[word*8:], state[word*Lanes+lane])
		}
	}
}
