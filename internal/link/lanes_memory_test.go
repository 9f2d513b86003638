package link

import (
	"bytes"
	"math"
	"runtime"
	"testing"

	"github.com/sennit-net/sennit/internal/lanes"
	"github.com/sennit-net/sennit/internal/race"
)

func TestAHugeTotalTakesNoMemoryBeforeItsBytesCome(t *testing.T) {
	if race.Enabled {
		t.Skip("the race detector takes memory on its own account")
	}
	const links, perLane = 20, 48 << 10 // one buffer of the message's chain is 40 KiB
	protocols := lanesNamed("aaa", "bbb", "ccc")
	var remotes []*rawLanes
	for range links {
		ca, cb := tcpPair(t)
		r, l := newRawLanes(t, ca, cb, protocols, nil)
		run(t, l)
		r.send(pingFrame(1))
		r.until(ofType(lanes.Pong))
		remotes = append(remotes, r)
	}
	before := heap()
	for _, r := range remotes {
		for lane := range uint64(3) {
			r.send(lanes.AppendMessage(nil, lane+1, 1, lanes.MaxSize, lanes.Snappy, lanes.MaxSize, 1), []byte{0xff})
		}
		r.send(pingFrame(2))
		r.until(ofType(lanes.Pong))
	}
	if took := int64(heap()) - int64(before); took > links*3*perLane {
		t.Errorf("%d bytes for each message of which 1 byte has come", took/links/3)
	}
	for _, r := range remotes {
		r.conn.Close()
	}
	runtime.KeepAlive(protocols)
}

func TestAFloodThatNobodyReadsLeavesMemoryFlat(t *testing.T) {
	if race.Enabled {
		t.Skip("the race detector takes memory on its own account")
	}
	for _, size := range []int{0, 64, 700, 100_000} {
		ca, cb := tcpPair(t)
		ledger := NewLedger(64 << 20)
		a, b := lanesPairOver(t, ca, cb, lanesNamed("aaa", "bbb"), func(a, b *Config) { b.Ledger = ledger })
		before := heap()
		go func() {
			for payload := pattern(size); write(a.Lanes()[0], 1, payload) == nil; {
			}
		}()
		exchange := func(n int) {
			for i := range n {
				must(t, write(a.Lanes()[1], 2, numbered(i, 64)))
				if _, p := read(t, b.Lanes()[1]); !bytes.Equal(p, numbered(i, 64)) {
					t.Fatalf("read %q", p)
				}
				must(t, write(b.Lanes()[1], 2, numbered(i, 64)))
				read(t, a.Lanes()[1])
			}
		}
		exchange(500)
		first := heap()
		// The window of 256 KiB may cost twice as much, a full outbox 1 MiB and its segments, and there are buffers for
		// reading and writing.
		if took := int64(first) - int64(before); took > 2*lanes.InitialLimit+DefaultOutbox+1<<20 {
			t.Errorf("messages of %d bytes: %d bytes of memory", size, took)
		}
		exchange(3000)
		if grown := int64(heap()) - int64(first); grown > 200<<10 {
			t.Errorf("messages of %d bytes: %d bytes more", size, grown)
		}
		s := b.Lanes()[0].Stats()
		if s.Dropped != 0 || s.Stopped || s.Waited != 0 || s.InboxBytes > lanes.InitialLimit {
			t.Errorf("stats %+v", s)
		}
		if u := ledger.Used(); u != 0 {
			t.Errorf("%d charged", u)
		}
		a.End(8, errTestOver, "")
		b.End(8, errTestOver, "")
	}
}

func TestSmallMessagesOfLanesAllocateNothingOnceWarm(t *testing.T) {
	if race.Enabled {
		t.Skip("the race detector allocates on its own account, and sync.Pool drops buffers at random under it")
	}
	for _, size := range []int{0, 64, 1 << 10} {
		ca, cb := tcpPair(t)
		a, b := lanesPairOver(t, ca, cb, lanesNamed("aaa", "bbb"), nil)
		data := randomBytes(size)
		exchange := func(n int) {
			done := make(chan error, 1)
			go func() {
				for range n {
					m, err := b.Lanes()[1].Read()
					if err != nil {
						done <- err
						return
					}
					m.Discard()
				}
				done <- nil
			}()
			payload := bytes.NewReader(data)
			for range n {
				payload.Reset(data)
				must(t, a.Lanes()[1].Write(1, uint32(size), payload))
			}
			must(t, <-done)
		}
		exchange(5000) // warm
		const n, limit = 10_000, 0.05
		best := math.Inf(1)
		for i := 0; i < 5 && best > limit; i++ {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			exchange(n)
			runtime.ReadMemStats(&after)
			best = min(best, float64(after.Mallocs-before.Mallocs)/n)
		}
		if best > limit {
			t.Errorf("%d bytes: %.3f allocations per message, at most %v allowed", size, best, limit)
		}
	}
}

func TestFramesOfControlAllocateNothing(t *testing.T) {
	if race.Enabled {
		t.Skip("the race detector allocates on its own account")
	}
	ca, cb := tcpPair(t)
	_, l := newRawLanes(t, ca, cb, lanesNamed("aaa"), nil)
	l.send.running = true // so that nothing is sent
	frames := []lanes.Frame{
		{Type: lanes.Credit, Lane: 1, Value: 5},
		{Type: lanes.Credit, Lane: 1, Value: 500_000},
		{Type: lanes.Ping, Data: make([]byte, 8)},
		{Type: lanes.Pong, Data: make([]byte, 8)},
	}
	if n := testing.AllocsPerRun(1000, func() {
		for i := range frames {
			must(t, l.Frame(&frames[i]))
		}
		l.RecordDone()
		l.send.owed.owed = 0
	}); n > 0 {
		t.Errorf("%v allocations", n)
	}
	l.send.running = false
	cb.Close()
	run(t, l)
}
