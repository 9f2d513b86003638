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
	payload []byte
	at      time.Time            // when it was sent
	deliver func(Message, error) // called once, without locks; must not wait
}

// pendings are the requests to a peer whose answers have not come, oldest first. It is guarded by the peer's mu.
type pendings struct {
	list  []*ask
	sent  int // the first so many of list; the others wait until some of these have been answered
	bytes int // of those that are sent, as the remote counts them
}

// take removes the request that an answer is for: the one with its id, or in a version without ids the oldest one that
// wants an answer of this kind. nil if there is none.
func (q *pendings) take(version uint, code, id uint64) *ask {
	for i, a := range q.list[:q.sent] {
		if a.code == code && (a.id == id || !hasIDs(version)) {
			q.sent, q.bytes = q.sent-1, q.bytes-workBytes(len(a.payload))
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
	*q = pendings{}
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
	a := &ask{code: m.Code() + 1, id: p.ids, limit: limit, payload: payload, deliver: deliver}
	if r, ok := m.(*GetReceipts); ok {
		a.id = r.ID
	}
	if len(p.asked.list) == 0 {
		p.watchLocked()
	}
	p.asked.list = append(p.asked.list, a)
	p.requestLocked()
	return nil
}

// requestLocked sends the requests that it is time for. Those that have not been answered are never more than a node like
// this one keeps while it reads on: two nodes would wait for each other to read if each asked for more.
func (p *Peer) requestLocked() {
	q := &p.asked
	for _, a := range q.list[q.sent:] {
		n := workBytes(len(a.payload))
		if q.bytes > 0 && q.bytes+n > maxWorkBytes {
			break
		}
		a.at = time.Now()
		q.sent, q.bytes = q.sent+1, q.bytes+n
		p.out.requests = append(p.out.requests, asking{a.code - 1, a.payload})
		signal(p.wake)
	}
}

// watchLocked has somebody look whether the first of some requests is answered in time: not sendLoop, which may be waiting
// for the remote to read.
func (p *Peer) watchLocked() {
	if p.late == nil {
		p.late = time.AfterFunc(answerTimeout, p.checkLate)
		return
	}
	p.late.Reset(answerTimeout)
}

// checkLate drops the peer if it owes an answer for too long. Otherwise it looks again when the next one is due.
func (p *Peer) checkLate() {
	p.mu.Lock()
	if p.ended || len(p.asked.list) == 0 {
		p.mu.Unlock()
		return
	}
	wait := time.Until(p.asked.list[0].at.Add(answerTimeout))
	if wait > 0 {
		p.late.Reset(wait)
	}
	p.mu.Unlock()
	if wait <= 0 {
		p.drop(p2p.DiscUselessPeer, errNoAnswer)
	}
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
	p.requestLocked()
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

// bad drops the peer for an answer that does not fit, and returns the error for whoever asked.
func (p *Peer) bad(what string, args ...any) error {
	err := fmt.Errorf(what+": %w", append(args, ErrBadAnswer)...)
	p.drop(p2p.DiscUselessPeer, err)
	return err
}
