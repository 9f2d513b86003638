package bzz

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"

	"github.com/sennit-net/sennit/p2p"
	"github.com/sennit-net/sennit/protocols/bzz/chunk"
	"github.com/sennit-net/sennit/protocols/bzz/wire"
	"github.com/sennit-net/sennit/protocols/internal/silence"
)

// session is one link: what its protocols share.
type session struct {
	// Static after construction.
	node    *Node
	peer    *p2p.Peer
	later   bool            // speaks the later dialect
	ctx     context.Context // ends when the first of the protocols has returned
	cancel  context.CancelFunc
	ready   chan struct{} // closed by bzz, when remote is set
	silent  chan struct{} // closed when the peer turned out to be elsewhere while the link goes on; never if ready is
	names   []string      // of the protocols that share the session
	outcome atomic.Int32  // of the handshake: who sets it closes ready or silent
	hive    *sender       // of hive
	stream  *sender       // of stream, or bzz-stream
	chunks  *sender       // of what has to do with retrieval: stream, or bzz-retrieve
	tellers *rate.Limiter // of addresses that are told to others

	// Set by bzz before ready is closed.
	remote wire.Handshake // or what it would be, of the later dialect

	// Owned by the node's tend.
	requested map[int]bool // bins that the peer was asked to subscribe to

	// Owned by the Run of stream.
	mayRetrieve bool // the peer has subscribed to retrieval
	refusals    int  // SubscribeErrors of the peer

	// Guarded by node.mu.
	runs     int                        // of the protocols that have not returned
	listed   bool                       // is in the table
	named    bool                       // others may be told of it: its address is one that it may name
	serving  bool                       // requests for chunks can be sent
	syncing  bool                       // streams can be agreed on
	forwards int                        // searches on the peer's behalf
	depth    int                        // what the peer has said its depth is
	asked    bool                       // the peer has asked for addresses
	seen     map[chunk.Address]struct{} // addresses the peer knows: it has told us, or was told
	planned  map[int]bool               // bins that are synced to the peer

	// Guarded by mu.
	mu     sync.Mutex
	cause  error                      // why this side ends the link, if it does
	served map[wire.Stream]*served    // streams the peer takes from us
	taken  map[wire.Stream]*taken     // streams we take from the peer
	ranges map[uint64]*served         // ranges the peer has asked for, by id, in the later dialect
	empty  int                        // offers of nothing that were made and not answered
	pulled map[uint64]*taken          // ranges we have asked for
	infos  map[int]bool               // bins the peer was asked about
	wanted map[chunk.Address][]*taken // chunks asked for in answer to offers

	reached map[int]uint64 // number of the newest chunk of each bin that the peer has answered for
	newest  chunk.Address  // what it has answered for last
	receipt *receipt       // the question that waits for its answer; nil for none
}

// Errors that end a link. A peer that causes one is told reason 16, as those of its time do.
var (
	errNetwork         = errors.New("bzz: another network")
	errNoHandshake     = fmt.Errorf("bzz: no handshake within %v", handshakeTimeout)
	errSecondHandshake = errors.New("bzz: second handshake")
	errNotStarted      = errors.New("bzz: the node is not started")
	errTooLarge        = fmt.Errorf("bzz: message of more than %d bytes", wire.MaxMessage)
	errCode            = errors.New("bzz: unknown message code")

	// errSilent is no end of the link, but of what a protocol does on it.
	errSilent = errors.New("bzz: the peer is elsewhere")
)

// How a handshake has come out.
const (
	outcomeNone int32 = iota
	outcomeReady
	outcomeSilent
)

// run makes a protocol's Run of a method of the session.
func (n *Node) run(protocol func(*session, p2p.MsgReadWriter) error) func(*p2p.Peer, p2p.MsgReadWriter) error {
	return func(peer *p2p.Peer, rw p2p.MsgReadWriter) error {
		s := n.join(peer)
		err := protocol(s, rw)
		if errors.Is(err, errSilent) {
			err = silence.Attend(peer, rw, s.names...)
		}
		if cause := s.leave(); cause != nil {
			err = cause
		}
		n.log.Debug("protocol ends", "peer", peer.ID(), "err", err)
		return err
	}
}

