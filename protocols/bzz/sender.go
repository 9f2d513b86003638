package bzz

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/sennit-net/sennit/p2p"
	"github.com/sennit-net/sennit/protocols/bzz/chunk"
	"github.com/sennit-net/sennit/protocols/bzz/wire"
)

// errQueueFull is the end of a peer that does not read what is sent to it.
var errQueueFull = errors.New("bzz: too much waits to be sent to the peer")

// queuedCost is what a message takes in a queue besides its bytes.
const queuedCost = 128

// queued is a message that waits to be sent. A chunk waits as its address, and is read from the store when its turn comes.
type queued struct {
	code    uint64
	payload []byte        // nil for a chunk
	addr    chunk.Address // of a chunk
	id      uint64        // of the request or the offer it answers, in the later dialect
	due     time.Time     // when to send it; what is behind it waits as well
}

func (q *queued) cost() int { return len(q.payload) + queuedCost }

// sender is what waits to be sent on one protocol of one link, in four priorities. Whoever queues never waits.
type sender struct {
	// Static after construction.
	limit  int
	append func([]byte, wire.Message) []byte // with a wrapper or without
	wake   chan struct{}                     // holds one token when there may be something to send; never closed

	// Guarded by mu.
	mu     sync.Mutex
	queues [wire.Priorities][]queued // each is sent from the front
	bytes  int
	peak   int
	closed bool
}

func newSender(limit int, later bool) *sender {
	q := &sender{limit: limit, append: wire.Append, wake: make(chan struct{}, 1)}
	if later {
		q.append = wire.AppendLater
	}
	return q
}

// push queues a message. It fails with errQueueFull; on a closed queue it does nothing.
func (q *sender) push(priority int, m wire.Message) error {
	return q.add(priority, queued{code: m.Code(), payload: q.append(nil, m)})
}

// pushChunk queues a chunk of the store. id is that of the request or offer it answers, in the later dialect.
func (q *sender) pushChunk(priority int, code uint64, addr chunk.Address, id uint64) error {
	return q.add(priority, queued{code: code, addr: addr, id: id})
}

// pushAnswer queues a chunk of the store that was asked for, to be sent after a while.
func (q *sender) pushAnswer(code uint64, addr chunk.Address, id uint64, after time.Duration) error {
	return q.add(wire.PriorityTop, queued{code: code, addr: addr, id: id, due: time.Now().Add(after)})
}

func (q *sender) add(priority int, m queued) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return nil
	}
	if q.bytes+m.cost() > q.limit {
		return fmt.Errorf("%w: %d bytes, at most %d are allowed", errQueueFull, q.bytes+m.cost(), q.limit)
	}
	q.queues[priority] = append(q.queues[priority], m)
	q.bytes += m.cost()
	q.peak = max(q.peak, q.bytes)
	select {
	case q.wake <- struct{}{}:
	default:
	}
	return nil
}

// pop returns the next message of the highest priority.
func (q *sender) pop() (m queued, ok bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for i := len(q.queues) - 1; i >= 0; i-- {
		queue := q.queues[i]
		if len(queue) == 0 {
			continue
		}
		m = queue[0]
		queue[0] = queued{}
		if queue = queue[1:]; len(queue) == 0 {
			queue = nil // so that a burst does not stay in memory
		}
		q.queues[i] = queue
		q.bytes -= m.cost()
		return m, true
	}
	return queued{}, false
}

// close forgets what waits.
func (q *sender) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed, q.bytes = true, 0
	q.queues = [wire.Priorities][]queued{}
}

// run sends what is queued until the context ends or the link has. load returns a chunk as a message; an error of it ends
// run, and nil leaves the chunk out.
func (q *sender) run(ctx context.Context, rw p2p.MsgWriter, load func(context.Context, queued) ([]byte, error)) error {
	for {
		m, ok := q.pop()
		if !ok {
			select {
			case <-q.wake:
				continue
			case <-ctx.Done():
				return nil
			}
		}
		if !sleep(ctx, time.Until(m.due)) {
			return nil
		}
		payload := m.payload
		if payload == nil {
			var err error
			if payload, err = load(ctx, m); err != nil {
				return err
			}
			if payload == nil {
				continue
			}
		}
		if write(rw, m.code, payload) != nil {
			return nil // the link has ended, which the protocol's Run sees as well
		}
	}
}

// sleep waits for d, if that is more than nothing, and reports whether the context goes on.
func sleep(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// write sends a message, wrapper and all.
func write(rw p2p.MsgWriter, code uint64, payload []byte) error {
	return rw.WriteMsg(p2p.Msg{Code: code, Size: uint32(len(payload)), Payload: bytes.NewReader(payload)})
}
