package link

import (
	"bytes"
	"errors"
	"io"
	"net"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sennit-net/sennit/internal/frame"
	"github.com/sennit-net/sennit/internal/race"
)

func TestLanesGetEqualSharesOfBytesWhateverTheirMessageSizes(t *testing.T) {
	total := 16 << 20
	if race.Enabled {
		total = 4 << 20
	}
	for _, sizes := range [][]int{{1 << 10, 1 << 20}, {64, 1 << 20}, {100, 5000, 60_000}, {1 << 10, 1 << 10}, {300_000, 1 << 20}} {
		synctest.Test(t, func(t *testing.T) {
			// A slow remote, so that every lane always has something to send.
			ca, cb := memPipe(4<<10, 0)
			var names []string
			for i := range sizes {
				names = append(names, string(rune('a'+i)))
			}
			lanes := lanesNamed(names...)
			for i := range lanes {
				lanes[i].Outbox = 3 << 20
			}
			r, l := newRaw(t, ca, cb, false, lanes, nil)
			run(t, l)
			var group sync.WaitGroup
			for i, size := range sizes {
				for range 2 {
					group.Go(func() {
						for p := make([]byte, size); l.Lanes()[i].Write(1, uint32(size), bytes.NewReader(p)) == nil; {
						}
					})
				}
			}
			synctest.Wait()
			got := make([]int, len(sizes))
			for sum := 0; sum < total; {
				synctest.Wait() // every lane has something to send
				code, p, err := r.next()
				must(t, err)
				got[(code-16)/4] += frame.SealedSize(1 + len(p))
				sum += frame.SealedSize(1 + len(p))
				// At no time is a lane ahead by more than its turn with the message that was due in it, and what it sent while it was alone.
				if ahead := slices.Max(got) - slices.Min(got); ahead > slices.Max(sizes)+slices.Min(sizes)+2*(batchSize+segmentSize) {
					t.Fatalf("sizes %v: the lanes got %d bytes", sizes, got)
				}
			}
			l.End(1, errTestOver, "")
			group.Wait()
		})
	}
}

func TestControlMessagesOvertakeWhatIsQueued(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ca, cb := memPipe(4<<10, 0)
		lanes := lanesNamed("aaa")
		lanes[0].Outbox = 4 << 20
		r, l := newRaw(t, ca, cb, true, lanes, nil)
		run(t, l)
		for range 100 {
			must(t, write(l.Lanes()[0], 1, randomBytes(30_000)))
		}
		synctest.Wait()
		cb.Write(r.message(frame.CodePing, frame.EmptyList))
		synctest.Wait()
		for before := 0; ; {
			code, p, err := r.next()
			must(t, err)
			if code == frame.CodePong {
				if string(p) != "\x01\x00\xc0" {
					t.Errorf("payload %x", p)
				}
				break
			}
			if before += len(p); before > batchSize+60_000 {
				t.Fatalf("%d bytes of messages went before the pong", before)
			}
		}
	})
}

func TestABlockedWriteIsReleasedByTheStopOfItsLaneAndOnlyThat(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ca, cb := memPipe(4<<10, 0)
		lanes := lanesNamed("aaa", "bbb")
		for i := range lanes {
			lanes[i].Policy.Mode, lanes[i].Inbox = Stop, 1<<10
		}
		r, l := newRaw(t, ca, cb, true, lanes, nil)
		run(t, l)
		results := make([]chan error, 2)
		for i, lane := range l.Lanes() {
			results[i] = make(chan error, 2)
			for _, size := range []int{100, 100_000} { // waits with the encoded message, and before it encodes
				go func() {
					for {
						if err := write(lane, 1, randomBytes(size)); err != nil {
							results[i] <- err
							return
						}
					}
				}()
			}
		}
		synctest.Wait()
		for range 2 { // the second one does not fit
			cb.Write(r.message(16, randomBytes(800)))
		}
		for range 2 {
			if err := <-results[0]; !errors.Is(err, ErrStopped) || !errors.Is(err, errOverload) {
				t.Errorf("the blocked Write returned %v", err)
			}
		}
		synctest.Wait()
		if len(results[1]) != 0 {
			t.Errorf("the other lane's Write returned %v", <-results[1])
		}
		l.End(1, errTestOver, "")
		for range 2 {
			if err := <-results[1]; err != ErrEnded {
				t.Errorf("at the end Write returned %v", err)
			}
		}
	})
}

func TestTheOutboxIsBoundedAndCountsWhatItHolds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ca, cb := memPipe(4<<10, 0)
		lanes := lanesNamed("aaa")
		lanes[0].Outbox = 100_000
		r, l := newRaw(t, ca, cb, true, lanes, nil)
		run(t, l)
		lane := l.Lanes()[0]
		go func() {
			for write(lane, 1, randomBytes(1000)) == nil {
			}
		}()
		synctest.Wait()
		if s := lane.Stats(); s.OutboxBytes > 100_000+segmentSize || s.OutboxBytes < 50_000 {
			t.Errorf("%d bytes in an outbox of 100000", s.OutboxBytes)
		}
		for range 1000 {
			if _, _, err := r.next(); err != nil {
				t.Fatal(err)
			}
			if s := lane.Stats(); s.OutboxBytes > 100_000+segmentSize || s.OutboxBytes < 0 {
				t.Fatalf("%d bytes in an outbox of 100000", s.OutboxBytes)
			}
		}
		l.End(1, errTestOver, "")
	})
}

