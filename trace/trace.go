// Package trace is the one hook into a link's life: a [Recorder] is handed a typed event for everything that happens on
// the links of a server, from the first byte of the handshake to the one cause of the end.
//
// Capture, metrics and dashboards are recorders; the peer layer knows nothing of them. An event is a plain struct, so a
// recorder uses a type switch and ignores what it does not know; new event types may be added.
//
// # Order
//
// Of the events of one link this much is promised:
//
//   - [LinkOpened] comes first and [LinkClosed] last, if what the protocols' Run functions have started no longer writes
//     messages when they return;
//   - messages the remote has sent come in the order of their arrival, over all protocols;
//   - messages that one goroutine writes come in the order in which it writes them.
//
// Nothing is promised of the order between messages in and out, and between messages that several goroutines write:
// those are recorded when they have been accepted for sending, and leave in an order of their own. Events of different
// links are independent. A connection that does not become a link has [LinkRefused] as its one event.
package trace

import "github.com/ethereum/go-ethereum/p2p/enode"

// Recorder receives events. It is set once per server (p2p.Config.Recorder) or per link; nil records nothing and costs
// one comparison.
//
// Record is called from the goroutines that carry the traffic, several at a time for different links and up to once per
// message, so it must be safe for concurrent use, must not block, and must not call back into the peer or server that
// emitted the event. No lock of the peer layer is held during the call. The event must not be changed; its byte slices
// are valid only until Record returns.
type Recorder interface {
	Record(Event)
}

// Event is one of the types of this package. Events are passed by pointer, so that recording one that the emitter keeps
// for reuse allocates nothing; a recorder copies what it wants to keep.
type Event interface {
	event()
}

// Link identifies the link an event belongs to.
type Link struct {
	Seq     uint64   // number of the link in this process, from 1, never reused
	Peer    enode.ID // remote node; zero until the handshake has revealed it
	Inbound bool     // the remote dialed
}

// Multi returns a Recorder that passes each event to every recorder in turn, leaving out nil ones. It returns nil when
// none is left, so that nothing is recorded at no cost.
func Multi(recorders ...Recorder) Recorder {
	var m multi
	for _, r := range recorders {
		if r != nil {
			m = append(m, r)
		}
	}
	switch len(m) {
	case 0:
		return nil
	case 1:
		return m[0]
	}
	return m
}

type multi []Recorder

func (m multi) Record(ev Event) {
	for _, r := range m {
		r.Record(ev)
	}
}
