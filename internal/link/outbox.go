package link

import (
	"sync"

	"github.com/sennit-net/sennit/internal/buffer"
)

const (
	// DefaultOutbox is how many bytes of accepted but unsent messages a lane holds unless its configuration says otherwise.
	DefaultOutbox = 1 << 20
	// segmentSize is what small messages are packed into before they are sealed, in bytes.
	segmentSize = 20 << 10
	// packedSize is the largest message that is copied into a segment with others, in bytes; a larger one is a segment.
	packedSize = 4 << 10
	// quantum is what a lane may send in its turn, in bytes.
	quantum = 16 << 10
	// batchSize is how many bytes are sealed and written in one go when that much is queued.
	batchSize = 64 << 10
)

// outbox is the queue of a lane's accepted messages. It belongs to the sender and is guarded by sender.mu.
type outbox struct {
	limit        int64     // static
	room         sync.Cond // on sender.mu; broadcast when used fell, or on the end
	segments     ring[*buffer.Buffer]
	used         int64 // memory of the segments, and bytes reserved for messages that are being encoded
	blocked      int   // writers that wait for room
	blockedLarge int   // those of them whose message takes more than half the limit: smaller ones queue behind them
	deficit      int   // bytes the lane may still send in its turn
	queued       bool  // in sender.ready
	err          error // why writes fail
	messages     uint64
	bytes        uint64 // payload, uncompressed
}

// fits tells whether a message of n bytes may be queued: within the limit, or alone. Smaller messages do not overtake a
// large one that waits, for they could keep the outbox too full for it for ever.
func (o *outbox) fits(n int64) bool {
	return (o.used == 0 || o.used+n <= o.limit) && (o.blockedLarge == 0 || o.large(n))
}

func (o *outbox) large(n int64) bool { return n > o.limit/2 }

// reserveLocked waits until n bytes may be queued and counts them as used.
func (o *outbox) reserveLocked(n int64) error {
	for o.err == nil && !o.fits(n) {
		o.waitLocked(n)
	}
	if o.err != nil {
		return o.err
	}
	o.used += n
	return nil
}

// waitLocked waits for room, or the end.
func (o *outbox) waitLocked(n int64) {
	o.blocked++
	if o.large(n) {
		o.blockedLarge++
	}
	o.room.Wait()
	o.blocked--
	if o.large(n) {
		if o.blockedLarge--; o.blockedLarge == 0 {
			o.room.Broadcast() // for the small ones behind it
		}
	}
}

// releaseLocked takes n bytes off and wakes writers once half the limit is free, so that they come in groups.
func (o *outbox) releaseLocked(n int64) {
	o.used -= n
	if o.blocked > 0 && o.used <= o.limit/2 {
		o.room.Broadcast()
	}
}

// endLocked makes writes fail with err, those that wait included.
func (o *outbox) endLocked(err error) {
	if o.err == nil {
		o.err = err
	}
	o.room.Broadcast()
}

// dropLocked throws away what is queued.
func (o *outbox) dropLocked() {
	for o.segments.len() > 0 {
		b := o.segments.pop()
		o.used -= int64(cap(b.B))
		b.Free()
	}
}

// packLocked puts the message in b at the end of the queue: into the last segment if both are small, else as a segment of
// its own. It returns by how many bytes of memory the queue has grown. b belongs to the outbox then.
func (o *outbox) packLocked(b *buffer.Buffer) (grown int64) {
	if len(b.B) > packedSize || o.segments.len() == 0 {
		// When nothing waits the writer probably takes it before a second message comes: no copy.
		o.segments.push(b)
		return int64(cap(b.B))
	}
	last := o.segments.last()
	switch {
	case cap((*last).B) == segmentSize && len((*last).B)+len(b.B) <= segmentSize:
		(*last).B = append((*last).B, b.B...)
		b.Free()
		return 0
	case len((*last).B) > packedSize:
		o.segments.push(b)
		return int64(cap(b.B))
	}
	seg := buffer.Get(segmentSize)
	seg.B = append(append(seg.B[:0], (*last).B...), b.B...)
	grown = segmentSize - int64(cap((*last).B))
	(*last).Free()
	b.Free()
	*last = seg
	return grown
}
