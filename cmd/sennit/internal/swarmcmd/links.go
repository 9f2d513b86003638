package swarmcmd

import (
	"context"
	"fmt"
	"time"
)

// A lost link is dialed again by the server, but not within 35 s after the last time: nodes refuse who comes again that soon.
// So it is waited for until a dial has failed, or for stall in all.
const failTooSoon = 5 * time.Second // of a dial: the node may be about to start again

// watch tells when the last link is lost and when there is one again, and ends d.ctx when there will be none.
func (d *linked) watch() {
	ticker := time.NewTicker(tick)
	defer ticker.Stop()
	var (
		since time.Time // when the link was lost; zero while there is one
		lost  error     // why
		tries int       // until it was given up for the time being
	)
	for {
		now := time.Now()
		switch linked := d.node.Stats().Peers > 0; {
		case linked && !since.IsZero():
			d.say.tell("there is a link to %s again", d)
			since = time.Time{}
		case !linked && since.IsZero():
			since = now
			tries, lost = d.ends.Last()
			d.say.tell("the link to %s is lost: %v; it is dialed again, for up to %v", d, lost, stall)
		case !linked:
			n, err := d.ends.Last()
			waited := now.Sub(since)
			if waited < failTooSoon {
				tries = n // these may be followed by a better one
			}
			if waited >= stall || n > tries {
				d.give(fmt.Errorf("the link to %s is lost: %w; after %v there is none: %v", d, lost, waited.Round(time.Second), err))
				return
			}
		}
		select {
		case <-ticker.C:
		case <-d.ctx.Done():
			return
		}
	}
}

// within returns a context that ends with ctx or when the links are given up, with the cause of that, and what releases it.
func (d *linked) within(ctx context.Context) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	stop := context.AfterFunc(d.ctx, func() { cancel(context.Cause(d.ctx)) })
	return ctx, func() {
		stop()
		cancel(nil)
	}
}
