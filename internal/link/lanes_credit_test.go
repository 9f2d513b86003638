package link

import (
	"bytes"
	"math"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sennit-net/sennit/internal/lanes"
)

// grant is a CREDIT frame.
func grant(lane, limit uint64) []byte { return lanes.AppendCredit(nil, lane, limit) }

// costs sums the cost of each lane's frames up to a PONG, which the remote asks for.
func (r *rawLanes) costs(of map[uint64]uint64, into *gathered) {
	r.t.Helper()
	r.send(pingFrame(77))
	_, before := r.until(ofType(lanes.Pong))
	for i := range before {
		f := &before[i]
		of[f.Lane] += f.Cost()
		if into != nil && (f.Type == lanes.Message || f.Type == lanes.Part) {
			into.frame(f)
		}
	}
}

func TestALaneSendsUpToItsCreditAndTheOthersGoOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ca, cb := memPipe(8<<20, 0)
		r, l := newRawLanes(t, ca, cb, lanesNamed("aaa", "bbb"), nil)
		run(t, l)
		payload := pattern(1 << 20)
		wrote := make(chan error, 1)
		go func() { wrote <- write(l.Lanes()[0], 1, payload) }()
		synctest.Wait()
		of := make(map[uint64]uint64)
		r.costs(of, nil)
		if of[1] != lanes.InitialLimit {
			t.Errorf("it sends %d with a credit of %d", of[1], lanes.InitialLimit)
		}
		must(t, write(l.Lanes()[1], 2, []byte("here")))
		synctest.Wait()
		r.costs(of, nil)
		if of[2] != lanes.MessageCost+4 {
			t.Errorf("the other lane sends %d", of[2])
		}
		for _, step := range []struct{ limit, want uint64 }{
			{300_000, 300_000},
			{200_000, 300_000}, // lower than before
			{300_000, 300_000},
			{0, 300_000},
			{300_001, 300_000}, // crumbs, for which nothing is cut
			{300_000 + minCut, 300_000 + minCut},
			{math.MaxUint64, lanes.MessageCost + 1<<20},
			{400_000, lanes.MessageCost + 1<<20},
		} {
			r.send(grant(1, step.limit))
			synctest.Wait()
			r.costs(of, nil)
			if of[1] != step.want {
				t.Errorf("limit %d: it has sent %d, want %d", step.limit, of[1], step.want)
			}
		}
		must(t, <-wrote)
		must(t, write(l.Lanes()[0], 1, payload)) // of the credit without end
		synctest.Wait()
		r.costs(of, nil)
		if of[1] != 2*(lanes.MessageCost+1<<20) {
			t.Errorf("it has sent %d", of[1])
		}
		r.conn.Close()
	})
}

func TestCreditInTheSmallestStepsBringsEveryMessageOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ca, cb := memPipe(8<<20, 0)
		r, l := newRawLanes(t, ca, cb, lanesNamed("aaa"), nil)
		run(t, l)
		rng := rand.New(rand.NewPCG(5, 6))
		got := &gathered{t: t}
		of := make(map[uint64]uint64)
		must(t, write(l.Lanes()[0], 0, pattern(lanes.InitialLimit-lanes.MessageCost-1000)))
		var sent [][]byte
		for i := range 200 {
			p := pattern(i % 97 * (i % 3))
			sent = append(sent, p)
			must(t, write(l.Lanes()[0], uint64(i%4), p))
		}
		synctest.Wait()
		for limit := uint64(lanes.InitialLimit); len(got.all) < 1+len(sent); {
			r.costs(of, got)
			if of[1] > limit {
				t.Fatalf("it has sent %d with a limit of %d", of[1], limit)
			}
			limit += 1 + uint64(rng.IntN(4)*rng.IntN(60))
			r.send(grant(1, limit))
			synctest.Wait()
		}
		for i, p := range sent {
			if s := got.all[1+i]; !bytes.HasSuffix([]byte(s), p) || len(s) > len(p)+80 {
				t.Fatalf("message %d is %.100q", i, s)
			}
		}
		r.conn.Close()
	})
}

func TestARemoteThatNeverGrantsHoldsUpItsWritersAndNothingElse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ca, cb := memPipe(8<<20, 0)
		r, l := newRawLanes(t, ca, cb, lanesNamed("aaa", "bbb"), nil)
		cause := run(t, l)
		var accepted int
		failed := make(chan error, 1)
		go func() {
			for ; ; accepted++ {
				if err := write(l.Lanes()[0], 1, pattern(1000)); err != nil {
					failed <- err
					return
				}
			}
		}()
		for range 10 {
			time.Sleep(10 * time.Second)
			of := make(map[uint64]uint64)
			r.send(whole(2, 1, []byte("still here")))
			r.costs(of, nil)
			read(t, l.Lanes()[1])
			must(t, write(l.Lanes()[1], 1, []byte("so are we")))
			for {
				f, err := r.frame()
				must(t, err)
				if f.Type == lanes.Message && f.Lane == 2 {
					break
				}
			}
		}
		s := l.Lanes()[0].Stats()
		if s.OutboxBytes > DefaultOutbox+laneSegment || s.OutboxBytes < DefaultOutbox/2 {
			t.Errorf("the outbox has %d bytes", s.OutboxBytes)
		}
		start := time.Now()
		l.End(8, errTestOver, "")
		if err := <-failed; err != ErrEnded {
			t.Errorf("Write: %v", err)
		}
		seen := r.drain()
		if c := <-cause; !c.Sent || time.Since(start) > farewell || len(seen) == 0 || seen[len(seen)-1].Type != lanes.Disconnect {
			t.Errorf("after %v: %+v", time.Since(start), c)
		}
	})
}

