package link

import (
	"bytes"
	"sync/atomic"
	"testing"
	"testing/synctest"
)

// splitCounter counts how often segments are split.
type splitCounter struct {
	Framing
	splits atomic.Int64
}

func (c *splitCounter) Split(s *segment, credit uint64, least int) (segment, bool) {
	c.splits.Add(1)
	return c.Framing.Split(s, credit, least)
}

func TestFullSegmentsOfSmallMessagesLeaveWhole(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // no write takes any time, so that the pace is not lowered
		var counter *splitCounter
		l, r := lanesPair(t, 1<<20, 0, lanesNamed("aaa"), func(a, _ *Config) {
			counter = &splitCounter{Framing: a.Framing}
			a.Framing = counter
		})
		go func() {
			for {
				m, err := r.Lanes()[0].Read()
				if err != nil {
					return
				}
				m.Discard()
			}
		}()
		const messages, perSegment = 200_000, 576
		data := make([]byte, 64)
		payload := bytes.NewReader(data)
		for range messages {
			payload.Reset(data)
			must(t, l.Lanes()[0].Write(1, 64, payload))
		}
		if n := counter.splits.Load(); n > messages/perSegment/2 {
			t.Errorf("%d splits among about %d full segments", n, messages/perSegment)
		}
		endBoth(t, l, r)
	})
}

func TestALaneOfGreatWeightDoesNotFillABatchBeyondWhatIsHandedOverAtOnce(t *testing.T) {
	fa, _ := laneFramings(t)
	ca, _ := tcpPair(t)
	cfgs := lanesNamed("aaa", "bbb")
	cfgs[0].Weight, cfgs[0].Outbox = 16, 8<<20
	l := New(Config{Conn: ca, Framing: fa, Lanes: cfgs})
	l.send.running = true // no writer
	l.lanes[0].out.granted = noLimit / 2
	for range 4 {
		must(t, write(l.lanes[0], 0, pattern(1<<20)))
	}
	must(t, write(l.lanes[1], 0, pattern(1<<20)))
	taken := make([]int, 2) // bytes of each lane
	for batch := range 20 {
		l.send.mu.Lock()
		l.send.takeLocked()
		size := 0
		for _, b := range l.send.batch {
			size += len(b.B)
			taken[b.B[4]-1] += len(b.B) // behind the room for the prefix and the type of the frame
		}
		l.send.batch = l.send.batch[:0]
		l.send.mu.Unlock()
		if size > laneBatch+laneSegment && batch > 0 || size > 2*(laneBatch+laneSegment) {
			t.Errorf("batch %d has %d bytes", batch, size)
		}
	}
	if share := float64(taken[0]) / float64(taken[0]+taken[1]); share < 0.85 {
		t.Errorf("the lane of weight 16 has %.2f of the bytes: %v", share, taken)
	}
}
