package eth

import (
	"context"
	"errors"
	"iter"
	"math/big"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ethereum/go-ethereum/core/types"
)

// Event is something that a peer has said, as a [Subscription] gives it: one of [*TransactionsSeen], [*BlocksSeen],
// [*HeadSeen], [*PeerJoined], [*PeerLeft], or [*EventsLost] where the subscriber was too slow. Events are shared by all
// subscriptions and must not be changed.
type Event interface {
	size() int // bytes it takes in a queue
}

// TransactionsSeen says that a peer has announced or sent transactions. A message with more than [MaxAnnounced] of them makes
// several events.
type TransactionsSeen struct {
	Peer *Peer
	At   time.Time // when the link had read the message
	Full bool      // they came in full
	Txs  []TxSighting
}

// TxSighting is a transaction in a message.
type TxSighting struct {
	TxInfo
	First bool          // no peer had named it before, as far as is remembered: see [Handler.Subscribe]
	After time.Duration // since a peer named it first; 0 if First
}

// BlocksSeen says that a peer has announced or sent blocks, which is done up to version 68. A message with more than
// [MaxAnnounced] of them makes several events.
type BlocksSeen struct {
	Peer   *Peer
	At     time.Time
	Blocks []BlockSighting
	Header *types.Header // of a block that came in full; nil for announced ones
	TD     *big.Int      // the same
}

// BlockSighting is a block in a message.
type BlockSighting struct {
	BlockInfo
	First bool          // as for transactions
	After time.Duration // as for transactions
}

// HeadSeen says that a peer has told, by any message, of another head of its chain.
type HeadSeen struct {
	Peer *Peer
	At   time.Time
	Head PeerHead
}

// PeerJoined says that a peer has finished the handshake.
type PeerJoined struct {
	Peer *Peer
	At   time.Time
}

// PeerLeft says that the link to a peer has ended, and why.
type PeerLeft struct {
	Peer *Peer
	At   time.Time
	Err  error
}

// EventsLost stands in the place of events that found the subscriber's queue full.
type EventsLost struct {
	At    time.Time // when the first of them was lost
	Count uint64    // each transaction or block of an event counts as one, as each [EventRecord] does
}

func (e *TransactionsSeen) size() int { return eventSize + 64*len(e.Txs) }
func (e *BlocksSeen) size() int {
	if e.Header != nil {
		return eventSize + 1024 + len(e.Header.Extra) + 64*len(e.Blocks)
	}
	return eventSize + 64*len(e.Blocks)
}
func (e *HeadSeen) size() int   { return eventSize + 32 }
func (e *PeerJoined) size() int { return eventSize }
func (e *PeerLeft) size() int   { return eventSize + 64 }
func (e *EventsLost) size() int { return eventSize }

// recordCount is how many records [Records] makes of an event.
func recordCount(e Event) uint64 {
	switch e := e.(type) {
	case *TransactionsSeen:
		return uint64(len(e.Txs))
	case *BlocksSeen:
		return uint64(len(e.Blocks))
	}
	return 1
}

const (
	// eventSize is what an event takes beside its lists, in bytes.
	eventSize = 128
	// DefaultEventBytes is how many bytes of events wait for a slow subscriber, if it does not say.
	DefaultEventBytes = 4 << 20
)

// ErrClosed is what a subscription returns once it, or its handler, has been closed.
var ErrClosed = errors.New("the subscription is closed")

// Subscription gives events in the order in which they came. A subscriber that does not keep up never holds up a link:
// events that find its queue full are lost and counted, and an [*EventsLost] comes instead. It is safe for concurrent use.
type Subscription struct {
	// Static after construction.
	feed  *feed
	limit int
	wake  chan struct{} // 1 slot
	done  chan struct{} // closed by Close

	lost atomic.Uint64

	// Guarded by mu.
	mu     sync.Mutex
	queue  []Event
	bytes  int
	closed bool
}

// Subscribe returns a subscription of what peers say from now on. bytes is how much may wait for the subscriber; 0 means
// [DefaultEventBytes]. One event may always wait, however large: up to about 300 KB. The subscription must be closed.
//
// While there is a subscription the handler remembers who was the first to name a transaction or block, for the last 32768
// to 65536 of them (about 8 MB).
func (h *Handler) Subscribe(bytes int) *Subscription {
	if bytes <= 0 {
		bytes = DefaultEventBytes
	}
	s := &Subscription{feed: &h.feed, limit: bytes, wake: make(chan struct{}, 1), done: make(chan struct{})}
	h.feed.add(s)
	return s
}

// Next returns the next event, and waits for it until ctx ends. Once the subscription has been closed the error is
// [ErrClosed]; otherwise it is the cause of the end of ctx.
func (s *Subscription) Next(ctx context.Context) (Event, error) {
	for {
		if e, ok := s.take(); ok {
			return e, nil
		}
		select {
		case <-s.wake:
		case <-s.done:
			return nil, ErrClosed
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// Events iterates over the events until ctx ends or the subscription is closed.
func (s *Subscription) Events(ctx context.Context) iter.Seq[Event] {
	return func(yield func(Event) bool) {
		for {
			e, err := s.Next(ctx)
			if err != nil || !yield(e) {
				return
			}
		}
	}
}

// Lost is how much was lost because the queue was full, counted as [EventsLost] does.
func (s *Subscription) Lost() uint64 { return s.lost.Load() }

// Close ends the subscription. What waits in it is lost. It may be called more than once.
func (s *Subscription) Close() {
	s.feed.remove(s)
	s.shut()
}

func (s *Subscription) shut() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.closed {
		s.closed, s.queue, s.bytes = true, nil, 0
		close(s.done)
	}
}

func (s *Subscription) take() (Event, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.queue) == 0 {
		return nil, false
	}
	e := s.queue[0]
	s.queue = shift(s.queue, 1)
	s.bytes -= e.size()
	if len(s.queue) > 0 {
		signal(s.wake) // for another reader
	}
	return e, true
}

func (s *Subscription) put(e Event) {
	s.mu.Lock()
	switch size := e.size(); {
	case s.closed:
	case len(s.queue) > 0 && s.bytes+size+eventSize > s.limit: // there is room to note a loss
		s.noteLossLocked(recordCount(e))
	default:
		s.queue, s.bytes = append(s.queue, e), s.bytes+size
	}
	s.mu.Unlock()
	signal(s.wake)
}

// noteLossLocked counts n records in the place where it is missing. It is called with events in the queue.
func (s *Subscription) noteLossLocked(n uint64) {
	s.lost.Add(n)
	last, ok := s.queue[len(s.queue)-1].(*EventsLost)
	if !ok {
		last = &EventsLost{At: time.Now()} // nobody else has it before it is taken
		s.queue, s.bytes = append(s.queue, last), s.bytes+last.size()
	}
	last.Count += n
}
