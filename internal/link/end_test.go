package link

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/golang/snappy"

	"github.com/sennit-net/sennit/internal/frame"
	"github.com/sennit-net/sennit/trace"
)

// claim returns a Snappy block that says it has n bytes, and has few.
func claim(n uint64) []byte {
	return append(binary.AppendUvarint(nil, n), 0, 'x')
}

// flipped returns a frame with one bit changed.
func flipped(f []byte, at int) []byte {
	if at < 0 {
		at += len(f)
	}
	f[at] ^= 1
	return f
}

// goodbye is a Disconnect frame as it travels.
func goodbye(reason string, compressed bool) string {
	if compressed {
		reason = string(snappy.Encode(nil, []byte(reason)))
	}
	return fmt.Sprintf("0x1:%x", reason)
}

func TestEveryEndHasItsCauseAndTheRemoteSeesWhatItShould(t *testing.T) {
	errOurs := errors.New("our reason")
	ours := func(reason uint8, sent bool) Cause {
		return Cause{Err: errOurs, Side: trace.SideLocal, Reason: reason, Sent: sent, Protocol: "bbb"}
	}
	broken := func(err error) Cause { return Cause{Err: err, Side: trace.SideNetwork} }
	type end struct {
		l    *Link
		r    *raw
		conn *memConn
	}
	for _, test := range []struct {
		name   string
		before bool // happens before Run
		does   func(e end)
		want   Cause // Err is compared with errors.Is
		sees   string
		plain  bool
	}{
		{name: "End before Run", before: true, does: func(e end) { e.l.End(4, errOurs, "bbb") }, want: ours(4, true), sees: "c104"},
		{name: "End with reason 0", does: func(e end) { e.l.End(0, errOurs, "bbb") }, want: ours(0, true), sees: "c180"},
		{name: "End without Snappy", plain: true, does: func(e end) { e.l.End(8, errOurs, "bbb") }, want: ours(8, true), sees: "c108"},
		{name: "End with a reason of two bytes", does: func(e end) { e.l.End(0xff, errOurs, "bbb") }, want: ours(0xff, true), sees: "c281ff"},
		{name: "End with a network error, which is never told", does: func(e end) { e.l.End(1, errOurs, "bbb") }, want: ours(1, false)},
		{
			name: "the remote disconnects",
			does: func(e end) { e.conn.Write(e.r.message(frame.CodeDisconnect, []byte{0xc1, 3})) },
			want: Cause{Err: &remoteEnd{3}, Side: trace.SideRemote, Reason: 3, Received: true, Sent: true}, sees: "c103",
		}, {
			name: "the remote disconnects, uncompressed",
			does: func(e end) { e.conn.Write(e.r.wire(frame.CodeDisconnect, []byte{0xc1, 3})) },
			want: Cause{Err: &remoteEnd{3}, Side: trace.SideRemote, Reason: 3, Received: true, Sent: true}, sees: "c103",
		}, {
			name: "the remote disconnects, with a bare byte", plain: true,
			does: func(e end) { e.conn.Write(e.r.wire(frame.CodeDisconnect, []byte{0})) },
			want: Cause{Err: &remoteEnd{0}, Side: trace.SideRemote, Reason: 0, Received: true, Sent: true}, sees: "c180",
		}, {
			name: "the remote says network error, which is not echoed",
			does: func(e end) { e.conn.Write(e.r.message(frame.CodeDisconnect, []byte{0xc1, 1})) },
			want: Cause{Err: &remoteEnd{1}, Side: trace.SideRemote, Reason: 1, Received: true},
		}, {
			name: "the remote disconnects with a large frame of nonsense",
			does: func(e end) { e.conn.Write(e.r.wire(frame.CodeDisconnect, make([]byte, 1<<20))) },
			want: Cause{Err: &remoteEnd{ReasonInvalid}, Side: trace.SideRemote, Reason: ReasonInvalid, Received: true, Sent: true}, sees: "c281ff",
		}, {
			name: "the remote claims a Disconnect of 4 GiB",
			does: func(e end) { e.conn.Write(e.r.wire(frame.CodeDisconnect, claim(1<<32-1))) },
			want: Cause{Err: &remoteEnd{ReasonInvalid}, Side: trace.SideRemote, Reason: ReasonInvalid, Received: true, Sent: true}, sees: "c281ff",
		},
		{name: "the remote closes", does: func(e end) { e.conn.Close() }, want: Cause{Err: io.EOF, Side: trace.SideRemote}},
		{
			name: "the remote closes in a frame",
			does: func(e end) { e.conn.Write(e.r.message(16, make([]byte, 100))[:50]); e.conn.CloseWrite() },
			want: Cause{Err: io.EOF, Side: trace.SideRemote},
		}, {
			name: "the remote closes in a large frame",
			does: func(e end) { e.conn.Write(e.r.message(16, randomBytes(300_000))[:150_000]); e.conn.CloseWrite() },
			want: Cause{Err: io.EOF, Side: trace.SideRemote},
		},
		{name: "a header with a bad MAC", does: func(e end) { e.conn.Write(flipped(e.r.message(16, nil), 20)) }, want: broken(frame.ErrBadMAC)},
		{name: "a body with a bad MAC", does: func(e end) { e.conn.Write(flipped(e.r.message(16, nil), 33)) }, want: broken(frame.ErrBadMAC)},
		{name: "a large body with a bad MAC", does: func(e end) { e.conn.Write(flipped(e.r.message(16, randomBytes(300_000)), -1)) }, want: broken(frame.ErrBadMAC)},
		{name: "a large body with another code", does: func(e end) { e.conn.Write(flipped(e.r.message(16, randomBytes(300_000)), 32)) }, want: broken(frame.ErrBadMAC)},
		{name: "a large body whose code becomes unknown", does: func(e end) { e.conn.Write(flipped(e.r.message(0x19, randomBytes(300_000)), 32)) }, want: broken(frame.ErrBadMAC)},
		{name: "a large body whose code becomes none", does: func(e end) { e.conn.Write(flipped(e.r.seal(append([]byte{1}, randomBytes(300_000)...)), 32)) }, want: broken(frame.ErrBadMAC)},
		{name: "no code", does: func(e end) { e.conn.Write(e.r.seal([]byte{0})) }, want: broken(frame.ErrBadCode)},
		{name: "no code in a large frame", does: func(e end) { e.conn.Write(e.r.seal(make([]byte, 100_000))) }, want: broken(frame.ErrBadCode)},
		{name: "a code behind the last lane", does: func(e end) { e.conn.Write(e.r.message(24, nil)) }, want: broken(errUnknownCode)},
		{name: "the largest code", does: func(e end) { e.conn.Write(e.r.message(1<<64-1, nil)) }, want: broken(errUnknownCode)},
		{name: "an unknown code in a large frame", does: func(e end) { e.conn.Write(e.r.message(24, randomBytes(300_000))) }, want: broken(errUnknownCode)},
		{name: "no Snappy block", does: func(e end) { e.conn.Write(e.r.wire(16, []byte{5, 0xff, 1})) }, want: broken(errSnappy)},
		{name: "an empty payload where Snappy wants a length", does: func(e end) { e.conn.Write(e.r.wire(16, nil)) }, want: broken(errSnappy)},
		{name: "a Snappy block that is longer than it says", does: func(e end) { e.conn.Write(e.r.wire(16, append([]byte{2}, snappy.Encode(nil, []byte("abc"))[1:]...))) }, want: broken(errSnappy)},
		{name: "a large Snappy block that is broken", does: func(e end) {
			e.conn.Write(e.r.wire(16, append(binary.AppendUvarint(nil, 300_000), randomBytes(300_000)...)))
		}, want: broken(errSnappy)},
		{name: "16 MiB decompressed", does: func(e end) { e.conn.Write(e.r.message(16, make([]byte, MaxMessage+1))) }, want: broken(ErrTooBig)},
		{name: "4 GiB - 1 decompressed, as it says", does: func(e end) { e.conn.Write(e.r.wire(16, claim(1<<32-1))) }, want: broken(ErrTooBig)},
		{name: "4 GiB decompressed, as it says", does: func(e end) { e.conn.Write(e.r.wire(16, claim(1<<32))) }, want: broken(errSnappy)},
		{name: "16 MiB - 1 decompressed, as it says", does: func(e end) { e.conn.Write(e.r.wire(16, claim(MaxMessage))) }, want: broken(errSnappy)},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ca, cb := memPipe(32<<20, 0)
				ledger := NewLedger(1 << 30)
				r, l := newRaw(t, ca, cb, !test.plain, lanesNamed("aaa", "bbb"), func(c *Config) { c.Ledger = ledger })
				if test.before {
					test.does(end{l, r, cb})
				}
				causes := run(t, l)
				frames := r.collect()
				if !test.before {
					cb.Write(r.message(19, []byte("queued")))
					synctest.Wait()
					test.does(end{l, r, cb})
				}
				start := time.Now()
				time.AfterFunc(10*time.Millisecond, func() { cb.CloseWrite() }) // once the remote has seen the end
				got := <-causes
				if d := time.Since(start); d > 10*time.Millisecond {
					t.Errorf("the end took %v", d)
				}
				var bye *remoteEnd
				if wantBye, ok := test.want.Err.(*remoteEnd); ok && (!errors.As(got.Err, &bye) || *bye != *wantBye) {
					t.Errorf("error %v, want %v", got.Err, wantBye)
				} else if !ok && !errors.Is(got.Err, test.want.Err) {
					t.Errorf("error %v, want %v", got.Err, test.want.Err)
				}
				got.Err = test.want.Err
				if got != test.want {
					t.Errorf("cause %+v, want %+v", got, test.want)
				}
				var saw []string
				for f := range frames {
					saw = append(saw, f.String())
				}
				want := []string{"EOF"}
				if test.sees != "" {
					var b []byte
					fmt.Sscanf(test.sees, "%x", &b)
					want = []string{goodbye(string(b), !test.plain), "EOF"}
				}
				if test.name == "the remote closes" {
					want = []string{net.ErrClosed.Error()}
				}
				if fmt.Sprint(saw) != fmt.Sprint(want) {
					t.Errorf("the remote saw %v, want %v", saw, want)
				}
				// What is queued can still be read, unless the end is ours.
				for i, lane := range l.Lanes() {
					if i == 0 && got.Side != trace.SideLocal {
						if code, p := read(t, lane); code != 3 || string(p) != "queued" {
							t.Errorf("read %d %q", code, p)
						}
					}
					if _, err := lane.Read(); err != io.EOF {
						t.Errorf("Read of lane %d after the end: %v", i, err)
					}
					if err := write(lane, 1, randomBytes(i*100_000)); err != ErrEnded {
						t.Errorf("Write to lane %d after the end: %v", i, err)
					}
					if s := lane.Stats(); s.InboxBytes != 0 || s.OutboxBytes != 0 {
						t.Errorf("lane %d still counts %+v", i, s)
					}
				}
				if u := ledger.Used(); u != 0 {
					t.Errorf("%d bytes are not given back to the ledger", u)
				}
			})
		})
	}
}

