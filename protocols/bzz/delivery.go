package bzz

import (
	"bytes"
	"fmt"

	"github.com/sennit-net/sennit/protocols/bzz/chunk"
	"github.com/sennit-net/sennit/protocols/bzz/wire"
)

func (s *session) handleDeliveryRetrieval(payload []byte) error {
	return s.handleDelivery(wire.CodeDeliveryRetrieval, payload)
}

func (s *session) handleDeliverySyncing(payload []byte) error {
	return s.handleDelivery(wire.CodeDeliverySyncing, payload)
}

// handleDelivery takes a chunk that was asked for, whichever way. A chunk that nobody waits for is dropped unseen: it may
// have come too late, or unasked. One that is not what it claims to be ends the link.
func (s *session) handleDelivery(code uint64, payload []byte) error {
	m, err := wire.ParseDelivery(code, payload)
	if err != nil {
		return err
	}
	if code == wire.CodeDeliveryRetrieval && s.receiptFor(m.Addr) {
		return nil
	}
	return s.receive(m.Addr, m.Data)
}

// receive takes a chunk in, whichever message it has come with.
func (s *session) receive(addr chunk.Address, data []byte) error {
	n := s.node
	s.mu.Lock()
	wanted := len(s.wanted[addr]) > 0
	s.mu.Unlock()
	n.mu.Lock()
	sought := n.searches[addr] != nil
	n.mu.Unlock()
	if !wanted && !sought {
		n.counts.unsolicited.Add(1)
		return nil
	}
	data = bytes.Clone(data)
	c, err := chunk.Verify(addr, data)
	if err != nil && isFeedUpdate(addr, data) {
		c, err = chunk.Trusted(addr, data)
	}
	if err != nil {
		n.counts.invalid.Add(1)
		return fmt.Errorf("bzz: delivery: %w", err)
	}
	if _, err := n.cfg.Store.Put(s.ctx, c); err != nil {
		n.log.Warn("a chunk from the network cannot be kept", "address", addr, "err", err)
	}
	n.counts.received.Add(1)
	n.finish(c)
	if wanted {
		return s.arrived(addr)
	}
	return nil
}
