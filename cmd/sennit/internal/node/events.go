package node

import (
	"fmt"
	"sync/atomic"
	"time"

	"github.com/ethereum/go-ethereum/log"

	"github.com/sennit-net/sennit/p2p"
	"github.com/sennit-net/sennit/trace"
)

// maxEvents is how many events may wait to be logged. An event is a few hundred bytes; when the log cannot keep up,
// later ones are lost and counted, because the goroutines that carry the traffic must not wait for a terminal.
const maxEvents = 1024

// eventLog writes the events of the links' lives to a log, in a goroutine of its own. It is a [trace.Recorder].
type eventLog struct {
	// Static after construction.
	log  log.Logger
	done chan struct{} // closed when run has ended

	events chan trace.Event // copies; sent by the links' goroutines, received by run
	lost   atomic.Uint64
}

func newEventLog(logger log.Logger) *eventLog {
	l := &eventLog{log: logger, done: make(chan struct{}), events: make(chan trace.Event, maxEvents)}
	go l.run()
	return l
}

// close waits until everything recorded so far is in the log. Nothing may be recorded any more.
func (l *eventLog) close() {
	close(l.events)
	<-l.done
}

// Record takes a copy of the events that are worth a line.
func (l *eventLog) Record(event trace.Event) {
	switch e := event.(type) {
	case *trace.LinkOpened:
		l.put(new(*e))
	case *trace.LinkClosed:
		l.put(new(*e))
	case *trace.LinkRefused:
		l.put(new(*e))
	case *trace.ProtocolStopped:
		l.put(new(*e))
	case *trace.ProtocolPanicked:
		panicked := *e
		panicked.Stack = append([]byte(nil), e.Stack...) // valid during the call only
		l.put(&panicked)
	}
}

func (l *eventLog) put(event trace.Event) {
	select {
	case l.events <- event:
	default:
		l.lost.Add(1)
	}
}

func (l *eventLog) run() {
	defer close(l.done)
	for event := range l.events {
		l.write(event)
		if len(l.events) == 0 {
			if n := l.lost.Swap(0); n > 0 {
				l.log.Warn("the log could not keep up", "lost", n)
			}
		}
	}
}

func (l *eventLog) write(event trace.Event) {
	switch e := event.(type) {
	case *trace.LinkOpened:
		l.log.Info("peer added", "id", e.Link.Peer, "addr", text(e.Remote), "inbound", e.Link.Inbound, "name", e.Name,
			"protocols", e.Protocols, "framing", e.Framing, "snappy", e.Snappy, "handshake", e.Handshake.Round(time.Microsecond))
	case *trace.LinkClosed:
		l.log.Info("peer dropped", "id", e.Link.Peer, "inbound", e.Link.Inbound, "reason", e.Cause, "side", text(e.Side),
			"wire", wireReason(e), "protocol", e.Protocol, "lifetime", e.Lifetime.Round(time.Millisecond), "in", e.BytesIn, "out", e.BytesOut)
	case *trace.LinkRefused:
		l.log.Debug("connection refused", "id", e.Link.Peer, "addr", text(e.Remote), "inbound", e.Link.Inbound, "stage", e.Stage, "reason", e.Err)
	case *trace.ProtocolStopped:
		l.log.Warn("protocol stopped, the link lives on", "id", e.Link.Peer, "protocol", e.Protocol, "reason", e.Cause)
	case *trace.ProtocolPanicked:
		l.log.Error("protocol panicked", "id", e.Link.Peer, "protocol", e.Protocol, "panic", fmt.Sprint(e.Value), "stack", string(e.Stack))
	}
}

// text returns what v says of itself, since JSON would show its fields.
func text(v fmt.Stringer) string {
	if v == nil {
		return ""
	}
	return v.String()
}

// wireReason tells which disconnect reason crossed the wire, and which way.
func wireReason(e *trace.LinkClosed) string {
	switch reason := p2p.DiscReason(e.Reason); {
	case e.ReasonReceived:
		return fmt.Sprintf("received %d (%v)", e.Reason, reason)
	case e.ReasonSent:
		return fmt.Sprintf("sent %d (%v)", e.Reason, reason)
	}
	return "none"
}
