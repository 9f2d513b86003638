package interop

import (
	"fmt"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"

	"github.com/sennit-net/sennit/protocols/eth"
)

// idleTime is longer than the timers that an idle peer meets at once. Of go-ethereum v1.17.10: the answer about a required block,
// 15 s, and the link, 30 s. Of 1.8.27: the answer about the checkpoint, 15 s, the look for a peer that is ahead each 10 s, and
// the link, 30 s. Of ethereumjs: the pong, 10 s after the ping, which it sends each 15 s. Their others wait for requests
// under way.
const idleTime = 40 * time.Second

// TestEthStaysConnected leaves links of every version alone, with blocks and transactions exchanged before and after. Either
// go-ethereum has to have dropped a peer that does not answer by then, and no other. One wait serves all.
func TestEthStaysConnected(t *testing.T) {
	t.Parallel()
	g := startGeth(t, "-require")
	chain, checks := stayWithGeth(t, g)
	checks = append(checks, stayWithOldGeth(t)...)
	if why := noEthereumjs(t); why != "" {
		t.Run("eth/68", func(t *testing.T) { t.Skip(why) })
	} else {
		checks = append(checks, stayWithEthereumjs(t, chain))
	}
	select { // not for something to happen, but for nothing to
	case <-time.After(idleTime):
	case <-t.Context().Done():
	}
	for _, check := range checks {
		check()
	}
}

// mute is an observer that keeps who asks for a block waiting.
type mute struct {
	*eth.Observer
	end <-chan struct{} // closed when it need not any more
}

func (m mute) Hash(number uint64) (common.Hash, bool) {
	<-m.end
	return m.Observer.Hash(number)
}

// startMute starts a node that does not answer when it is asked for a block by its number.
func startMute(t *testing.T, chain *eth.ChainConfig) *ethNode {
	t.Helper()
	end := make(chan struct{})
	n := startEth(t, eth.Config{Backend: mute{eth.NewObserver(chain), end}})
	t.Cleanup(func() { close(end) })
	return n
}

// wantPeer wants a node to have one peer, and that one.
func wantPeer(t *testing.T, n *ethNode, p *eth.Peer) {
	t.Helper()
	if peers := n.eth.Peers(); len(peers) != 1 || peers[0] != p {
		t.Fatalf("eth/%d: the peer has not stayed; there are %v", p.Version(), peers)
	}
}

// stayWithGeth links a node of each version that go-ethereum speaks, and returns the chain that they fetch and what is to be
// done after the wait.
func stayWithGeth(t *testing.T, g *gethNode) (chain *ethChain, after []func()) {
	t.Helper()
	silent := startMute(t, g.on)
	linkGeth(t, silent, g, true)
	nonce := uint64(0)
	for i, version := range gethVersions {
		pool := newEthPool()
		n := startEth(t, eth.Config{Backend: pooling{eth.NewObserver(g.on), pool.PooledTransaction}, Pool: pool, Versions: []uint{version}})
		p := linkGeth(t, n, g, i%2 == 0)
		talk := func() {
			chain = fetchChain(t, p, g.on)
			swapTransactions(t, n, p, g, &nonce)
		}
		talk()
		after = append(after, func() {
			wantPeer(t, n, p)
			talk()
		})
		defer func() {
			after = append(after, func() { awaitEth(t, n, anyEvent[*eth.PeerLeft]) })
		}()
	}
	return chain, append(after, func() {
		if all, one := g.Count(`^PEER-`), g.Count(`^PEER- `+silent.Self().ID().String()); all != 1 || one != 1 {
			t.Errorf("go-ethereum has dropped %d, the one that does not answer %d times", all, one)
		}
		g.Say("quit")
		g.Exited(patience)
	})
}

// stayWithOldGeth links an observer and a node with a chain to go-ethereum 1.8.27. Ten seconds into the wait that downloads the
// chain, of which it has a part; the observer it leaves alone.
func stayWithOldGeth(t *testing.T) (after []func()) {
	t.Helper()
	full := startOldGeth(t, 20)
	asking := startEth(t, eth.Config{Backend: eth.NewObserver(full.on)})
	chain := oldChain{fetchChain(t, linkOldGeth(t, asking, full, true), full.on), full.head.TD}
	asking.Stop()
	full.Kill()

	g := startOldGeth(t, 5, "-tap")
	observer, server := startEth(t, eth.Config{Backend: eth.NewObserver(g.on)}), startEth(t, eth.Config{Backend: chain, Versions: []uint{63}})
	watched, served := linkOldGeth(t, observer, g, true), linkOldGeth(t, server, g, false)
	fetchChain(t, watched, g.on)
	silent := startMute(t, g.on)
	linkOldGeth(t, silent, g, true)
	return []func(){
		func() {
			for n, p := range map[*ethNode]*eth.Peer{observer: watched, server: served} {
				wantPeer(t, n, p)
				if asked := `^-> ` + id(n.Self()) + ` eth GetBlockHeaders 7 c6827fff018080$`; g.Count(asked) != 1 { // block 32767
					t.Errorf("about the checkpoint they have asked %d times", g.Count(asked))
				}
			}
			g.awaitHead(t, chain.Head().Hash)
			tx := chain.nextTx()
			if err := server.eth.Broadcast(tx); err != nil {
				t.Fatal(err)
			}
			awaitEth(t, observer, func(e *eth.TransactionsSeen) bool { return e.Full && e.Txs[0].Hash == tx.Hash() })
			hearOfTransaction(t, server, g)
			hearOfBlock(t, observer, g)
			if got := fetchChain(t, watched, g.on); len(got.hashes) != len(chain.hashes)+1 {
				t.Errorf("a chain of %d blocks and a new one has become one of %d", len(chain.hashes), len(got.hashes))
			}
			if all, one := g.Count(`^RUN-`), g.Count(`^RUN- `+id(silent.Self())); all != 1 || one != 1 {
				t.Errorf("go-ethereum 1.8.27 has dropped %d, the one that does not answer %d times", all, one)
			}
			g.Say("quit")
			g.Exited(patience)
			awaitEth(t, observer, anyEvent[*eth.PeerLeft])
			awaitEth(t, server, anyEvent[*eth.PeerLeft])
		},
	}
}

// stayWithEthereumjs links a node with a chain to ethereumjs, the only one here that speaks eth/68.
func stayWithEthereumjs(t *testing.T, chain *ethChain) (after func()) {
	t.Helper()
	n := startEth(t, eth.Config{Backend: chain, Pool: chain, Versions: []uint{68}})
	js := linkEthereumjs(t, n, true)
	p := awaitEth(t, n, anyEvent[*eth.PeerJoined]).Peer
	js.expect(t, "STATUS eth/68")
	talk := func() {
		ethereumjsAsks(t, js, chain)
		weAskEthereumjs(t, js, p, chain)
	}
	talk()
	return func() {
		wantPeer(t, n, p)
		talk()
		swapWithEthereumjs(t, n, js)
		fmt.Fprintln(js.stdin, "disconnect 8")
		js.expect(t, "GONE 8 us")
		awaitEth(t, n, anyEvent[*eth.PeerLeft])
	}
}
