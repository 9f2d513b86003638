package link

import (
	"bytes"
	"fmt"
	"math"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sennit-net/sennit/internal/lanes"
	"github.com/sennit-net/sennit/internal/race"
)

// shares has lanes send for all they are worth over a connection of the given rate, in bytes per millisecond, and returns
// how many bytes of each the remote has seen among the first of all.
func shares(t *testing.T, protocols []LaneConfig, sizes []int, perMillisecond, of int) []int {
	ca, cb := memPipe(16<<10, 0)
	r, l := newRawLanes(t, ca, cb, protocols, nil)
	run(t, l)
	got := make([]int, len(sizes))
	for i, size := range sizes {
		r.send(grant(uint64(i+1), math.MaxUint64))
		payload := pattern(size)
		go func() {
			for {
				if l.Lanes()[i].Write(1, uint32(size), bytes.NewReader(payload)) != nil {
					return
				}
			}
		}()
	}
	owed := 0
	for all := 0; all < of; {
		plain, err := r.nextPlain()
		must(t, err)
		parser := lanes.Parse(plain)
		var f lanes.Frame
		for {
			before := len(parser.Rest())
			more, err := parser.Next(&f)
			must(t, err)
			if !more {
				break
			}
			if n := before - len(parser.Rest()); f.Type == lanes.Message || f.Type == lanes.Part {
				got[f.Lane-1] += n
				all += n
			}
		}
		for owed += len(plain); owed >= perMillisecond; owed -= perMillisecond {
			time.Sleep(time.Millisecond)
		}
	}
	r.conn.Close()
	return got
}

func TestLanesShareALinkInProportionToTheirWeightsWhateverTheSizesOfTheirMessages(t *testing.T) {
	const kib, mib = 1 << 10, 1 << 20
	for _, rate := range []int{1 << 10, 64 << 10} { // per millisecond: 8 and 540 Mbit/s
		for _, test := range []struct{ sizes, weights []int }{
			{[]int{kib, 4 * mib}, []int{1, 1}},
			{[]int{4 * mib, kib}, []int{1, 1}},
			{[]int{4 * mib, 4 * mib}, []int{1, 1}},
			{[]int{30, 100 * kib}, []int{1, 1}},
			{[]int{5000, 41 * kib}, []int{1, 1}},
			{[]int{kib, kib}, []int{3, 1}},
			{[]int{kib, 4 * mib}, []int{3, 1}},
			{[]int{4 * mib, kib}, []int{3, 1}},
			{[]int{4 * mib, 16*mib - 1}, []int{1, 3}},
			{[]int{30, kib, 30 * kib, 4 * mib}, []int{1, 1, 1, 1}},
			{[]int{30, kib, 30 * kib, 4 * mib}, []int{1, 2, 3, 4}},
		} {
			t.Run(fmt.Sprintf("%v as %v at %d", test.sizes, test.weights, rate), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					protocols := lanesNamed("aaa", "bbb", "ccc", "ddd")[:len(test.sizes)]
					sum := 0
					for i, w := range test.weights {
						protocols[i].Weight = w
						sum += w
					}
					// Four share what two share, on a slow connection with larger errors: what a lane may send in its turn
					// follows the pace, which others' writes change.
					all, within := 24*mib, 0.05
					if race.Enabled { // it takes ten times as long, and the beginning counts for more in a third of it
						all, within = 8*mib, 0.1
					}
					if len(test.sizes) > 2 {
						within *= 2
					}
					got := shares(t, protocols, test.sizes, rate, all)
					for i, w := range test.weights {
						want := float64(w) / float64(sum)
						if share := float64(got[i]) / float64(all); math.Abs(share-want) > within*want {
							t.Errorf("lane %d has %.1f %% of the bytes, want %.1f %%; all: %d", i+1, 100*share, 100*want, got)
						}
					}
				})
			})
		}
	}
}

func TestAMessageNowAndThenDoesNotWaitBehindBulk(t *testing.T) {
	for _, perMillisecond := range []int{1 << 10, 10 << 10, 100 << 10} {
		synctest.Test(t, func(t *testing.T) {
			ca, cb := memPipe(16<<10, 0)
			r, l := newRawLanes(t, ca, cb, lanesNamed("aaa", "bbb"), nil)
			run(t, l)
			r.send(grant(1, math.MaxUint64))
			go func() {
				for payload := pattern(4 << 20); write(l.Lanes()[0], 1, payload) == nil; {
				}
			}()
			sent := make(chan time.Time, 1)
			go func() {
				for range 100 {
					time.Sleep(100 * time.Millisecond)
					sent <- time.Now()
					if write(l.Lanes()[1], 2, []byte("now and then")) != nil {
						return
					}
				}
			}()
			var longest time.Duration
			owed, came := 0, 0
			for came < 100 {
				plain, err := r.nextPlain()
				must(t, err)
				parser := lanes.Parse(plain)
				var f lanes.Frame
				for more, _ := parser.Next(&f); more; more, _ = parser.Next(&f) {
					if f.Type == lanes.Message && f.Lane == 2 {
						if came++; came > 20 { // until then the writer has found out how slow the connection is
							longest = max(longest, time.Since(<-sent))
						} else {
							<-sent
						}
					}
				}
				for owed += len(plain); owed >= perMillisecond; owed -= perMillisecond {
					time.Sleep(time.Millisecond)
				}
			}
			// 16 KiB are in the connection; what is being written is a batch of at most 64 KiB, or 4 ms and 4 KiB.
			bound := time.Duration((16<<10+64<<10)/perMillisecond+10) * time.Millisecond
			if longest > bound {
				t.Errorf("at %d B/ms a message has waited for %v, more than %v", perMillisecond, longest, bound)
			}
			r.conn.Close()
		})
	}
}
