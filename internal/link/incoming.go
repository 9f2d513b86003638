package link

import (
	"errors"
	"fmt"
	"time"

	"github.com/golang/snappy"

	"github.com/sennit-net/sennit/internal/buffer"
	"github.com/sennit-net/sennit/internal/lanes"
	"github.com/sennit-net/sennit/trace"
)

// incoming is what the reader knows of a lane of a link with credit, between two records and within one.
type incoming struct {
	received uint64         // cost of all frames so far
	limit    uint64         // what has been granted, when it was last looked up
	message  *Message       // the one that is arriving, nil if none is
	missing  int            // bytes of it that have not come
	last     *buffer.Buffer // where the next ones go: the last of the message's buffers
	done     []*Message     // complete, and not in the inbox yet
	touched  bool           // in link.touched

	watched     *Message  // the one that was arriving when it was last looked at
	watchedWith uint64    // received then
	watchedAt   time.Time // when that was

	probeAt    uint64 // when received is this much, there is a probe
	probePause uint64 // half windows between probes
}

// shrink gives back memory of busier times. It works for nil.
func (i *incoming) shrink() {
	if i != nil {
		i.done = nil
	}
}

// drop gives back what has come of a message that is not going to be completed. It works for nil.
func (i *incoming) drop() {
	if i == nil {
		return
	}
	if i.message != nil {
		i.message.Discard()
	}
	for _, m := range i.done {
		m.Discard()
	}
	*i = incoming{}
}

// leastPerInterval is how much must come, per interval of pings, of a large message whose memory has been charged, in bytes.
const leastPerInterval = 64 << 10

// stalled tells whether the ledger is charged for a message of which too little has come for an interval of pings. A remote
// could otherwise keep memory for ever that it has only announced a use for.
func (l *Lane) stalled(now time.Time) bool {
	i := l.incoming
	switch {
	case i == nil || i.message == nil:
		return false
	case i.watched == i.message && now.Sub(i.watchedAt) < pingInterval:
		return false
	}
	slow := i.watched == i.message && i.received-i.watchedWith < leastPerInterval
	i.watched, i.watchedWith, i.watchedAt = i.message, i.received, now
	return slow && l.in.owed(uint64(i.missing))
}

var errLargerThanBudget = errors.New("larger than the memory budget of all links")

// Breaches of lanes/1 that only who knows the link can see.
const (
	errUnknownLane  = lanes.Breach("frame for a lane that the link does not have")
	errCodeRange    = lanes.Breach("message code is not below the length of its protocol")
	errNoCredit     = lanes.Breach("frame beyond the credit of its lane")
	errInside       = lanes.Breach("message begins inside another one of its lane")
	errNoMessage    = lanes.Breach("part of no message")
	errTooMuch      = lanes.Breach("more bytes than the total of the message")
	errPackedSize   = lanes.Breach("payload does not decompress to the size of its message")
	errTooManyPings = lanes.Breach("a fifth ping while four are unanswered")
)

// Frame implements Sink.
func (l *Link) Frame(f *lanes.Frame) error {
	switch f.Type {
	case lanes.Message, lanes.Part:
		if l.parting {
			return nil
		}
		lane, err := l.laneNumbered(f.Lane)
		if err != nil {
			return err
		}
		return l.part(lane, f)
	case lanes.Credit:
		lane, err := l.laneNumbered(f.Lane)
		if err != nil {
			return err
		}
		l.send.grant(&lane.out, f.Value)
	case lanes.Ping:
		if !l.send.oweAPong(pingID(f.Data), lanes.MaxPings) {
			return errTooManyPings
		}
	case lanes.Pong:
		l.answered(f.Data, l.in.receivedAt)
	case lanes.Disconnect:
		return &remoteEnd{uint8(min(f.Value, ReasonInvalid))}
	}
	return nil
}

func (l *Link) laneNumbered(n uint64) (*Lane, error) {
	if n < 1 || n > uint64(len(l.lanes)) {
		return nil, errUnknownLane
	}
	return l.lanes[n-1], nil
}

// part takes a MESSAGE or a PART.
func (l *Link) part(lane *Lane, f *lanes.Frame) error {
	in := lane.incoming
	if in.received += f.Cost(); in.received > in.limit {
		if in.limit = lane.in.granted(); in.received > in.limit {
			return errNoCredit
		}
	}
	if !in.touched {
		in.touched = true
		l.touched = append(l.touched, lane)
	}
	if f.Type == lanes.Message {
		if err := l.begin(lane, f); err != nil {
			return err
		}
	} else if in.message == nil {
		return errNoMessage
	}
	return l.fill(lane, f.Data)
}

