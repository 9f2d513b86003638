package link

import (
	"bytes"
	"errors"
	"math"
	"testing"
	"testing/synctest"
	"time"

	"github.com/golang/snappy"

	"github.com/sennit-net/sennit/internal/lanes"
	"github.com/sennit-net/sennit/trace"
)

// breached is how a link ends that meets a breach.
type breached struct {
	cause Cause
	seen  []lanes.Frame // what the remote saw, up to the end of the connection
	after time.Duration // until the connection ended
}

// runBreach runs a link of the lanes aaa, bbb and ccc against a remote that sends records of the given plaintexts and
// then only looks. Lane aaa is read if that is wanted.
func runBreach(t *testing.T, reading bool, plains ...[]byte) (b breached) {
	ledger := NewLedger(64 << 20)
	ca, cb := memPipe(1<<20, 0)
	r, l := newRawLanes(t, ca, cb, lanesNamed("aaa", "bbb", "ccc"), func(c *Config) { c.Ledger, c.Recorder = ledger, new(events) })
	start := time.Now()
	cause := run(t, l)
	if reading {
		go func() {
			for {
				m, err := l.Lanes()[0].Read()
				if err != nil {
					return
				}
				m.Discard()
			}
		}()
	}
	go func() {
		for _, p := range plains {
			if _, err := r.conn.Write(r.seal(p)); err != nil {
				return
			}
		}
	}()
	b.seen = r.drain()
	b.cause, b.after = <-cause, time.Since(start)
	for _, lane := range l.Lanes() {
		lane.Close()
		if s := lane.Stats(); s.InboxBytes != 0 {
			t.Errorf("an inbox still counts %+v", s)
		}
	}
	if u := ledger.Used(); u != 0 {
		t.Errorf("%d bytes are not given back", u)
	}
	return b
}

