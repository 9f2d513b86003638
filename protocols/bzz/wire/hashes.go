package wire

import (
	"fmt"
	"math"

	"github.com/ethereum/go-ethereum/rlp"

	"github.com/sennit-net/sennit/protocols/bzz/chunk"
)

// OfferedHashes offers chunks of a stream by their addresses: [stream, from, to, hashes, proof]. The proof
// [signature, [stream, start, end, root]] is always there and always empty.
type OfferedHashes struct {
	Stream   Stream
	From, To uint64 // places in the stream that the offer covers, both included
	Hashes   []byte // the addresses, one after the other; a multiple of 32 bytes
}

// Len returns how many hashes are offered.
func (m OfferedHashes) Len() int { return len(m.Hashes) / chunk.AddressSize }

// Hash returns the i-th hash.
func (m OfferedHashes) Hash(i int) chunk.Address {
	return chunk.Address(m.Hashes[i*chunk.AddressSize:])
}

// Code implements [Message].
func (OfferedHashes) Code() uint64 { return CodeOfferedHashes }

func (m OfferedHashes) encode(w rlp.EncoderBuffer) {
	list := w.List()
	m.Stream.encode(w)
	w.WriteUint64(m.From)
	w.WriteUint64(m.To)
	w.WriteBytes(m.Hashes)
	proof := w.List()
	w.WriteBytes(nil)
	handover := w.List()
	Stream{}.encode(w)
	w.WriteUint64(0)
	w.WriteUint64(0)
	w.WriteBytes(nil)
	w.ListEnd(handover)
	w.ListEnd(proof)
	w.ListEnd(list)
}

// ParseOfferedHashes parses an [OfferedHashes] of up to [MaxOffer] hashes. What the proof says is not looked at.
func ParseOfferedHashes(payload []byte) (m OfferedHashes, err error) {
	r := openList("OfferedHashes", payload)
	m.Stream = r.stream()
	m.From = r.uint("from", math.MaxUint64)
	m.To = r.uint("to", math.MaxUint64)
	m.Hashes = r.bytes("hashes", MaxOffer*chunk.AddressSize)
	if n := len(m.Hashes) % chunk.AddressSize; n != 0 {
		r.fail("hashes", fmt.Errorf("%d bytes follow the last one", n))
	}
	r.within("proof", func(r *items) { r.proof() })
	if err := r.end(); err != nil {
		return OfferedHashes{}, err
	}
	return m, nil
}

// proof reads a signature and what it is a signature of.
func (r *items) proof() {
	r.bytes("signature", MaxText)
	r.within("handover", func(r *items) {
		r.stream()
		r.uint("start", math.MaxUint64)
		r.uint("end", math.MaxUint64)
		r.bytes("root", MaxText)
	})
}

// CheckTakeoverProof checks the form of a TakeoverProof: [signature, [stream, start, end, root]]. Nobody sends it, and
// nothing follows from it.
func CheckTakeoverProof(payload []byte) error {
	r := openList("TakeoverProof", payload)
	r.proof()
	return r.end()
}

// WantedHashes answers an offer: [stream, bits, from, to].
type WantedHashes struct {
	Stream   Stream
	Want     Bits   // one for each hash of the offer
	From, To uint64 // which part of the stream to offer next; a To of 0 leaves the end open
}

// Code implements [Message].
func (WantedHashes) Code() uint64 { return CodeWantedHashes }

func (m WantedHashes) encode(w rlp.EncoderBuffer) {
	list := w.List()
	m.Stream.encode(w)
	w.WriteBytes(m.Want)
	w.WriteUint64(m.From)
	w.WriteUint64(m.To)
	w.ListEnd(list)
}

// ParseWantedHashes parses a [WantedHashes]. How many bits there are is for the caller to check with [Bits.Fit].
func ParseWantedHashes(payload []byte) (m WantedHashes, err error) {
	r := openList("WantedHashes", payload)
	m.Stream = r.stream()
	m.Want = r.bytes("bits", MaxOffer/8+1)
	m.From = r.uint("from", math.MaxUint64)
	m.To = r.uint("to", math.MaxUint64)
	return m, r.end()
}

// Bits is a set of places in an offer. Bit i is bit i%8 of byte i/8, the lowest first.
type Bits []byte

// NewBits returns the empty set for an offer of n hashes. It has n/8+1 bytes, one more than needed when 8 divides n.
func NewBits(n int) Bits { return make(Bits, n/8+1) }

// Fit reports whether the set is one for an offer of n hashes: it has the length that [NewBits] gives it, or only the bytes
// that are needed.
func (b Bits) Fit(n int) bool { return len(b) == n/8+1 || len(b) == (n+7)/8 }

// Set puts i into the set.
func (b Bits) Set(i int) { b[i/8] |= 1 << (i % 8) }

// Has reports whether i is in the set.
func (b Bits) Has(i int) bool { return b[i/8]&(1<<(i%8)) != 0 }
