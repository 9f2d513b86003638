package interop

import (
	"context"
	"encoding/json"
	"strconv"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/log"
	"github.com/ethereum/go-ethereum/p2p/enode"
	"github.com/ethereum/go-ethereum/params"
	"github.com/ethereum/go-ethereum/rlp"
	"github.com/ethereum/go-ethereum/trie"

	"github.com/sennit-net/sennit/interop/counterparts"
	"github.com/sennit-net/sennit/p2p"
	"github.com/sennit-net/sennit/protocols/eth"
)

// ethNode is a node of ours that speaks eth.
type ethNode struct {
	*p2p.Server
	eth *eth.Handler
	sub *eth.Subscription
}

// startEth starts a node of ours; each of change may change how its server is configured.
func startEth(t *testing.T, cfg eth.Config, change ...func(*p2p.Config)) *ethNode {
	t.Helper()
	h, err := eth.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	key, err := crypto.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	n := &ethNode{eth: h, sub: h.Subscribe(0), Server: &p2p.Server{Config: p2p.Config{
		PrivateKey: key, Name: "sennit/interop", MaxPeers: 10, ListenAddr: "127.0.0.1:0", NoDiscovery: true,
		Protocols: h.Protocols(), Logger: log.NewLogger(log.DiscardHandler()),
	}}}
	for _, f := range change {
		f(&n.Config)
	}
	if err := n.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		n.Stop()
		h.Close()
	})
	return n
}

// awaitEth returns the next event of a kind that ok agrees to.
func awaitEth[E eth.Event](t *testing.T, n *ethNode, ok func(E) bool) E {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for e := range n.sub.Events(ctx) {
		if e, is := e.(E); is && ok(e) {
			return e
		}
	}
	var none E
	t.Fatalf("no %T of the kind", none)
	return none
}

func anyEvent[E eth.Event](E) bool { return true }

// ethChain is a chain in memory, of blocks that were fetched from a peer; it is an [eth.Backend] and an [eth.Pool] that
// keeps everything. It is not changed while it is used, but for the pool.
type ethChain struct {
	config   *eth.ChainConfig
	hashes   []common.Hash // from block 0 on
	numbers  map[common.Hash]uint64
	headers  map[common.Hash]*types.Header
	raw      map[common.Hash]rlp.RawValue
	bodies   map[common.Hash]rlp.RawValue
	receipts map[common.Hash][]*types.Receipt
	ethPool
}

func (c *ethChain) Chain() *eth.ChainConfig { return c.config }
func (c *ethChain) Earliest() uint64        { return 0 }
func (c *ethChain) Head() eth.Head {
	hash := c.hashes[len(c.hashes)-1]
	return eth.Head{Number: c.numbers[hash], Time: c.headers[hash].Time, Hash: hash}
}
func (c *ethChain) Number(hash common.Hash) (uint64, bool, bool) {
	n, ok := c.numbers[hash]
	return n, ok, ok
}
func (c *ethChain) Hash(n uint64) (common.Hash, bool) {
	if n >= uint64(len(c.hashes)) {
		return common.Hash{}, false
	}
	return c.hashes[n], true
}
func (c *ethChain) Header(hash common.Hash) rlp.RawValue       { return c.raw[hash] }
func (c *ethChain) Body(hash common.Hash) rlp.RawValue         { return c.bodies[hash] }
func (c *ethChain) Receipts(hash common.Hash) []*types.Receipt { return c.receipts[hash] }
func (c *ethChain) AccessList(common.Hash) rlp.RawValue        { return nil }

// ethPool keeps the transactions that were given to it; see [eth.Pool]. Its zero value is not ready.
type ethPool struct {
	mu chan map[common.Hash]eth.Transaction // one map, taken by who uses it
}

func newEthPool() ethPool {
	p := ethPool{mu: make(chan map[common.Hash]eth.Transaction, 1)}
	p.mu <- make(map[common.Hash]eth.Transaction)
	return p
}

