package link

import (
	"errors"
	"time"
)

// LaneStats counts what one lane has carried and holds.
type LaneStats struct {
	MessagesIn, MessagesOut uint64 // admitted to the inbox, accepted into the outbox
	BytesIn, BytesOut       uint64 // payload, uncompressed
	Dropped, DroppedBytes   uint64 // by the overload policy
	Waited                  time.Duration
	InboxMessages           int
	InboxBytes, OutboxBytes int64
	Stopped                 bool
}

// Stats returns the lane's counters. It is safe for concurrent use.
func (l *Lane) Stats() LaneStats {
	l.in.mu.Lock()
	s := LaneStats{
		MessagesIn: l.in.count.messages, BytesIn: l.in.count.bytes,
		Dropped: l.in.count.dropped, DroppedBytes: l.in.count.droppedBytes,
		Waited:        l.in.count.waited,
		InboxMessages: l.in.queue.len(),
		InboxBytes:    l.in.used,
		Stopped:       errors.Is(l.in.err, ErrStopped),
	}
	l.in.mu.Unlock()
	l.link.send.mu.Lock()
	s.MessagesOut, s.BytesOut, s.OutboxBytes = l.out.messages, l.out.bytes, l.out.used
	l.link.send.mu.Unlock()
	return s
}

// Stats counts what a link has carried.
type Stats struct {
	RTT, MinRTT       time.Duration // of the last ping answered and the fastest; 0 before the first
	BytesIn, BytesOut uint64        // on the wire
}

// Stats returns the link's counters. It is safe for concurrent use.
func (l *Link) Stats() Stats {
	return Stats{
		RTT:      time.Duration(l.rtt.Load()),
		MinRTT:   time.Duration(l.minRTT.Load()),
		BytesIn:  l.bytesIn.Load(),
		BytesOut: l.send.bytesOut.Load(),
	}
}
