package demo

import (
	"time"

	"github.com/sennit-net/sennit/p2p"
)

// snapshot is the state of a workload at one moment.
type snapshot struct {
	stack   string
	elapsed time.Duration // since all protocols ran
	rows    []row
	ended   error // an errLinkEnded that says why, if the link ended early
}

// row is what one protocol has got done.
type row struct {
	name           string
	sent, received uint64
	bytes          uint64
	messageRate    float64 // received, per second
	byteRate       float64
	echo           *echoTimes         // of the echo alone
	stats          *p2p.ProtocolStats // of the listener's end; nil if there are none
}

// echoTimes are round-trip times.
type echoTimes struct {
	p50, p99  time.Duration
	longest   time.Duration // one that is still under way counts
	lastReply time.Duration // when the last answer came, since the start; negative if there was none
}

// take returns the state at time now, with rates since the state before, or since the start for a nil before.
func (w *workload) take(stack string, start, now time.Time, stats []p2p.ProtocolStats, before *snapshot) *snapshot {
	s := &snapshot{stack: stack, elapsed: now.Sub(start)}
	for _, strand := range w.strands {
		r := row{name: strand.name, sent: strand.sent.Load(), received: strand.received.Load(), bytes: strand.bytes.Load()}
		for i := range stats {
			if stats[i].Name == r.name {
				r.stats = &stats[i]
			}
		}
		s.rows = append(s.rows, r)
	}
	s.rows[0].echo = w.echoTimes(start, now)
	if before == nil {
		before = &snapshot{rows: make([]row, len(s.rows))}
	}
	s.rates(before)
	return s
}

func (w *workload) echoTimes(start, now time.Time) *echoTimes {
	q := w.rtt.quantiles(0.5, 0.99)
	t := &echoTimes{p50: q[0], p99: q[1], longest: time.Duration(w.rtt.max.Load()), lastReply: -1}
	if asked := w.asked.Load(); asked != 0 {
		t.longest = max(t.longest, time.Duration(now.UnixNano()-asked))
	}
	if last := w.lastReply.Load(); last != 0 {
		t.lastReply = max(0, time.Duration(last-start.UnixNano()))
	}
	return t
}

func (s *snapshot) rates(before *snapshot) {
	seconds := (s.elapsed - before.elapsed).Seconds()
	if seconds <= 0 {
		return
	}
	for i := range s.rows {
		s.rows[i].messageRate = float64(s.rows[i].received-before.rows[i].received) / seconds
		s.rows[i].byteRate = float64(s.rows[i].bytes-before.rows[i].bytes) / seconds
	}
}

// find returns the row of a protocol.
func (s *snapshot) find(name string) *row {
	for i := range s.rows {
		if s.rows[i].name == name {
			return &s.rows[i]
		}
	}
	return nil
}