func TestWhatWasAcceptedBeforeTheEndArrivesAndThenTheReason(t *testing.T) {
	const count = 100 // 330 KB on each lane, for which a second is long on a busy machine too
	for _, conn := range connKinds {
		t.Run(conn.name, func(t *testing.T) {
			ca, cb := conn.pair(t)
			lanes := lanesNamed("aaa", "bbb")
			lanes[0].Outbox, lanes[1].Outbox = 16<<20, 16<<20
			fa, fb := framings(t, true)
			a, b := New(Config{Conn: ca, Framing: fa, Lanes: lanes}), New(Config{Conn: cb, Framing: fb, Lanes: lanes})
			run(t, a)
			for i := range count { // b does not run yet, so that some of it waits
				for _, l := range a.Lanes() {
					must(t, write(l, 1, numbered(i, 10+i*i)))
				}
			}
			a.End(4, errTestOver, "")
			cause := run(t, b)
			for _, l := range b.Lanes() {
				for i := range count {
					if _, p := read(t, l); !bytes.Equal(p, numbered(i, 10+i*i)) {
						t.Fatalf("message %d is %.20q", i, p)
					}
				}
				if _, err := l.Read(); err != io.EOF {
					t.Errorf("then %v", err)
				}
			}
			if got := <-cause; got.Reason != 4 || !got.Received {
				t.Errorf("cause %+v", got)
			}
		})
	}
}

