package shh

import (
	"fmt"
	"testing"
	"time"
)

// BenchmarkTake is what an envelope from a peer costs: decoding, hashing, the checks, and a place in a pool that is full.
func BenchmarkTake(b *testing.B) {
	for _, size := range []int{300, 10_000, 1_000_000} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			w := newTestWhisper(b, Config{MinWork: -1, PoolBytes: 4 << 20})
			b.SetBytes(int64(size))
			for n := uint64(0); b.Loop(); n++ {
				b.StopTimer()
				raw := envelopeAt(time.Now(), n, 3600, size).raw
				b.StartTimer()
				e, err := DecodeEnvelope(raw)
				if err != nil {
					b.Fatal(err)
				}
				w.take(e, nil)
			}
		})
	}
}

// BenchmarkDuplicate is what a copy of an envelope that is there costs, of which there is one for nearly every peer.
func BenchmarkDuplicate(b *testing.B) {
	w := newTestWhisper(b, Config{MinWork: -1})
	raw := envelopeAt(time.Now(), 1, 3600, 300).raw
	for b.Loop() {
		e, err := DecodeEnvelope(raw)
		if err != nil {
			b.Fatal(err)
		}
		w.take(e, nil)
	}
}
