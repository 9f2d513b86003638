package frame

import (
	"crypto/subtle"
	"encoding"
	"encoding/binary"
	"hash"
	"sync"

	"github.com/cloudflare/circl/simd/keccakf1600"
)

// twin computes the digests of two Keccak-256 states at once. A processor with AVX2 permutes four states in little more than
// the time of one, and the digest that becomes the MAC of a header is one of which nothing else depends.
type twin struct {
	state   keccakf1600.StateX4
	words   []uint64 // of the four states, interleaved; what is in the last two does not matter
	encoded []byte   // a state as its hash writes it
}

const (
	width = 4 // states that are permuted at once, of which two are used

	stateWords   = 25      // of a Keccak state, 8 bytes each
	rateWords    = 136 / 8 // of them that take input
	firstPadding = 0x01    // the bit behind the input
	lastPadding  = 1 << 63 // the last bit of the words that take input
	encodedHead  = 4 + 1   // magic and rate, before the words of an encoded state
	encodedTail  = 1 + 1   // length of the pending input and direction, behind them
	encodedSize  = encodedHead + 8*stateWords + encodedTail
)

var twins = sync.Pool{New: func() any {
	t := &twin{encoded: make([]byte, 0, encodedSize)}
	t.words = t.state.Initialize(false)
	return t
}}

// load takes the state of a hash into lane 0 or 1, padded. It returns false if that is not a state as it is known here.
func (t *twin) load(lane int, h encoding.BinaryAppender) bool {
	var err error
	if t.encoded, err = h.AppendBinary(t.encoded[:0]); err != nil || len(t.encoded) != encodedSize {
		return false
	}
	state := t.encoded[encodedHead:]
	pending := state[8*stateWords]
	if pending >= 8*rateWords {
		return false
	}
	state[pending] ^= firstPadding
	for i := range stateWords {
		t.words[i*width+lane] = binary.LittleEndian.Uint64(state[8*i:])
	}
	t.words[(rateWords-1)*width+lane] ^= lastPadding
	return true
}

// permute makes digests of the states.
func (t *twin) permute() { t.state.Permute() }

// digest copies as much of a digest as dst has room for, a multiple of 8 bytes.
func (t *twin) digest(dst []byte, lane int) {
	for i := range len(dst) / 8 {
		binary.LittleEndian.PutUint64(dst[8*i:], t.words[i*width+lane])
	}
}

// statesOf returns h as something whose states a twin can load, or nil if h is another kind of hash or this processor gains
// nothing. The encoding of states is not documented by who makes them, so one is tried: its digest is known.
func statesOf(h hash.Hash, known []byte) encoding.BinaryAppender {
	states, ok := h.(encoding.BinaryAppender)
	if !ok || !keccakf1600.IsEnabledX4() {
		return nil
	}
	t := twins.Get().(*twin)
	defer twins.Put(t)
	for lane := range 2 {
		if !t.load(lane, states) {
			return nil
		}
	}
	t.permute()
	for lane := range 2 {
		var digest [32]byte
		t.digest(digest[:], lane)
		if subtle.ConstantTimeCompare(digest[:], known) != 1 {
			return nil
		}
	}
	return states
}
