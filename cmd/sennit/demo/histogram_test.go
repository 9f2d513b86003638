package demo

import (
	"testing"
	"time"
)

func TestBucketsAreContiguousAndNarrow(t *testing.T) {
	last := -1
	for _, ns := range []uint64{0, 1, 15, 16, 17, 31, 32, 33, 34, 63, 64, 1000, 999_999, 1 << 40, 1<<63 - 1} {
		b := bucket(ns)
		if b < last || b >= buckets {
			t.Errorf("bucket(%d) = %d after %d", ns, b, last)
		}
		last = b
		if u := upper(b); u < ns || u-ns > ns/16 {
			t.Errorf("%d is in bucket %d, whose largest is %d", ns, b, u)
		}
		if b > 0 && upper(b-1) >= ns {
			t.Errorf("%d is in bucket %d, but bucket %d reaches up to %d", ns, b, b-1, upper(b-1))
		}
	}
}

func TestQuantilesAreOffByASixteenthAtMost(t *testing.T) {
	var h histogram
	if q := h.quantiles(0.5, 0.99); q[0] != 0 || q[1] != 0 {
		t.Errorf("of nothing: %v", q)
	}
	for i := range 1000 {
		h.add(time.Duration(i+1) * time.Microsecond)
	}
	for i, want := range []time.Duration{500, 990, 1000} {
		want *= time.Microsecond
		got := h.quantiles(0.5, 0.99, 1)[i]
		if got < want || got > want+want/16 {
			t.Errorf("quantile %d is %v, want %v to 1/16 more", i, got, want)
		}
	}
	if m := time.Duration(h.max.Load()); m != time.Millisecond {
		t.Errorf("longest is %v", m)
	}
	h.add(-time.Second) // a clock that was set back
	if m := time.Duration(h.max.Load()); m != time.Millisecond {
		t.Errorf("longest is %v after a negative duration", m)
	}
}
