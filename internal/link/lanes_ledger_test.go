package link

import (
	"errors"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sennit-net/sennit/internal/lanes"
	"github.com/sennit-net/sennit/trace"
)

// A window that has grown must not keep a message out that the ledger could hold without it.
func TestAMessageThatNeedsTheWholeLedgerPassesThoughItsWindowHasGrown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ca, cb := memPipe(1<<20, 0)
		a, b := lanesPairOver(t, ca, cb, lanesNamed("aaa"), func(_, b *Config) { b.Ledger = NewLedger(17 << 20) })
		in := &b.Lanes()[0].in
		in.mu.Lock()
		in.flow.window = DefaultInbox
		in.mu.Unlock()
		sent := make(chan error, 1)
		go func() { sent <- write(a.Lanes()[0], 1, pattern(lanes.MaxSize)) }()
		if code, p := read(t, b.Lanes()[0]); code != 1 || len(p) != lanes.MaxSize {
			t.Errorf("code %d, %d bytes", code, len(p))
		}
		must(t, <-sent)
	})
}

// The remote has broken no rule, and must learn why it loses the link.
func TestAMessageLargerThanTheWholeLedgerEndsTheLinkWithADisconnect(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ca, cb := memPipe(1<<20, 0)
		r, l := newRawLanes(t, ca, cb, lanesNamed("aaa", "bbb"), func(c *Config) { c.Ledger = NewLedger(1 << 20) })
		cause := run(t, l)
		r.send(whole(1, 1, []byte("before")), opening(2, 0, 1<<20+1, []byte{1}))
		if code, p := read(t, l.Lanes()[0]); code != 1 || string(p) != "before" {
			t.Errorf("code %d, %q", code, p)
		}
		bye, _ := r.until(ofType(lanes.Disconnect))
		if bye.Value != reasonSubprotocolError {
			t.Errorf("the remote is told reason %d", bye.Value)
		}
		r.conn.Close()
		c := <-cause
		if !errors.Is(c.Err, errLargerThanBudget) || c.Protocol != "bbb" || c.Side != trace.SideLocal || !c.Sent {
			t.Errorf("the cause is %+v", c)
		}
		if u := l.ledger.Used(); u != 0 {
			t.Errorf("the ledger has %d bytes", u)
		}
	})
}

// Memory that is charged for what a remote has announced is not its own for ever.
func TestALargeMessageThatIsBegunAndNotSentEndsTheLink(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ledger := NewLedger(64 << 20)
		ca, cb := memPipe(1<<20, 0)
		r, l := newRawLanes(t, ca, cb, lanesNamed("aaa", "bbb"), func(c *Config) { c.Ledger = ledger })
		cause := run(t, l)
		go r.drain()
		for _, lane := range l.Lanes() {
			go lane.Read()
		}
		synctest.Wait()
		for i := range l.Lanes() {
			r.send(opening(uint64(i+1), 0, lanes.MaxSize, []byte{1}))
		}
		start := time.Now()
		for {
			select {
			case c := <-cause:
				if took := time.Since(start); took > 2*pingInterval+time.Minute || !errors.Is(c.Err, os.ErrDeadlineExceeded) {
					t.Errorf("the link ended after %v: %v", took, c.Err)
				}
				if u := ledger.Used(); u != 0 {
					t.Errorf("the ledger has %d bytes", u)
				}
				return
			case <-time.After(7 * time.Second): // never at the instant of a tick
				if time.Since(start) > time.Hour {
					t.Fatalf("after an hour the ledger has %d MiB for 2 bytes", ledger.Used()>>20)
				}
				r.send([]byte{byte(lanes.Padding)}) // a sign of life
			}
		}
	})
}
