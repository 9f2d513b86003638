package shh

import (
	"context"
	"errors"
	"fmt"
	"math"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

// ErrTooLittleWork is in the chain of the error of a search that ended before it had found a nonce.
var ErrTooLittleWork = errors.New("no nonce with that much proof of work found in time")

// sealRate is how many nonces a core is held to try in a second when it is estimated whether a search is worth beginning.
const sealRate = 2 << 20

// Seal finds a nonce that gives the envelope at least the target of proof of work by all of the rules (0 stands for
// Rule19), and settles its encoding. It searches on all cores until ctx ends; then the error has [ErrTooLittleWork] in its
// chain and the envelope is unchanged. A target of 0 or less is reached by any nonce.
//
// An envelope for both rules costs as many tries as the product of what they would cost on their own: some seconds for a
// short message with the usual target and a TTL of 50 s, and more than anyone has for an hour's TTL.
func Seal(ctx context.Context, e *Envelope, target float64, rules Rules) error {
	if math.IsNaN(target) || math.IsInf(target, 0) {
		return fmt.Errorf("a target of %v for proof of work", target)
	}
	if target > 0 {
		nonce, err := search(ctx, e, e.targetBits(target), rules)
		if err != nil {
			return err
		}
		e.Nonce = nonce
	}
	e.finish()
	return nil
}

// sealAuto seals for all of the rules if that is expected to be done well before ctx ends, and else, or if it takes too long
// after all, for Rule19 alone.
func sealAuto(ctx context.Context, e *Envelope, target float64, rules Rules) error {
	if rules != BothRules || target <= 0 {
		return Seal(ctx, e, target, rules)
	}
	if err := Seal(ctx, e, target, Rule19); err != nil {
		return err
	}
	deadline, ok := ctx.Deadline()
	if !ok || worthTrying(e.targetBits(target), runtime.GOMAXPROCS(0), time.Until(deadline)) {
		if err := Seal(ctx, e, target, BothRules); err != nil && !errors.Is(ctx.Err(), context.DeadlineExceeded) {
			return err
		}
	}
	return nil
}

// worthTrying tells whether a nonce with so many zero bits by both rules is expected to be found well within a time.
func worthTrying(zeros, cores int, within time.Duration) bool {
	return math.Pow(2, float64(2*zeros))/sealRate/float64(cores) < within.Seconds()/2
}

// stride is how many nonces a worker takes at a time, and tries before it looks whether the search has ended.
const stride = 1024

// search looks for a nonce with so many zero bits by all of the rules, from 0 upwards, on all cores.
func search(ctx context.Context, e *Envelope, zeros int, rules Rules) (uint64, error) {
	if rules&BothRules == 0 {
		rules = Rule19
	}
	var (
		next    atomic.Uint64 // first nonce nobody has taken
		ended   atomic.Bool
		found   atomic.Pointer[uint64]
		workers sync.WaitGroup
	)
	stop := context.AfterFunc(ctx, func() { ended.Store(true) })
	defer stop()
	ended.Store(ctx.Err() != nil)
	for range runtime.GOMAXPROCS(0) {
		workers.Go(func() {
			try := newTrier(e, zeros, rules)
			for !ended.Load() {
				from := next.Add(stride) - stride
				if nonce, ok := try.between(from, from+stride); ok {
					found.CompareAndSwap(nil, &nonce)
					ended.Store(true)
				}
			}
		})
	}
	workers.Wait()
	if nonce := found.Load(); nonce != nil {
		return *nonce, nil
	}
	return 0, fmt.Errorf("%w: want %d zero bits by the rule of %v: %w", ErrTooLittleWork, zeros, rules, context.Cause(ctx))
}

// trier tries nonces. It is for one goroutine.
type trier struct {
	first, second         *prefixHash // second is nil if there is one rule
	firstRule, secondRule Rules
	zeros                 int
	digest                [32]byte
}

func newTrier(e *Envelope, zeros int, rules Rules) *trier {
	t := &trier{zeros: zeros, firstRule: rules}
	if rules == BothRules {
		t.firstRule, t.secondRule = Rule18, Rule19 // the prefix of 1.8 is short, so its digest is the cheaper
		t.second = newPrefixHash(e, t.secondRule)
	}
	t.first = newPrefixHash(e, t.firstRule)
	return t
}

// between returns the first nonce in [from, to) that has the bits by all rules.
func (t *trier) between(from, to uint64) (uint64, bool) {
	for nonce := from; nonce < to; nonce++ {
		if t.first.zeros(t.firstRule, nonce, &t.digest) < t.zeros {
			continue
		}
		if t.second == nil || t.second.zeros(t.secondRule, nonce, &t.digest) >= t.zeros {
			return nonce, true
		}
	}
	return 0, false
}
