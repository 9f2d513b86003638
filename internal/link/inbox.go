package link

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/sennit-net/sennit/internal/buffer"
)

const (
	// DefaultInbox is how many bytes a lane's inbox holds unless its configuration says otherwise.
	DefaultInbox = 4 << 20
	// laneFloor is what an inbox may hold, in bytes, without charging the ledger.
	laneFloor = 64 << 10
	// messageCost is charged for a message in an inbox on top of its payload, in bytes: what its bookkeeping takes.
	messageCost = 128
)

// verdict is an inbox's answer to a message that wants to come in.
type verdict uint8

const (
	admitted verdict = iota // charged; the caller must push it
	dropped                 // to be dropped, and counted as such
	full                    // no room now: wait
	refused                 // the link has ended: forget the message without counting it
)

// inbox is the queue of messages that arrived for a lane and have not been read, bounded in bytes. The reader puts in,
// the protocol takes out.
type inbox struct {
	// Static after construction.
	limit  int64
	mode   Mode
	ledger *Ledger
	space  chan struct{}      // signalled when there is room and somebody waits for it; capacity 1, never closed
	tell   func(limit uint64) // on links with credit: has the remote told a new limit; called without a lock

	// Atomic, for anybody.
	read atomic.Bool // a message has been read since replying was last called

	// Guarded by mu.
	mu       sync.Mutex
	arrived  sync.Cond // signalled on arrival and on the end
	queue    ring[*Message]
	used     int64 // what messages in the queue, and those admitted but not yet pushed, count against the limit
	held     int64 // the memory they take; what is over laneFloor is charged to the ledger
	need     int64 // what the reader waits to be able to charge; 0 when it does not wait
	err      error // why reads fail; queued messages are still handed out unless cut
	cut      bool  // the queue has been thrown away
	stopped  bool  // the lane was stopped: what arrives is dropped
	flow     *flow // on links with credit: what the remote may send; it takes the place of used and held
	sleepers int   // goroutines that wait for arrived
	count    inboxCount
}

// inboxCount counts what an inbox did.
type inboxCount struct {
	messages, bytes       uint64 // admitted
	dropped, droppedBytes uint64
	waited                time.Duration
}

func (in *inbox) init(limit int64, mode Mode, ledger *Ledger) {
	in.limit, in.mode, in.ledger = limit, mode, ledger
	in.space = make(chan struct{}, 1)
	in.arrived.L = &in.mu
}

// cost is what a message with a payload of n bytes counts against the limit of its inbox.
func cost(n int) int64 { return int64(n) + messageCost }

// memory is what a message with a payload of n bytes takes, and is charged to the ledger: buffers come in sizes, so it
// can be twice as much as the payload.
func memory(n int) int64 {
	if n <= slabPayload {
		return cost(n)
	}
	return int64(buffer.ClassSize(n)) + messageCost
}

// admit charges a message of n bytes of payload, making room according to the mode. It returns the messages it dropped
// to make room; with the verdict dropped the message itself is one of those that do not get in. What the message has
// already charged to the ledger, held if not nil, is taken over as far as it is needed.
func (in *inbox) admit(n int, held *int64) (v verdict, evicted []*Message) {
	in.mu.Lock()
	defer in.mu.Unlock()
	for {
		if in.stopped {
			in.countDropLocked(n)
			return dropped, evicted
		}
		if in.err != nil {
			return refused, evicted
		}
		if in.takeLocked(n, held) {
			return admitted, evicted
		}
		switch in.mode {
		case Wait, Stop:
			in.need = cost(n)
			return full, nil
		case DropOldest:
			if in.queue.len() > 0 && in.evictingHelpsLocked(n) {
				m := in.queue.pop()
				in.releaseLocked(int(m.Size))
				in.countDropLocked(int(m.Size))
				evicted = append(evicted, m)
				continue
			}
		}
		in.countDropLocked(n)
		return dropped, evicted
	}
}

// readmit is admit for a message that has been told to wait.
func (in *inbox) readmit(n int, held *int64) verdict {
	in.mu.Lock()
	defer in.mu.Unlock()
	switch {
	case in.err != nil:
		return refused
	case in.takeLocked(n, held):
		return admitted
	}
	in.need = cost(n)
	return full
}

// fullness returns why a message of n bytes does not come in: this inbox is full, or the ledger is spent.
func (in *inbox) fullness(n int) error {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.used > 0 && in.used+cost(n) > in.limit {
		return errOverload
	}
	return errBudget
}

// takeLocked charges a message of n bytes of payload, the ledger included, or returns false if it may not come in. An
// empty inbox takes one message of any size, as long as the ledger has the memory.
func (in *inbox) takeLocked(n int, held *int64) bool {
	if in.used > 0 && in.used+cost(n) > in.limit {
		return false
	}
	more := overFloor(in.held+memory(n)) - overFloor(in.held)
	if held != nil {
		over := min(more, *held)
		if !in.ledger.charge(more - over) {
			return false
		}
		*held -= over
	} else if !in.ledger.charge(more) {
		return false
	}
	in.used += cost(n)
	in.held += memory(n)
	in.need = 0
	return true
}