func TestTheLargestMessagePassesTheSmallestWindowWithALedgerThatHasNothingToSpare(t *testing.T) {
	const needs = lanes.MessageCost + MaxMessage - lanes.InitialLimit
	for _, left := range []int64{needs, needs - 1} {
		synctest.Test(t, func(t *testing.T) {
			ledger := NewLedger(32 << 20)
			hog(ledger, left)
			protocols := lanesNamed("aaa")
			protocols[0].Inbox = lanes.InitialLimit
			a, b := lanesPair(t, 256<<10, 0, protocols, func(a, b *Config) { b.Ledger = ledger })
			payload := pattern(MaxMessage)
			go write(a.Lanes()[0], 1, payload)
			start := time.Now()
			time.AfterFunc(time.Second, func() { ledger.release(1) })
			_, p := read(t, b.Lanes()[0])
			if !bytes.Equal(p, payload) {
				t.Errorf("%d bytes came", len(p))
			}
			if waited := time.Since(start); waited != time.Duration(needs-left)*time.Second {
				t.Errorf("%d bytes too few: it came after %v", needs-left, waited)
			}
			endBoth(t, a, b)
			if u := ledger.Used(); u > ledger.limit-left {
				t.Errorf("%d bytes are not given back", u-(ledger.limit-left))
			}
		})
	}
}

func TestWhatWasAcceptedArrivesAfterAnEndThoughItsLanesLackCredit(t *testing.T) {
	for _, size := range []int{100, 3000, 50_000, 900_000} {
		synctest.Test(t, func(t *testing.T) {
			ledger := NewLedger(64 << 20)
			a, b := lanesPair(t, 64<<10, 5*time.Millisecond, lanesNamed("aaa", "bbb"), func(a, b *Config) { b.Ledger = ledger })
			const all = 900_000
			for i := range all / size {
				must(t, write(a.Lanes()[i%2], 1, pattern(size)))
			}
			time.Sleep(time.Second) // everything that there is credit for is over
			a.End(8, errTestOver, "")
			counts := make(chan int, 2)
			for _, lane := range b.Lanes() {
				go func() {
					n := 0
					for {
						m, err := lane.Read()
						if err != nil {
							counts <- n
							return
						}
						n += m.Len()
						m.Discard()
					}
				}()
			}
			if n := <-counts + <-counts; n != all/size*size {
				t.Errorf("%d bytes in messages of %d arrived, of %d", n, size, all)
			}
			endBoth(t, a, b)
			if u := ledger.Used(); u != 0 {
				t.Errorf("%d bytes are not given back", u)
			}
		})
	}
}

func TestTwoThatEndAtOnceWithLanesThatLackCreditEndInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := lanesPair(t, 64<<10, time.Millisecond, lanesNamed("aaa"), nil)
		must(t, write(a.Lanes()[0], 1, pattern(900_000)))
		must(t, write(b.Lanes()[0], 1, pattern(900_000)))
		time.Sleep(time.Second)
		start := time.Now()
		a.End(8, errTestOver, "")
		b.End(8, errTestOver, "")
		for _, l := range []*Link{a, b} {
			for l.conn.(*memConn).out.writeErrNow() == nil {
				time.Sleep(10 * time.Millisecond)
			}
		}
		if took := time.Since(start); took > farewell+100*time.Millisecond {
			t.Errorf("it took %v", took)
		}
	})
}

// writeErrNow returns the error of a write, nil as long as the direction is open.
func (h *memHalf) writeErrNow() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.writeErr
}

func TestAProtocolThatNeverReadsCostsTheOthersNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ledger := NewLedger(64 << 20)
		a, b := lanesPair(t, 256<<10, 0, lanesNamed("aaa", "bbb"), func(a, b *Config) { b.Ledger = ledger })
		go func() {
			for i := 0; write(a.Lanes()[0], 1, pattern(i%3*700)) == nil; i++ {
			}
		}()
		synctest.Wait()
		start := time.Now()
		for i := range 500 {
			must(t, write(a.Lanes()[1], 2, numbered(i, 100)))
			if _, p := read(t, b.Lanes()[1]); !bytes.Equal(p, numbered(i, 100)) {
				t.Fatalf("message %d is %q", i, p)
			}
			must(t, write(b.Lanes()[1], 2, numbered(i, 100)))
			read(t, a.Lanes()[1])
			time.Sleep(100 * time.Millisecond)
		}
		if waited := time.Since(start) - 500*100*time.Millisecond; waited != 0 {
			t.Errorf("they have waited for %v", waited)
		}
		s := b.Lanes()[0].Stats()
		if s.Stopped || s.Dropped != 0 || s.Waited != 0 || s.InboxBytes > lanes.InitialLimit || s.InboxBytes < lanes.InitialLimit-2000 {
			t.Errorf("stats %+v", s)
		}
		if u := ledger.Used(); u != 0 {
			t.Errorf("%d charged for what everybody may hold", u)
		}
		// It all comes, in order, once it reads.
		for i := range 5000 {
			if _, p := read(t, b.Lanes()[0]); len(p) != i%3*700 {
				t.Fatalf("message %d has %d bytes", i, len(p))
			}
		}
		endBoth(t, a, b)
	})
}
