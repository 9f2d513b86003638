package stack

import (
	"crypto/ecdsa"
	"io"
	"net"

	"github.com/ethereum/go-ethereum/event"
	"github.com/ethereum/go-ethereum/log"
	"github.com/ethereum/go-ethereum/p2p/enode"
	"github.com/sennit-net/sennit/p2p"
	"github.com/sennit-net/sennit/p2p/rlpx"
)

// Sennit is the p2p of this repository. Its nodes offer lanes/1, as they do when nobody says otherwise.
type Sennit struct {
	// NoLanes keeps them from it: every link is classic RLPx.
	NoLanes bool
}

// Name returns "sennit", or "sennit classic" with NoLanes.
func (s Sennit) Name() string {
	if s.NoLanes {
		return "sennit classic"
	}
	return "sennit"
}

// NewConn wraps fd in our rlpx.Conn.
func (Sennit) NewConn(fd net.Conn, dialDest *ecdsa.PublicKey) Conn { return rlpx.NewConn(fd, dialDest) }

// Reason returns our DiscReason.
func (Sennit) Reason(r uint8) error { return p2p.DiscReason(r) }

// Start starts a p2p.Server of ours.
func (s Sennit) Start(c Config) (Node, error) {
	cfg := p2p.Config{
		PrivateKey: c.Key, Name: c.Name, MaxPeers: maxPeers(c), MaxPendingPeers: c.MaxInHand, NoDiscovery: true,
		StaticNodes: c.Static, EnableMsgEvents: c.MsgEvents, Logger: log.NewLogger(log.DiscardHandler()),
		NoLanes: s.NoLanes,
	}
	if !c.NoListen {
		cfg.ListenAddr = "127.0.0.1:0"
	}
	for _, p := range c.Protocols {
		cfg.Protocols = append(cfg.Protocols, p2p.Protocol{
			Name: p.Name, Version: p.Version, Length: p.Length,
			Overload: sennitPolicy(p.Overload), InboxBytes: p.InboxBytes, Weight: p.Weight,
			Run: func(peer *p2p.Peer, rw p2p.MsgReadWriter) error { return p.Run(sennitPeer{peer}, sennitRW{rw}) },
		})
	}
	n := &sennitNode{srv: &p2p.Server{Config: cfg}, events: make(chan Event, eventQueue)}
	if err := n.srv.Start(); err != nil {
		return nil, err
	}
	ch := make(chan *p2p.PeerEvent, eventQueue)
	n.sub = n.srv.SubscribeEvents(ch)
	go forward(ch, n.sub, n.events, sennitEvent)
	return n, nil
}

func sennitPolicy(o Overload) p2p.OverloadPolicy {
	switch o.Policy {
	case PolicyWait:
		return p2p.OverloadWait(o.Wait)
	case PolicyDropNewest:
		return p2p.OverloadDropNewest()
	case PolicyDropOldest:
		return p2p.OverloadDropOldest()
	case PolicyStop:
		return p2p.OverloadStop()
	}
	return p2p.OverloadPolicy{}
}

type sennitNode struct {
	srv    *p2p.Server
	sub    event.Subscription
	events chan Event
}

func (n *sennitNode) Self() *enode.Node           { return n.srv.Self() }
func (n *sennitNode) AddPeer(node *enode.Node)    { n.srv.AddPeer(node) }
func (n *sennitNode) RemovePeer(node *enode.Node) { n.srv.RemovePeer(node) }
func (n *sennitNode) PeerCount() int              { return n.srv.PeerCount() }
func (n *sennitNode) Events() <-chan Event        { return n.events }
func (n *sennitNode) SetupConn(fd net.Conn) error { return n.srv.SetupConn(fd, inboundFlag, nil) }
func (n *sennitNode) PeersInfo() any              { return n.srv.PeersInfo() }

func (n *sennitNode) Stop() {
	n.srv.Stop()
	n.sub.Unsubscribe()
}

func sennitEvent(e *p2p.PeerEvent) Event {
	out := Event{Type: string(e.Type), Peer: e.Peer, Error: e.Error, Protocol: e.Protocol}
	if e.MsgCode != nil {
		out.Code = *e.MsgCode
	}
	if e.MsgSize != nil {
		out.Size = *e.MsgSize
	}
	return out
}

type sennitPeer struct{ *p2p.Peer }

func (p sennitPeer) Disconnect(r uint8) { p.Peer.Disconnect(p2p.DiscReason(r)) }

type sennitRW struct{ rw p2p.MsgReadWriter }

func (s sennitRW) Read() (Msg, error) {
	m, err := s.rw.ReadMsg()
	return Msg{Code: m.Code, Size: m.Size, Payload: m.Payload}, err
}

func (s sennitRW) Skip() (uint64, uint32, error) {
	m, err := s.rw.ReadMsg()
	if err != nil {
		return 0, 0, err
	}
	return m.Code, m.Size, m.Discard()
}

func (s sennitRW) Decode(into any) error {
	m, err := s.rw.ReadMsg()
	if err != nil {
		return err
	}
	return m.Decode(into)
}

func (s sennitRW) Write(code uint64, size uint32, payload io.Reader) error {
	return s.rw.WriteMsg(p2p.Msg{Code: code, Size: size, Payload: payload})
}
