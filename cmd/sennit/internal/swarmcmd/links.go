package swarmcmd

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// A lost link is dialed again by the server, but not within 35 s after the last time: nodes refuse who comes again that soon.
// So it is waited for until a dial of each node has failed, or for stall in all.
const (
	failTooSoon = 5 * time.Second // of a dial: the node may be about to start again
	causeTime   = time.Second     // that the cause may come later than the loss
)

// watch tells when the last link is lost and when there is one again, and ends d.ctx when there will be none.
func (d *linked) watch() {
	ticker := time.NewTicker(tick)
	defer ticker.Stop()
	var l loss
	for {
		if err := d.look(&l, time.Now()); err != nil {
			d.give(err)
			return
		}
		select {
		case <-ticker.C:
		case <-d.ctx.Done():
			return
		}
	}
}

// loss is what watch knows of the time without a link.
type loss struct {
	since time.Time // when the link was lost; zero while there is one
	cause error     // once it is told; nil before
	links int       // that had ended while there was one
	tries int       // ends until it was given up for the time being
}

// look takes notice of what has changed. Its error is that the links are given up.
func (d *linked) look(l *loss, now time.Time) error {
	ended, cause := d.ends.Closed()
	tries, last := d.ends.Last()
	if d.node.Stats().Peers > 0 {
		if l.cause != nil {
			d.say.tell("there is a link to %s again", d)
		}
		*l = loss{links: ended}
		return nil
	}
	if l.since.IsZero() {
		l.since = now
	}
	waited := now.Sub(l.since)
	if l.cause == nil && (ended > l.links || waited >= min(causeTime, stall)) {
		if ended <= l.links {
			cause = errNoCause
		}
		l.cause = cause
		d.say.tell("the link to %s is lost: %v; it is dialed again, for up to %v", d, cause, stall)
	}
	if waited < failTooSoon {
		l.tries = tries // these may be followed by a better one
	}
	if waited >= stall || d.ends.Each(d.nodes, l.tries) {
		return fmt.Errorf("the link to %s is lost: %w; after %v there is none: %v", d, l.cause, waited.Round(time.Second), last)
	}
	return nil
}

var errNoCause = errors.New("it did not say why")

// within returns a context that ends with ctx or when the links are given up, with the cause of that, and what releases it.
func (d *linked) within(ctx context.Context) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	stop := context.AfterFunc(d.ctx, func() { cancel(context.Cause(d.ctx)) })
	return ctx, func() {
		stop()
		cancel(nil)
	}
}
