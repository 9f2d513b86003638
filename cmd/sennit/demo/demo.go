package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/sennit-net/sennit/p2p"
)

// Options say how to run the demonstration.
type Options struct {
	// Duration is how long each stack is shown, once its protocols run.
	Duration time.Duration

	// Policy is what the listener does when the inbox of the protocol that never reads is full.
	Policy p2p.OverloadPolicy

	// Live redraws a table in place, for a terminal. Otherwise a line is printed each second.
	Live bool
}

const (
	connectLimit = 10 * time.Second // for the link to come up
	liveInterval = 200 * time.Millisecond
	lineInterval = time.Second
)

// Run shows the stacks one after the other on w. It returns an error if one could not be started, if the link of one
// that must live ended early, or if ctx ended, and then with the cause of ctx.
func Run(ctx context.Context, w io.Writer, o Options, stacks ...Stack) error {
	p := &printer{w: w, live: o.Live}
	var (
		verdicts []string
		errs     []error
	)
	for _, stack := range stacks {
		policy := "nothing to set"
		if stack.Policies {
			policy = "policy of its inbox: " + o.Policy.String()
		}
		p.printf("%s: two nodes, one link over 127.0.0.1, four protocols; stuck never reads (%s)\n", stack.Name, policy)
		final, err := play(ctx, p, o, stack)
		if err != nil {
			return errors.Join(fmt.Errorf("%s: %w", stack.Name, err), p.err)
		}
		verdicts = append(verdicts, final.verdict())
		if final.ended != nil && stack.MustLive {
			errs = append(errs, fmt.Errorf("%s: %w", stack.Name, final.ended))
		}
	}
	p.printf("%s\n", strings.Join(verdicts, "\n"))
	return errors.Join(append(errs, p.err)...)
}

// play shows one stack and returns its final state.
func play(ctx context.Context, p *printer, o Options, stack Stack) (*snapshot, error) {
	w := newWorkload(ctx, o.Policy)
	link, err := stack.Connect(w.protocols())
	if err != nil {
		w.end(err)
		return nil, err
	}
	defer link.Close()
	defer w.end(nil) // first: the Run functions that wait for it would hold Close up
	if err := w.await(connectLimit); err != nil {
		if errors.Is(err, errLinkEnded) {
			err = trueCause(link, err)
		}
		return nil, err
	}

	start := time.Now()
	end := time.NewTimer(o.Duration)
	defer end.Stop()
	tick := time.NewTicker(p.interval())
	defer tick.Stop()
	var last *snapshot
	for {
		select {
		case now := <-tick.C:
			last = w.take(stack.Name, start, now, link.Stats(), last)
			p.show(last, o.Duration)
		case now := <-end.C:
			final := w.take(stack.Name, start, now, link.Stats(), nil)
			p.finish(final, o.Duration)
			return final, nil
		case <-w.ctx.Done():
			if ctx.Err() != nil {
				return nil, context.Cause(ctx)
			}
			final := w.take(stack.Name, start, time.Now(), nil, nil)
			final.ended = trueCause(link, context.Cause(w.ctx))
			p.finish(final, o.Duration)
			return final, nil
		}
	}
}

// trueCause returns an errLinkEnded that says why: what the link knows, or else what a protocol noticed, which is mostly
// no more than an end of file.
func trueCause(link Link, noticed error) error {
	if cause := link.Cause(); cause != nil {
		return fmt.Errorf("%w: %w", errLinkEnded, cause)
	}
	return noticed
}

// printer writes to w and keeps the first error.
type printer struct {
	w     io.Writer
	live  bool
	drawn int // lines of the table that stand above the cursor
	err   error
}

func (p *printer) interval() time.Duration {
	if p.live {
		return liveInterval
	}
	return lineInterval
}

// show prints a state on the way.
func (p *printer) show(s *snapshot, total time.Duration) {
	if !p.live {
		p.printf("%s\n", s.line())
		return
	}
	p.draw(s, total)
}

// finish prints the final state.
func (p *printer) finish(s *snapshot, total time.Duration) {
	p.draw(s, total)
	p.printf("\n")
	p.drawn = 0
}

// Control sequences of terminals (ECMA-48).
const (
	cursorUp  = "\x1b[%dA"
	eraseLine = "\x1b[K"
)

func (p *printer) draw(s *snapshot, total time.Duration) {
	erase := ""
	if p.live {
		erase = eraseLine
	}
	if p.drawn > 0 {
		p.printf(cursorUp, p.drawn)
	}
	lines := append([]string{fmt.Sprintf("%.1f of %.1f s", s.elapsed.Seconds(), total.Seconds())}, s.table()...)
	for _, line := range lines {
		p.printf("%s%s\n", line, erase)
	}
	p.drawn = len(lines)
}

func (p *printer) printf(format string, args ...any) {
	if p.err == nil {
		_, p.err = fmt.Fprintf(p.w, format, args...)
	}
}
