package shh

import (
	"context"
	"errors"
	"fmt"
	"math"
	"testing"
	"time"
)

// unsealed returns an envelope with a payload of about that size.
func unsealed(t testing.TB, size int, ttl time.Duration) *Envelope {
	t.Helper()
	e, err := (&Outgoing{SymKey: NewSymKey(), Topic: Topic{1, 2, 3, 4}, Payload: make([]byte, size), TTL: ttl}).Envelope(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func TestASealIsGoodByTheRulesItIsFor(t *testing.T) {
	for _, rules := range []Rules{0, Rule18, Rule19, BothRules} {
		for _, size := range []int{1, 500} {
			e := unsealed(t, size, time.Second)
			if err := Seal(t.Context(), e, 0.2, rules); err != nil {
				t.Fatal(err)
			}
			want := max(rules, Rule18)
			if rules == 0 {
				want = Rule19
			}
			if by := e.Work().Reaching(0.2); by&want != want {
				t.Errorf("%v: the work is %+v", rules, e.Work())
			}
			if again, err := DecodeEnvelope(e.Encoding()); err != nil || again.Hash() != e.Hash() || again.Work() != e.Work() {
				t.Errorf("%v: decoded, it is %+v, %v", rules, again, err)
			}
		}
	}
}

func TestASearchEndsWithItsContext(t *testing.T) {
	e := unsealed(t, 1, time.Hour)
	for _, target := range []float64{1e12, math.MaxFloat64} {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
		defer cancel()
		err := Seal(ctx, e, target, BothRules)
		if !errors.Is(err, ErrTooLittleWork) || !errors.Is(err, context.DeadlineExceeded) || e.raw != nil {
			t.Errorf("%v, sealed: %v", err, e.raw != nil)
		}
	}
	for _, target := range []float64{math.NaN(), math.Inf(1)} {
		if err := Seal(t.Context(), e, target, Rule19); err == nil {
			t.Errorf("a target of %v is reached", target)
		}
	}
	if err := Seal(t.Context(), e, -1, Rule19); err != nil || e.Nonce != 0 {
		t.Errorf("no target: %v, nonce %d", err, e.Nonce)
	}
}

func TestASealForBothThatWouldTakeTooLongIsOneFor19(t *testing.T) {
	for _, tt := range []struct {
		zeros, cores int
		within       time.Duration
		want         bool
	}{
		{10, 1, 1100 * time.Millisecond, true}, // 2^20 tries, half a second
		{10, 1, time.Second, false},
		{10, 4, 260 * time.Millisecond, true},
		{12, 2, 10 * time.Second, true},
		{16, 2, 10 * time.Second, false},
		{256, 64, time.Hour, false},
		{0, 1, 0, false},
	} {
		if got := worthTrying(tt.zeros, tt.cores, tt.within); got != tt.want {
			t.Errorf("%d bits on %d cores within %v: %v", tt.zeros, tt.cores, tt.within, got)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	e := unsealed(t, 100, time.Minute)
	if err := sealAuto(ctx, e, 2, BothRules); err != nil || e.Work().Reaching(2)&Rule19 == 0 {
		t.Errorf("%v, %+v", err, e.Work())
	}
	if err := ctx.Err(); err != nil {
		t.Errorf("it was tried nevertheless: %v", err)
	}
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	if err := sealAuto(cancelled, unsealed(t, 100, time.Second), 0.2, BothRules); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

func TestTargetsAreThoseOfGoEthereum(t *testing.T) {
	tests := []struct {
		data   int
		ttl    uint32
		target float64
		want   int
	}{
		{284, 50, 0.2, 12}, {4, 1, 1, 5}, {4, 1, 0.0001, 1}, {108, 1, 1, 7}, {109, 1, 1, 8}, {12, 0, 1, 5},
	}
	for _, tt := range tests {
		e := &Envelope{TTL: tt.ttl, Data: make([]byte, tt.data)}
		if got := e.targetBits(tt.target); got != tt.want {
			t.Errorf("%d bytes for %d s, %v: %d bits, want %d", tt.data, tt.ttl, tt.target, got, tt.want)
		}
	}
}

func TestATryAllocatesNothing(t *testing.T) {
	e := unsealed(t, 300, DefaultTTL)
	for _, rules := range []Rules{Rule18, Rule19, BothRules} {
		try := newTrier(e, 20, rules)
		from := uint64(0)
		if n := testing.AllocsPerRun(10, func() {
			try.between(from, from+100)
			from += 100
		}); n != 0 {
			t.Errorf("%v: %v allocations", rules, n)
		}
	}
}

func BenchmarkTry(b *testing.B) {
	for _, rules := range []Rules{Rule18, Rule19, BothRules} {
		for _, size := range []int{100, 1000} {
			b.Run(fmt.Sprintf("%v/%d", rules, size), func(b *testing.B) {
				try := newTrier(unsealed(b, size, DefaultTTL), 200, rules)
				for nonce := uint64(0); b.Loop(); nonce++ {
					try.between(nonce, nonce+1)
				}
			})
		}
	}
}
