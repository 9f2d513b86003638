package eth

import (
	"context"
	"fmt"
	"time"

	"github.com/sennit-net/sennit/p2p"
)

const (
	maxAsked      = 1024            // requests to one peer whose answers have not come
	answerTimeout = 5 * time.Minute // a peer that has not answered by then never will
)

// ask is a request whose answer has not come. It stays after the one who wanted the answer has given up: the answer may
// come yet, and is no reason to drop the peer.
type ask struct {
	code    uint64 // of the answer
	id      uint64
	limit   int // items the answer may have
	at      time.Time
	deliver func(Message, error) // called once, without locks; must not wait
}

// pendings are the requests to a peer whose answers have not come, oldest first. It is guarded by the peer's mu.
type pendings struct {
	list []*ask
}

// take removes the request that an answer is for: the one with its id, or in a version without ids the oldest one that
// wants an answer of this kind. nil if there is none.
func (q *pendings) take(version uint, code, id uint64) *ask {
	for i, a := range q.list {
		if a.code == code && (a.id == id || !hasIDs(version)) {
			if i == 0 {
				q.list = shift(q.list, 1)
			} else {
				q.list = append(q.list[:i], q.list[i+1:]...)
			}
			return a
		}
	}
	return nil
}

func (q *pendings) clear() []*ask {
	list := q.list
	q.list = nil
	return list
}

// requestMessage is a request that gets an id.
type requestMessage interface {
	Message
	setID(id uint64)
}

func (m *GetBlockHeaders) setID(id uint64) { m.ID = id }
func (m *GetByHash) setID(id uint64)       { m.ID = id }
func (m *GetReceipts) setID(id uint64)     { m.ID = id }
func (m *GetCells) setID(id uint64)        { m.ID = id }

// post sends a request. Its answer is delivered from the goroutine that reads.
func (p *Peer) post(m requestMessage, limit int, deliver func(Message, error)) error {
	if !Knows(p.version, m.Code()) {
		return ErrUnsupported
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.ended || p.cause != nil:
		return ErrGone
	case len(p.asked.list) >= maxAsked:
		return ErrBusy
	}
	if r, ok := m.(*GetReceipts); !ok || r.ID == 0 { // the rest of an answer is asked for with the id of the first part
		p.ids++
		m.setID(p.ids)
	}
	payload, err := Encode(p.version, m)
	if err != nil {
		return err
	}
	a := &ask{code: m.Code() + 1, id: p.ids, limit: limit, at: time.Now(), deliver: deliver}
	if r, ok := m.(*GetReceipts); ok {
		a.id = r.ID
	}
	p.asked.list = append(p.asked.list, a)
	p.out.requests = append(p.out.requests, asking{m.Code(), payload})
	signal(p.wake)
	return nil
}

// answered is what a request has come to.
type answered struct {
	m   Message
	err error
}

// ask sends a request and waits for its answer, or for the end of ctx or of the link.
func (p *Peer) ask(ctx context.Context, m requestMessage, limit int) (Message, error) {
	if err := ctx.Err(); err != nil {
		return nil, context.Cause(ctx)
	}
	done := make(chan answered, 1)
	if err := p.post(m, limit, func(m Message, err error) { done <- answered{m, err} }); err != nil {
		return nil, fmt.Errorf("%s: %w", CodeName(m.Code()), err)
	}
	if _, ok := ctx.Deadline(); !ok {
		limit := p.h.cfg.RequestTimeout
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, limit, fmt.Errorf("no answer in %v: %w", limit, context.DeadlineExceeded))
		defer cancel()
	}
	select {
	case a := <-done:
		if a.err != nil {
			return nil, fmt.Errorf("%s: %w", CodeName(m.Code()), a.err)
		}
		return a.m, nil
	case <-ctx.Done():
		return nil, fmt.Errorf("%s: %w", CodeName(m.Code()), context.Cause(ctx))
	}
}

// receive hands an answer to whoever waits for it. An answer that nobody has asked for, or with more in it than was asked
// for, ends the link.
func (p *Peer) receive(code, id uint64, n int, m Message) error {
	p.mu.Lock()
	a := p.asked.take(p.version, code, id)
	p.mu.Unlock()
	if a == nil {
		return fmt.Errorf("eth/%d %s, id %d: %w", p.version, CodeName(code), id, errUnsolicited)
	}
	if n > a.limit {
		err := fmt.Errorf("eth/%d %s: %d items, %d asked for: %w", p.version, CodeName(code), n, a.limit, ErrBadAnswer)
		a.deliver(nil, err)
		return err
	}
	a.deliver(m, nil)
	return nil
}

// tick does what is due by now and says when to look again.
func (p *Peer) tick(now time.Time) time.Duration {
	p.mu.Lock()
	next := time.Hour
	late := false
	if len(p.asked.list) > 0 {
		next = p.asked.list[0].at.Add(answerTimeout).Sub(now)
		late = next <= 0
	}
	p.mu.Unlock()
	if late {
		p.drop(p2p.DiscUselessPeer, errNoAnswer)
		return time.Hour
	}
	return min(next, p.fetch(now))
}

// bad drops the peer for an answer that does not fit, and returns the error for whoever asked.
func (p *Peer) bad(what string, args ...any) error {
	err := fmt.Errorf(what+": %w", append(args, ErrBadAnswer)...)
	p.drop(p2p.DiscUselessPeer, err)
	return err
}
