package link

import (
	"math"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sennit-net/sennit/internal/lanes"
)

func TestALinkHoldsNoMoreThanAnEighthOfWhatIsLeft(t *testing.T) {
	const limit = 512 << 20
	g := NewLedger(limit)
	fill := func() (a *account) {
		a = &account{Ledger: g}
		for a.charge(1 << 20) {
		}
		return a
	}
	first := fill()
	if h := first.held.Load(); h != 56<<20 {
		t.Errorf("one that is alone holds %d", h)
	}
	others := []*account{first}
	for range 20 {
		others = append(others, fill())
	}
	if left := limit - g.Used(); left < 40<<20 {
		t.Errorf("%d of them leave %d", len(others), left)
	}
	late := &account{Ledger: g}
	if !late.charge(4 << 20) {
		t.Errorf("one more gets nothing of %d", limit-g.Used())
	}
	for _, a := range append(others, late) {
		a.release(a.held.Load())
		if h := a.held.Load(); h != 0 {
			t.Errorf("holds %d", h)
		}
	}
	if u := g.Used(); u != 0 {
		t.Errorf("%d used", u)
	}
}

func TestOfASmallBudgetALinkMayHoldAll(t *testing.T) {
	a := &account{Ledger: NewLedger(sharedFrom - 1)}
	if !a.charge(sharedFrom-1) || a.charge(1) {
		t.Error("it may not, or may hold more")
	}
	if none := new(account); !none.charge(math.MaxInt64) {
		t.Error("without a ledger there is a limit")
	}
}

func TestTheShareOfALinkThatIsAloneHoldsTheLargestMessage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const size = lanes.MaxSize - 64<<10 // Snappy makes it larger
		for _, pair := range []func(*testing.T, *Ledger) (a, b *Link){
			func(t *testing.T, g *Ledger) (a, b *Link) {
				return lanesPair(t, 1<<20, 0, lanesNamed("aaa"), func(_, b *Config) { b.Ledger = g })
			},
			func(t *testing.T, g *Ledger) (a, b *Link) {
				ca, cb := memPipe(1<<20, 0)
				return linkPair(t, ca, cb, true, lanesNamed("aaa"), func(_, b *Config) { b.Ledger = g })
			},
		} {
			a, b := pair(t, NewLedger(sharedFrom))
			start := time.Now()
			sent := make(chan error, 1)
			go func() { sent <- write(a.Lanes()[0], 1, pattern(size)) }()
			if _, p := read(t, b.Lanes()[0]); len(p) != size || time.Since(start) > time.Second {
				t.Errorf("%d bytes after %v", len(p), time.Since(start))
			}
			must(t, <-sent)
			endBoth(t, a, b)
		}
	})
}

// Each of the remotes announces the largest message for each protocol and sends next to nothing of it.
func TestRemotesThatTakeAllTheyCanLeaveOthersTheMemoryForLargeMessages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ledger := NewLedger(512 << 20)
		var remotes []*rawLanes
		for range 20 {
			ca, cb := memPipe(1<<20, 0)
			r, l := newRawLanes(t, ca, cb, lanesNamed("aaa", "bbb", "ccc", "ddd"), func(c *Config) { c.Ledger = ledger })
			run(t, l)
			go r.drain()
			for _, lane := range l.Lanes() {
				go lane.Read()
			}
			remotes = append(remotes, r)
		}
		synctest.Wait()
		for _, r := range remotes {
			for lane := range uint64(4) {
				r.send(opening(lane+1, 0, lanes.MaxSize, []byte{1}))
			}
		}
		synctest.Wait()
		if used := ledger.Used(); used < 256<<20 {
			t.Errorf("the remotes hold %d MiB only", used>>20)
		}
		a, b := lanesPair(t, 1<<20, 0, lanesNamed("aaa"), func(_, b *Config) { b.Ledger = ledger })
		start := time.Now()
		sent := make(chan error, 1)
		go func() { sent <- write(a.Lanes()[0], 1, pattern(12<<20)) }()
		if _, p := read(t, b.Lanes()[0]); len(p) != 12<<20 || time.Since(start) > time.Second {
			t.Errorf("%d bytes after %v", len(p), time.Since(start))
		}
		must(t, <-sent)
		endBoth(t, a, b)
		for _, r := range remotes {
			r.conn.Close()
		}
	})
}