// evictingHelpsLocked tells whether dropping an older message brings nearer that one of n bytes fits: not when it is
// others who have spent the ledger.
func (in *inbox) evictingHelpsLocked(n int) bool {
	return in.used+cost(n) > in.limit || in.held > laneFloor
}

// overFloor is the part of a lane's memory that is charged to the ledger.
func overFloor(held int64) int64 { return max(0, held-laneFloor) }

func (in *inbox) releaseLocked(n int) {
	before := in.held
	in.used -= cost(n)
	in.held -= memory(n)
	in.ledger.release(overFloor(before) - overFloor(in.held))
	if in.need > 0 && (in.used == 0 || in.used+in.need <= in.limit) {
		in.need = 0
		in.signalSpace()
	}
}

// signalSpace has the reader look again, if it waits.
func (in *inbox) signalSpace() {
	select {
	case in.space <- struct{}{}:
	default:
	}
}

func (in *inbox) countDropLocked(n int) {
	in.count.dropped++
	in.count.droppedBytes += uint64(n)
}

// countDrop counts a message that was dropped before it was admitted.
func (in *inbox) countDrop(n int) {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.countDropLocked(n)
}

// release takes back the charge of a message that was admitted but is not going to be pushed.
func (in *inbox) release(n int) {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.releaseLocked(n)
}

// push queues an admitted message. It tells whether a protocol sleeps and has to be woken.
func (in *inbox) push(m *Message) (wake bool) {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.cut {
		in.releaseLocked(int(m.Size))
		m.Discard()
		return false
	}
	in.count.messages++
	in.count.bytes += uint64(m.Size)
	in.queue.push(m)
	return in.sleepers > 0
}

// pop returns the message that has waited longest, or waits for one. Once the inbox has ended and is empty it returns
// the reason.
func (in *inbox) pop() (*Message, error) {
	in.mu.Lock()
	for in.queue.len() == 0 {
		if in.err != nil {
			err := in.err
			in.mu.Unlock()
			return nil, err
		}
		if in.flow != nil && in.starveLocked() {
			continue
		}
		in.sleepers++
		in.arrived.Wait()
		in.sleepers--
	}
	m := in.queue.pop()
	in.read.Store(true)
	limit := in.dischargeLocked(m)
	in.mu.Unlock()
	if limit > 0 {
		in.tell(limit)
	}
	return m, nil
}

// replying tells whether what is written now is probably an answer that nothing follows at once: something has been read
// since the last call, and nothing is left to be read.
func (in *inbox) replying() bool {
	if !in.read.Load() {
		return false // without the lock: this is asked for every message of a stream
	}
	in.read.Store(false)
	in.mu.Lock()
	defer in.mu.Unlock()
	return in.queue.len() == 0
}

// dischargeLocked takes back the charge of a message that has left the queue. It returns the limit that the remote is
// to be told, if that has changed.
func (in *inbox) dischargeLocked(m *Message) (limit uint64) {
	if in.flow == nil {
		in.releaseLocked(int(m.Size))
		return 0
	}
	in.takenLocked(m)
	if in.err != nil {
		in.settleLocked()
		return 0
	}
	limit, _ = in.grantLocked(false)
	return limit
}

// end makes reads fail with err: once what is queued has been read, or at once if cut. The first reason stays; a later
// call may still cut.
func (in *inbox) end(err error, cut bool) {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.err == nil {
		in.err = err
	}
	if cut {
		in.cut = true
		for in.queue.len() > 0 {
			m := in.queue.pop()
			in.dischargeLocked(m)
			m.Discard()
		}
	}
	in.settleLocked()
	in.arrived.Broadcast()
	in.signalSpace() // the reader may be waiting for memory for a message that nobody wants any more
}

// stop makes reads fail with err at once. It returns what was queued, which counts as dropped, for the caller to record
// and discard.
func (in *inbox) stop(err error) (lost []*Message) {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.err == nil {
		in.err, in.stopped, in.cut = err, true, true
		for in.queue.len() > 0 {
			m := in.queue.pop()
			in.dischargeLocked(m)
			in.countDropLocked(int(m.Size))
			lost = append(lost, m)
		}
	}
	in.arrived.Broadcast()
	in.signalSpace()
	return lost
}

// countIfStopped counts a message that is lost because the lane was stopped; it returns false if that is not why.
func (in *inbox) countIfStopped(n int) bool {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.stopped {
		in.countDropLocked(n)
	}
	return in.stopped
}

// ended tells whether nothing more can come in.
func (in *inbox) ended() bool {
	in.mu.Lock()
	defer in.mu.Unlock()
	return in.err != nil
}

// addWait counts time for which the link was held up.
func (in *inbox) addWait(d time.Duration) {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.count.waited += d
}

// shrink gives back queue memory that nothing needs any more.
func (in *inbox) shrink() {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.queue.shrink()
	if in.flow != nil {
		in.flow.relaxLocked()
	}
}
