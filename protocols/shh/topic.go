package shh

import (
	"encoding/hex"
	"fmt"
)

// TopicSize and BloomSize are the sizes of a [Topic] and of a [Bloom], in bytes.
const (
	TopicSize = 4
	BloomSize = 64
)

// Topic is what an envelope says of its content, and what receivers choose by, before anything is decrypted. It is public.
// By custom it is the first four bytes of the Keccak-256 of a name.
type Topic [TopicSize]byte

// ParseTopic reads a topic from hex digits, with or without "0x" in front. Fewer than eight digits are the first bytes, and
// the rest are zeros.
func ParseTopic(text string) (Topic, error) {
	var t Topic
	digits := trimHex(text)
	if len(digits) > 2*TopicSize {
		return t, fmt.Errorf("topic %q: want at most %d hex digits", text, 2*TopicSize)
	}
	if _, err := hex.Decode(t[:], []byte(digits)); err != nil {
		return t, fmt.Errorf("topic %q: %w", text, err)
	}
	return t, nil
}

func trimHex(text string) string {
	if len(text) >= 2 && text[0] == '0' && (text[1] == 'x' || text[1] == 'X') {
		return text[2:]
	}
	return text
}

// String returns the topic as "0x" and eight hex digits.
func (t Topic) String() string { return "0x" + hex.EncodeToString(t[:]) }

// MarshalText returns the same as [Topic.String].
func (t Topic) MarshalText() ([]byte, error) { return []byte(t.String()), nil }

// UnmarshalText does what [ParseTopic] does.
func (t *Topic) UnmarshalText(text []byte) (err error) {
	*t, err = ParseTopic(string(text))
	return err
}

// Bloom is a filter of topics (EIP-627): what a node wants to be sent. Bits are counted from the lowest of the first byte. The
// zero value lets nothing pass; [FullBloom] everything.
type Bloom [BloomSize]byte

// FullBloom returns the filter of a node that wants every topic.
func FullBloom() Bloom {
	var b Bloom
	for i := range b {
		b[i] = 0xff
	}
	return b
}

// BloomOf returns the filter that lets the given topics pass, each with three of the 512 bits.
func BloomOf(topics ...Topic) Bloom {
	var b Bloom
	for _, t := range topics {
		for _, bit := range t.bits() {
			b[bit/8] |= 1 << (bit % 8)
		}
	}
	return b
}

// bits returns the bits of the topic: each of its first three bytes, plus 256 if that bit of the fourth is set.
func (t Topic) bits() [3]int {
	var bits [3]int
	for j := range bits {
		bits[j] = int(t[j]) + 256*int(t[3]>>j&1)
	}
	return bits
}

// sparseBloomOf returns the filter of a topic as go-ethereum makes it: it assigns a byte where others set a bit, so of bits
// that share a byte only the last is there.
func sparseBloomOf(t Topic) Bloom {
	var b Bloom
	for _, bit := range t.bits() {
		b[bit/8] = 1 << (bit % 8)
	}
	return b
}

// Full tells whether every topic passes.
func (b *Bloom) Full() bool { return *b == FullBloom() }

// Passes tells whether the topic passes the filter, whether that was made as by [BloomOf] or as go-ethereum makes them,
// which lack a bit for one topic in eleven or so. The bits go-ethereum has are some of the right ones, so those decide.
func (b *Bloom) Passes(t Topic) bool {
	want := sparseBloomOf(t)
	for _, bit := range t.bits() {
		if i := bit / 8; b[i]&want[i] != want[i] {
			return false
		}
	}
	return true
}

// add makes all that passes other pass as well.
func (b *Bloom) add(other Bloom) {
	for i := range b {
		b[i] |= other[i]
	}
}
