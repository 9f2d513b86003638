package demo

import (
	"fmt"
	"strings"
	"time"
)

// heldUp is for how long the echo may be without an answer before the verdict is that it was held up. A frame of the
// largest message takes far less.
const heldUp = 500 * time.Millisecond

// verdict says in sentences what the final state shows.
func (s *snapshot) verdict() string {
	echo, stuck := s.find("echo"), s.find("stuck")
	if echo == nil || echo.echo == nil || stuck == nil {
		return ""
	}
	parts := []string{s.echoVerdict(echo), s.stuckVerdict(stuck)}
	if s.ended != nil {
		parts = append(parts, fmt.Sprintf("The link did not live: after %.1f s %v.", s.elapsed.Seconds(), s.ended))
	} else {
		parts = append(parts, "The link lived.")
	}
	return s.stack + ": " + strings.Join(parts, " ")
}

func (s *snapshot) echoVerdict(r *row) string {
	e := r.echo
	switch {
	case r.received == 0:
		return fmt.Sprintf("echo had no answer in %.1f s.", s.elapsed.Seconds())
	case s.elapsed-e.lastReply > heldUp:
		return fmt.Sprintf("echo was held up: its last of %s answers came after %.2f s, none in the %.2f s since.",
			count(r.received), e.lastReply.Seconds(), (s.elapsed - e.lastReply).Seconds())
	case e.longest > heldUp:
		return fmt.Sprintf("echo was held up for %s once; of %s round trips, p50 = %s, p99 = %s.", short(e.longest), count(r.received), short(e.p50), short(e.p99))
	}
	return fmt.Sprintf("echo kept p99 = %s over %s round trips (p50 %s, longest %s).", short(e.p99), count(r.received), short(e.p50), short(e.longest))
}

func (s *snapshot) stuckVerdict(r *row) string {
	switch st := r.stats; {
	case st == nil:
		return fmt.Sprintf("stuck, which never reads, was sent %s messages.", count(r.sent))
	case st.Stopped && st.Waited > 0:
		return fmt.Sprintf("stuck, which never reads, was stopped after %s messages (%s) and holding the link up for %s.",
			count(st.MessagesIn), size(st.BytesIn), short(st.Waited))
	case st.Stopped:
		return fmt.Sprintf("stuck, which never reads, was stopped after %s messages (%s).", count(st.MessagesIn), size(st.BytesIn))
	case st.Dropped > 0:
		return fmt.Sprintf("stuck, which never reads, lost %s messages and kept %s.", count(st.Dropped), size(st.InboxBytes))
	case st.Waited > 0:
		return fmt.Sprintf("stuck, which never reads, held the link up for %s.", short(st.Waited))
	}
	return fmt.Sprintf("stuck, which never reads, has %s waiting.", size(r.stats.InboxBytes))
}
