package bzz

import (
	"context"
	"errors"
	"fmt"

	"github.com/sennit-net/sennit/p2p"
	"github.com/sennit-net/sennit/protocols/bzz/chunk"
	"github.com/sennit-net/sennit/protocols/bzz/wire"
)

var (
	// ErrNoPeer is returned by [Node.Receipt] for a peer that Swarm does not run with, or not any more.
	ErrNoPeer = errors.New("bzz: no such peer")

	// ErrNoReceipt is returned by [Node.Receipt] for a peer that cannot be asked.
	ErrNoReceipt = errors.New("bzz: the peer cannot be asked for a receipt")
)

// receipt is a question whose answer shows that the peer has received what it was sent before.
type receipt struct {
	addr chunk.Address // that is asked for; zero in the later dialect
	done chan struct{} // closed by the answer
}

// Receipt waits until a peer has shown that all offered chunks that it has wanted until now have reached it. That they are no
// longer among [Stats].Queued only says that they have left the node's own queues. The peer is asked something that it
// answers at once, and the question travels behind the chunks; so the peer's protocol has read them as well, which
// [p2p.Peer.Flush] does not wait for. Errors are [ErrNoPeer], [ErrNoReceipt] and the context's; there is one question at a
// time for each peer, and another meanwhile is [ErrBusy].
func (n *Node) Receipt(ctx context.Context, peer *p2p.Peer) error {
	n.mu.Lock()
	s := n.sessions[peer]
	n.mu.Unlock()
	if s == nil || !s.isReady() {
		return fmt.Errorf("%w: %v", ErrNoPeer, peer.ID())
	}
	r, err := s.askReceipt()
	if r == nil {
		return err
	}
	select {
	case <-r.done:
		return nil
	case <-s.ctx.Done():
		return fmt.Errorf("%w: %v", ErrNoPeer, peer.ID())
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// askReceipt asks for the newest chunk that the peer was offered, or in the later dialect, where requests go another way than
// offers, how far a bin has come: twice in one question, as is done for no other reason. It returns nil if the peer was
// offered nothing.
func (s *session) askReceipt() (*receipt, error) {
	s.node.mu.Lock()
	serving := s.serving
	s.node.mu.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	r := &receipt{addr: s.newest, done: make(chan struct{})}
	var m wire.Message = wire.RetrieveRequest{Addr: s.newest, SkipCheck: true, Hops: maxHops}
	switch {
	case s.newest == chunk.Address{}:
		return nil, nil
	case s.receipt != nil:
		return nil, ErrBusy
	case s.later:
		r.addr = chunk.Address{}
		m = wire.StreamInfoReq{Streams: []wire.Stream{wire.SyncBin(0), wire.SyncBin(0)}}
	case !serving:
		return nil, ErrNoReceipt
	}
	if err := s.stream.push(wire.PriorityLow, m); err != nil { // after all chunks that wait
		return nil, err
	}
	s.receipt = r
	return r, nil
}

// receiptFor takes the answer to a question for a receipt. It returns false if it is none.
func (s *session) receiptFor(addr chunk.Address) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.receipt == nil || s.receipt.addr != addr {
		return false
	}
	close(s.receipt.done)
	s.receipt = nil
	return true
}

// answered notes that the peer has answered an offer of a bin up to a number, whose chunk is addr, and that what it wanted is
// queued.
func (s *session) answered(bin int, number uint64, addr chunk.Address) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.reached[bin] = max(s.reached[bin], number)
	s.newest = addr
}
