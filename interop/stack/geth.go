package stack

import (
	"crypto/ecdsa"
	"io"
	"net"

	"github.com/ethereum/go-ethereum/event"
	"github.com/ethereum/go-ethereum/log"
	"github.com/ethereum/go-ethereum/p2p"
	"github.com/ethereum/go-ethereum/p2p/enode"
	"github.com/ethereum/go-ethereum/p2p/rlpx"
)

// Geth is go-ethereum's p2p.
type Geth struct{}

// Name returns "go-ethereum".
func (Geth) Name() string { return "go-ethereum" }

// NewConn wraps fd in go-ethereum's rlpx.Conn.
func (Geth) NewConn(fd net.Conn, dialDest *ecdsa.PublicKey) Conn { return rlpx.NewConn(fd, dialDest) }

// Reason returns go-ethereum's DiscReason.
func (Geth) Reason(r uint8) error { return p2p.DiscReason(r) }

// Start starts a p2p.Server of go-ethereum.
func (Geth) Start(c Config) (Node, error) {
	cfg := p2p.Config{
		PrivateKey: c.Key, Name: c.Name, MaxPeers: maxPeers(c), MaxPendingPeers: c.MaxInHand, NoDiscovery: true,
		StaticNodes: c.Static, EnableMsgEvents: c.MsgEvents, Logger: log.NewLogger(log.DiscardHandler()),
	}
	if !c.NoListen {
		cfg.ListenAddr = "127.0.0.1:0"
	}
	for _, p := range c.Protocols {
		cfg.Protocols = append(cfg.Protocols, p2p.Protocol{
			Name: p.Name, Version: p.Version, Length: p.Length,
			Run: func(peer *p2p.Peer, rw p2p.MsgReadWriter) error { return p.Run(gethPeer{peer}, gethRW{rw}) },
		})
	}
	n := &gethNode{srv: &p2p.Server{Config: cfg}, events: make(chan Event, eventQueue)}
	if err := n.srv.Start(); err != nil {
		return nil, err
	}
	ch := make(chan *p2p.PeerEvent, eventQueue)
	n.sub = n.srv.SubscribeEvents(ch)
	go forward(ch, n.sub, n.events, gethEvent)
	return n, nil
}

type gethNode struct {
	srv    *p2p.Server
	sub    event.Subscription
	events chan Event
}

func (n *gethNode) Self() *enode.Node           { return n.srv.Self() }
func (n *gethNode) AddPeer(node *enode.Node)    { n.srv.AddPeer(node) }
func (n *gethNode) RemovePeer(node *enode.Node) { n.srv.RemovePeer(node) }
func (n *gethNode) PeerCount() int              { return n.srv.PeerCount() }
func (n *gethNode) Events() <-chan Event        { return n.events }
func (n *gethNode) SetupConn(fd net.Conn) error { return n.srv.SetupConn(fd, inboundFlag, nil) }
func (n *gethNode) PeersInfo() any              { return n.srv.PeersInfo() }

func (n *gethNode) Stop() {
	n.srv.Stop()
	n.sub.Unsubscribe()
}

func gethEvent(e *p2p.PeerEvent) Event {
	out := Event{Type: string(e.Type), Peer: e.Peer, Error: e.Error, Protocol: e.Protocol}
	if e.MsgCode != nil {
		out.Code = *e.MsgCode
	}
	if e.MsgSize != nil {
		out.Size = *e.MsgSize
	}
	return out
}

type gethPeer struct{ *p2p.Peer }

func (p gethPeer) Disconnect(r uint8) { p.Peer.Disconnect(p2p.DiscReason(r)) }

type gethRW struct{ rw p2p.MsgReadWriter }

func (g gethRW) Read() (Msg, error) {
	m, err := g.rw.ReadMsg()
	return Msg{Code: m.Code, Size: m.Size, Payload: m.Payload}, err
}

func (g gethRW) Skip() (uint64, uint32, error) {
	m, err := g.rw.ReadMsg()
	if err != nil {
		return 0, 0, err
	}
	return m.Code, m.Size, m.Discard()
}

func (g gethRW) Decode(into any) error {
	m, err := g.rw.ReadMsg()
	if err != nil {
		return err
	}
	return m.Decode(into)
}

func (g gethRW) Write(code uint64, size uint32, payload io.Reader) error {
	return g.rw.WriteMsg(p2p.Msg{Code: code, Size: size, Payload: payload})
}