func TestEveryBreachIsAnsweredWithDisconnect2(t *testing.T) {
	const limit = lanes.InitialLimit
	packed := snappy.Encode(nil, make([]byte, 1000))
	snappyMessage := func(size int, data []byte) []byte {
		return append(lanes.AppendMessage(nil, 1, 0, size, lanes.Snappy, len(data), len(data)), data...)
	}
	large := make([]byte, 60<<10)
	// uses takes that much of lane 1's credit with one message that is not complete.
	uses := func(cost int) (plains [][]byte) {
		left := cost - lanes.MessageCost
		n := min(left, len(large))
		plains = append(plains, opening(1, 0, lanes.MaxSize, large[:n]))
		for left -= n; left > 0; left -= n {
			n = min(left, len(large))
			plains = append(plains, further(1, large[:n]))
		}
		return plains
	}
	for _, test := range []struct {
		name    string
		reading bool
		plains  [][]byte
		want    error
	}{
		{"a frame of type 7", false, [][]byte{{7}}, nil},
		{"a frame of type 255 behind a good one", false, [][]byte{joined(pingFrame(1), []byte{255})}, nil},
		{"a lane in more bytes than it needs", false, [][]byte{{3, 0x81, 0, 1}}, nil},
		{"a uvarint of more than 64 bits", false, [][]byte{append(append([]byte{3, 1}, bytes.Repeat([]byte{0xff}, 9)...), 2)}, nil},
		{"a uvarint without an end", false, [][]byte{append([]byte{3, 1}, bytes.Repeat([]byte{0x80}, 30)...)}, nil},
		{"a message of lane 0", false, [][]byte{whole(0, 0, nil)}, errUnknownLane},
		{"a message of the lane behind the last", false, [][]byte{whole(4, 0, nil)}, errUnknownLane},
		{"a part of lane 0", false, [][]byte{further(0, []byte{1})}, errUnknownLane},
		{"a part of the largest lane there can be", false, [][]byte{further(math.MaxUint64, []byte{1})}, errUnknownLane},
		{"credit for lane 0", false, [][]byte{lanes.AppendCredit(nil, 0, 1)}, errUnknownLane},
		{"credit for the lane behind the last", false, [][]byte{lanes.AppendCredit(nil, 4, 1<<20)}, errUnknownLane},
		{"the first code behind a protocol", false, [][]byte{whole(1, 4, nil)}, errCodeRange},
		{"the largest code there can be", false, [][]byte{whole(3, math.MaxUint64, nil)}, errCodeRange},
		{"a size of 2^24", false, [][]byte{lanes.AppendMessage(nil, 1, 0, 1<<24, lanes.Snappy, 1<<20, 0)}, nil},
		{"a total of 2^24", false, [][]byte{append(lanes.AppendMessage(nil, 1, 0, 1<<24-1, lanes.Snappy, 1<<24, 1), 1)}, nil},
		{"an encoding of 2", false, [][]byte{append(lanes.AppendMessage(nil, 1, 0, 1, 2, 1, 1), 1)}, nil},
		{"a total that is not the size, without an encoding", false, [][]byte{append(lanes.AppendMessage(nil, 1, 0, 2, lanes.Plain, 1, 1), 1)}, nil},
		{"an empty part of a message that is not empty", false, [][]byte{lanes.AppendMessage(nil, 1, 0, 1, lanes.Plain, 1, 0)}, nil},
		{"an empty further part", false, [][]byte{opening(1, 0, 2, []byte{1}), further(1, nil)}, nil},
		{"one more than the credit, in a PART", false, uses(limit + 1), errNoCredit},
		{"one more than the credit, in a MESSAGE", false, append(uses(limit-lanes.MessageCost), whole(2, 0, nil), whole(2, 0, make([]byte, 60000)), whole(2, 0, make([]byte, 60000)), whole(2, 0, make([]byte, 60000)), whole(2, 0, make([]byte, 60000)), whole(2, 0, make([]byte, limit-4*60064-2*64+1))), errNoCredit},
		{"empty messages beyond the credit", false, [][]byte{bytes.Repeat(whole(1, 0, nil), 4096), whole(1, 0, nil)}, errNoCredit},
		{"a part of no message", false, [][]byte{further(1, []byte{1})}, errNoMessage},
		{"a part behind the last of its message", false, [][]byte{joined(opening(1, 0, 2, []byte{1}), further(1, []byte{2}), further(1, []byte{3}))}, errNoMessage},
		{"a part of another lane's message", false, [][]byte{opening(1, 0, 2, []byte{1}), further(2, []byte{2})}, errNoMessage},
		{"a message inside another one", false, [][]byte{opening(1, 0, 2, []byte{1}), whole(1, 0, nil)}, errInside},
		{"a part that goes beyond the total", false, [][]byte{opening(1, 0, 3, []byte{1}), further(1, []byte{2, 3, 4})}, errTooMuch},
		{"a first part that goes beyond the total", false, [][]byte{opening(1, 0, 1, []byte{1, 2})}, nil},
		{"a block that says another size", false, [][]byte{snappyMessage(999, packed)}, errPackedSize},
		{"a block that says another size, and comes in parts", false, [][]byte{
			append(lanes.AppendMessage(nil, 1, 0, 999, lanes.Snappy, len(packed), 1), packed[0]), further(1, packed[1:])}, errPackedSize},
		{"a block without a size", false, [][]byte{snappyMessage(0, nil)}, errPackedSize},
		{"a size that no block of the total has", false, [][]byte{snappyMessage(100_000, packed)}, errPackedSize},
		{"a block that is cut off, found by who reads it", true, [][]byte{snappyMessage(1000, packed[:len(packed)-1])}, errPackedSize},
		{"a block with more behind it, found by who reads it", true, [][]byte{snappyMessage(1000, append(bytes.Clone(packed), 1, 2, 3))}, errPackedSize},
		{"a message that is cut off by the end of its record", false, [][]byte{whole(1, 0, []byte("cut"))[:9]}, nil},
		{"a ping that is cut off by the end of its record", false, [][]byte{pingFrame(1)[:8]}, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := runBreach(t, test.reading, test.plains...)
				var breach lanes.Breach
				if !errors.As(b.cause.Err, &breach) || test.want != nil && breach != test.want {
					t.Errorf("cause %v, want %v", b.cause.Err, test.want)
				}
				if b.cause.Side != trace.SideNetwork || b.cause.Reason != 2 || !b.cause.Sent || b.cause.Received {
					t.Errorf("cause %+v", b.cause)
				}
				last := lanes.Frame{}
				if n := len(b.seen); n > 0 {
					last = b.seen[n-1]
				}
				if last.Type != lanes.Disconnect || last.Value != 2 {
					t.Errorf("the remote saw %s", shown(b.seen))
				}
				if b.after >= 2*farewell {
					t.Errorf("it took %v", b.after)
				}
			})
		})
	}
}