// join returns the session of a link. Whichever protocol comes first makes it.
func (n *Node) join(peer *p2p.Peer) *session {
	n.mu.Lock()
	defer n.mu.Unlock()
	if s := n.sessions[peer]; s != nil {
		return s
	}
	s := &session{
		node: n, peer: peer,
		ready:   make(chan struct{}),
		silent:  make(chan struct{}),
		tellers: rate.NewLimiter(tellPerSecond, tellBurst),
		seen:    make(map[chunk.Address]struct{}),
		planned: make(map[int]bool), requested: make(map[int]bool),
		served: make(map[wire.Stream]*served),
		taken:  make(map[wire.Stream]*taken),
		wanted: make(map[chunk.Address][]*taken), reached: make(map[int]uint64),
		ranges: make(map[uint64]*served), pulled: make(map[uint64]*taken), infos: make(map[int]bool),
	}
	s.later = peer.RunningCap(wire.BzzName, []uint{wire.LaterBzzVersion})
	s.hive, s.stream = newSender(n.cfg.SendQueue/4, s.later), newSender(n.cfg.SendQueue, s.later)
	if s.chunks = s.stream; s.later {
		s.chunks = newSender(n.cfg.SendQueue, true)
	}
	s.ctx, s.cancel = context.WithCancel(n.ctx)
	for _, p := range n.caps {
		if peer.RunningCap(p.Name, []uint{p.Version}) {
			s.runs++
			s.names = append(s.names, p.Name)
		}
	}
	n.sessions[peer] = s
	return s
}

