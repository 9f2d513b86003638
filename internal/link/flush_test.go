package link

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

func TestFlushWaitsUntilTheRemoteHasWhatWasAccepted(t *testing.T) {
	for _, kind := range framingKinds {
		t.Run(kind.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ca, cb := memPipe(16<<10, 100*time.Millisecond) // some 160 KB/s
				a, b := linkPair(t, ca, cb, true, lanesNamed("aaa", "bbb"), func(a, b *Config) { a.Framing, b.Framing = kind.pair(t) })
				for _, lane := range b.Lanes() {
					go func() { // without which lanes/1 gives no credit for all of it
						for m, err := lane.Read(); err == nil; m, err = lane.Read() {
							m.Discard()
						}
					}()
				}
				for i, size := range []int{500_000, 0, 10, 100_000} {
					for _, lane := range a.Lanes() {
						must(t, write(lane, 1, randomBytes(size)))
					}
					began := time.Now()
					ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
					must(t, a.Flush(ctx))
					cancel()
					took := time.Since(began)
					for _, lane := range b.Lanes() {
						if got := lane.Stats().MessagesIn; got != uint64(i+1) {
							t.Errorf("%d bytes: of %d messages %d have arrived after %v", size, i+1, got, took)
						}
					}
					if size <= 10 && took > 700*time.Millisecond { // three round trips of 200 ms
						t.Errorf("%d bytes: it takes %v", size, took)
					}
				}
				ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
				defer cancel()
				if err := a.Flush(ctx); !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("within less than a round trip: %v", err)
				}
				a.End(8, errTestOver, "")
				if err := a.Flush(t.Context()); !errors.Is(err, ErrEnded) {
					t.Errorf("after the end: %v", err)
				}
			})
		})
	}
}
