package ethcmd

import (
	"context"
	"fmt"
	"sync"

	"github.com/ethereum/go-ethereum/p2p/enode"
	"github.com/ethereum/go-ethereum/params"

	"github.com/sennit-net/sennit/p2p"
	"github.com/sennit-net/sennit/protocols/eth"
	"github.com/sennit-net/sennit/trace"
)

// maxWatched is how many nodes are watched at a time beside those that were named.
const maxWatched = 25

// Listen links to nodes to watch what they say: to those that are named, again whenever a link is lost, and with a Network to
// others that discovery finds. It does not wait for any link. unreached is told, once for each of the named, that there is no
// link to it yet and why; that does not happen after Close.
func Listen(c DialConfig, targets []*enode.Node, unreached func(id enode.ID, why error)) (Node, error) {
	server := p2p.Config{MaxPeers: len(targets), DialRatio: 1, NoDiscovery: true, StaticNodes: targets}
	cfg := eth.Config{AnyChain: true}
	if c.Network != "" {
		chain, err := eth.Network(c.Network)
		if err != nil {
			return nil, err
		}
		cfg = eth.Config{Backend: eth.NewObserver(chain), Discover: true}
		if server.BootstrapNodes, err = bootnodes(c.Network); err != nil {
			return nil, err
		}
		server.MaxPeers += maxWatched
		server.NoDiscovery, server.DiscoveryV4, server.DiscoveryV5 = false, true, true
		server.BootstrapNodesV5 = server.BootstrapNodes
		server.ListenAddr = ":0"
	}
	r := newRefusals(targets, unreached)
	server.Recorder = r
	d, err := start(c, cfg, server)
	if err != nil {
		r.close()
		return nil, err
	}
	return &watched{d, r}, nil
}

// watched is a node of this process that tells of links which do not come about.
type watched struct {
	*direct
	refusals *refusals
}

// Close takes leave of all nodes.
func (w *watched) Close() {
	w.direct.Close()
	w.refusals.close()
}

// refusals is a recorder that tells of the first failure to link to each of some nodes, from a goroutine of its own: a server
// does not wait for who is told.
type refusals struct {
	events chan *trace.LinkRefused // has room for one of each node
	quit   chan struct{}
	done   chan struct{}

	mu      sync.Mutex
	pending map[enode.ID]bool // those that have not been told of
}

func newRefusals(targets []*enode.Node, tell func(enode.ID, error)) *refusals {
	r := &refusals{
		events: make(chan *trace.LinkRefused, len(targets)), quit: make(chan struct{}), done: make(chan struct{}),
		pending: make(map[enode.ID]bool),
	}
	for _, n := range targets {
		r.pending[n.ID()] = true
	}
	go func() {
		defer close(r.done)
		for {
			select {
			case e := <-r.events:
				tell(e.Link.Peer, fmt.Errorf("%s: %w", e.Stage, e.Err))
			case <-r.quit:
				return
			}
		}
	}()
	return r
}

// Record keeps the first refusal of each node.
func (r *refusals) Record(event trace.Event) {
	e, ok := event.(*trace.LinkRefused)
	if !ok {
		return
	}
	r.mu.Lock()
	first := r.pending[e.Link.Peer]
	delete(r.pending, e.Link.Peer)
	r.mu.Unlock()
	if first {
		r.events <- e // there is room
	}
}

// close ends the goroutine and waits for it.
func (r *refusals) close() {
	close(r.quit)
	<-r.done
}

// bootnodes are where discovery of a network begins.
func bootnodes(network string) ([]*enode.Node, error) {
	urls := map[string][]string{"mainnet": params.MainnetBootnodes, "sepolia": params.SepoliaBootnodes, "hoodi": params.HoodiBootnodes}[network]
	nodes := make([]*enode.Node, len(urls))
	for i, url := range urls {
		var err error
		if nodes[i], err = p2p.ParseNode(url); err != nil {
			return nil, fmt.Errorf("bootnode of %s: %w", network, err)
		}
	}
	return nodes, nil
}

// Watch hands on what the nodes say.
func (d *direct) Watch(ctx context.Context, got func(*eth.EventRecord) error) error {
	for {
		e, err := d.events.Next(ctx)
		if err != nil {
			return err
		}
		for r := range eth.Records(e) {
			if err := got(r); err != nil {
				return err
			}
		}
	}
}