// leave notes that a protocol has returned, which is the end of the link. It returns why this side has ended it, nil if it
// has not.
func (s *session) leave() error {
	s.cancel()
	s.hive.close()
	s.stream.close()
	s.chunks.close()
	s.node.mu.Lock()
	s.runs--
	last := s.runs <= 0
	if last {
		delete(s.node.sessions, s.peer)
	}
	s.node.mu.Unlock()
	if last {
		silence.End(s.peer, s.names...)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.cause
}

// fail ends the link from outside of its protocols' Run. The first cause wins.
func (s *session) fail(cause error) {
	s.mu.Lock()
	first := s.cause == nil
	if first {
		s.cause = cause
	}
	s.mu.Unlock()
	if first {
		s.node.log.Debug("peer is disconnected", "peer", s.peer.ID(), "cause", cause)
		s.peer.Disconnect(p2p.DiscSubprotocolError)
	}
}

// failed is fail for whoever may have an error.
func (s *session) failed(err error) {
	if err != nil {
		s.fail(err)
	}
}

// runBzz is the protocol bzz: one handshake, and then nothing for as long as the link lives.
func (s *session) runBzz(rw p2p.MsgReadWriter) error {
	expired := make(chan struct{})
	timer := time.AfterFunc(s.node.handshakeTimeout, func() {
		defer close(expired)
		if err := s.yield(s.late()); !errors.Is(err, errSilent) {
			s.failed(err)
		}
	})
	err := s.shakeHands(rw)
	if !timer.Stop() {
		<-expired // what it notes of the link is forgotten by leave
	}
	if err != nil {
		return s.yield(err)
	}
	if !s.outcome.CompareAndSwap(outcomeNone, outcomeReady) {
		return errSilent
	}
	close(s.ready)
	msg, err := rw.ReadMsg()
	if err != nil {
		return err
	}
	if err := msg.Discard(); err != nil {
		return err
	}
	return errSecondHandshake
}

// shakeHands sends our handshake and takes the peer's: who has dialed speaks first.
func (s *session) shakeHands(rw p2p.MsgReadWriter) error {
	select {
	case <-s.node.started:
	case <-s.ctx.Done():
	}
	if s.ctx.Err() != nil { // whether or not the node was started before
		return io.EOF
	}
	ours := s.node.handshake(s.later)
	if !s.peer.Inbound() {
		if err := write(rw, wire.CodeHandshake, ours); err != nil {
			return err
		}
	}
	msg, err := rw.ReadMsg()
	if err != nil {
		return err
	}
	if s.outcome.Load() == outcomeSilent { // it comes too late
		_ = msg.Discard() // if the link has ended, the next ReadMsg says so
		return errSilent
	}
	in := input{later: s.later}
	payload, err := in.read(msg)
	if err != nil {
		return err
	}
	if s.remote, err = s.parseHandshake(payload); err != nil {
		return err
	}
	s.remote.Addr = keepAddr(s.remote.Addr)
	if err := s.node.accept(s.remote, s.later); err != nil {
		return err
	}
	if s.peer.Inbound() {
		return write(rw, wire.CodeHandshake, ours)
	}
	return nil
}

// parseHandshake parses a handshake of the peer's dialect.
func (s *session) parseHandshake(payload []byte) (wire.Handshake, error) {
	if !s.later {
		return wire.ParseHandshake(payload)
	}
	m, err := wire.ParseLaterHandshake(payload)
	if err != nil {
		return wire.Handshake{}, err
	}
	light, err := wire.LightCaps(m.Addr.Caps)
	return wire.Handshake{Version: m.Version, NetworkID: m.NetworkID, Addr: m.Addr, Light: light}, err
}

// handshake returns ours, as it is sent.
func (n *Node) handshake(later bool) []byte {
	addr := wire.PeerAddr{Overlay: n.cfg.Overlay, Underlay: []byte(n.server.Self().URLv4())}
	if !later {
		return wire.Append(nil, wire.Handshake{Version: wire.Version, NetworkID: n.cfg.NetworkID, Addr: addr, Light: n.cfg.Light})
	}
	if addr.Caps = wire.CapsFull; n.cfg.Light {
		addr.Caps = wire.CapsLight
	}
	return wire.AppendLater(nil, wire.LaterHandshake{Version: wire.LaterBzzVersion, NetworkID: n.cfg.LaterNetworkID, Addr: addr})
}

// accept checks a peer's handshake.
func (n *Node) accept(h wire.Handshake, later bool) error {
	network, version := n.cfg.NetworkID, uint64(wire.Version)
	if later {
		network, version = n.cfg.LaterNetworkID, wire.LaterBzzVersion
	}
	switch {
	case h.NetworkID != network:
		return fmt.Errorf("%w: network id %d, ours is %d", errNetwork, h.NetworkID, network)
	case h.Version != version:
		return fmt.Errorf("bzz: version %d, ours is %d", h.Version, version)
	case h.Addr.Overlay == n.cfg.Overlay:
		return errors.New("bzz: the peer claims our own address")
	}
	return nil
}

// await waits for the handshake of bzz, as hive and stream do.
func (s *session) await() error {
	timer := time.NewTimer(s.node.handshakeTimeout)
	defer timer.Stop()
	select {
	case <-s.ready:
		return nil
	case <-s.silent:
		return errSilent
	case <-s.ctx.Done():
		return io.EOF
	case <-timer.C:
		return s.yield(s.late())
	}
}

// yield is what to do about an error of the handshake. If it says that the peer is elsewhere, and protocols other than those of
// the session run on the link, they go on: the session falls silent and the error is errSilent. It is nil if the handshake was
// over already, and the given error if the link has to end.
func (s *session) yield(err error) error {
	if !errors.Is(err, errNetwork) && !errors.Is(err, errNoHandshake) {
		return err
	}
	goesOn := silence.Begin(s.peer, s.names...)
	if goesOn && s.outcome.CompareAndSwap(outcomeNone, outcomeSilent) {
		s.node.log.Debug("Swarm falls silent on a link", "peer", s.peer.ID(), "err", err)
		close(s.silent)
	}
	switch s.outcome.Load() {
	case outcomeReady:
		silence.End(s.peer, s.names...)
		return nil
	case outcomeSilent:
		return errSilent
	}
	return err
}

// late returns why there has been no handshake in time.
func (s *session) late() error {
	select {
	case <-s.node.started:
		return errNoHandshake
	default:
		return errNotStarted
	}
}