func TestAnEndDoesNotWaitForARemoteThatNeverReads(t *testing.T) {
	for _, conn := range []string{"net.Pipe", "full socket"} {
		for _, who := range []string{"we end it", "the remote disconnects", "a network error"} {
			t.Run(conn+", "+who, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					var ca, cb net.Conn
					if conn == "net.Pipe" {
						ca, cb = net.Pipe()
					} else {
						ca, cb = memPipe(4<<10, 0)
					}
					r, l := newRaw(t, ca, cb, true, lanesNamed("aaa", "bbb"), nil)
					end := run(t, l)
					written := make(chan error, 4)
					for i := range 4 {
						go func() {
							for {
								if err := write(l.Lanes()[i%2], 1, randomBytes(30_000)); err != nil {
									written <- err
									return
								}
							}
						}()
					}
					time.Sleep(5 * time.Second)
					start := time.Now()
					switch who {
					case "we end it":
						l.End(8, errTestOver, "")
					case "the remote disconnects":
						cb.Write(r.message(frame.CodeDisconnect, []byte{0xc1, 8}))
					case "a network error":
						l.End(1, errTestOver, "")
					}
					for range 4 {
						if err := <-written; err != ErrEnded {
							t.Errorf("the blocked Write returned %v", err)
						}
					}
					if d := time.Since(start); d != 0 {
						t.Errorf("blocked writes were released after %v", d)
					}
					<-end
					if d := time.Since(start); d > time.Second {
						t.Errorf("the end took %v", d)
					}
					for i, l := range l.Lanes() {
						if s := l.Stats(); s.OutboxBytes != 0 {
							t.Errorf("outbox %d still counts %d bytes", i, s.OutboxBytes)
						}
					}
				})
			})
		}
	}
}