// begin begins a message.
func (l *Link) begin(lane *Lane, f *lanes.Frame) error {
	in := lane.incoming
	switch {
	case in.message != nil:
		return errInside
	case f.Code >= lane.cfg.Length:
		return errCodeRange
	case f.Encoding == lanes.Snappy && f.Size > f.Total*maxExpansion:
		return errPackedSize
	case !l.ledger.canHold(int64(f.Total)):
		return l.refuseLarge(lane, f.Total)
	}
	m := lane.slab.message(min(f.Total, laneSegment))
	m.Code, m.Size, m.WireSize = f.Code, uint32(f.Size), uint32(codeSize(f.Code)+f.Total)
	m.cost, m.packed = lanes.MessageCost+uint32(f.Total), f.Encoding == lanes.Snappy
	in.message, in.missing, in.last = m, f.Total, m.buf
	if m.buf == nil { // in a slab: filled from its start
		m.rest = m.rest[:0]
	} else {
		m.buf.B = m.buf.B[:0]
	}
	return nil
}

// refuseLarge ends the link for a message that not even an empty ledger would have the memory for, and tells the remote: it
// has done nothing wrong, but would wait for credit for ever.
func (l *Link) refuseLarge(lane *Lane, size int) error {
	l.RecordDone() // what came in front of it in its record has come
	l.end(Cause{
		Err:  fmt.Errorf("message of %d bytes: %w", size, errLargerThanBudget),
		Side: trace.SideLocal, Reason: reasonSubprotocolError, Protocol: lane.cfg.Name, tell: true,
	})
	return errEnding
}

// fill adds bytes to the message that is arriving, in memory for what has come: a large one is a chain of buffers.
func (l *Link) fill(lane *Lane, data []byte) error {
	in := lane.incoming
	m := in.message
	if len(data) > in.missing {
		return errTooMuch
	}
	in.missing -= len(data)
	if m.buf == nil {
		m.rest = append(m.rest, data...)
	}
	for m.buf != nil && len(data) > 0 {
		room := cap(in.last.B) - len(in.last.B)
		if room == 0 {
			in.last.Next = buffer.Get(min(laneSegment, in.missing+len(data)))
			in.last = in.last.Next
			in.last.B = in.last.B[:0]
			continue
		}
		n := min(room, len(data))
		in.last.B = append(in.last.B, data[:n]...)
		data = data[n:]
	}
	if in.missing == 0 {
		return l.complete(lane, m)
	}
	return nil
}

// complete ends the message that is arriving.
func (l *Link) complete(lane *Lane, m *Message) error {
	in := lane.incoming
	if m.buf != nil {
		m.rest = m.buf.B
	}
	if m.packed {
		// The rest of it is found out by who decompresses it, whose memory depends on this.
		if n, err := snappy.DecodedLen(m.rest); err != nil || n != int(m.Size) {
			return errPackedSize // m stays the one that is arriving, and is dropped with the link
		}
	}
	in.message, in.last = nil, nil
	in.done = append(in.done, m)
	m.ReceivedAt = l.in.receivedAt
	if l.recorder != nil {
		l.event = trace.Message{Link: l.id, Protocol: lane.cfg.Name, Version: lane.cfg.Version, Code: m.Code, Size: m.Size, WireSize: m.WireSize}
		l.recorder.Record(&l.event)
	}
	return nil
}

// RecordDone implements Sink: what the record has completed goes to the inboxes, each locked once.
func (l *Link) RecordDone() {
	l.lastFrame = l.in.receivedAt
	for i, lane := range l.touched {
		in := lane.incoming
		in.touched = false
		l.sinceWake += len(in.done)
		if lane.in.arrive(in.done, in.received, uint64(in.missing)) && !lane.waking {
			lane.waking = true
			l.toWake = append(l.toWake, lane)
		}
		clear(in.done)
		in.done = in.done[:0]
		l.probeIfDue(lane)
		l.touched[i] = nil
	}
	l.touched = l.touched[:0]
	if l.sinceWake >= wakeEvery {
		l.wakeAndYield()
	}
}

// unpack decompresses a message that has been read from the inbox, in the goroutine of its protocol. A remote that has sent
// one which is no valid block has broken the protocol.
func (l *Lane) unpack(m *Message) error {
	packed := m.rest
	var whole *buffer.Buffer // of a block that came in several buffers
	if m.Len() > len(packed) {
		whole = buffer.Get(m.Len())
		defer whole.Free()
		packed = whole.B[:0]
		for b := m.buf; b != nil; b = b.Next {
			packed = append(packed, b.B...)
		}
	}
	plain := buffer.Get(int(m.Size))
	_, err := snappy.Decode(plain.B, packed)
	m.Discard()
	if err != nil {
		plain.Free()
		l.link.endBreach(errPackedSize)
		return errPackedSize
	}
	m.packed, m.buf, m.rest = false, plain, plain.B
	if m.Size == 0 {
		m.Discard()
	}
	return nil
}
