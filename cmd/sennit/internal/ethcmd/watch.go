package ethcmd

import (
	"context"
	"fmt"

	"github.com/ethereum/go-ethereum/p2p/enode"
	"github.com/ethereum/go-ethereum/params"

	"github.com/sennit-net/sennit/p2p"
	"github.com/sennit-net/sennit/protocols/eth"
)

// maxWatched is how many nodes are watched at a time beside those that were named.
const maxWatched = 25

// Listen links to nodes to watch what they say: to those that are named, again whenever a link is lost, and with a Network to
// others that discovery finds. It does not wait for any link.
func Listen(c DialConfig, targets []*enode.Node) (Node, error) {
	server := p2p.Config{MaxPeers: len(targets), NoDiscovery: true, StaticNodes: targets}
	cfg := eth.Config{AnyChain: true}
	if c.Network != "" {
		chain, err := eth.Network(c.Network)
		if err != nil {
			return nil, err
		}
		cfg = eth.Config{Backend: eth.NewObserver(chain)}
		if server.BootstrapNodes, err = bootnodes(c.Network); err != nil {
			return nil, err
		}
		server.MaxPeers += maxWatched
		server.NoDiscovery, server.DiscoveryV4, server.DiscoveryV5 = false, true, true
		server.BootstrapNodesV5 = server.BootstrapNodes
		server.ListenAddr = ":0"
	}
	return start(c, cfg, server)
}

// bootnodes are where discovery of a network begins.
func bootnodes(network string) ([]*enode.Node, error) {
	urls := map[string][]string{"mainnet": params.MainnetBootnodes, "sepolia": params.SepoliaBootnodes, "hoodi": params.HoodiBootnodes}[network]
	nodes := make([]*enode.Node, len(urls))
	for i, url := range urls {
		var err error
		if nodes[i], err = enode.ParseV4(url); err != nil {
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
