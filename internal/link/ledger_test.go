package link

import (
	"math"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func TestTheLedgerGivesWhatItHasAndNotMore(t *testing.T) {
	g := NewLedger(100)
	for i, step := range []struct {
		charge, release int64
		ok              bool
		used            int64
	}{
		{charge: 60, ok: true, used: 60},
		{charge: 41, ok: false, used: 60},
		{charge: 40, ok: true, used: 100},
		{charge: 0, ok: true, used: 100},
		{charge: -5, ok: true, used: 100},
		{charge: 1, ok: false, used: 100},
		{release: 0, charge: math.MaxInt64, ok: false, used: 100},
		{release: 30, charge: 30, ok: true, used: 100},
		{release: 100, ok: true, used: 0},
	} {
		g.release(step.release)
		if ok := g.charge(step.charge); ok != step.ok || g.Used() != step.used {
			t.Errorf("step %d: %v with %d used, want %v with %d", i, ok, g.Used(), step.ok, step.used)
		}
	}
}

func TestNoLedgerHasNoLimit(t *testing.T) {
	var g *Ledger
	if !g.charge(math.MaxInt64) || g.Used() != 0 {
		t.Error("a nil ledger refused, or counts")
	}
	g.release(1)
	g.watch(nil)
	g.unwatch(nil)
}

func TestAReleaseWakesThoseWhoWaitAndARefusalNobody(t *testing.T) {
	g := NewLedger(10)
	g.charge(10)
	a, b := make(chan struct{}, 1), make(chan struct{}, 1)
	g.watch(a)
	g.watch(b)
	if g.charge(1) {
		t.Fatal("charged beyond the limit")
	}
	if len(a)+len(b) != 0 {
		t.Error("a refused charge wakes those who wait, who try again and so wake each other: a busy loop")
	}
	g.unwatch(b)
	g.release(1)
	g.release(1) // must not block on the full channel
	if len(a) != 1 || len(b) != 0 {
		t.Errorf("a release signalled %d times to one who waits and %d times to one who does not any more", len(a), len(b))
	}
}

func TestManyChargesAtOnceNeverExceedTheLimitAndNoneIsRefusedWithoutNeed(t *testing.T) {
	g := NewLedger(1000)
	var group sync.WaitGroup
	for range 10 { // 10 at once take at most all of it
		group.Go(func() {
			for range 2000 {
				if !g.charge(100) {
					t.Error("refused though there was enough")
					return
				}
				if u := g.Used(); u > 1000 {
					t.Errorf("%d used of 1000", u)
				}
				g.release(100)
			}
		})
	}
	group.Wait()
	if g.Used() != 0 {
		t.Errorf("%d left", g.Used())
	}
}

// hog takes all but left bytes of a ledger.
func hog(g *Ledger, left int64) { g.charge(g.limit - g.Used() - left) }

func TestAnExhaustedLedgerLeavesSmallMessagesGoingAndLargeOnesFollowThePolicy(t *testing.T) {
	const large = 100 << 10 // a frame that is assembled
	for _, mode := range []Mode{Wait, DropNewest, DropOldest, Stop} {
		t.Run(mode.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ca, cb := memPipe(64<<10, 0)
				ledger, rec := NewLedger(8<<20), new(events)
				lanes := lanesNamed("aaa", "bbb")
				lanes[0].Policy = Policy{mode, 3 * time.Second}
				a, b := linkPair(t, ca, cb, true, lanes, func(a, b *Config) { b.Ledger, b.Recorder = ledger, rec })
				hog(ledger, 0)
				start := time.Now()
				must(t, write(a.Lanes()[0], 1, randomBytes(large)))
				must(t, write(a.Lanes()[0], 2, randomBytes(100)))
				synctest.Wait() // it is on its way, before what follows
				for range 600 { // under laneFloor
					must(t, write(a.Lanes()[1], 3, randomBytes(50)))
				}
				for range 600 {
					read(t, b.Lanes()[1])
				}
				waited := time.Since(start)
				s := b.Lanes()[0].Stats()
				switch mode {
				case Wait:
					if waited != 3*time.Second || !s.Stopped || s.Waited != waited {
						t.Errorf("held up for %v, stats %+v", waited, s)
					}
				case Stop:
					if waited != 0 || !s.Stopped {
						t.Errorf("held up for %v, stats %+v", waited, s)
					}
				default:
					if waited != 0 || s.Stopped || s.Dropped != 1 || s.MessagesIn != 1 {
						t.Errorf("held up for %v, stats %+v", waited, s)
					}
					// What was dropped had not been decompressed: its size is the one on the wire.
					if d := recordedDrops(rec); len(d) != 1 || d[0].Code != 1 || d[0].Size < large || d[0].Size > large+100 || uint64(d[0].Size) != s.DroppedBytes {
						t.Errorf("drops recorded: %+v, bytes dropped: %d", d, s.DroppedBytes)
					}
				}
				hogged := ledger.limit
				a.End(8, errTestOver, "")
				b.Lanes()[0].Close()
				synctest.Wait()
				if u := ledger.Used(); u != hogged {
					t.Errorf("%d bytes are not given back", u-hogged)
				}
			})
		})
	}
}

