package bzz

import (
	"errors"
	"fmt"
	"strings"

	"github.com/sennit-net/sennit/p2p"
	"github.com/sennit-net/sennit/protocols/bzz/wire"
)

// streamHandlers handle the messages of stream by code.
var streamHandlers = []handler{
	wire.CodeUnsubscribe:         (*session).handleUnsubscribe,
	wire.CodeOfferedHashes:       (*session).handleOfferedHashes,
	wire.CodeWantedHashes:        (*session).handleWantedHashes,
	wire.CodeTakeoverProof:       (*session).handleTakeoverProof,
	wire.CodeSubscribe:           (*session).handleSubscribe,
	wire.CodeRetrieveRequest:     (*session).handleRetrieveRequest,
	wire.CodeDeliveryRetrieval:   (*session).handleDeliveryRetrieval,
	wire.CodeSubscribeError:      (*session).handleSubscribeError,
	wire.CodeRequestSubscription: (*session).handleRequestSubscription,
	wire.CodeQuit:                (*session).handleQuit,
	wire.CodeDeliverySyncing:     (*session).handleDeliverySyncing,
}

var errRefusals = errors.New("bzz: the peer refuses more than it was asked for")

// runStream is the protocol stream: chunks that are asked for, and chunks that are offered (section 5).
func (s *session) runStream(rw p2p.MsgReadWriter) error {
	if err := s.await(); err != nil {
		return err
	}
	if s.later {
		return idle(rw)
	}
	s.node.spawn(func() { s.failed(s.stream.run(s.ctx, rw, s.loadChunk)) })
	if !s.remote.Light {
		// Requests go the same way with the same priority, so none can come before this.
		retrieval := wire.Subscribe{Stream: wire.Stream{Name: wire.RetrieveStream, Live: true}, Priority: wire.PriorityTop}
		if err := s.stream.push(wire.PriorityTop, retrieval); err != nil {
			return err
		}
	}
	s.node.serve(s)
	defer s.node.unserve(s)
	s.node.sync(s)
	return s.handle(rw, "stream", streamHandlers)
}

// idle is what stream does with a peer that speaks both dialects, and so the later one: nothing. A message ends the link.
func idle(rw p2p.MsgReadWriter) error {
	msg, err := rw.ReadMsg()
	if err != nil {
		return err
	}
	return fmt.Errorf("%w: stream %d, while the later dialect is spoken", errCode, msg.Code)
}

// sync notes that streams can be agreed on with a peer.
func (n *Node) sync(s *session) {
	n.mu.Lock()
	s.syncing = true
	n.mu.Unlock()
	poke(n.replan)
}

// serve notes that a peer can be asked for chunks, and has those that are looked for asked of it.
func (n *Node) serve(s *session) {
	n.mu.Lock()
	s.serving = true
	n.hurryLocked(nil)
	n.mu.Unlock()
	poke(n.search)
}

// unserve notes that a peer cannot be asked any more.
func (n *Node) unserve(s *session) {
	n.mu.Lock()
	s.serving = false
	n.hurryLocked(s)
	n.forgetSessionLocked(s)
	n.mu.Unlock()
	poke(n.search)
}

// handleTakeoverProof checks the form of a message that means nothing.
func (s *session) handleTakeoverProof(payload []byte) error { return wire.CheckTakeoverProof(payload) }

// handleSubscribeError notes that the peer does not take a stream it was asked to, or does not give one. Nodes of its time
// end the link then; we do without: one that does not sync, as light nodes and some others do not, can still be asked for
// chunks. There are as many refusals as there are subscriptions of ours and bins asked for, and no more.
func (s *session) handleSubscribeError(payload []byte) error {
	m, err := wire.ParseSubscribeError(payload)
	if err != nil {
		return err
	}
	s.node.log.Debug("the peer refuses a subscription", "peer", s.peer.ID(), "text", m.Text)
	s.refusals++
	if s.refusals > maxRefusals {
		return fmt.Errorf("%w, the last: %q", errRefusals, m.Text)
	}
	s.node.counts.refused.Add(1)
	if strings.Contains(m.Text, wire.RetrieveStream) {
		s.node.unserve(s) // to ask it for a chunk would end the link
	}
	return nil
}
