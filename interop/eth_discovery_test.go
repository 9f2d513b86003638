package interop

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/p2p/enode"

	"github.com/sennit-net/sennit/p2p"
	"github.com/sennit-net/sennit/protocols/eth"
	"github.com/sennit-net/sennit/trace"
)

// connections is a recorder that notes the connections of a server, of whatever kind and end.
type connections struct {
	mu   sync.Mutex // guards what follows
	seen []string
}

func (c *connections) Record(e trace.Event) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch e := e.(type) {
	case *trace.LinkOpened:
		c.seen = append(c.seen, fmt.Sprintf("%+v", e.Link))
	case *trace.LinkRefused:
		c.seen = append(c.seen, fmt.Sprintf("%+v: %s: %v", e.Link, e.Stage, e.Err))
	}
}

// wantNone wants nobody to have dialed or been dialed.
func (c *connections) wantNone(t *testing.T, who string) {
	t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.seen) > 0 {
		t.Errorf("%s has had connections: %v", who, c.seen)
	}
}

// startDiscovering starts a node of ours that runs node discovery of a version and knows one other node, or none. It dials what
// cfg wants it to, and nobody else.
func startDiscovering(t *testing.T, version string, cfg eth.Config, boot *enode.Node, change ...func(*p2p.Config)) *ethNode {
	t.Helper()
	n := startEth(t, cfg, append(change, func(c *p2p.Config) {
		c.NoDiscovery, c.DiscoveryV4, c.DiscoveryV5, c.NoDial = false, version == "v4", version == "v5", !cfg.Discover
		c.DialRatio = 1 // or there would be no place for who is found last
		if boot != nil {
			c.BootstrapNodes, c.BootstrapNodesV5 = []*enode.Node{boot}, []*enode.Node{boot}
		}
	})...)
	n.eth.Attach(n.Server)
	return n
}

// forked is an observer that has seen a fork of its chain pass.
type forked struct{ *eth.Observer }

func (b forked) ForkHead() eth.Head {
	head := b.Head()
	head.Time += 2
	return head
}

// startForked starts a node with the genesis block and the network of a chain, and a fork that the chain has not.
func startForked(t *testing.T, version string, chain *eth.ChainConfig, boot *enode.Node, change ...func(*p2p.Config)) *ethNode {
	t.Helper()
	fork := *chain
	fork.TimeForks = []uint64{fork.GenesisTime + 1}
	return startDiscovering(t, version, eth.Config{Backend: forked{eth.NewObserver(&fork)}, Discover: true}, boot, change...)
}

// TestNodesOfOneChainFindEachOtherByDiscovery has nodes of ours and of go-ethereum know nothing but one node, which speaks no
// protocol. Whoever looks for nodes dials those whose record has a fork id of its chain. One with another fork id looks for
// nodes as well, but finds nobody to dial, and is not dialed.
func TestNodesOfOneChainFindEachOtherByDiscovery(t *testing.T) {
	t.Parallel()
	for _, version := range []string{"v4", "v5"} {
		t.Run(version, func(t *testing.T) {
			t.Parallel()
			began := time.Now()
			var atBoot, atForked connections
			boot := startDiscovering(t, version, eth.Config{AnyChain: true}, nil, func(c *p2p.Config) { c.Protocols, c.Recorder = nil, &atBoot }).Self()
			dialing := startGeth(t, "-"+version, "-boot", boot.String())
			waiting := startGeth(t, "-"+version, "-boot", boot.String(), "-nodial")
			startForked(t, version, dialing.on, boot, func(c *p2p.Config) { c.Recorder = &atForked })

			joined := func(n *ethNode, g *gethNode) *eth.Peer {
				t.Helper()
				return awaitEth(t, n, func(e *eth.PeerJoined) bool { return e.Peer.ID() == g.node.ID() }).Peer
			}
			for range 2 { // by the second they have come across all that there is
				found := startDiscovering(t, version, eth.Config{Backend: eth.NewObserver(dialing.on)}, boot)
				if p := joined(found, dialing); !p.P2P().Inbound() {
					t.Error("we have dialed, but should not")
				}
				t.Logf("after %v they have found us", time.Since(began).Round(time.Millisecond))
				finding := startDiscovering(t, version, eth.Config{Backend: eth.NewObserver(waiting.on), Discover: true}, boot)
				p := joined(finding, waiting)
				if !p.P2P().DynDialed() {
					t.Error("they have dialed, but should not")
				}
				if headers, err := p.Headers(within(t, patience), eth.HeadersQuery{Amount: 5}); err != nil || len(headers) != 5 {
					t.Errorf("headers: %d, %v", len(headers), err)
				}
				t.Logf("after %v we have found them", time.Since(began).Round(time.Millisecond))
			}
			atBoot.wantNone(t, "the node without a protocol")
			atForked.wantNone(t, "the node on another fork")
		})
	}
}
