package interop

import (
	"fmt"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/p2p/enode"

	"github.com/sennit-net/sennit/interop/counterparts"
	"github.com/sennit-net/sennit/protocols/eth"
)

// oldGeth is a running go-ethereum 1.8.27, with the systems of its time.
type oldGeth struct {
	*counterparts.Process
	node *enode.Node
	on   *eth.ChainConfig
	head eth.Head
}

func startOldGeth(t *testing.T, blocks int, args ...string) *oldGeth {
	t.Helper()
	p := counterparts.Start(t, "swarm", "trio", append([]string{"-blocks", fmt.Sprint(blocks)}, args...)...)
	g := &oldGeth{Process: p}
	m := p.Await(`^HEAD (\d+) (\w+) (\d+) (\w+)`, patience)
	g.on = &eth.ChainConfig{Name: "old", NetworkID: 1337, Genesis: common.HexToHash(m[4])} // forks are not told in eth/63
	g.head = readHead(t, m)
	g.node = enode.MustParse(p.Await(`^ENODE (.*)`, patience)[1])
	return g
}

// readHead reads the groups of a HEAD line.
func readHead(t *testing.T, m []string) (head eth.Head) {
	t.Helper()
	td, ok := new(big.Int).SetString(m[3], 10)
	if _, err := fmt.Sscan(m[1], &head.Number); err != nil || !ok {
		t.Fatal(m[0])
	}
	head.Hash, head.TD = common.HexToHash(m[2]), td
	return head
}

// oldChain is a chain that says its total difficulty.
type oldChain struct {
	*ethChain
	td *big.Int
}

func (c oldChain) Head() eth.Head {
	head := c.ethChain.Head()
	head.TD = c.td
	return head
}

// TestEthWithGoEthereumOf2019 speaks eth/63 with go-ethereum 1.8.27, dialing and dialed: it fetches the chain and the root of
// the state, exchanges transactions, hears of new blocks, and serves the chain to one that has less of it.
func TestEthWithGoEthereumOf2019(t *testing.T) {
	for _, weDial := range []bool{true, false} {
		t.Run(map[bool]string{true: "we dial", false: "they dial"}[weDial], func(t *testing.T) {
			full := startOldGeth(t, 20)
			n := startEth(t, eth.Config{Backend: eth.NewObserver(full.on)})
			p := linkOldGeth(t, n, full, weDial)
			if p.Version() != 63 || p.Head().Hash != full.head.Hash || p.Status().TD.Cmp(full.head.TD) != 0 {
				t.Fatalf("eth/%d, %+v, want %+v", p.Version(), p.Head(), full.head)
			}
			chain := fetchChain(t, p, full.on)
			root := chain.headers[full.head.Hash].Root
			data, err := p.NodeData(within(t, patience), []common.Hash{{1}, root})
			if err != nil || len(data) != 1 || crypto.Keccak256Hash(data[0]) != root {
				t.Errorf("the root of the state: %x, %v", data, err)
			}
			hearOfTransaction(t, n, full)
			hearOfBlock(t, n, full)
			full.Say("quit")
			full.Exited(patience)
			if left := awaitEth(t, n, anyEvent[*eth.PeerLeft]); left.Err == nil {
				t.Error("they have left without a reason")
			}
			serveOldGeth(t, oldChain{chain, full.head.TD}, weDial)
		})
	}
}

func linkOldGeth(t *testing.T, n *ethNode, g *oldGeth, weDial bool) *eth.Peer {
	t.Helper()
	if weDial {
		n.AddPeer(g.node)
	} else {
		g.Say("dial %s", n.Self().URLv4())
	}
	return awaitEth(t, n, anyEvent[*eth.PeerJoined]).Peer
}

// hearOfTransaction has them make a transaction, which they send in full.
func hearOfTransaction(t *testing.T, n *ethNode, g *oldGeth) {
	t.Helper()
	g.Say("tx")
	hash := common.HexToHash(g.Await(`^TX (\w+) <nil>`, patience)[1])
	awaitEth(t, n, func(e *eth.TransactionsSeen) bool { return e.Full && e.Txs[0].Hash == hash })
}

