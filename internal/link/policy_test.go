package link

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sennit-net/sennit/internal/frame"
	"github.com/sennit-net/sennit/trace"
)

func TestCreditIsSpentAndComesBackAtAQuarterOfRealTime(t *testing.T) {
	now := time.Now()
	c := newCredit(Policy{Wait: 8 * time.Second})
	for i, step := range []struct {
		later, want, spend time.Duration
	}{
		{0, 8 * time.Second, 3 * time.Second},
		{0, 5 * time.Second, 0},
		{4 * time.Second, 6 * time.Second, 6 * time.Second},
		{0, 0, 0},
		{2 * time.Second, 500 * time.Millisecond, 500 * time.Millisecond},
		{time.Hour, 8 * time.Second, 8 * time.Second}, // never more than at first
		{400 * time.Millisecond, 100 * time.Millisecond, 100 * time.Millisecond},
		{32 * time.Second, 8 * time.Second, 0},
	} {
		now = now.Add(step.later)
		if got := c.at(now); got != step.want {
			t.Errorf("step %d: credit %v, want %v", i, got, step.want)
		}
		now = now.Add(step.spend)
		c.spend(step.spend, now)
	}
	if c := newCredit(Policy{}); c.max != DefaultWait || c.left != DefaultWait {
		t.Errorf("the zero policy has a credit of %v of %v", c.left, c.max)
	}
}

func TestPolicyModesHaveNames(t *testing.T) {
	for m, want := range map[Mode]string{Wait: "wait", DropNewest: "drop-newest", DropOldest: "drop-oldest", Stop: "stop"} {
		if m.String() != want {
			t.Errorf("mode %d is %q", m, m)
		}
	}
}

// twoLanes returns links over a connection in memory with the lane "aaa" under test, and "bbb".
func twoLanes(t *testing.T, p Policy, inbox int) (a, b *Link, rec *events) {
	ca, cb := memPipe(256<<10, 0)
	lanes := lanesNamed("aaa", "bbb")
	lanes[0].Policy, lanes[0].Inbox = p, inbox
	rec = new(events)
	a, b = linkPair(t, ca, cb, true, lanes, func(a, b *Config) {
		b.Recorder = rec
		a.Ledger, b.Ledger = NewLedger(1<<30), NewLedger(1<<30)
	})
	t.Cleanup(func() {
		b.Lanes()[0].Close()
		if u := b.ledger.Used(); u != 0 {
			t.Errorf("%d bytes are not given back to the ledger", u)
		}
	})
	return a, b, rec
}

// numbered returns a payload of n bytes that tells its number.
func numbered(i, n int) []byte {
	return fmt.Appendf(nil, "%0*d", n, i)
}

func TestAProtocolThatReadsInTimeGetsEverything(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b, _ := twoLanes(t, Policy{}, 10<<10)
		go func() {
			for i := range 1000 {
				if err := write(a.Lanes()[0], 1, numbered(i, 1000)); err != nil {
					t.Error(err)
				}
			}
		}()
		for i := range 1000 {
			time.Sleep(5 * time.Millisecond) // 5 s in all
			if _, p := read(t, b.Lanes()[0]); !bytes.Equal(p, numbered(i, 1000)) {
				t.Fatalf("message %d is %.20q...", i, p)
			}
		}
		if s := b.Lanes()[0].Stats(); s.Stopped || s.Dropped != 0 || s.Waited == 0 {
			t.Errorf("stats %+v: the test did not fill the inbox, or the lane suffered", s)
		}
	})
}

