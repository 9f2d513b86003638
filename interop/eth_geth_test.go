package interop

import (
	"errors"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/rlp"

	"github.com/sennit-net/sennit/p2p"
	"github.com/sennit-net/sennit/protocols/eth"
)

// gethVersions are those that go-ethereum v1.17.10 speaks.
var gethVersions = []uint{69, 70, 71, 72}

// eachGethLink runs a test for every version, with either side dialing.
func eachGethLink(t *testing.T, f func(t *testing.T, version uint, weDial bool)) {
	for _, version := range gethVersions {
		for _, weDial := range []bool{true, false} {
			name := map[bool]string{true: "we dial", false: "they dial"}[weDial]
			t.Run(fmt.Sprintf("eth/%d, %s", version, name), func(t *testing.T) { f(t, version, weDial) })
		}
	}
}

// funded is the key of an account that has money on the counterpart's chain, and has sent nothing yet.
var funded, _ = crypto.HexToECDSA("45a915e4d060149eb4365960e6a7a45f334393093061116b197e3240065ff2d8")

// TestEthWithGoEthereum fetches a whole chain from go-ethereum, serves it to another one that has nothing, and exchanges
// transactions with both.
func TestEthWithGoEthereum(t *testing.T) {
	full := startGeth(t)
	nonce := uint64(0)
	eachGethLink(t, func(t *testing.T, version uint, weDial bool) {
		observer := eth.NewObserver(full.on)
		pool := newEthPool()
		n := startEth(t, eth.Config{Backend: pooling{observer, pool.PooledTransaction}, Pool: pool, Versions: []uint{version}})
		p := linkGeth(t, n, full, weDial)
		if p.Version() != version || p.P2P().Inbound() == weDial {
			t.Fatalf("version %d, inbound %v", p.Version(), p.P2P().Inbound())
		}
		chain := fetchChain(t, p, full.on)
		askGethForMore(t, p, chain)
		swapTransactions(t, n, p, full, &nonce)

		n.Stop()
		full.Await(`^PEER- `+n.Self().ID().String()+` client quitting`, patience)
		serveToGeth(t, chain, version, weDial)
	})
}

// pooling is an observer that serves transactions.
type pooling struct {
	*eth.Observer
	pooled func(common.Hash) rlp.RawValue
}

func (b pooling) PooledTransaction(hash common.Hash) rlp.RawValue { return b.pooled(hash) }

// askGethForMore asks for what is not on the chain, or not from its start.
func askGethForMore(t *testing.T, p *eth.Peer, chain *ethChain) {
	t.Helper()
	ctx := within(t, patience)
	headers, err := p.Headers(ctx, eth.HeadersQuery{Start: eth.Start{Hash: chain.hashes[90]}, Amount: 5, Skip: 19, Reverse: true})
	if err != nil || len(headers) != 5 || headers[4].Hash() != chain.hashes[10] {
		t.Errorf("every twentieth header backwards: %d, %v", len(headers), err)
	}
	headers, err = p.Headers(ctx, eth.HeadersQuery{Start: eth.Start{Number: 1 << 40}, Amount: 5})
	if err != nil || len(headers) != 0 {
		t.Errorf("headers from the future: %d, %v", len(headers), err)
	}
	bodies, err := p.Bodies(ctx, []common.Hash{chain.hashes[7], {1}, chain.hashes[8]})
	if err != nil || len(bodies) != 1 {
		t.Errorf("bodies, the second of which there is not: %d, %v", len(bodies), err)
	}
	lists, err := p.AccessLists(ctx, chain.hashes[:2])
	if p.Version() < 71 && !errors.Is(err, eth.ErrUnsupported) || p.Version() >= 71 && (err != nil || len(lists) != 2) {
		t.Errorf("access lists: %d, %v", len(lists), err)
	}
}