// hearOfBlock has them make a block, which they send in full or announce.
func hearOfBlock(t *testing.T, n *ethNode, g *oldGeth) {
	t.Helper()
	g.Say("mine")
	head := readHead(t, g.Await(`^HEAD (\d+) (\w+) (\d+) (\w+)`, patience))
	e := awaitEth(t, n, func(e *eth.BlocksSeen) bool { return e.Blocks[0].Hash == head.Hash })
	if e.Blocks[0].Number != head.Number || e.Header != nil && e.TD.Cmp(head.TD) != 0 {
		t.Errorf("%+v, want %+v", e, head)
	}
	awaitEth(t, n, func(e *eth.HeadSeen) bool { return e.Head.Number == head.Number && e.Head.Hash == head.Hash })
}

// serveOldGeth has a go-ethereum that has a part of the chain download the rest from us. It does so ten seconds after it has
// a peer, if it has no more than one.
func serveOldGeth(t *testing.T, chain oldChain, weDial bool) {
	t.Helper()
	less := startOldGeth(t, 5)
	n := startEth(t, eth.Config{Backend: chain, Versions: []uint{63}})
	p := linkOldGeth(t, n, less, weDial)
	less.awaitHead(t, chain.Head().Hash)
	giveTransaction(t, n, less, chain)
	// They know the block, but do not mind.
	if err := n.eth.BroadcastBlock(&eth.NewBlock{Block: rlpOf(t, []any{chain.headers[chain.Head().Hash], []*types.Transaction{}, []*types.Header{}}), TD: chain.td}); err != nil {
		t.Error(err)
	}
	n.eth.AnnounceBlocks(eth.BlockInfo{Hash: chain.Head().Hash, Number: chain.Head().Number})
	if _, err := p.Headers(within(t, patience), eth.HeadersQuery{Amount: 1}); err != nil {
		t.Error(err)
	}
	less.Kill()
	if left := awaitEth(t, n, anyEvent[*eth.PeerLeft]); left.Err == nil || strings.Contains(left.Err.Error(), "eth/63") {
		t.Errorf("a killed peer has left with %v", left.Err)
	}
}

// awaitHead waits until they have downloaded the chain up to a block.
func (g *oldGeth) awaitHead(t *testing.T, hash common.Hash) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for {
		g.Say("head")
		if m := g.Await(`^HEAD (\d+) (\w+) (\d+) (\w+)`, patience); readHead(t, m).Hash == hash {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal("they do not download the chain")
		}
		select {
		case <-time.After(200 * time.Millisecond): // between two questions to another process
		case <-t.Context().Done():
		}
	}
}

// bank is the account that has the money on their chain.
var bank, _ = crypto.HexToECDSA("b71c71a67e1177ad4e901695e1b4b9ee17ae16c6668d313eac2f96dbcda3f291")

// nextTx is a transaction that a node with the chain takes.
func (c oldChain) nextTx() *types.Transaction {
	nonce := uint64(0)
	for _, receipts := range c.receipts {
		nonce += uint64(len(receipts))
	}
	return types.MustSignNewTx(bank, types.HomesteadSigner{}, &types.LegacyTx{Nonce: nonce, Gas: 21000, GasPrice: big.NewInt(1e9), To: &common.Address{4}, Value: big.NewInt(1)})
}

// giveTransaction gives a transaction to a node that has the chain, which gives its pool to whoever comes.
func giveTransaction(t *testing.T, n *ethNode, g *oldGeth, chain oldChain) {
	t.Helper()
	tx := chain.nextTx()
	if err := n.eth.Broadcast(tx); err != nil {
		t.Fatal(err)
	}
	other := startEth(t, eth.Config{Backend: eth.NewObserver(g.on)})
	other.AddPeer(g.node)
	awaitEth(t, other, func(e *eth.TransactionsSeen) bool { return e.Txs[0].Hash == tx.Hash() })
	other.Stop()
}