func TestALaneThatHoldsTheLinkUpForItsCreditIsStoppedAndTheOthersGoOn(t *testing.T) {
	for _, d := range []time.Duration{100 * time.Millisecond, 10 * time.Second, 29 * time.Second, 95 * time.Second} {
		t.Run(d.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a, b, rec := twoLanes(t, Policy{Wait, d}, 10<<10)
				la, lb := b.Lanes()[0], b.Lanes()[1]
				start := time.Now()
				for i := range 20 { // 10 or so fit
					must(t, write(a.Lanes()[0], 1, numbered(i, 1000)))
				}
				synctest.Wait() // a lane that had nothing to send goes first
				must(t, write(a.Lanes()[1], 2, []byte("here")))
				if _, p := read(t, lb); string(p) != "here" {
					t.Errorf("the other lane read %q", p)
				}
				if stall := time.Since(start); stall != d {
					t.Errorf("the link was held up for %v, want %v", stall, d)
				}
				if _, err := la.Read(); !errors.Is(err, ErrStopped) || !errors.Is(err, errHeldUp) {
					t.Errorf("Read on the stopped lane: %v", err)
				}
				if err := write(la, 1, nil); !errors.Is(err, ErrStopped) {
					t.Errorf("Write on the stopped lane: %v", err)
				}
				if !la.Stopped() || lb.Stopped() {
					t.Errorf("stopped: %v and %v", la.Stopped(), lb.Stopped())
				}
				if s := la.Stats(); s.Waited != d || s.InboxBytes != 0 || s.InboxMessages != 0 || !s.Stopped {
					t.Errorf("stats %+v", s)
				}
				w, p := recorded[*trace.Waited](rec), recorded[*trace.ProtocolStopped](rec)
				if len(w) != 1 || w[0].For != d || w[0].Protocol != "aaa" {
					t.Errorf("waits recorded: %+v", w)
				}
				if len(p) != 1 || p[0].Protocol != "aaa" || !errors.Is(p[0].Cause, errHeldUp) {
					t.Errorf("stops recorded: %+v", p)
				}
				// From now on its messages hold nobody up, and the link lives on: pings go both ways.
				for i := range 200 {
					must(t, write(a.Lanes()[0], 1, randomBytes(i*1000)))
					must(t, write(a.Lanes()[1], 2, numbered(i, 100)))
				}
				for i := range 200 {
					if _, p := read(t, lb); !bytes.Equal(p, numbered(i, 100)) {
						t.Fatalf("message %d of the other lane is %q", i, p)
					}
				}
				if stall := time.Since(start); stall != d {
					t.Errorf("a stopped lane held the link up: %v", stall)
				}
				time.Sleep(100 * time.Second)
				must(t, write(lb, 1, []byte("back")))
				read(t, a.Lanes()[1])
			})
		})
	}
}

func TestHoldingTheLinkUpIsNotTakenForTheRemotesSilenceNorSeemsSilence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		// Four lanes spend 10 s each, one after the other, while nothing is read from the connection.
		ca, cb := memPipe(256<<10, 0)
		lanes := lanesNamed("aaa", "bbb", "ccc", "ddd", "eee")
		for i := range lanes {
			lanes[i].Inbox = 1 << 10
		}
		r, l := newRaw(t, ca, cb, true, lanes, nil)
		end, frames := run(t, l), r.collect()
		var all []byte
		for i := range 4 {
			for range 3 {
				all = append(all, r.message(lanes[i].Offset, randomBytes(500))...)
			}
		}
		start := time.Now()
		cb.Write(append(all, r.message(lanes[4].Offset, []byte("here"))...)) // to be read at once
		if _, p := read(t, l.Lanes()[4]); string(p) != "here" || time.Since(start) != 40*time.Second {
			t.Errorf("read %q after %v", p, time.Since(start))
		}
		for i := range 4 {
			if !l.Lanes()[i].Stopped() {
				t.Errorf("lane %d has not been stopped", i)
			}
		}
		time.Sleep(29 * time.Second)
		if len(end) != 0 {
			t.Fatalf("the link ended: %+v", <-end)
		}
		must(t, write(l.Lanes()[4], 1, nil))
		synctest.Wait()
		for last := start; len(frames) > 0; {
			f := <-frames
			if quiet := f.at.Sub(last); quiet > pingInterval {
				t.Errorf("the remote heard nothing for %v, then %v", quiet, f)
			}
			last = f.at
		}
	})
}