func TestALargeMessageWaitsForTheLedgerUntilOthersGiveBack(t *testing.T) {
	for _, left := range []int64{0, 330 << 10} { // refused before the first byte, and when it has grown
		synctest.Test(t, func(t *testing.T) {
			ca, cb := memPipe(64<<10, 0)
			ledger := NewLedger(16 << 20)
			a, b := linkPair(t, ca, cb, true, lanesNamed("aaa"), func(a, b *Config) { b.Ledger = ledger })
			hog(ledger, left)
			go write(a.Lanes()[0], 1, randomBytes(1<<20))
			time.Sleep(5 * time.Second)
			ledger.release(ledger.limit - left)
			if _, p := read(t, b.Lanes()[0]); len(p) != 1<<20 {
				t.Errorf("%d bytes came", len(p))
			}
			if s := b.Lanes()[0].Stats(); s.Waited != 5*time.Second || s.Stopped {
				t.Errorf("stats %+v", s)
			}
			if u := ledger.Used(); u != 0 {
				t.Errorf("%d bytes are not given back", u)
			}
		})
	}
}

func TestClosingALaneEndsItsWaitForTheLedger(t *testing.T) {
	for _, size := range []int{30 << 10, 100 << 10} { // in the inbox, and while it is assembled
		synctest.Test(t, func(t *testing.T) {
			ca, cb := memPipe(64<<10, 0)
			ledger := NewLedger(1 << 20)
			a, b := linkPair(t, ca, cb, true, lanesNamed("aaa", "bbb"), func(a, b *Config) { b.Ledger = ledger })
			hog(ledger, 0)
			// The inbox may hold laneFloor bytes, so the third small message needs the ledger.
			for range 3 {
				must(t, write(a.Lanes()[0], 1, randomBytes(size)))
			}
			synctest.Wait()
			must(t, write(a.Lanes()[1], 2, nil))
			time.Sleep(time.Second)
			start := time.Now()
			b.Lanes()[0].Close()
			read(t, b.Lanes()[1])
			if waited := time.Since(start); waited != 0 {
				t.Errorf("%d bytes: the link was held up for %v after the lane had been closed", size, waited)
			}
			if s := b.Lanes()[0].Stats(); s.Stopped || s.InboxBytes != 0 {
				t.Errorf("stats %+v", s)
			}
			if u := ledger.Used(); u != ledger.limit {
				t.Errorf("%d bytes are not given back", u-ledger.limit)
			}
		})
	}
}

func TestLinksWithALargeMessageEachDoNotWaitForOneAnother(t *testing.T) {
	for _, snappy := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			const size = 600_000
			ledger := NewLedger(2*memory(size) + memory(size)/2) // both, and not one of them twice
			began := time.Now()
			results := make(chan error)
			for range 2 {
				ca, cb := memPipe(32<<10, time.Millisecond)
				from, to := linkPair(t, ca, cb, snappy, lanesNamed("aaa"), func(_, b *Config) { b.Ledger = ledger })
				go from.Lanes()[0].Write(1, size, &plainReader{randomBytes(size)})
				go func() {
					m, err := to.Lanes()[0].Read()
					if err == nil {
						m.Discard()
					}
					results <- err
				}()
			}
			for range 2 {
				must(t, <-results)
			}
			if took := time.Since(began); took > time.Second {
				t.Errorf("snappy %v: took %v", snappy, took)
			}
			if n := ledger.Used(); n != 0 {
				t.Errorf("snappy %v: %d bytes stay charged", snappy, n)
			}
		})
	}
}
