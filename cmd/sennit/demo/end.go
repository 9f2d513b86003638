package demo

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/sennit-net/sennit/p2p"
	"github.com/sennit-net/sennit/trace"
)

// endLimit is how long the two ends of a link may take to record that it has ended. Their good-bye takes a second at most.
const endLimit = 3 * time.Second

// endRecorder takes down why a link ended, as each of its two nodes sees it. It is a [trace.Recorder] for both.
type endRecorder struct {
	mu    sync.Mutex
	ends  []trace.LinkClosed // Guarded by mu. Of the first link, so at most two.
	known chan struct{}      // closed when ends tells the cause
}

func newEndRecorder() *endRecorder { return &endRecorder{known: make(chan struct{})} }

// Record implements [trace.Recorder].
func (r *endRecorder) Record(event trace.Event) {
	e, ok := event.(*trace.LinkClosed)
	if !ok {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	select {
	case <-r.known: // of a later link, or what the other end noticed of an end that is known
		return
	default:
	}
	r.ends = append(r.ends, *e)
	if broughtAbout(e) || len(r.ends) == 2 {
		close(r.known)
	}
}

// broughtAbout tells whether the cause that e names is the first one: the other end only knows what it was told, and our
// own Run functions return because something else has ended the link.
func broughtAbout(e *trace.LinkClosed) bool {
	return e.Side != trace.SideRemote && !errors.Is(e.Cause, ErrOver)
}

// cause returns why the link ended, or nil if that does not become known in time.
func (r *endRecorder) cause() error {
	limit := time.NewTimer(endLimit)
	defer limit.Stop()
	select {
	case <-r.known:
	case <-limit.C:
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for i := range r.ends {
		if broughtAbout(&r.ends[i]) {
			return describeEnd(&r.ends[i])
		}
	}
	for i := range r.ends {
		if !errors.Is(r.ends[i].Cause, ErrOver) {
			return describeEnd(&r.ends[i])
		}
	}
	return nil
}

// describeEnd says which end brought it about, by which protocol, why, and what the other end was told.
func describeEnd(e *trace.LinkClosed) error {
	end := "dialer"
	if e.Link.Inbound {
		end = "listener"
	}
	protocol, told := "", ""
	if e.Protocol != "" {
		protocol = e.Protocol + ": "
	}
	if reason := p2p.DiscReason(e.Reason); e.ReasonSent && error(reason) != e.Cause {
		told = fmt.Sprintf(", told the other end %d, %v", e.Reason, reason)
	}
	return fmt.Errorf("%s, %v: %s%w%s", end, e.Side, protocol, e.Cause, told)
}