func TestASpentCreditRefillsWhileTheLinkRuns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b, _ := twoLanes(t, Policy{Wait, 8 * time.Second}, 1<<10)
		la := b.Lanes()[0]
		send := func(n int) {
			for i := range n {
				must(t, write(a.Lanes()[0], 1, numbered(i, 900)))
			}
			synctest.Wait()
		}
		send(2) // one fits
		time.Sleep(6 * time.Second)
		read(t, la)
		read(t, la)
		time.Sleep(12 * time.Second) // 2 s left, 3 s come back
		send(2)
		start := time.Now()
		if la.Stopped() {
			t.Fatal("stopped already")
		}
		must(t, write(a.Lanes()[1], 1, nil))
		read(t, b.Lanes()[1])
		if got := time.Since(start); got != 5*time.Second || !la.Stopped() {
			t.Errorf("held up for another %v, want 5s", got)
		}
	})
}

func TestASlowProtocolTakesAtMostAFifthOfTheLinksTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b, _ := twoLanes(t, Policy{Wait, 2 * time.Second}, 1<<10)
		la := b.Lanes()[0]
		var group sync.WaitGroup
		group.Go(func() { // the remote sends far more
			for write(a.Lanes()[0], 1, randomBytes(900)) == nil {
				time.Sleep(time.Millisecond)
			}
		})
		defer group.Wait()
		defer a.End(8, errTestOver, "")
		start := time.Now()
		for { // reads a message a second
			time.Sleep(time.Second)
			m, err := la.Read()
			if err != nil {
				break
			}
			m.Discard()
			if time.Since(start) > time.Hour {
				t.Fatal("the lane starves the link for ever")
			}
		}
		if s := la.Stats(); s.Waited > 2*time.Second+time.Since(start)/5 {
			t.Errorf("held up for %v of %v", s.Waited, time.Since(start))
		}
	})
}

func TestDropPoliciesKeepExactlyTheMessagesTheyShould(t *testing.T) {
	const fit, sent, size = 8, 50, 1000
	for _, test := range []struct {
		mode  Mode
		first int // number of the first message that stays
	}{{DropNewest, 0}, {DropOldest, sent - fit}} {
		t.Run(test.mode.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a, b, rec := twoLanes(t, Policy{Mode: test.mode}, fit*(size+messageCost))
				start := time.Now()
				for i := range sent {
					must(t, write(a.Lanes()[0], uint64(i%4), numbered(i, size)))
				}
				synctest.Wait() // a lane that had nothing to send goes first
				must(t, write(a.Lanes()[1], 2, nil))
				read(t, b.Lanes()[1])
				la := b.Lanes()[0]
				if s := la.Stats(); s.Dropped != sent-fit || s.DroppedBytes != (sent-fit)*size || s.InboxMessages != fit || s.Waited != 0 || s.Stopped {
					t.Errorf("stats %+v", s)
				}
				drops := recordedDrops(rec)
				if len(drops) != sent-fit {
					t.Fatalf("%d drops recorded, want %d", len(drops), sent-fit)
				}
				for i, d := range drops {
					if test.mode == DropNewest {
						i += fit
					}
					if d.Code != uint64(i%4) || d.Size != size || d.Protocol != "aaa" {
						t.Errorf("drop of message %d recorded as %+v", i, d)
					}
				}
				for i := range fit {
					if code, p := read(t, la); code != uint64((test.first+i)%4) || !bytes.Equal(p, numbered(test.first+i, size)) {
						t.Errorf("message %d is %q, want number %d", i, bytes.TrimLeft(p, "0"), test.first+i)
					}
				}
				must(t, write(a.Lanes()[0], 3, []byte("there is room again")))
				read(t, la)
				if time.Since(start) != 0 {
					t.Errorf("dropping took %v", time.Since(start))
				}
			})
		})
	}
}

