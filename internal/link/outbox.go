package link

import (
	"sync"

	"github.com/sennit-net/sennit/internal/buffer"
	"github.com/sennit-net/sennit/internal/lanes"
)

const (
	// DefaultOutbox is how many bytes of accepted but unsent messages a lane holds unless its configuration says otherwise.
	DefaultOutbox = 1 << 20
	// segmentSize is what small messages are packed into before they are sealed, in bytes.
	segmentSize = 20 << 10
	// packedSize is the largest message that is copied into a segment with others, in bytes; a larger one is a segment.
	packedSize = 4 << 10
	// quantum is what a lane of weight 1 may send in its turn, in bytes.
	quantum = 16 << 10
)

// outbox is the queue of a lane's accepted messages. It belongs to the sender and is guarded by sender.mu.
type outbox struct {
	limit        int64     // static
	shape        *Shape    // static
	weight       int       // static
	room         sync.Cond // on sender.mu; broadcast when used fell, or on the end
	segments     ring[segment]
	used         int64  // memory of the segments, and bytes reserved for messages that are being encoded
	blocked      int    // writers that wait for room
	blockedLarge int    // those of them whose message takes more than half the limit: smaller ones queue behind them
	deficit      int    // bytes the lane may still send in its turn
	queued       bool   // in sender.fresh or sender.ready
	inTurn       bool   // its turn goes on with the next batch
	starved      bool   // it has something to send, but no credit for it
	granted      uint64 // credit from the start of the link on
	spent        uint64 // credit that has been used
	due          uint64 // limit that the remote is to be told for what it sends; 0 for none
	err          error  // why writes fail
	messages     uint64
	bytes        uint64 // payload, uncompressed
}

func (o *outbox) init(mu *sync.Mutex, cfg LaneConfig, shape *Shape) {
	o.limit = int64(cfg.Outbox)
	o.shape = shape
	o.weight = max(1, cfg.Weight)
	o.room.L = mu
	o.granted = noLimit
	if shape.Credit {
		o.granted = lanes.InitialLimit
	}
}

// fits tells whether a message of n bytes may be queued: within the limit, or alone. Smaller messages do not overtake a
// large one that waits, for they could keep the outbox too full for it for ever.
func (o *outbox) fits(n int64) bool {
	return (o.used == 0 || o.used+n <= o.limit) && (o.blockedLarge == 0 || o.large(n))
}

// leaveRound is for a lane that has nothing to send, or no credit for it.
func (o *outbox) leaveRound() { o.deficit, o.inTurn, o.queued = 0, false, false }

// nextSizeLocked is how many bytes the next segment will be, or on a link with credit at most about most of them.
func (o *outbox) nextSizeLocked(most int) int {
	n := len(o.segments.first().buf.B)
	if o.shape.Credit {
		n = min(n, most)
	}
	return n
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
		b := o.segments.pop().buf
		o.used -= int64(cap(b.B))
		b.Free()
	}
}

// putLocked puts a message at the end of the queue and returns by how many bytes of memory that has grown. The message
// belongs to the outbox then.
func (o *outbox) putLocked(e *encoded) (grown int64) {
	if len(e.first.buf.B) > packedSize || o.segments.len() == 0 {
		// When nothing waits the writer probably takes it before a second message comes: no copy.
		o.segments.push(e.first)
		grown = int64(cap(e.first.buf.B))
	} else {
		grown = o.packLocked(e.first)
	}
	for _, s := range e.more {
		o.segments.push(s)
		grown += int64(cap(s.buf.B))
	}
	return grown
}

// packLocked puts a small message into the last segment if that is made of small ones too and has room, else into one of
// its own. It returns by how many bytes of memory the queue has grown.
func (o *outbox) packLocked(s segment) (grown int64) {
	last := o.segments.last()
	full := &last.buf.B
	body := s.buf.B[o.shape.Head:]
	switch {
	case cap(*full) >= o.shape.Segment:
		if len(*full)+len(body)+o.shape.Tail > o.shape.Segment {
			o.segments.push(s)
			return int64(cap(s.buf.B))
		}
		*full = append(*full, body...)
	case len(*full) > packedSize:
		o.segments.push(s)
		return int64(cap(s.buf.B))
	default:
		b := buffer.Get(o.shape.Segment)
		b.B = append(append(b.B[:0], *full...), body...)
		grown = int64(cap(b.B) - cap(*full))
		last.buf.Free()
		last.buf = b
	}
	last.cost += s.cost
	s.buf.Free()
	return grown
}
