package eth

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/log"
	"go.uber.org/goleak"

	"github.com/sennit-net/sennit/p2p"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m,
		// Of the server's node database: it ends by itself, a second after the database was closed.
		goleak.IgnoreTopFunction("github.com/syndtr/goleveldb/leveldb.(*DB).mpoolDrain"))
}

// patience is how long a test waits for something that happens at once on an idle machine.
const patience = 60 * time.Second

// node is a server on 127.0.0.1 that speaks the protocol.
type node struct {
	*p2p.Server
	h   *Handler
	sub *Subscription
}

func startNode(tb testing.TB, cfg Config) *node {
	tb.Helper()
	h, err := New(cfg)
	if err != nil {
		tb.Fatal(err)
	}
	key, err := crypto.GenerateKey()
	if err != nil {
		tb.Fatal(err)
	}
	n := &node{h: h, sub: h.Subscribe(0), Server: &p2p.Server{Config: p2p.Config{
		PrivateKey: key, Name: "test", MaxPeers: 50, ListenAddr: "127.0.0.1:0", NoDiscovery: true, Protocols: h.Protocols(), Logger: log.NewLogger(log.DiscardHandler()),
	}}}
	if err := n.Start(); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		n.Stop()
		h.Close()
	})
	return n
}

// await returns the next event of a kind.
func await[E Event](tb testing.TB, sub *Subscription) E {
	tb.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	for e := range sub.Events(ctx) {
		if e, ok := e.(E); ok {
			return e
		}
	}
	var none E
	tb.Fatalf("no %T", none)
	return none
}

// connect links a to b and returns both ends.
func connect(tb testing.TB, a, b *node) (atA, atB *Peer) {
	tb.Helper()
	a.AddPeer(b.Self())
	return await[*PeerJoined](tb, a.sub).Peer, await[*PeerJoined](tb, b.sub).Peer
}

// eachVersion runs a test for every version of the protocol.
func eachVersion(t *testing.T, f func(t *testing.T, version uint)) {
	for _, v := range Versions() {
		t.Run(fmt.Sprint("eth/", v), func(t *testing.T) { f(t, v) })
	}
}

func TestEveryVersionCarriesEveryRequest(t *testing.T) {
	chain := newMemChain(t, 300)
	pooled, err := NewTransaction(testTx(7, 0))
	if err != nil {
		t.Fatal(err)
	}
	chain.Add([]Transaction{pooled})
	eachVersion(t, func(t *testing.T, version uint) {
		a := startNode(t, Config{Backend: NewObserver(chain.config), Versions: []uint{version}})
		b := startNode(t, Config{Backend: chain, Versions: []uint{version}})
		p, _ := connect(t, a, b)
		if p.Version() != version || p.Status().Genesis != chain.hashes[0] || p.Head().Hash != chain.Head().Hash {
			t.Fatalf("version %d, status %+v", p.Version(), p.Status())
		}
		ctx := t.Context()
		headers, err := p.Headers(ctx, HeadersQuery{Start: Start{Number: 10}, Amount: 200})
		if err != nil || len(headers) != 200 || headers[199].Hash() != chain.hashes[209] {
			t.Fatalf("headers: %d, %v", len(headers), err)
		}
		headers, err = p.Headers(ctx, HeadersQuery{Start: Start{Hash: chain.hashes[50]}, Amount: 4, Skip: 9, Reverse: true})
		if err != nil || len(headers) != 4 || headers[3].Hash() != chain.hashes[20] {
			t.Fatalf("headers backwards: %d, %v", len(headers), err)
		}
		bodies, err := p.Bodies(ctx, chain.hashes[1:11])
		if err != nil || len(bodies) != 10 || len(bodies[0].Transactions) != 1 {
			t.Fatalf("bodies: %d, %v", len(bodies), err)
		}
		receipts, err := p.Receipts(ctx, chain.hashes[1:11])
		if err != nil || len(receipts) != 10 || len(receipts[0]) != 1 || receipts[0][0].Bloom != chain.receipts[chain.hashes[1]][0].Bloom {
			t.Fatalf("receipts: %v, %v", receipts, err)
		}
		txs, err := p.PooledTransactions(ctx, []common.Hash{one, pooled.Hash})
		if want := version >= 68; want && (err != nil || len(txs) != 1 || txs[0].Hash != pooled.Hash) || !want && !errors.Is(err, ErrUnsupported) {
			t.Errorf("pooled transactions: %d, %v", len(txs), err)
		}
		data, err := p.NodeData(ctx, []common.Hash{one})
		if want := version == 63; want && (err != nil || len(data) != 0) || !want && !errors.Is(err, ErrUnsupported) {
			t.Errorf("node data: %d, %v", len(data), err)
		}
		lists, err := p.AccessLists(ctx, []common.Hash{chain.hashes[1], chain.hashes[2]})
		if want := version >= 71; want && (err != nil || len(lists) != 2 || lists[0] == nil || lists[1] != nil) || !want && !errors.Is(err, ErrUnsupported) {
			t.Errorf("access lists: %x, %v", lists, err)
		}
		cells, err := p.Cells(ctx, CellsQuery{Hashes: []common.Hash{one}, Mask: CellMask{1}})
		if want := version == 72; want && (err != nil || len(cells.Hashes) != 0 || cells.Mask != CellMask{1}) || !want && !errors.Is(err, ErrUnsupported) {
			t.Errorf("cells: %v, %v", cells, err)
		}
	})
}

func TestTransactionsReachEveryNode(t *testing.T) {
	eachVersion(t, func(t *testing.T, version uint) {
		one, two, three := newMemChain(t, 1), newMemChain(t, 1), newMemChain(t, 1)
		a := startNode(t, Config{Backend: one, Pool: one, Versions: []uint{version}})
		b := startNode(t, Config{Backend: two, Pool: two, Versions: []uint{version}})
		c := startNode(t, Config{Backend: three, Pool: three, Versions: []uint{version}})
		connect(t, a, b)
		connect(t, b, c)
		txs := []*types.Transaction{legacyTx(0), legacyTx(1)}
		if version > 63 {
			txs = append(txs, testTx(2, 0), testTx(3, 10_000)) // the last is too large to be sent unasked
		}
		list := make([]Transaction, len(txs))
		for i, tx := range txs {
			var err error
			if list[i], err = NewTransaction(tx); err != nil {
				t.Fatal(err)
			}
		}
		one.Add(list)
		if err := a.h.Broadcast(txs...); err != nil {
			t.Fatal(err)
		}
		for seen := 0; seen < len(txs); {
			for _, tx := range await[*TransactionsSeen](t, c.sub).Txs {
				if tx.First {
					seen++
				}
			}
		}
	})
}

func TestWhoHasJoinedHasAHeadAtOnce(t *testing.T) {
	chain := newMemChain(t, 3)
	h := newHandler(t, Config{Backend: chain})
	defer h.Close()
	sub := h.Subscribe(0)
	for i := range byte(200) {
		dialFar(t, h, 69, i).shake(chain)
		if head := await[*PeerJoined](t, sub).Peer.Head(); head.Hash != chain.hashes[3] || head.Number != 3 {
			t.Fatalf("peer %d has %+v", i, head)
		}
	}
}