func TestDropsAreSentMinusDeliveredWhateverIsReadMeanwhile(t *testing.T) {
	for _, mode := range []Mode{DropNewest, DropOldest} {
		t.Run(mode.String(), func(t *testing.T) {
			const sent = 3000
			ca, cb := tcpPair(t)
			lanes := lanesNamed("aaa", "bbb")
			lanes[0].Policy.Mode, lanes[0].Inbox = mode, 100<<10
			rec, ledger := new(events), NewLedger(1<<20)
			remote, b := newRaw(t, ca, cb, true, lanes, func(b *Config) { b.Recorder, b.Ledger = rec, ledger })
			run(t, b)
			frames := remote.collect()
			total := uint64(0)
			var group sync.WaitGroup
			group.Go(func() {
				rng := rand.New(rand.NewPCG(1, uint64(mode)))
				for i := range sent {
					p := append(numbered(i, 8), randomBytes(rng.IntN(6000)*(1+i%100/99*12))...)
					total += uint64(len(p))
					cb.Write(remote.message(16, p))
				}
				cb.Write(remote.message(frame.CodeDisconnect, []byte{0xc1, 8})) // what is queued can still be read
			})
			var numbers []int
			var bytesIn uint64
			for {
				m, err := b.Lanes()[0].Read()
				if err == io.EOF {
					break
				}
				must(t, err)
				var n int
				if _, err := fmt.Fscanf(&plainSource{io.LimitReader(m, 8)}, "%08d", &n); err != nil {
					t.Error(err)
				}
				numbers, bytesIn = append(numbers, n), bytesIn+uint64(m.Size)
				m.Discard()
			}
			group.Wait()
			for range frames {
			}
			s := b.Lanes()[0].Stats()
			if uint64(len(numbers))+s.Dropped != sent || s.MessagesIn < uint64(len(numbers)) || bytesIn+s.DroppedBytes != total {
				t.Errorf("%d messages with %d bytes sent, %d with %d delivered, stats %+v", sent, total, len(numbers), bytesIn, s)
			}
			if len(recordedDrops(rec)) != int(s.Dropped) {
				t.Errorf("%d drops recorded, %d counted", len(recordedDrops(rec)), s.Dropped)
			}
			if !slices.IsSorted(numbers) {
				t.Error("messages changed their order")
			}
			if u := ledger.Used(); u != 0 {
				t.Errorf("%d bytes are not given back to the ledger", u)
			}
		})
	}
}

func TestTheStopPolicyStopsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b, rec := twoLanes(t, Policy{Mode: Stop}, 10<<10)
		start := time.Now()
		for i := range 20 {
			must(t, write(a.Lanes()[0], 1, numbered(i, 1000)))
		}
		synctest.Wait()
		must(t, write(a.Lanes()[1], 2, nil))
		read(t, b.Lanes()[1])
		if time.Since(start) != 0 {
			t.Errorf("it took %v", time.Since(start))
		}
		if _, err := b.Lanes()[0].Read(); !errors.Is(err, ErrStopped) || !errors.Is(err, errOverload) {
			t.Errorf("Read: %v", err)
		}
		if p := recorded[*trace.ProtocolStopped](rec); len(p) != 1 || !errors.Is(p[0].Cause, errOverload) {
			t.Errorf("stops recorded: %+v", p)
		}
	})
}

