package shh

import (
	"encoding"
	"encoding/binary"
	"math"
	"math/bits"

	"github.com/ethereum/go-ethereum/crypto"
)

// Rules is a set of rules by which proof of work is counted. There are two, and what was sealed by one is worth a random
// number by the other: go-ethereum changed the rule in version 1.9.
type Rules uint8

const (
	// Rule18 is that of go-ethereum 1.8: Keccak-256 of Keccak-256 of the envelope without its nonce, 24 zeros and the
	// nonce; zero bits count from the end; the size is that of the data and 20.
	Rule18 Rules = 1 << iota

	// Rule19 is that of go-ethereum 1.9, nim-eth and Waku: Keccak-256 of the envelope without its nonce, and the nonce;
	// zero bits count from the start; the size is that of the envelope without its nonce.
	Rule19

	// BothRules are all there are.
	BothRules = Rule18 | Rule19
)

// String returns "1.8", "1.9", "1.8+1.9" or "none".
func (r Rules) String() string {
	switch r & BothRules {
	case Rule18:
		return "1.8"
	case Rule19:
		return "1.9"
	case BothRules:
		return "1.8+1.9"
	}
	return "none"
}

// Work is how much proof of work an envelope carries, by either rule: 2^bits / size / TTL.
type Work struct{ By18, By19 float64 }

// Best returns the larger of the two.
func (w Work) Best() float64 { return max(w.By18, w.By19) }

// Reaching returns the rules by which the work is at least target.
func (w Work) Reaching(target float64) Rules {
	var r Rules
	if w.By18 >= target {
		r |= Rule18
	}
	if w.By19 >= target {
		r |= Rule19
	}
	return r
}

// Work returns how much proof of work the envelope carries.
func (e *Envelope) Work() Work { return e.workAt(0) }

// workAt returns the work of an envelope that stays so many seconds longer than it says, because it is dated in the future.
func (e *Envelope) workAt(ahead uint64) Work {
	var d [32]byte
	h19 := newPrefixHash(e, Rule19)
	h18 := h19.digested()
	h18.sum(e.Nonce, &d)
	by18 := trailingZeros(&d)
	h19.sum(e.Nonce, &d)
	by19 := leadingZeros(&d)
	// An envelope that is sent and expires in the same second is held to have lived for one.
	seconds := float64(max(uint64(e.TTL)+ahead, 1))
	return Work{
		By18: math.Pow(2, float64(by18)) / float64(headerLength+len(e.Data)) / seconds,
		By19: math.Pow(2, float64(by19)) / float64(e.shortSize()) / seconds,
	}
}

// targetBits returns how many zero bits reach the target by either rule. It goes by a size that is not less than that of
// any of them.
func (e *Envelope) targetBits(target float64) int {
	n := math.Ceil(math.Log2(target * float64(headerLength+len(e.Data)) * float64(max(e.TTL, 1))))
	return int(min(max(n, 1), 8*32+1)) // more than a digest has will do: it may be infinite
}

func leadingZeros(d *[32]byte) int {
	for i := range 4 {
		if word := binary.BigEndian.Uint64(d[8*i:]); word != 0 {
			return 64*i + bits.LeadingZeros64(word)
		}
	}
	return 256
}

func trailingZeros(d *[32]byte) int {
	for i := range 4 {
		if word := binary.BigEndian.Uint64(d[24-8*i:]); word != 0 {
			return 64*i + bits.TrailingZeros64(word)
		}
	}
	return 256
}

// prefixHash computes Keccak-256 of one prefix and many nonces. The prefix is hashed once: what makes the search fast is
// that every try starts from the state after it, and allocates nothing. It is for one goroutine.
type prefixHash struct {
	crypto.KeccakState
	restore encoding.BinaryUnmarshaler // the same
	after   []byte                     // the state after the prefix
	nonce   [8]byte
}

// shortHeadMax is the size of the largest head of what is hashed: of a list and of the data, two integers and the topic.
const shortHeadMax = 2*listHeadMax + 2*5 + 1 + TopicSize

// newPrefixHash returns the hash that the given rule, which is one, counts the bits of.
func newPrefixHash(e *Envelope, rule Rules) *prefixHash {
	h := startPrefixHash()
	h.Write(e.appendShortHead(make([]byte, 0, shortHeadMax)))
	h.Write(e.Data)
	h.after = h.mark()
	if rule == Rule18 {
		return h.digested()
	}
	return h
}

// digested returns the hash of Rule18, whose prefix is the digest of that of Rule19.
func (h *prefixHash) digested() *prefixHash {
	var prefix [32 + 24]byte
	h.reset()
	h.Read(prefix[:32])
	d := startPrefixHash()
	d.Write(prefix[:])
	d.after = d.mark()
	return d
}

func startPrefixHash() *prefixHash {
	k := crypto.NewKeccakState()
	return &prefixHash{KeccakState: k, restore: k.(encoding.BinaryUnmarshaler)}
}

// mark returns the present state, and reset goes back to the one after the prefix. go-ethereum's Keccak does both without fail.
func (h *prefixHash) mark() []byte {
	state, err := h.KeccakState.(encoding.BinaryMarshaler).MarshalBinary()
	if err != nil {
		panic(err)
	}
	return state
}

func (h *prefixHash) reset() {
	if err := h.restore.UnmarshalBinary(h.after); err != nil {
		panic(err)
	}
}

// sum sets d to the digest of the prefix and the nonce.
func (h *prefixHash) sum(nonce uint64, d *[32]byte) {
	h.reset()
	binary.BigEndian.PutUint64(h.nonce[:], nonce)
	h.Write(h.nonce[:])
	h.Read(d[:])
}

// zeros returns how many zero bits the digest with the nonce has by the rule, which is one.
func (h *prefixHash) zeros(rule Rules, nonce uint64, d *[32]byte) int {
	h.sum(nonce, d)
	if rule == Rule18 {
		return trailingZeros(d)
	}
	return leadingZeros(d)
}
