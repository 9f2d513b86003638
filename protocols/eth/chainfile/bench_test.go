package chainfile

import (
	"testing"
)

const benchBlocks = 100_000

// BenchmarkOpen opens a chain of 100,000 blocks with 1.5 transactions each.
func BenchmarkOpen(b *testing.B) {
	m := makeChain(b, benchBlocks)
	for name, dir := range map[string]string{"scan": "", "index": b.TempDir()} {
		b.Run(name, func(b *testing.B) {
			o := m.options()
			if o.Dir = dir; dir != "" {
				open(b, o)
			}
			for b.Loop() {
				c, err := Open(o)
				if err != nil {
					b.Fatal(err)
				}
				if err := c.Close(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkHeaders reads headers as the answers to requests for 192 at a time.
func BenchmarkHeaders(b *testing.B) {
	m := makeChain(b, benchBlocks)
	c := open(b, m.options())
	n := uint64(0)
	for b.Loop() {
		n += 192
		for i := range uint64(192) {
			h, _ := c.Hash((n + i) % benchBlocks)
			if c.Header(h) == nil {
				b.Fatal("no header")
			}
		}
	}
	b.ReportMetric(192*float64(b.N)/b.Elapsed().Seconds(), "headers/s")
}
