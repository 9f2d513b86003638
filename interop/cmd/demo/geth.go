package main

import (
	"errors"
	"io"
	"slices"
	"time"

	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/event"
	"github.com/ethereum/go-ethereum/log"
	geth "github.com/ethereum/go-ethereum/p2p"

	"github.com/sennit-net/sennit/cmd/sennit/demo"
	"github.com/sennit-net/sennit/p2p"
)

// gethStack is go-ethereum's p2p. Its link may end early: the demonstration is there to show that.
func gethStack() demo.Stack { return demo.Stack{Name: "go-ethereum", Connect: connectGeth} }

// gethLink is two servers of go-ethereum with a link between them.
type gethLink struct {
	servers []*geth.Server
	subs    []event.Subscription
	events  chan *geth.PeerEvent // of both servers
}

// eventQueue is more events than one demonstration has: two per server and link, and a redial every 35 s at most.
const eventQueue = 1024

func connectGeth(dialer, listener []p2p.Protocol) (demo.Link, error) {
	l := &gethLink{events: make(chan *geth.PeerEvent, eventQueue)}
	for _, node := range []struct {
		addr      string
		protocols []p2p.Protocol
	}{{"127.0.0.1:0", listener}, {"", dialer}} {
		key, err := crypto.GenerateKey()
		if err != nil {
			l.Close()
			return nil, err
		}
		server := &geth.Server{Config: geth.Config{
			PrivateKey: key, MaxPeers: 10, NoDiscovery: true, ListenAddr: node.addr, Logger: log.NewLogger(log.DiscardHandler()),
		}}
		for _, p := range node.protocols {
			server.Protocols = append(server.Protocols, geth.Protocol{
				Name: p.Name, Version: p.Version, Length: p.Length,
				Run: func(_ *geth.Peer, rw geth.MsgReadWriter) error { return p.Run(nil, gethRW{rw}) },
			})
		}
		if err := server.Start(); err != nil {
			l.Close()
			return nil, err
		}
		l.servers = append(l.servers, server)
		l.subs = append(l.subs, server.SubscribeEvents(l.events))
	}
	l.servers[1].AddPeer(l.servers[0].Self())
	return l, nil
}

// Stats implements [demo.Link]; there are no counters.
func (l *gethLink) Stats() []p2p.ProtocolStats { return nil }

// causeLimit is how long the two servers may take to report the end of their peers.
const causeLimit = 3 * time.Second

// hearsay are the reasons of a server that ends a link because the other one has, or because the demonstration has.
var hearsay = []string{demo.ErrOver.Error(), geth.DiscSubprotocolError.Error(), io.EOF.Error()}

// Cause implements [demo.Link]: the reason in the servers' drop events, of the first that knows more than hearsay.
func (l *gethLink) Cause() error {
	limit := time.NewTimer(causeLimit)
	defer limit.Stop()
	var heard error
	for drops := 0; drops < len(l.servers); {
		select {
		case e := <-l.events:
			if e.Type != geth.PeerEventTypeDrop {
				continue
			}
			drops++
			if !slices.Contains(hearsay, e.Error) {
				return errors.New(e.Error)
			}
			if heard == nil && e.Error != demo.ErrOver.Error() {
				heard = errors.New(e.Error)
			}
		case <-limit.C:
			return heard
		}
	}
	return heard
}

// Close implements [demo.Link].
func (l *gethLink) Close() {
	for _, sub := range l.subs {
		sub.Unsubscribe()
	}
	for _, s := range l.servers {
		s.Stop()
	}
}

// gethRW carries the messages of one stack over the other.
type gethRW struct{ rw geth.MsgReadWriter }

// ReadMsg implements [p2p.MsgReader].
func (g gethRW) ReadMsg() (p2p.Msg, error) {
	msg, err := g.rw.ReadMsg()
	return p2p.Msg{Code: msg.Code, Size: msg.Size, Payload: msg.Payload, ReceivedAt: msg.ReceivedAt}, err
}

// WriteMsg implements [p2p.MsgWriter].
func (g gethRW) WriteMsg(msg p2p.Msg) error {
	return g.rw.WriteMsg(geth.Msg{Code: msg.Code, Size: msg.Size, Payload: msg.Payload})
}