func TestARemoteThatNeverReadsEndsTheLinkAfter20Seconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ca, cb := memPipe(4<<10, 0)
		r, l := newRaw(t, ca, cb, true, lanesNamed("aaa"), nil)
		end := run(t, l)
		start := time.Now()
		must(t, write(l.Lanes()[0], 1, randomBytes(10_000)))
		for len(end) == 0 && time.Since(start) < time.Minute {
			time.Sleep(time.Second)
			cb.Write(r.message(16, nil)) // it is not silent
		}
		got := <-end
		if d := time.Since(start); d < 20*time.Second || d > 22*time.Second {
			t.Errorf("it ended after %v", d)
		}
		if !errors.Is(got.Err, os.ErrDeadlineExceeded) || got.Side != trace.SideNetwork {
			t.Errorf("cause %+v", got)
		}
	})
}

// brokenWriter is a connection on which writing fails.
type brokenWriter struct {
	*memConn
	err error
}

func (c brokenWriter) Write([]byte) (int, error) { return 0, c.err }

func TestTheRemotesReasonIsTheCauseEvenIfAWriteFailsFirst(t *testing.T) {
	errWrite := errors.New("connection reset")
	for _, test := range []struct {
		name  string
		after time.Duration
		sends func(r *raw) []byte
		want  Cause
	}{
		{"it is there already", 0, func(r *raw) []byte { return r.message(frame.CodeDisconnect, []byte{0xc1, 4}) }, Cause{Err: &remoteEnd{4}, Side: trace.SideRemote, Reason: 4, Received: true}},
		{"it comes a little later", 500 * time.Millisecond, func(r *raw) []byte { return r.message(frame.CodeDisconnect, []byte{0xc1, 4}) }, Cause{Err: &remoteEnd{4}, Side: trace.SideRemote, Reason: 4, Received: true}},
		{"it comes too late", 1500 * time.Millisecond, func(r *raw) []byte { return r.message(frame.CodeDisconnect, []byte{0xc1, 4}) }, Cause{Err: errWrite, Side: trace.SideNetwork}},
		{"there is none", 0, func(r *raw) []byte { return nil }, Cause{Err: errWrite, Side: trace.SideNetwork}},
		{"a bad frame comes", 500 * time.Millisecond, func(r *raw) []byte { return make([]byte, 100) }, Cause{Err: errWrite, Side: trace.SideNetwork}},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ca, cb := memPipe(64<<10, 0)
				r, l := newRaw(t, brokenWriter{ca, errWrite}, cb, true, lanesNamed("aaa"), nil)
				if test.after == 0 {
					cb.Write(test.sends(r))
				}
				start := time.Now()
				must(t, write(l.Lanes()[0], 1, []byte("x")))
				synctest.Wait()
				end := run(t, l)
				if test.after > 0 {
					time.AfterFunc(test.after, func() { cb.Write(test.sends(r)) })
				}
				got := <-end
				if d := time.Since(start); d > time.Second {
					t.Errorf("it took %v", d)
				}
				if got.Err.Error() != test.want.Err.Error() {
					t.Errorf("error %v, want %v", got.Err, test.want.Err)
				}
				if got.Err = test.want.Err; got != test.want {
					t.Errorf("cause %+v, want %+v", got, test.want)
				}
				time.Sleep(2 * time.Second)
			})
		})
	}
}

