package link

import (
	"bytes"
	"math"
	"testing"

	"github.com/sennit-net/sennit/internal/lanes"
)

func TestMessagesOfAllSizesPassTheSmallestWindow(t *testing.T) {
	for _, size := range []int{1 << 20, 5 << 20, MaxMessage - 1, MaxMessage} {
		for _, data := range [][]byte{make([]byte, size), randomBytes(size), bytes.Repeat([]byte("sixteen bytes is"), size/16+1)[:size]} {
			ca, cb := tcpPair(t)
			a, b := linkPair(t, ca, cb, true, lanesNamed("aaa"), func(a, b *Config) { a.Framing, b.Framing = laneFramings(t) })
			done := make(chan error, 1)
			go func() { done <- a.Lanes()[0].Write(1, uint32(size), bytes.NewReader(data)) }()
			m, err := b.Lanes()[0].Read()
			if err != nil {
				t.Fatalf("%d bytes: %v, because %v / %v", size, err, a.cause.Load(), b.cause.Load())
			}
			var got bytes.Buffer
			if _, err := m.WriteTo(&got); err != nil || !bytes.Equal(got.Bytes(), data) {
				t.Errorf("%d bytes: %d came, %v", size, got.Len(), err)
			}
			must(t, <-done)
		}
	}
}

// A Hello has 2,048 bytes, and a protocol takes 3 or more of them.
func TestTheCreditOfAsManyLanesAsAHelloCanNameFitsIntoOneRecord(t *testing.T) {
	f, _ := laneFramings(t)
	owed := control{owed: lanes.MaxPings, ping: true, bye: true, reason: 255}
	for i := range 2048 / 3 {
		owed.credits = append(owed.credits, creditDue{lane: &Lane{number: uint64(i + 1)}, limit: math.MaxUint64})
	}
	b := f.Control(&owed)
	defer b.Free()
	if n := len(b.B) - lanes.PrefixSize; n > lanes.MaxPlaintext/4 {
		t.Errorf("%d bytes of plaintext, of at most %d", n, lanes.MaxPlaintext)
	}
	if wire, to := f.Seal(b.B, 0); to != len(b.B) || len(wire) != to+lanes.TagSize {
		t.Errorf("%d bytes of %d became %d", to, len(b.B), len(wire))
	}
}
