package link

import (
	"bytes"
	"runtime"
	"testing"

	"github.com/sennit-net/sennit/internal/frame"
	"github.com/sennit-net/sennit/internal/race"
)

func TestSmallMessagesAllocateNothingOnceWarm(t *testing.T) {
	if race.Enabled {
		t.Skip("the race detector allocates on its own account, and sync.Pool drops buffers at random under it")
	}
	for _, test := range []struct {
		name  string
		size  int
		limit float64 // allocations per message, both ends together
	}{{"64 B", 64, 0.05}, {"1 KiB", 1 << 10, 0.05}, {"empty", 0, 0.05}} {
		t.Run(test.name, func(t *testing.T) {
			ca, cb := tcpPair(t)
			a, b := linkPair(t, ca, cb, true, lanesNamed("aaa", "bbb"), nil)
			data := randomBytes(test.size)
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
					must(t, a.Lanes()[1].Write(1, uint32(len(data)), payload))
				}
				must(t, <-done)
			}
			exchange(5000) // warm
			// The garbage collector empties pools; the best of a few runs is the one that it left alone.
			const n = 10_000
			best := float64(n)
			for i := 0; i < 5 && best > test.limit; i++ {
				var before, after runtime.MemStats
				runtime.ReadMemStats(&before)
				exchange(n)
				runtime.ReadMemStats(&after)
				best = min(best, float64(after.Mallocs-before.Mallocs)/n)
			}
			if best > test.limit {
				t.Errorf("%.3f allocations per message, at most %v allowed", best, test.limit)
			}
		})
	}
}

func TestControlMessagesAllocateNothing(t *testing.T) {
	if race.Enabled {
		t.Skip("the race detector allocates on its own account")
	}
	ca, cb := tcpPair(t)
	_, l := newRaw(t, ca, cb, true, lanesNamed("aaa"), nil)
	ping := []byte{1, 0, 0xc0}
	if n := testing.AllocsPerRun(10_000, func() {
		if l.Deliver(frame.CodePing, ping, true) != nil || l.Deliver(frame.CodePong, ping, true) != nil || l.Deliver(frame.CodeHello, ping, true) != nil || l.Deliver(0xf, ping, true) != nil {
			t.Fatal("refused")
		}
	}); n > 0.01 {
		t.Errorf("%v allocations for each", n)
	}
	cb.Close()
	run(t, l)
}