var bubble = regexp.MustCompile(`^goroutine .*(synctest bubble \d+)`)

// goroutines returns how many goroutines of the caller's bubble read and write for links.
func goroutines() (reading, writing int) {
	buf := make([]byte, 1<<20)
	all := strings.Split(string(buf[:runtime.Stack(buf, true)]), "\n\n") // the caller comes first
	ours := bubble.FindStringSubmatch(all[0])[1]
	for _, g := range all {
		if m := bubble.FindStringSubmatch(g); m == nil || m[1] != ours {
			continue
		}
		if strings.Contains(g, "link.(*Link).Run(") {
			reading++
		}
		if strings.Contains(g, "link.(*sender).writeLoop(") {
			writing++
		}
	}
	return reading, writing
}

func TestAnIdleLinkHasOneGoroutineAndABusyOneTwo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ca, cb := memPipe(4<<10, 0)
		r, l := newRaw(t, ca, cb, true, lanesNamed("aaa", "bbb"), nil)
		end := run(t, l)
		check := func(when string, wantWriting int) {
			t.Helper()
			synctest.Wait()
			if reading, writing := goroutines(); reading != 1 || writing != wantWriting {
				t.Errorf("%s: %d readers, %d writers", when, reading, writing)
			}
		}
		// idle lets a ping interval pass, after which a writer that waits for more must be gone.
		idle := func() {
			cb.Write(r.message(frame.CodePong, frame.EmptyList)) // not silent
			time.Sleep(pingInterval)
			if code, _, err := r.next(); err != nil || code != frame.CodePing {
				t.Errorf("%#x instead of a ping, %v", code, err)
			}
		}
		check("at first", 0)
		for range 3 {
			must(t, write(l.Lanes()[0], 1, randomBytes(3000)))
			must(t, write(l.Lanes()[1], 1, randomBytes(3000)))
			check("when the remote does not read", 1)
			for range 2 {
				r.next()
			}
			synctest.Wait()
			if _, writing := goroutines(); writing > 1 {
				t.Errorf("%d writers", writing)
			}
			idle()
			check("after traffic", 0)
		}
		cb.Write(r.message(frame.CodePing, frame.EmptyList))
		r.next()
		idle()
		check("after a pong", 0)
		l.End(1, errTestOver, "")
		<-end
		if reading, writing := goroutines(); reading+writing != 0 {
			t.Errorf("after the end: %d readers, %d writers", reading, writing)
		}
	})
}

func TestAnIdleLinkGivesTheMemoryOfBusierTimesBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ca, cb := memPipe(64<<10, 30*time.Millisecond)
		a, b := linkPair(t, ca, cb, true, lanesNamed("aaa"), nil)
		for range 10_000 {
			must(t, write(a.Lanes()[0], 1, []byte("small")))
		}
		time.Sleep(10 * time.Second)
		for range 10_000 {
			read(t, b.Lanes()[0])
		}
		lane := b.Lanes()[0]
		synctest.Wait()
		room := func() int {
			lane.in.mu.Lock()
			defer lane.in.mu.Unlock()
			return len(lane.in.queue.items)
		}
		if room() < 10_000 {
			t.Fatalf("the queue never held much: %d", room())
		}
		time.Sleep(45 * time.Second) // pings go on
		synctest.Wait()
		if n := room(); n != 0 {
			t.Errorf("the empty queue has room for %d messages", n)
		}
		if len(lane.slab.messages)+len(lane.slab.bytes) != 0 {
			t.Error("memory for small messages is kept")
		}
		if b.in.busy != nil {
			t.Error("a large read buffer is kept")
		}
		must(t, write(a.Lanes()[0], 1, []byte("more")))
		read(t, lane)
	})
}

func TestNoLargeBufferIsHeldAfterALargeMessage(t *testing.T) {
	const links = 10
	var as, bs []*Link
	for range links {
		ca, cb := tcpPair(t)
		a, b := linkPair(t, ca, cb, true, lanesNamed("aaa"), nil)
		as, bs = append(as, a), append(bs, b)
	}
	exchange := func(payload []byte) {
		for i := range links {
			for _, ends := range [][2]*Link{{as[i], bs[i]}, {bs[i], as[i]}} {
				must(t, ends[0].Lanes()[0].Write(1, uint32(len(payload)), bytes.NewReader(payload)))
				m, err := ends[1].Lanes()[0].Read()
				must(t, err)
				_, err = io.Copy(io.Discard, m)
				must(t, err)
			}
		}
	}
	exchange([]byte("warm"))
	idle := heap()
	payload := randomBytes(1 << 20)
	exchange(payload)
	runtime.KeepAlive(payload)
	if kept := (int64(heap()) - int64(idle) - 1<<20) / (2 * links); kept > 64<<10 {
		t.Errorf("each end of a link keeps %d bytes", kept)
	}
	runtime.KeepAlive(payload)
}

