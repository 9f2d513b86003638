package admin

import (
	"context"
	"encoding/json"
	"sync"

	"github.com/ethereum/go-ethereum/rpc"

	"github.com/sennit-net/sennit/p2p"
)

const (
	// maxEventBytes is how much of peer events waits for a subscriber, in bytes: some 4,000 events.
	maxEventBytes = 1 << 20

	// eventSize is what an event takes beside its text, in bytes.
	eventSize = 192
)

// eventLost is the type of an [eventsLost], as [p2p.PeerEventTypeAdd] is that of an event.
const eventLost p2p.PeerEventType = "lost"

// eventsLost stands in the place of events that a subscriber did not take in time.
type eventsLost struct {
	Type p2p.PeerEventType `json:"type"` // eventLost
	Lost uint64            `json:"lost"` // how many
}

// PeerEvents is the subscription of peers that come and go: admin_subscribe with the parameter "peerEvents" gives a
// [p2p.PeerEvent] for each, and with [p2p.Config.EnableMsgEvents] for each message. It ends with the connection.
//
// A slow subscriber holds up no link. Up to 1 MiB of events wait for it; what comes when that is full, and until it has
// taken all of them, is lost, and {"type": "lost", "lost": N} comes in the place of N events. A socket that takes nothing for
// 10 s is closed.
func (a *Admin) PeerEvents(ctx context.Context) (*rpc.Subscription, error) {
	notifier, ok := rpc.NotifierFromContext(ctx)
	if !ok {
		return nil, rpc.ErrNotificationsUnsupported
	}
	sub, q := notifier.CreateSubscription(), newEventQueue(maxEventBytes)
	events, done := make(chan *p2p.PeerEvent), make(chan struct{})
	source := a.server.SubscribeEvents(events)
	a.serving.Go(func() {
		defer close(done)
		q.tell(notifier, sub)
	})
	a.serving.Go(func() { // peers wait for this one, so it waits for nobody
		defer source.Unsubscribe()
		for {
			select {
			case e := <-events:
				q.put(e)
			case <-done:
				return
			}
		}
	})
	return sub, nil
}

// eventQueue is what waits for a subscriber. One goroutine puts and another one takes.
type eventQueue struct {
	// Static after construction.
	limit int
	wake  chan struct{} // 1 slot
	sent  chan struct{} // 1 slot: the event told last has been made JSON of

	// Guarded by mu.
	mu    sync.Mutex
	list  []*p2p.PeerEvent
	bytes int
	lost  uint64 // came after those of list
}

func newEventQueue(limit int) *eventQueue {
	return &eventQueue{limit: limit, wake: make(chan struct{}, 1), sent: make(chan struct{}, 1)}
}

func sizeOf(e *p2p.PeerEvent) int {
	return eventSize + len(e.Error) + len(e.Protocol) + len(e.LocalAddress) + len(e.RemoteAddress)
}

func (q *eventQueue) put(e *p2p.PeerEvent) {
	q.mu.Lock()
	if size := sizeOf(e); q.lost > 0 || q.bytes+size > q.limit {
		q.lost++
	} else {
		q.list, q.bytes = append(q.list, e), q.bytes+size
	}
	q.mu.Unlock()
	signal(q.wake)
}

// take returns the next event, a [p2p.PeerEvent] or an [eventsLost]; nil if there is none.
func (q *eventQueue) take() any {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.list) > 0 {
		e := q.list[0]
		q.list[0] = nil
		if q.list = q.list[1:]; len(q.list) == 0 {
			q.list = nil // it may have been large
		}
		q.bytes -= sizeOf(e)
		return e
	}
	if n := q.lost; n > 0 {
		q.lost = 0
		return &eventsLost{Type: eventLost, Lost: n}
	}
	return nil
}

// tell hands events to the subscriber, one at a time, until it or its connection is gone.
func (q *eventQueue) tell(notifier *rpc.Notifier, sub *rpc.Subscription) {
	for {
		for e := q.take(); e != nil; e = q.take() {
			if notifier.Notify(sub.ID, &sending{e, q.sent}) != nil {
				return
			}
			select {
			case <-q.sent:
			case <-sub.Err():
				return
			}
		}
		select {
		case <-q.wake:
		case <-sub.Err():
			return
		}
	}
}

// sending is an event that signals when it is being sent. Until the subscriber has been told the subscription's ID, which in a
// batch is after all of its calls, the notifier keeps what it is given, without a limit; so it is given one.
type sending struct {
	event any
	sent  chan<- struct{}
}

func (s *sending) MarshalJSON() ([]byte, error) {
	signal(s.sent)
	return json.Marshal(s.event)
}

// signal fills a channel of one slot.
func signal(ch chan<- struct{}) {
	select {
	case ch <- struct{}{}:
	default:
	}
}