// swapTransactions has go-ethereum announce transactions that we fetch, and gives it some.
func swapTransactions(t *testing.T, n *ethNode, p *eth.Peer, g *gethNode, nonce *uint64) {
	t.Helper()
	for _, size := range []int{0, 10_000} { // sent at once, and announced
		g.Say("tx %d %d", *nonce, size)
		hash := common.HexToHash(g.Await(`^TX (.*)`, patience)[1])
		awaitEth(t, n, func(e *eth.TransactionsSeen) bool {
			return slices.ContainsFunc(e.Txs, func(tx eth.TxSighting) bool { return tx.Hash == hash })
		})
		*nonce++
		txs, err := p.PooledTransactions(within(t, patience), []common.Hash{{1}, hash})
		if err != nil || len(txs) != 1 {
			t.Fatalf("the transaction that they told us of: %d, %v", len(txs), err)
		}
	}
	for _, size := range []int{0, 20_000} {
		tx := types.MustSignNewTx(funded, types.LatestSigner(g.on.Params), &types.DynamicFeeTx{
			ChainID: g.on.Params.ChainID, Nonce: *nonce, GasTipCap: big.NewInt(1e9), GasFeeCap: big.NewInt(1e11), Gas: 2_000_000, To: &common.Address{1}, Data: make([]byte, size),
		})
		*nonce++
		ours, err := eth.NewTransaction(tx)
		if err != nil {
			t.Fatal(err)
		}
		n.eth.Keep(ours)
		g.Await(`^TX `+tx.Hash().String(), patience)
	}
}

// serveToGeth has a go-ethereum without a chain download one from us.
func serveToGeth(t *testing.T, chain *ethChain, version uint, weDial bool) {
	t.Helper()
	empty := startGeth(t, "-empty")
	n := startEth(t, eth.Config{Backend: chain, Versions: []uint{version}})
	linkGeth(t, n, empty, weDial)
	head := chain.Head()
	empty.Say("sync %s", head.Hash)
	empty.Await(fmt.Sprintf("^HEAD %d %s", head.Number, head.Hash), patience)
	if version >= 69 {
		awaitEth(t, n, func(e *eth.HeadSeen) bool { return e.Head.Hash == head.Hash }) // a BlockRangeUpdate
	}
	empty.Kill()
	left := awaitEth(t, n, anyEvent[*eth.PeerLeft])
	if left.Err == nil {
		t.Error("a killed peer has left without an error")
	}
}

// TestBlobTransactionsCrossFromOneGoEthereumToAnother: we are between two of them that are not linked. We fetch what one of
// them announces, from eth/72 on in two parts, and announce it to the other, which fetches it from us in the same way.
func TestBlobTransactionsCrossFromOneGoEthereumToAnother(t *testing.T) {
	from, to := startGeth(t), startGeth(t)
	for nonce, version := range gethVersions {
		pool, err := eth.NewTxPool(eth.TxPoolConfig{Chain: from.on})
		if err != nil {
			t.Fatal(err)
		}
		n := startEth(t, eth.Config{Backend: pooling{eth.NewObserver(from.on), pool.PooledTransaction}, Pool: pool, Versions: []uint{version}})
		linkGeth(t, n, to, false)
		linkGeth(t, n, from, true)
		from.Say("blob %d", nonce)
		hash := from.Await(`^TX (.*)`, patience)[1]
		to.Await(`^TX `+hash, patience)
		awaitEth(t, n, func(e *eth.TransactionsSeen) bool {
			return e.Txs[0].Hash.String() == hash && e.Txs[0].Type == types.BlobTxType && !e.Full
		})
		if peers := n.eth.Peers(); len(peers) != 2 {
			t.Errorf("eth/%d: %d peers are left", version, len(peers))
		}
		n.Stop()
	}
}

// TestEthRefusesAnotherChain: neither side stays with a node of another network, genesis block or fork.
func TestEthRefusesAnotherChain(t *testing.T) {
	g := startGeth(t)
	other := *g.on
	other.NetworkID++
	genesis := *g.on
	genesis.Genesis[0]++
	fork := *g.on
	fork.TimeForks = []uint64{fork.GenesisTime + 1}
	for name, chain := range map[string]*eth.ChainConfig{"remote is on network": &other, "genesis block": &genesis, "fork id": &fork} {
		n := startEth(t, eth.Config{Backend: eth.NewObserver(chain)})
		events := make(chan *p2p.PeerEvent, 10)
		sub := n.SubscribeEvents(events)
		n.AddPeer(g.node)
		for dropped := false; !dropped; {
			select {
			case e := <-events:
				dropped = e.Type == p2p.PeerEventTypeDrop
				if dropped && e.Error != p2p.DiscSubprotocolError.Error() && !strings.Contains(e.Error, name) { // they or we were first
					t.Errorf("%s: the link has ended with %q", name, e.Error)
				}
			case <-time.After(patience):
				t.Fatalf("%s: the link has not ended", name)
			}
		}
		sub.Unsubscribe()
		if len(n.eth.Peers()) != 0 {
			t.Errorf("%s: the peer has stayed", name)
		}
		n.Stop()
	}
}