func TestTheLastByteOfCreditIsNoBreach(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ca, cb := memPipe(1<<20, 0)
		r, l := newRawLanes(t, ca, cb, lanesNamed("aaa", "bbb"), nil)
		run(t, l)
		left := lanes.InitialLimit - lanes.MessageCost
		r.send(opening(1, 0, lanes.MaxSize, make([]byte, 60_000)))
		for left -= 60_000; left > 0; {
			n := min(left, 60_000)
			r.send(further(1, make([]byte, n)))
			left -= n
		}
		r.send(bytes.Repeat(whole(2, 0, nil), lanes.InitialLimit/lanes.MessageCost))
		r.send(pingFrame(9))
		r.until(ofType(lanes.Pong))
		if s := l.Lanes()[1].Stats(); s.MessagesIn != lanes.InitialLimit/lanes.MessageCost {
			t.Errorf("stats %+v", s)
		}
		r.conn.Close()
	})
}

func TestWhatIsNotSealedByTheRemoteEndsTheLinkWithoutAWord(t *testing.T) {
	for _, test := range []struct {
		name  string
		bytes func(r *rawLanes) []byte
	}{
		{"a length of 16", func(r *rawLanes) []byte { return append([]byte{0, 0, 16}, make([]byte, 16)...) }},
		{"a length of 0", func(r *rawLanes) []byte { return []byte{0, 0, 0} }},
		{"a length of 65,553", func(r *rawLanes) []byte { return []byte{1, 0, 17} }},
		{"a length of 2^24-1", func(r *rawLanes) []byte { return []byte{255, 255, 255} }},
		{"a changed tag", func(r *rawLanes) []byte { p := r.seal(pingFrame(1)); p[len(p)-1] ^= 1; return p }},
		{"a changed length", func(r *rawLanes) []byte { p := r.seal(pingFrame(1)); p[2]++; return append(p, 0) }},
		{"a record that was left out", func(r *rawLanes) []byte { r.seal(pingFrame(1)); return r.seal(pingFrame(2)) }},
		{"a record that comes twice", func(r *rawLanes) []byte { p := r.seal(whole(1, 0, nil)); return append(bytes.Clone(p), p...) }},
		{"random bytes", func(r *rawLanes) []byte { return append([]byte{0, 1, 0}, randomBytes(1000)...) }},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ca, cb := memPipe(1<<20, 0)
				r, l := newRawLanes(t, ca, cb, lanesNamed("aaa"), nil)
				must(t, write(l.Lanes()[0], 1, []byte("accepted before")))
				cause := run(t, l)
				if _, err := r.next(); err != nil {
					t.Fatal(err)
				}
				start := time.Now()
				must2(r.conn.Write(test.bytes(r)))(t)
				for _, f := range r.drain() {
					if f.Type == lanes.Disconnect {
						t.Errorf("it sends DISCONNECT %d", f.Value)
					}
				}
				c := <-cause
				if !errors.Is(c.Err, lanes.ErrRecord) || c.Side != trace.SideNetwork || c.Sent || c.Received {
					t.Errorf("cause %+v", c)
				}
				if took := time.Since(start); took != 0 {
					t.Errorf("it took %v", took)
				}
			})
		})
	}
}

// must2 is must for functions with two results.
func must2(_ int, err error) func(testing.TB) {
	return func(t testing.TB) { t.Helper(); must(t, err) }
}

func TestFourPingsAtATimeAreAnsweredInOrderAsOftenAsOneLikes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ca, cb := memPipe(1<<20, 0)
		r, l := newRawLanes(t, ca, cb, lanesNamed("aaa"), nil)
		run(t, l)
		for round := range byte(60) {
			r.send(pingFrame(4*round), pingFrame(4*round+1), pingFrame(4*round+2), pingFrame(4*round+3))
			for i := range byte(4) {
				f, _ := r.until(ofType(lanes.Pong))
				if want := pingFrame(4*round + i)[1:]; !bytes.Equal(f.Data, want) {
					t.Fatalf("pong %x, want %x", f.Data, want)
				}
			}
		}
		r.conn.Close()
	})
}

