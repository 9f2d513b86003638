package scene

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/log"

	"github.com/sennit-net/sennit/p2p"
	"github.com/sennit-net/sennit/protocols/bzz"
	"github.com/sennit-net/sennit/protocols/bzz/store"
	"github.com/sennit-net/sennit/protocols/eth"
	"github.com/sennit-net/sennit/protocols/shh"
)

// node is a server with the three protocols.
type node struct {
	server *p2p.Server
	eth    *eth.Handler
	shh    *shh.Whisper
	bzz    *bzz.Node
}

// start starts a node on the chain of the backend. Without an address it does not listen.
func start(name, addr string, backend eth.Backend) (n *node, err error) {
	key, err := crypto.GenerateKey()
	if err != nil {
		return nil, err
	}
	silent := log.NewLogger(log.DiscardHandler())
	n = new(node)
	if n.eth, err = eth.New(eth.Config{Backend: backend, Logger: silent}); err != nil {
		return nil, err
	}
	if n.shh, err = shh.New(shh.Config{Logger: silent}); err != nil {
		return nil, err
	}
	overlay := bzz.OverlayOf(&key.PublicKey)
	n.bzz, err = bzz.New(bzz.Config{Overlay: overlay, Store: store.NewMemory(store.Options{Base: overlay}), NoSync: true, NoDial: true, Logger: silent})
	if err != nil {
		return nil, err
	}
	n.server = &p2p.Server{Config: p2p.Config{
		PrivateKey: key, Name: "sennit/demo-" + name, MaxPeers: 10, NoDiscovery: true, ListenAddr: addr, Logger: silent,
	}}
	n.server.Protocols = append(n.server.Protocols, n.eth.Protocols()...)
	n.server.Protocols = append(n.server.Protocols, n.shh.Protocols()...)
	n.server.Protocols = append(n.server.Protocols, n.bzz.Protocols()...)
	if err := n.server.Start(); err != nil {
		return nil, fmt.Errorf("starting node %s: %w", name, err)
	}
	if err := n.bzz.Start(n.server); err != nil {
		n.server.Stop()
		return nil, fmt.Errorf("starting node %s: %w", name, err)
	}
	return n, nil
}

func (n *node) stop() {
	n.server.Stop()
	n.bzz.Stop()
	n.eth.Close()
}

// connect starts two nodes, has B dial A, and returns when all protocols have shaken hands.
func connect(ctx context.Context, chain *chain) (a, b *node, err error) {
	if a, err = start("A", "127.0.0.1:0", chain); err != nil {
		return nil, nil, err
	}
	if b, err = start("B", "", eth.NewObserver(chain.Chain())); err != nil {
		a.stop()
		return nil, nil, err
	}
	b.server.AddPeer(a.server.Self())
	look := time.NewTicker(5 * time.Millisecond)
	defer look.Stop()
	for !b.ready() || !a.ready() {
		select {
		case <-look.C:
		case <-ctx.Done():
			a.stop()
			b.stop()
			return nil, nil, errors.Join(errors.New("no link with all protocols"), context.Cause(ctx))
		}
	}
	return a, b, nil
}

// ready tells whether all protocols have a peer.
func (n *node) ready() bool {
	return len(n.eth.Peers()) == 1 && len(n.shh.Peers()) == 1 && n.bzz.Stats().Peers == 1
}
