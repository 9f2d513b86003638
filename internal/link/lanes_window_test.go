package link

import (
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sennit-net/sennit/internal/lanes"
	"github.com/sennit-net/sennit/internal/race"
	"github.com/sennit-net/sennit/trace"
)

// windowOf returns the receive window of a lane.
func windowOf(l *Lane) uint64 {
	l.in.mu.Lock()
	defer l.in.mu.Unlock()
	return l.in.flow.window
}

func TestTheWindowOfBulkGrowsUntilItIsNotTheWindowThatBoundsTheRate(t *testing.T) {
	for _, size := range []int{1 << 10, 100 << 10, 1 << 20, 4 << 20} {
		synctest.Test(t, func(t *testing.T) {
			rec := new(events)
			ledger := NewLedger(256 << 20)
			a, b := lanesPair(t, 64<<20, 25*time.Millisecond, lanesNamed("aaa", "bbb"), func(a, b *Config) {
				a.Lanes[0].Outbox = 16 << 20
				b.Ledger, b.Recorder = ledger, rec
			})
			go func() {
				for payload := pattern(size); write(a.Lanes()[0], 1, payload) == nil; {
				}
			}()
			var came atomic.Int64
			go func() {
				for {
					m, err := b.Lanes()[0].Read()
					if err != nil {
						return
					}
					came.Add(int64(m.Len()))
					m.Discard()
				}
			}()
			time.Sleep(2 * time.Second)
			if w := windowOf(b.Lanes()[0]); w != DefaultInbox {
				t.Errorf("messages of %d bytes: after 2 s the window is %d", size, w)
			}
			before := came.Load()
			time.Sleep(time.Second)
			// 20 round trips. A message that has no room in the window beside its predecessor takes two.
			least := int64(DefaultInbox * 7 / 10)
			if size > DefaultInbox/2 {
				least /= 2
			}
			if rate := (came.Load() - before) / 20; rate < least {
				t.Errorf("messages of %d bytes: %d bytes in a round trip", size, rate)
			}
			if pings := len(recorded[*trace.Ping](rec)); pings > 60 {
				t.Errorf("messages of %d bytes: %d pings", size, pings)
			}
			if w := windowOf(b.Lanes()[1]); w != lanes.InitialLimit {
				t.Errorf("the window of a lane without traffic is %d", w)
			}
			endBoth(t, a, b)
			if u := ledger.Used(); u != 0 {
				t.Errorf("%d bytes are not given back", u)
			}
		})
	}
}

func TestALaneOfSmallMessagesKeepsItsWindowAndHardlyPings(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rec := new(events)
		a, b := lanesPair(t, 64<<10, 5*time.Millisecond, lanesNamed("aaa"), func(a, b *Config) { b.Recorder = rec })
		start := time.Now()
		for i := range 5000 {
			must(t, write(a.Lanes()[0], 1, numbered(i, 64)))
			read(t, b.Lanes()[0])
			must(t, write(b.Lanes()[0], 1, numbered(i, 64)))
			read(t, a.Lanes()[0])
		}
		if took := time.Since(start); took != 5000*10*time.Millisecond {
			t.Errorf("5,000 round trips of 10 ms took %v", took)
		}
		if w := windowOf(b.Lanes()[0]); w != lanes.InitialLimit {
			t.Errorf("window %d", w)
		}
		// 640,000 of cost are two and a half windows, and 50 s are three pings of silence.
		if pings := len(recorded[*trace.Ping](rec)); pings < 3 || pings > 8 {
			t.Errorf("%d pings", pings)
		}
		endBoth(t, a, b)
	})
}

func TestALinkGoesOnWhenTheSecretsOfItsRecordsAreReplaced(t *testing.T) {
	if race.Enabled {
		t.Skip("a million records take too long under the race detector, and internal/lanes has the same without a link")
	}
	ca, cb := tcpPair(t)
	r, l := newRawLanes(t, ca, cb, lanesNamed("aaa"), nil)
	run(t, l)
	const size = lanes.PrefixSize + 1 + lanes.TagSize
	batch := make([]byte, 0, 64<<10)
	for i := range 1<<20 - 5 {
		n := len(batch)
		batch = batch[:n+size]
		batch[n+lanes.PrefixSize] = byte(lanes.Padding)
		r.sealer.Seal(batch[n : n+lanes.PrefixSize+1])
		if len(batch)+size > cap(batch) || i == 1<<20-6 {
			must2(r.conn.Write(batch))(t)
			batch = batch[:0]
		}
	}
	for i := range byte(10) {
		r.send(pingFrame(i))
		if f, _ := r.until(ofType(lanes.Pong)); f.Data[7] != i {
			t.Fatalf("record %d is answered with %x", 1<<20-5+int(i), f.Data)
		}
	}
	must(t, write(l.Lanes()[0], 1, []byte("here")))
	r.until(ofType(lanes.Message))
	r.conn.Close()
}
