package link

import (
	"sync"
	"sync/atomic"
)

// Ledger is the memory budget that all links of a process share: bytes in inboxes and in frames that are being received.
// What is not charged is bounded per link: every inbox may hold [laneFloor] bytes without asking, so that a small
// protocol goes on when others have spent everything. It is safe for concurrent use. A nil Ledger has no limit.
type Ledger struct {
	limit   int64
	used    atomic.Int64
	waiting atomic.Int32

	mu      sync.Mutex
	waiters map[chan struct{}]struct{} // guarded by mu; each of capacity 1
}

// NewLedger returns a budget of limit bytes.
func NewLedger(limit int64) *Ledger {
	return &Ledger{limit: limit, waiters: make(map[chan struct{}]struct{})}
}

// Used returns the bytes charged at the moment.
func (g *Ledger) Used() int64 {
	if g == nil {
		return 0
	}
	return g.used.Load()
}

// charge takes n bytes, or nothing and returns false when they are not there.
func (g *Ledger) charge(n int64) bool {
	if g == nil || n <= 0 {
		return true
	}
	for {
		// Not add first and take back: others would be refused without need, and taking back would wake those who wait,
		// this one too, again and again.
		used := g.used.Load()
		if n > g.limit-used {
			return false
		}
		if g.used.CompareAndSwap(used, used+n) {
			return true
		}
	}
}

// canHold tells whether n bytes are no more than all of the budget.
func (g *Ledger) canHold(n int64) bool { return g == nil || n <= g.limit }

// halfFree tells whether at least half of the budget has not been charged.
func (g *Ledger) halfFree() bool { return g == nil || g.used.Load() <= g.limit/2 }

// release gives n bytes back and wakes who waits for them.
func (g *Ledger) release(n int64) {
	if g == nil || n <= 0 {
		return
	}
	g.used.Add(-n)
	if g.waiting.Load() == 0 {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	for c := range g.waiters {
		select {
		case c <- struct{}{}:
		default:
		}
	}
}

// watch has c, of capacity 1, signalled after each release until unwatch.
func (g *Ledger) watch(c chan struct{}) {
	if g == nil {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.waiters[c] = struct{}{}
	g.waiting.Store(int32(len(g.waiters)))
}

func (g *Ledger) unwatch(c chan struct{}) {
	if g == nil {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.waiters, c)
	g.waiting.Store(int32(len(g.waiters)))
}