func TestTheFirstOfManyEndsIsTheCause(t *testing.T) {
	for range 100 {
		ca, cb := tcpPair(t)
		r, l := newRaw(t, ca, cb, true, lanesNamed("aaa"), nil)
		end := run(t, l)
		const enders = 4
		var group sync.WaitGroup
		go cb.Write(r.message(frame.CodeDisconnect, []byte{0xc1, 99}))
		for i := range uint8(enders) {
			group.Go(func() { l.End(100+i, fmt.Errorf("ender %d", i), "") })
		}
		group.Wait()
		first := *l.cause.Load()
		_, _, err := r.next()
		cb.Close()
		got := <-end
		if got.Err != first.Err || got.Reason != first.Reason || got.Received != first.Received {
			t.Fatalf("cause %+v, first was %+v", got, first)
		}
		switch {
		case got.Received && got.Reason == 99:
		case got.Sent && got.Reason >= 100 && got.Err.Error() == fmt.Sprintf("ender %d", got.Reason-100):
		default:
			t.Fatalf("cause %+v", got)
		}
		if err != nil {
			t.Fatalf("the remote saw no Disconnect: %v", err)
		}
		l.End(7, errTestOver, "")
		if *l.cause.Load() != first {
			t.Fatal("a later end changed the cause")
		}
	}
}

func TestALaneThatIsClosedForgetsWhatItHasAndWhatComes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ca, cb := memPipe(1<<20, 0)
		ledger := NewLedger(1 << 30)
		a, b := linkPair(t, ca, cb, true, lanesNamed("aaa", "bbb"), func(a, b *Config) { b.Ledger = ledger })
		for range 3 {
			must(t, write(a.Lanes()[0], 1, randomBytes(100_000)))
		}
		synctest.Wait()
		if ledger.Used() == 0 {
			t.Fatal("nothing is charged")
		}
		b.Lanes()[0].Close()
		if u := ledger.Used(); u != 0 {
			t.Errorf("%d bytes are not given back", u)
		}
		for range 100 {
			must(t, write(a.Lanes()[0], 1, randomBytes(100_000)))
		}
		if _, err := b.Lanes()[0].Read(); err != io.EOF {
			t.Errorf("Read: %v", err)
		}
		if s := b.Lanes()[0].Stats(); s.Stopped || s.Dropped != 0 || s.InboxBytes != 0 {
			t.Errorf("stats %+v", s)
		}
		must(t, write(b.Lanes()[0], 1, []byte("it may still write")))
		read(t, a.Lanes()[0])
	})
}

// slowToEnd is a connection on which the call that ends reading returns late.
type slowToEnd struct {
	*memConn
	until chan struct{}
}

func (c slowToEnd) SetReadDeadline(t time.Time) error {
	c.memConn.SetReadDeadline(t)
	if t.Before(time.Unix(2, 0)) {
		<-c.until
	}
	return nil
}

func TestNothingIsAcceptedOrWaitedForOnceRunHasReturned(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ca, cb := memPipe(64<<10, 0)
		until := make(chan struct{})
		_, l := newRaw(t, slowToEnd{ca, until}, cb, true, lanesNamed("aaa"), nil)
		end := run(t, l)
		synctest.Wait()
		go l.End(1, errTestOver, "") // does not get further than setting the cause
		<-end
		lane := l.Lanes()[0]
		if err := write(lane, 1, []byte("x")); err != ErrEnded {
			t.Errorf("Write: %v", err)
		}
		if s := lane.Stats(); s.OutboxBytes != 0 {
			t.Errorf("the outbox counts %d bytes that nobody will send", s.OutboxBytes)
		}
		time.AfterFunc(time.Second, func() { close(until) })
		start := time.Now()
		if _, err := lane.Read(); err != io.EOF || time.Since(start) != 0 {
			t.Errorf("Read: %v after %v", err, time.Since(start))
		}
		<-until
	})
}

func TestAWriteThatComesDuringTheEndIsSentOrRefused(t *testing.T) {
	for range 20 {
		ca, cb := tcpPair(t)
		a, b := linkPair(t, ca, cb, true, lanesNamed("aaa"), nil)
		accepted := make(chan int)
		go func() {
			n := 0
			for write(a.Lanes()[0], 1, []byte("x")) == nil {
				n++
			}
			accepted <- n
		}()
		for range 10 {
			read(t, b.Lanes()[0])
		}
		start := time.Now()
		a.End(8, errTestOver, "")
		got := 10
		for {
			m, err := b.Lanes()[0].Read()
			if err != nil {
				break
			}
			m.Discard()
			got++
		}
		if n := <-accepted; n != got && time.Since(start) < farewell { // what is not sent by then is lost
			t.Fatalf("%d accepted, %d came", n, got)
		}
		if s := a.Lanes()[0].Stats(); s.OutboxBytes != 0 {
			t.Fatalf("the outbox still counts %d bytes", s.OutboxBytes)
		}
	}
}
