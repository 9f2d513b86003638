package link

import (
	"context"
	"time"
)

// flushTick is how often Flush looks.
const flushTick = 10 * time.Millisecond

// Flush waits until the remote has received all that the lanes had accepted before the call, and whatever else is accepted until
// it has all been sent: a ping in a later batch has been answered. The error is that of ctx, or [ErrEnded].
func (l *Link) Flush(ctx context.Context) error {
	ticker := time.NewTicker(flushTick)
	defer ticker.Stop()
	var last uint64
	for sent := false; ; {
		if !sent {
			last, sent = l.send.sent(l.lanes)
		}
		switch {
		case !sent:
		case l.pongWith.Load() > last:
			return nil
		case l.pingSent.Load() == 0:
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
		l.conn.SetReadDeadline(time.Unix(1, 0))
	}
}
