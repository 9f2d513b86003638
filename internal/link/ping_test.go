package link

import (
	"errors"
	"os"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sennit-net/sennit/internal/frame"
	"github.com/sennit-net/sennit/internal/race"
	"github.com/sennit-net/sennit/trace"
)

func TestPingsGoOutEvery15SecondsAndMeasureTheRoundTrip(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ca, cb := memPipe(64<<10, 35*time.Millisecond)
		rec := new(events)
		a, _ := linkPair(t, ca, cb, true, lanesNamed("aaa"), func(a, b *Config) { a.Recorder = rec })
		if s := a.Stats(); s.RTT != 0 || s.MinRTT != 0 {
			t.Errorf("round trip known before the first: %+v", s)
		}
		start := time.Now()
		for i := range 5 {
			time.Sleep(time.Until(start.Add(time.Duration(i+1) * pingInterval)))
			if n := len(recorded[*trace.Ping](rec)); n != i {
				t.Errorf("after %d intervals: %d pings answered", i+1, n)
			}
			time.Sleep(70 * time.Millisecond)
			synctest.Wait()
			p := recorded[*trace.Ping](rec)
			if len(p) != i+1 || p[i].RTT != 70*time.Millisecond {
				t.Fatalf("pings recorded: %+v", p)
			}
			if s := a.Stats(); s.RTT != 70*time.Millisecond || s.MinRTT != 70*time.Millisecond {
				t.Errorf("stats %+v", s)
			}
		}
	})
}

func TestPingsGoOutWhateverTheTrafficIs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ca, cb := memPipe(64<<10, 0)
		r, l := newRaw(t, ca, cb, true, lanesNamed("aaa"), nil)
		frames := r.collect()
		run(t, l)
		start := time.Now()
		for time.Since(start) < 61*time.Second {
			cb.Write(r.message(16, []byte("here I am")))
			read(t, l.Lanes()[0])
			must(t, write(l.Lanes()[0], 1, []byte("so am I")))
			time.Sleep(100 * time.Millisecond)
		}
		synctest.Wait()
		var pings []time.Duration
		for len(frames) > 0 {
			if f := <-frames; f.err == nil && f.code == frame.CodePing {
				pings = append(pings, f.at.Sub(start).Round(time.Second))
				if string(f.payload) != "\x01\x00\xc0" {
					t.Errorf("payload %x", f.payload)
				}
			}
		}
		if len(pings) != 4 {
			t.Fatalf("pings after %v", pings)
		}
		for i, at := range pings {
			if want := time.Duration(i+1) * pingInterval; at != want {
				t.Errorf("ping %d after %v", i, at)
			}
		}
	})
}

func TestTheSmallestRoundTripIsKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ca, cb := memPipe(64<<10, 0)
		r, l := newRaw(t, ca, cb, true, lanesNamed("aaa"), nil)
		run(t, l)
		for _, rtt := range []time.Duration{50, 20, 90} {
			if code, _, err := r.next(); err != nil || code != frame.CodePing {
				t.Fatalf("code %d, %v", code, err)
			}
			time.Sleep(rtt * time.Millisecond)
			cb.Write(r.message(frame.CodePong, frame.EmptyList))
			synctest.Wait()
			if got := l.Stats().RTT; got != rtt*time.Millisecond {
				t.Errorf("round trip %v, want %d ms", got, rtt)
			}
		}
		if got := l.Stats().MinRTT; got != 20*time.Millisecond {
			t.Errorf("smallest round trip %v", got)
		}
	})
}

func TestALatePongIsNotTakenForTheAnswerToANewerPing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ca, cb := memPipe(64<<10, 0)
		r, l := newRaw(t, ca, cb, true, lanesNamed("aaa"), nil)
		run(t, l)
		r.next()
		cb.Write(r.message(16, nil)) // not silent
		r.next()                     // 15 s later
		time.Sleep(2 * time.Second)
		cb.Write(r.message(frame.CodePong, frame.EmptyList))
		synctest.Wait()
		if got := l.Stats().RTT; got != 17*time.Second {
			t.Errorf("round trip %v, want 17s", got)
		}
	})
}

func TestAPongThatNothingAskedForMeansNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ca, cb := memPipe(64<<10, 0)
		rec := new(events)
		r, l := newRaw(t, ca, cb, true, lanesNamed("aaa"), func(c *Config) { c.Recorder = rec })
		end := run(t, l)
		for range 10 {
			cb.Write(r.message(frame.CodePong, frame.EmptyList))
			cb.Write(r.wire(frame.CodePong, []byte("no Snappy, no list")))
		}
		synctest.Wait()
		if s := l.Stats(); s.RTT != 0 || len(recorded[*trace.Ping](rec)) != 0 || len(end) != 0 {
			t.Errorf("stats %+v", s)
		}
	})
}