func TestLargeMessagesNobodyWantsTakeNoMemory(t *testing.T) {
	for _, test := range []struct {
		name string
		code uint64
		stop bool
	}{{"to a stopped lane", 16, true}, {"with a code of the base protocol", 9, false}, {"with an unknown code", 30, false}} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ca, cb := memPipe(64<<10, 0)
				ledger := NewLedger(1 << 30)
				r, l := newRaw(t, ca, cb, false, lanesNamed("aaa", "bbb"), func(c *Config) { c.Ledger = ledger })
				end := run(t, l)
				if test.stop {
					l.stop(l.Lanes()[0], errOverload)
				}
				f := r.wire(test.code, make([]byte, 15<<20))
				most := uint64(0)
				before := heap()
				for range 4 {
					cb.Write(f[:len(f)/4])
					f = f[len(f)/4:]
					synctest.Wait()
					most = max(most, heap())
					if ledger.Used() != 0 {
						t.Errorf("%d bytes charged", ledger.Used())
					}
				}
				cb.Write(f)
				if grown := int64(most) - int64(before); grown > 200<<10 { // a small buffer, and the connection's
					t.Errorf("the heap grew by %d bytes", grown)
				}
				if test.name == "with an unknown code" {
					if got := <-end; !errors.Is(got.Err, errUnknownCode) {
						t.Errorf("cause %+v", got)
					}
					return
				}
				cb.Write(r.wire(20, []byte("the link goes on")))
				read(t, l.Lanes()[1])
			})
		})
	}
}

func TestASmallBlockThatClaimsToBeLargeTakesNoMemory(t *testing.T) {
	for _, n := range []uint64{1 << 20, MaxMessage, 1<<32 - 1} {
		ca, cb := tcpPair(t)
		r, l := newRaw(t, ca, cb, true, lanesNamed("aaa"), nil)
		f := r.wire(16, claim(n))
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		cb.Write(f)
		got := <-run(t, l)
		runtime.ReadMemStats(&after)
		if got.Err == nil || after.TotalAlloc-before.TotalAlloc > 256<<10 {
			t.Errorf("%d bytes claimed: %d allocated, cause %+v", n, after.TotalAlloc-before.TotalAlloc, got)
		}
	}
}

func TestManySmallMessagesLeaveInFewWrites(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ca, cb := memPipe(8<<20, 0)
		count := &countWrites{memConn: ca}
		_, l := newRaw(t, count, cb, true, lanesNamed("aaa"), nil)
		run(t, l)
		l.send.mu.Lock()
		l.send.running = true // as if a writer were busy
		l.send.mu.Unlock()
		for range 2000 {
			must(t, write(l.Lanes()[0], 1, randomBytes(60)))
		}
		l.send.mu.Lock()
		l.send.running = false
		l.send.startLocked()
		l.send.mu.Unlock()
		synctest.Wait()
		// The vector counts as one write on TCP; here each of its segments is one.
		if wire := int64(2000 * 128); l.Stats().BytesOut < 2000*100 || count.n > int(wire/segmentSize)+4 {
			t.Errorf("%d writes for %d bytes", count.n, l.Stats().BytesOut)
		}
	})
}

type countWrites struct {
	*memConn
	n int
}

func (c *countWrites) Write(p []byte) (int, error) {
	c.n++
	return c.memConn.Write(p)
}

var _ net.Conn = (*countWrites)(nil)

func TestAnOutboxHoldsAsMuchMemoryAsItCounts(t *testing.T) {
	for name, payloads := range map[string][2][]byte{
		"payloads that compress well":   {make([]byte, 128<<10), make([]byte, 128<<10)},
		"large and small ones in turns": {randomBytes(packedSize + 50), randomBytes(130)},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ca, cb := memPipe(4<<10, 0)
				_, l := newRaw(t, ca, cb, true, lanesNamed("aaa"), nil)
				run(t, l)
				lane := l.Lanes()[0]
				go func() {
					for i := 0; write(lane, 1, payloads[i%2]) == nil; i++ {
					}
				}()
				synctest.Wait()
				l.send.mu.Lock()
				held := int64(0)
				for i := range lane.out.segments.n {
					held += int64(cap(lane.out.segments.items[(lane.out.segments.head+i)&(len(lane.out.segments.items)-1)].buf.B))
				}
				l.send.mu.Unlock()
				if counted := lane.Stats().OutboxBytes; held > DefaultOutbox+segmentSize || held > counted {
					t.Errorf("%d bytes held, %d counted", held, counted)
				}
				l.End(1, errTestOver, "")
			})
		})
	}
}
