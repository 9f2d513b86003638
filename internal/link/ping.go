package link

import (
	"encoding/binary"
	"time"

	"github.com/sennit-net/sennit/trace"
)

// ping has a ping sent; the time is that of its turn. While one with an ID is unanswered there is no other: its pong will
// tell the same.
func (l *Link) ping(now time.Time) {
	l.lastPing = now
	if l.pingOpen {
		return
	}
	l.pingOpen = l.framing.Shape().Credit
	l.pingCount++
	l.send.sendAPing(l.pingID())
}

// pingID returns the ID of the last ping.
func (l *Link) pingID() (id pingID) {
	binary.BigEndian.PutUint64(id[:], l.pingCount)
	return id
}

// pinged runs when a ping is about to be written.
func (l *Link) pinged(batch uint64, at time.Time) {
	// One that is unanswered stays: its pong comes first, and would make the newer ping seem fast.
	if l.pingSent.Load() == 0 {
		l.pingWith.Store(batch)
		l.pingSent.Store(max(1, int64(at.Sub(l.started))))
	}
}

// answered takes the answer to a ping with an ID; one that nothing asked for means nothing.
func (l *Link) answered(id []byte, at time.Time) {
	if !l.pingOpen || l.pingID() != pingID(id) {
		return
	}
	l.pingOpen = false
	l.ponged(at)
	l.probed()
}

// ponged runs when a pong has come in; one that nothing asked for means nothing.
func (l *Link) ponged(at time.Time) {
	sent := l.pingSent.Load()
	if sent == 0 {
		return
	}
	l.pongWith.Store(l.pingWith.Load())
	l.pingSent.Store(0)
	rtt := max(1, int64(at.Sub(l.started))-sent)
	l.rtt.Store(rtt)
	if least := l.minRTT.Load(); least == 0 || rtt < least {
		l.minRTT.Store(rtt)
	}
	l.record(&trace.Ping{Link: l.id, RTT: time.Duration(rtt)})
}

// probe is a measurement of whether a lane's window is what holds its remote back: how much of the lane comes in during
// two round trips. A remote that waits for credit sends once per round trip all that it may, and the pong goes ahead of
// it; so one round trip may see nothing of that, but two see all of it once.
type probe struct {
	lane   *Lane // nil: none under way
	from   uint64
	second bool // the first of the two round trips is over
}

// maxProbePause is how many windows may pass between two probes of a lane, in halves.
const maxProbePause = 128

// probeIfDue starts a probe of a lane on which something has arrived, with a ping, unless the lane has had one lately.
func (l *Link) probeIfDue(lane *Lane) {
	in := lane.incoming
	if in.received < in.probeAt || l.pingOpen {
		return
	}
	l.probe = probe{lane: lane, from: in.received}
	l.ping(l.in.receivedAt)
}

// probed goes on with a probe, or ends it: when half a window or more has come since it began, the window is doubled.
func (l *Link) probed() {
	lane := l.probe.lane
	if lane == nil {
		return
	}
	if !l.probe.second {
		l.probe.second = true
		l.ping(l.in.receivedAt)
		return
	}
	in := lane.incoming
	window, grown := lane.in.measured(in.received - l.probe.from)
	l.probe = probe{}
	in.probePause = min(max(1, 2*in.probePause), maxProbePause)
	if grown {
		in.probePause = 1
	}
	in.probeAt = in.received + window/2*in.probePause
}
