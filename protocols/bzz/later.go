package bzz

import (
	"context"

	"github.com/sennit-net/sennit/p2p"
	"github.com/sennit-net/sennit/protocols/bzz/wire"
)

// retrieveHandlers handle the messages of bzz-retrieve by code.
var retrieveHandlers = []handler{
	wire.CodeLaterDelivery:  (*session).handleLaterDelivery,
	wire.CodeLaterRetrieval: (*session).handleLaterRequest,
}

// runRetrieve is the protocol bzz-retrieve of the later dialect: chunks that are asked for.
func (s *session) runRetrieve(rw p2p.MsgReadWriter) error {
	if err := s.await(); err != nil {
		return err
	}
	if !s.later {
		return idle(rw)
	}
	s.node.spawn(func() { s.failed(s.chunks.run(s.ctx, rw, s.loadRetrieved)) })
	s.node.serve(s)
	defer s.node.unserve(s)
	return s.handle(rw, "bzz-retrieve", retrieveHandlers)
}

// handleLaterRequest sends a chunk, or looks for it. The later dialect does not count how far a request has come: what
// keeps it from going in a circle is that a chunk is looked for only once at a time, and not with those who want it.
func (s *session) handleLaterRequest(payload []byte) error {
	m, err := wire.ParseLaterRetrieveRequest(payload)
	if err != nil {
		return err
	}
	return s.node.answer(waiter{s: s, id: m.ID}, m.Addr, 0)
}

func (s *session) handleLaterDelivery(payload []byte) error {
	m, err := wire.ParseLaterDelivery(payload)
	if err != nil {
		return err
	}
	return s.receive(m.Addr, m.Data)
}

// loadRetrieved makes a message of a chunk that was asked for.
func (s *session) loadRetrieved(ctx context.Context, q queued) ([]byte, error) {
	c, err := s.load(ctx, q.addr, false)
	if err != nil || c.IsZero() {
		return nil, err
	}
	return wire.AppendLater(nil, wire.LaterDelivery{ID: q.id, Addr: q.addr, Data: c.Data()}), nil
}
