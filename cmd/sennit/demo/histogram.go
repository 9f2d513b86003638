package demo

import (
	"math/bits"
	"sync/atomic"
	"time"
)

// Durations are counted in buckets: 16 of equal width for every power of two of nanoseconds, so a quantile is off by a
// sixteenth at most.
const (
	subBits = 4
	buckets = (64 - subBits + 1) << subBits
)

// histogram counts durations. One goroutine adds, any number may look.
type histogram struct {
	counts [buckets]atomic.Uint64
	max    atomic.Int64 // nanoseconds
}

func (h *histogram) add(d time.Duration) {
	d = max(d, 0)
	h.counts[bucket(uint64(d))].Add(1)
	if int64(d) > h.max.Load() {
		h.max.Store(int64(d))
	}
}

// quantiles returns for each q in ascending order the duration that a share of q does not exceed; zeros if there is
// nothing.
func (h *histogram) quantiles(qs ...float64) []time.Duration {
	var (
		counts [buckets]uint64
		total  uint64
		result = make([]time.Duration, len(qs))
	)
	for i := range counts {
		counts[i] = h.counts[i].Load()
		total += counts[i]
	}
	if total == 0 {
		return result
	}
	seen, next := uint64(0), 0
	for i, n := range counts {
		for seen += n; next < len(qs) && float64(seen) >= qs[next]*float64(total) && seen > 0; next++ {
			result[next] = min(time.Duration(upper(i)), time.Duration(h.max.Load()))
		}
	}
	return result
}

// bucket returns the index of the bucket that ns is counted in.
func bucket(ns uint64) int {
	if ns < 1<<subBits {
		return int(ns)
	}
	shift := bits.Len64(ns) - 1 - subBits
	return (shift+1)<<subBits + int(ns>>shift) - 1<<subBits
}

// upper returns the largest value that is counted in bucket i.
func upper(i int) uint64 {
	if i < 1<<subBits {
		return uint64(i)
	}
	shift := i>>subBits - 1
	return (uint64(i&(1<<subBits-1)+1<<subBits)+1)<<shift - 1
}