// As long as the writer is not stuck, whether it has answered the first of five pings when the last is looked at is a matter
// of luck.
func TestAFifthPingIsABreachWhileFourAreUnanswered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ca, cb := memPipe(4<<10, 0) // and the remote reads nothing
		r, l := newRawLanes(t, ca, cb, lanesNamed("aaa"), nil)
		cause := run(t, l)
		must(t, write(l.Lanes()[0], 1, randomBytes(100_000)))
		synctest.Wait()
		for i := range byte(4) {
			r.send(pingFrame(i))
		}
		synctest.Wait()
		if l.cause.Load() != nil {
			t.Fatal("four pings are too many")
		}
		r.send(pingFrame(4))
		synctest.Wait() // before the writer gets anywhere
		seen := r.drain()
		if last := seen[len(seen)-1]; last.Type != lanes.Disconnect || last.Value != 2 {
			t.Errorf("the remote saw %s", shown(seen))
		}
		if c := <-cause; !errors.Is(c.Err, errTooManyPings) || c.Side != trace.SideNetwork || !c.Sent || c.Reason != 2 {
			t.Errorf("cause %+v", c)
		}
	})
}

func TestAPongThatNothingAskedForAndAPongTwiceMeanNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ca, cb := memPipe(1<<20, 0)
		r, l := newRawLanes(t, ca, cb, lanesNamed("aaa"), nil)
		run(t, l)
		r.send(lanes.AppendPing(nil, lanes.Pong, [8]byte{}))
		synctest.Wait()
		if s := l.Stats(); s.RTT != 0 {
			t.Errorf("a round trip of %v without a ping", s.RTT)
		}
		ping, _ := r.until(ofType(lanes.Ping)) // after 15 s of silence
		time.Sleep(30 * time.Millisecond)
		wrong := [8]byte(ping.Data)
		wrong[0]++
		pong := lanes.AppendPing(nil, lanes.Pong, [8]byte(ping.Data))
		r.send(lanes.AppendPing(nil, lanes.Pong, wrong))
		synctest.Wait()
		if s := l.Stats(); s.RTT != 0 {
			t.Errorf("a pong of other bytes gives a round trip of %v", s.RTT)
		}
		r.send(pong, pong)
		time.Sleep(time.Second)
		r.send(pong)
		synctest.Wait()
		if s := l.Stats(); s.RTT != 30*time.Millisecond || s.MinRTT != 30*time.Millisecond {
			t.Errorf("round trip %v, fastest %v", s.RTT, s.MinRTT)
		}
		r.conn.Close()
	})
}

func TestASilentLinkIsPingedAfter15sAndEndsAfter30(t *testing.T) {
	for _, answers := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			ca, cb := memPipe(1<<20, 0)
			r, l := newRawLanes(t, ca, cb, lanesNamed("aaa"), nil)
			start := time.Now()
			cause := run(t, l)
			for i := 1; answers && i <= 10; i++ {
				ping, before := r.until(ofType(lanes.Ping))
				if since := time.Since(start); since != time.Duration(i)*pingInterval || len(before) != 0 {
					t.Fatalf("ping %d after %v, before it %s", i, since, shown(before))
				}
				r.send(lanes.AppendPing(nil, lanes.Pong, [8]byte(ping.Data)))
			}
			since := time.Now()
			if answers {
				r.conn.Close()
				<-cause
				return
			}
			r.drain()
			if c := <-cause; time.Since(since) != silence || c.Side != trace.SideNetwork || c.Sent {
				t.Errorf("after %v: %+v", time.Since(since), c)
			}
		})
	}
}

func TestAReasonAbove255IsAnInvalidOne(t *testing.T) {
	for reason, want := range map[uint64]uint8{0: 0, 4: 4, 0x10: 0x10, 0xfe: 0xfe, 0xff: 0xff, 0x100: 0xff, math.MaxUint64: 0xff} {
		synctest.Test(t, func(t *testing.T) {
			b := runBreach(t, false, lanes.AppendDisconnect(nil, reason))
			if c := b.cause; !c.Received || c.Side != trace.SideRemote || c.Reason != want {
				t.Errorf("reason %d: %+v", reason, c)
			}
		})
	}
}

func TestMessagesInTheRecordOfADisconnectArrive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ca, cb := memPipe(1<<20, 0)
		r, l := newRawLanes(t, ca, cb, lanesNamed("aaa", "bbb"), nil)
		cause := run(t, l)
		r.send(whole(1, 1, []byte("last words")), opening(2, 1, 9, []byte("cut")), lanes.AppendDisconnect(nil, 8), []byte{255})
		if c := <-cause; !c.Received || c.Reason != 8 {
			t.Errorf("cause %+v", c)
		}
		if _, p := read(t, l.Lanes()[0]); string(p) != "last words" {
			t.Errorf("read %q", p)
		}
		if m, err := l.Lanes()[1].Read(); err == nil {
			t.Errorf("read %+v of a message that is not complete", m)
		}
		r.conn.Close()
	})
}