func TestALinkEndsAfter30SecondsOfSilence(t *testing.T) {
	for _, test := range []struct {
		name  string
		sends func(r *raw) []byte
	}{
		{"from the start", func(r *raw) []byte { return nil }},
		{"after a message", func(r *raw) []byte { return r.message(16, []byte("the last")) }},
		{"in a header", func(r *raw) []byte { return r.message(16, nil)[:7] }},
		{"in a small frame", func(r *raw) []byte { return r.message(16, randomBytes(1000))[:500] }},
		{"in a large frame", func(r *raw) []byte { return r.message(16, randomBytes(1<<20))[:500_000] }},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ca, cb := memPipe(64<<10, 0)
				ledger := NewLedger(1 << 30)
				r, l := newRaw(t, ca, cb, true, lanesNamed("aaa"), func(c *Config) { c.Ledger = ledger })
				end, frames := run(t, l), r.collect()
				time.Sleep(11 * time.Second)
				cb.Write(test.sends(r))
				last := time.Now()
				if test.name != "after a message" {
					last = last.Add(-11 * time.Second) // what is not complete is nothing
				}
				got := <-end
				if d := time.Since(last); d != 30*time.Second {
					t.Errorf("it ended after %v", d)
				}
				if !errors.Is(got.Err, os.ErrDeadlineExceeded) || got.Side != trace.SideNetwork || got.Sent || got.Received {
					t.Errorf("cause %+v", got)
				}
				for f := range frames {
					if f.err == nil && f.code != frame.CodePing {
						t.Errorf("the remote was sent %v", f)
					}
				}
				l.Lanes()[0].Close()
				if u := ledger.Used(); u != 0 {
					t.Errorf("%d bytes are not given back", u)
				}
			})
		})
	}
}

func TestARemoteThatTricklesAFrameIsSilentToo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ca, cb := memPipe(64<<10, 0)
		r, l := newRaw(t, ca, cb, true, lanesNamed("aaa"), nil)
		end, frames := run(t, l), r.collect()
		start := time.Now()
		for f := r.message(16, randomBytes(1<<20)); len(end) == 0 && time.Since(start) < 10*time.Minute; f = f[1:] {
			cb.Write(f[:1])
			time.Sleep(100 * time.Millisecond)
		}
		if d := time.Since(start); d < 30*time.Second || d > 31*time.Second {
			t.Errorf("it ended after %v", d)
		}
		l.End(8, errTestOver, "")
		if got := <-end; !errors.Is(got.Err, os.ErrDeadlineExceeded) {
			t.Errorf("cause %+v", got)
		}
		for range frames {
		}
	})
}

func TestAtMostOnePongIsOwedAndPingsBeyondTheRateAreNotAnswered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ca, cb := memPipe(64<<10, 0)
		r, l := newRaw(t, ca, cb, true, lanesNamed("aaa"), nil)
		run(t, l)
		frames := r.collect()
		count := func() (n int) {
			synctest.Wait()
			for len(frames) > 0 {
				if f := <-frames; f.err == nil && f.code == frame.CodePong {
					n++
				}
			}
			return n
		}
		for range 1000 {
			cb.Write(r.message(frame.CodePing, frame.EmptyList))
			synctest.Wait() // each has its pong before the next one comes
		}
		if n := count(); n != pongBurst {
			t.Errorf("%d pongs for a thousand pings at once, want %d", n, pongBurst)
		}
		for range 1000 {
			cb.Write(r.message(frame.CodePing, frame.EmptyList))
			time.Sleep(10 * time.Millisecond)
		}
		if n := count(); n < 10*pongsPerSecond-1 || n > 10*pongsPerSecond+1 {
			t.Errorf("%d pongs in 10 s, want %d", n, 10*pongsPerSecond)
		}
		time.Sleep(10 * time.Second)
		count()
		var burst []byte
		for range pongBurst {
			burst = append(burst, r.message(frame.CodePing, frame.EmptyList)...)
		}
		cb.Write(burst)
		if n := count(); n < 1 || n > pongBurst {
			t.Errorf("%d pongs for %d pings in one read", n, pongBurst)
		}
	})
}

func TestAMillionPingsFromARemoteThatNeverReadsCostNoMemory(t *testing.T) {
	ca, cb := tcpPair(t)
	r, l := newRaw(t, ca, cb, true, lanesNamed("aaa"), nil)
	run(t, l)
	pings := 1_000_000
	if race.Enabled {
		pings /= 10
	}
	ping := r.message(frame.CodePing, frame.EmptyList)
	batch := make([]byte, 1000*len(ping))
	send := func(n int) {
		for range n / 1000 {
			for f := batch; len(f) > 0; f = f[len(ping):] {
				copy(f[frame.HeaderSize:], []byte{frame.CodePing, 1, 0, 0xc0})
				r.sealer.Seal(f[:len(ping)], 4)
			}
			if _, err := cb.Write(batch); err != nil {
				t.Fatal(err)
			}
		}
	}
	cb.Write(ping)
	send(10_000)
	before, routines := heap(), runtime.NumGoroutine()
	send(pings)
	if grown := int64(heap()) - int64(before); grown > 1<<20 {
		t.Errorf("the heap grew by %d bytes", grown)
	}
	if n := runtime.NumGoroutine(); n > routines+1 { // a writer
		t.Errorf("%d goroutines, before %d", n, routines)
	}
	if l.cause.Load() != nil {
		t.Errorf("the link ended: %+v", l.cause.Load())
	}
	cb.Close()
}

// heap returns the bytes in use after everything that can be freed, pools included, has been.
func heap() uint64 {
	var m runtime.MemStats
	for range 3 {
		runtime.GC()
	}
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