func (p ethPool) PooledTransaction(hash common.Hash) rlp.RawValue {
	m := <-p.mu
	raw := m[hash].Raw
	p.mu <- m
	return raw
}
func (p ethPool) Has(hash common.Hash) bool { return p.PooledTransaction(hash) != nil }
func (p ethPool) Add(txs []eth.Transaction) []eth.Verdict {
	verdicts := make([]eth.Verdict, len(txs))
	m := <-p.mu
	for i, tx := range txs {
		if _, ok := m[tx.Hash]; !ok {
			m[tx.Hash], verdicts[i] = tx, eth.TxKept
		}
	}
	p.mu <- m
	return verdicts
}
func (p ethPool) Pending(int) []eth.TxInfo { return nil }

// fetchChain gets all blocks of a peer and checks that they are what their headers say.
func fetchChain(t *testing.T, p *eth.Peer, config *eth.ChainConfig) *ethChain {
	t.Helper()
	headers, err := p.Headers(t.Context(), eth.HeadersQuery{Amount: eth.MaxHeaders})
	if err != nil {
		t.Fatal(err)
	}
	c := &ethChain{
		config: config, numbers: make(map[common.Hash]uint64), headers: make(map[common.Hash]*types.Header), ethPool: newEthPool(),
		raw: make(map[common.Hash]rlp.RawValue), bodies: make(map[common.Hash]rlp.RawValue), receipts: make(map[common.Hash][]*types.Receipt),
	}
	for i, h := range headers {
		hash := h.Hash()
		c.hashes, c.numbers[hash], c.headers[hash] = append(c.hashes, hash), uint64(i), h
		c.raw[hash] = rlpOf(t, h)
	}
	if c.Head().Hash != p.Head().Hash || c.hashes[0] != config.Genesis {
		t.Fatalf("%d headers, from %x to %x; want %x to %x", len(headers), c.hashes[0], c.Head().Hash, config.Genesis, p.Head().Hash)
	}
	bodies, err := p.Bodies(t.Context(), c.hashes)
	if err != nil || len(bodies) != len(headers) {
		t.Fatalf("%d bodies of %d: %v", len(bodies), len(headers), err)
	}
	receipts, err := p.Receipts(t.Context(), c.hashes)
	if err != nil || len(receipts) != len(headers) {
		t.Fatalf("receipts of %d blocks of %d: %v", len(receipts), len(headers), err)
	}
	for i, hash := range c.hashes {
		if root := types.DeriveSha(types.Transactions(bodies[i].Transactions), trie.NewStackTrie(nil)); root != headers[i].TxHash {
			t.Fatalf("the body of block %d has the wrong transactions", i)
		}
		if root := types.DeriveSha(types.Receipts(receipts[i]), trie.NewStackTrie(nil)); root != headers[i].ReceiptHash {
			t.Fatalf("block %d has the wrong receipts", i)
		}
		c.bodies[hash], c.receipts[hash] = rlpOf(t, bodies[i]), receipts[i]
	}
	return c
}

func rlpOf(t *testing.T, v any) rlp.RawValue {
	t.Helper()
	b, err := rlp.EncodeToBytes(v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// gethNode is a running counterpart of go-ethereum v1.17.10.
type gethNode struct {
	*counterparts.Process
	node *enode.Node
	on   *eth.ChainConfig
}

func startGeth(t *testing.T, args ...string) *gethNode {
	t.Helper()
	p := counterparts.Start(t, "geth", ".", args...)
	m := p.Await(`^CHAIN (\d+) (0x\w+) (\d+) (.*)`, patience)
	var config params.ChainConfig
	if err := json.Unmarshal([]byte(m[4]), &config); err != nil {
		t.Fatal(err)
	}
	network, err1 := strconv.ParseUint(m[1], 10, 64)
	time, err2 := strconv.ParseUint(m[3], 10, 64)
	if err1 != nil || err2 != nil {
		t.Fatal(m[0])
	}
	g := &gethNode{Process: p, on: eth.NewChainConfig("counterpart", network, common.HexToHash(m[2]), time, &config)}
	g.node = enode.MustParse(p.Await(`^ENODE (.*)`, patience)[1])
	return g
}

// linkGeth links the two, dialed by either, and returns the peer.
func linkGeth(t *testing.T, n *ethNode, g *gethNode, weDial bool) *eth.Peer {
	t.Helper()
	if weDial {
		n.AddPeer(g.node)
	} else {
		g.Say("dial %s", n.Self().URLv4())
	}
	return awaitEth(t, n, anyEvent[*eth.PeerJoined]).Peer
}

// within is the context of a request.
func within(t *testing.T, d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}
