package link

import (
	"context"
	"time"
)

const (
	// flushTick is how often Flush looks.
	flushTick = 10 * time.Millisecond
	// flushPing is how long Flush waits before it asks again for a ping that has not been sent.
	flushPing = time.Second
	// flushPongs is how many pongs Flush waits for, each to a ping of its own, where pings have no ID: when the remote has been busy
	// for half a minute, the first two may answer pings from before.
	flushPongs = 3
)

// Flush waits until the remote has received all that the lanes had accepted before the call, and whatever else is accepted until
// there is a moment in which all has been sent: a ping in a later batch has been answered. The error is that of ctx, or
// [ErrEnded].
func (l *Link) Flush(ctx context.Context) error {
	ticker := time.NewTicker(flushTick)
	defer ticker.Stop()
	var (
		last  uint64    // the batch that the next ping has to come after
		asked time.Time // for that ping
		pongs = flushPongs
	)
	if l.framing.Shape().Credit {
		pongs = 1
	}
	for sent := false; ; {
		if !sent {
			last, sent = l.send.sent(l.lanes)
		}
		switch answered, now := l.pongWith.Load(), time.Now(); {
		case !sent:
		case answered > last:
			if pongs--; pongs == 0 {
				return nil
			}
			last, asked = answered, time.Time{}
			continue
		case l.pingSent.Load() == 0 && now.Sub(asked) >= flushPing:
			asked = now
			l.pingSoon()
		}
		select {
		case <-ticker.C:
		case <-l.ending:
			return ErrEnded
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// pingSoon has the reader, which is who pings, do so.
func (l *Link) pingSoon() {
	if l.cause.Load() == nil && l.writeErr.Load() == nil && !l.pingDue.Swap(true) {
		l.interruptRead()
	}
}