func TestTheLinkEndsWithItsLastLane(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ca, cb := memPipe(256<<10, 0)
		lanes := lanesNamed("aaa", "bbb")
		for i := range lanes {
			lanes[i].Policy.Mode, lanes[i].Inbox = Stop, 1<<10
		}
		fa, fb := framings(t, true)
		a, b := New(Config{Conn: ca, Framing: fa, Lanes: lanes}), New(Config{Conn: cb, Framing: fb, Lanes: lanes})
		endA, endB := run(t, a), run(t, b)
		must(t, write(a.Lanes()[0], 1, numbered(0, 1000)))
		must(t, write(a.Lanes()[0], 1, numbered(0, 1000)))
		synctest.Wait()
		if !b.Lanes()[0].Stopped() || len(endB) != 0 {
			t.Fatal("the first lane is not stopped, or the link ended with it")
		}
		must(t, write(a.Lanes()[1], 1, numbered(0, 1000)))
		must(t, write(a.Lanes()[1], 1, numbered(0, 1000)))
		got := <-endB
		if got.Side != trace.SideLocal || got.Reason != 0x10 || !got.Sent || got.Protocol != "bbb" || !errors.Is(got.Err, ErrStopped) || !errors.Is(got.Err, errOverload) {
			t.Errorf("cause %+v", got)
		}
		if remote := <-endA; remote.Side != trace.SideRemote || remote.Reason != 0x10 || !remote.Received || !remote.Sent {
			t.Errorf("cause at the other end %+v", remote)
		}
		for i := range lanes {
			if _, err := b.Lanes()[i].Read(); !errors.Is(err, ErrStopped) {
				t.Errorf("Read of lane %d: %v", i, err)
			}
			if err := write(b.Lanes()[i], 1, nil); !errors.Is(err, ErrStopped) {
				t.Errorf("Write of lane %d: %v", i, err)
			}
		}
	})
}

func TestAMessageLargerThanTheInboxPassesWhenItIsEmpty(t *testing.T) {
	for _, mode := range []Mode{Wait, DropNewest, DropOldest, Stop} {
		for _, size := range []int{5000, 100_000, 3_000_000} {
			t.Run(fmt.Sprintf("%v %d", mode, size), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					a, b, _ := twoLanes(t, Policy{Mode: mode}, 4000)
					for range 3 {
						must(t, write(a.Lanes()[0], 1, randomBytes(size)))
						if _, p := read(t, b.Lanes()[0]); len(p) != size {
							t.Fatalf("%d bytes came", len(p))
						}
					}
					// And beside another one it does not.
					must(t, write(a.Lanes()[0], 1, numbered(1, 10)))
					must(t, write(a.Lanes()[0], 1, randomBytes(size)))
					time.Sleep(DefaultWait + 1)
					switch s := b.Lanes()[0].Stats(); mode {
					case Wait, Stop:
						if !s.Stopped || s.InboxBytes != 0 {
							t.Errorf("stats %+v", s)
						}
					case DropNewest:
						if s.Dropped != 1 || s.InboxBytes != cost(10) {
							t.Errorf("stats %+v", s)
						}
					case DropOldest:
						if s.Dropped != 1 || s.InboxBytes != cost(size) {
							t.Errorf("stats %+v", s)
						}
					}
				})
			})
		}
	}
}

func TestWhatAStoppedLaneLosesIsCountedAndRecorded(t *testing.T) {
	const fit, sent, size, read3 = 8, 50, 1000, 3
	for _, policy := range []Policy{{Mode: Stop}, {Wait, time.Second}} {
		t.Run(policy.Mode.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a, b, rec := twoLanes(t, policy, fit*(size+messageCost))
				la := b.Lanes()[0]
				for i := range sent {
					must(t, write(a.Lanes()[0], uint64(i%4), numbered(i, size)))
					if i == read3 {
						for range read3 {
							read(t, la)
						}
					}
				}
				must(t, write(a.Lanes()[0], 1, randomBytes(100_000))) // assembled, if anybody wanted it
				time.Sleep(2 * time.Second)
				synctest.Wait()
				s := la.Stats()
				if want := uint64(sent + 1 - read3); !s.Stopped || s.Dropped != want || s.InboxMessages != 0 {
					t.Errorf("%d dropped, want %d; stats %+v", s.Dropped, want, s)
				}
				if drops := recordedDrops(rec); uint64(len(drops)) != s.Dropped {
					t.Errorf("%d drops recorded, %d counted", len(drops), s.Dropped)
				}
			})
		})
	}
}
