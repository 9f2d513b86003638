package link

import (
	"testing"
	"testing/synctest"
	"time"
)

// A writer may wait while an answer is written in place. When that write fails at the end of the link, both have to end.
func TestALinkEndsThoughAWriteInPlaceFailsBesideAWriterThatWaits(t *testing.T) {
	for _, kind := range framingKinds {
		t.Run(kind.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ca, cb := memPipe(1<<10, 0)
				fa, fb := kind.pair(t)
				a := New(Config{Conn: ca, Framing: fa, Lanes: lanesNamed("aaa")})
				b := New(Config{Conn: cb, Framing: fb, Lanes: lanesNamed("aaa")}) // never runs: it does not read
				done := make(chan struct{})
				go func() { a.Run(); close(done) }()
				lane := a.Lanes()[0]
				for range 3 { // the writer runs out of work twice within 5 ms, and waits
					must(t, write(lane, 0, []byte("x")))
					synctest.Wait()
				}
				must(t, write(b.Lanes()[0], 0, []byte("question")))
				m, err := lane.Read()
				must(t, err)
				m.Discard()
				synctest.Wait()
				go write(lane, 0, pattern(4000))
				synctest.Wait()
				a.send.mu.Lock()
				if !a.send.inPlace || !a.send.waiting {
					t.Errorf("in place %v, a writer waits %v: this is not the case to be tested", a.send.inPlace, a.send.waiting)
				}
				a.send.mu.Unlock()
				a.End(8, errTestOver, "")
				select {
				case <-done:
				case <-time.After(time.Minute):
					t.Error("Run has not returned a minute after the end")
					a.send.relax()
				}
				b.send.kill(b.lanes)
				cb.Close()
				<-done
			})
		})
	}
}
