package interop

import (
	"context"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/p2p/enode"
	"github.com/ethereum/go-ethereum/rlp"

	"github.com/sennit-net/sennit/protocols/eth"
)

// TestEthWithEthereumjs speaks eth/68 with ethereumjs, dialing and dialed: each side asks the other for blocks of a real chain
// and gives it transactions, and either ends the link.
func TestEthWithEthereumjs(t *testing.T) {
	needEthereumjs(t)
	g := startGeth(t, "-blocks", "10")
	chain := fetchChain(t, linkGeth(t, startEth(t, eth.Config{Backend: eth.NewObserver(g.on)}), g, true), g.on)
	for _, weDial := range []bool{true, false} {
		t.Run(map[bool]string{true: "we dial", false: "they dial"}[weDial], func(t *testing.T) {
			chain := *chain
			chain.ethPool = newEthPool()
			n := startEth(t, eth.Config{Backend: &chain, Pool: &chain, Versions: []uint{68}})
			js := linkEthereumjs(t, n, weDial)
			p := awaitEth(t, n, anyEvent[*eth.PeerJoined]).Peer
			js.expect(t, "STATUS eth/68")
			ethereumjsAsks(t, js, &chain)
			weAskEthereumjs(t, js, p, &chain)
			swapWithEthereumjs(t, n, js)
			if weDial {
				fmt.Fprintln(js.stdin, "disconnect 8")
				js.expect(t, "GONE 8 us")
			} else {
				p.P2P().Disconnect(4)
				js.expect(t, "GONE 4 them")
			}
			if left := awaitEth(t, n, anyEvent[*eth.PeerLeft]); left.Peer != p {
				t.Error("another peer has left")
			}
		})
	}
}

// linkEthereumjs starts eth.mjs and links it to n.
func linkEthereumjs(t *testing.T, n *ethNode, weDial bool) *javascript {
	t.Helper()
	if !weDial {
		return startScript(t, "eth.mjs", "dial", n.Self().URLv4())
	}
	js := startScript(t, "eth.mjs", "listen", freePort(t))
	n.AddPeer(enode.MustParse(js.enode))
	return js
}

// ethereumjsAsks has them ask us, and compares our answers with the chain.
func ethereumjsAsks(t *testing.T, js *javascript, chain *ethChain) {
	t.Helper()
	hashes := chain.hashes[1:4]
	var receipts []rlp.RawValue
	for _, hash := range hashes {
		list := []rlp.RawValue{}
		for _, r := range chain.receipts[hash] {
			raw, err := eth.EncodeReceipt(68, r)
			if err != nil {
				t.Fatal(err)
			}
			list = append(list, raw)
		}
		receipts = append(receipts, rlpOf(t, list))
	}
	for _, tt := range []struct{ request, answer eth.Message }{
		{&eth.GetBlockHeaders{ID: 5, Query: eth.HeadersQuery{Start: eth.Start{Number: 1}, Amount: 3}},
			&eth.Items{For: eth.CodeBlockHeaders, ID: 5, Items: chain.list(chain.raw, hashes)}},
		{&eth.GetByHash{For: eth.CodeGetBlockBodies, ID: 6, Hashes: hashes}, &eth.Items{For: eth.CodeBlockBodies, ID: 6, Items: chain.list(chain.bodies, hashes)}},
		{&eth.GetReceipts{ID: 7, Query: eth.ReceiptsQuery{Hashes: hashes}}, &eth.Receipts{ID: 7, Lists: receipts}},
	} {
		fmt.Fprintf(js.stdin, "send %d %x\n", tt.request.Code(), ethPayload(t, tt.request))
		want := fmt.Sprintf("MSG %d %x", tt.answer.Code(), ethPayload(t, tt.answer))
		if got := js.expect(t, fmt.Sprintf("MSG %d ", tt.answer.Code())); got != want {
			t.Errorf("they got %.200s\nwant %.200s", got, want)
		}
	}
}

func (c *ethChain) list(from map[common.Hash]rlp.RawValue, hashes []common.Hash) []rlp.RawValue {
	var out []rlp.RawValue
	for _, hash := range hashes {
		out = append(out, from[hash])
	}
	return out
}

// ethPayload is the payload of a message of eth/68.
func ethPayload(t *testing.T, m eth.Message) []byte {
	t.Helper()
	payload, err := eth.Encode(68, m)
	if err != nil {
		t.Fatal(err)
	}
	return payload
}

// answerNext says what the next request with a code is answered with.
func answerNext(t *testing.T, js *javascript, code int, list []byte) {
	t.Helper()
	fmt.Fprintf(js.stdin, "answer %d %x\n", code, list)
	js.expect(t, fmt.Sprint("READY ", code))
}

// weAskEthereumjs has them answer us with what is on the chain.
func weAskEthereumjs(t *testing.T, js *javascript, p *eth.Peer, chain *ethChain) {
	t.Helper()
	hashes := chain.hashes[1:4]
	ctx := within(t, patience)
	answerNext(t, js, 3, rlpOf(t, chain.list(chain.raw, hashes)))
	headers, err := p.Headers(ctx, eth.HeadersQuery{Start: eth.Start{Hash: hashes[0]}, Amount: 3})
	if err != nil || len(headers) != 3 || headers[2].Hash() != hashes[2] {
		t.Errorf("headers: %d, %v", len(headers), err)
	}
	answerNext(t, js, 5, rlpOf(t, chain.list(chain.bodies, hashes)))
	bodies, err := p.Bodies(ctx, hashes)
	if err != nil || len(bodies) != 3 || len(bodies[2].Transactions) != 3 {
		t.Errorf("bodies: %d, %v", len(bodies), err)
	}
	answerNext(t, js, 15, []byte{0xc0})
	receipts, err := p.Receipts(ctx, hashes)
	if err != nil || len(receipts) != 0 {
		t.Errorf("receipts: %d, %v", len(receipts), err)
	}
}

// swapWithEthereumjs exchanges transactions, in full and by announcement.
func swapWithEthereumjs(t *testing.T, n *ethNode, js *javascript) {
	t.Helper()
	tx := func(nonce uint64, size int) eth.Transaction {
		out, err := eth.NewTransaction(types.MustSignNewTx(funded, types.HomesteadSigner{}, &types.LegacyTx{Nonce: nonce, Gas: 21000, Data: make([]byte, size)}))
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	ours, theirs, announced := tx(1, 0), tx(1000, 0), tx(1001, 20_000)
	n.eth.Keep(ours)
	got := js.expect(t, "MSG 2 ")
	raw, err := hex.DecodeString(strings.TrimPrefix(got, "MSG 2 "))
	if err != nil {
		t.Fatal(err)
	}
	m, err := eth.Decode(68, eth.CodeTransactions, raw)
	if err != nil || len(m.(*eth.Transactions).Txs) != 1 {
		t.Fatalf("%v: %s", err, got)
	}
	see := func(hash common.Hash, full bool) {
		t.Helper()
		awaitEth(t, n, func(e *eth.TransactionsSeen) bool { return e.Full == full && e.Txs[0].Hash == hash })
	}
	fmt.Fprintf(js.stdin, "send 2 %x\n", ethPayload(t, &eth.Transactions{Txs: []rlp.RawValue{theirs.Raw}}))
	see(theirs.Hash, true)
	answerNext(t, js, 9, rlpOf(t, []rlp.RawValue{announced.Raw}))
	fmt.Fprintf(js.stdin, "send 8 %x\n", ethPayload(t, &eth.Announcement{Txs: []eth.TxInfo{announced.TxInfo}}))
	see(announced.Hash, false)
	js.expect(t, "MSG 9 ") // and we ask for it
	awaitKept(t, n, announced.Hash)
}

// awaitKept waits until a node can serve a transaction that it has fetched: a new peer is given it.
func awaitKept(t *testing.T, n *ethNode, hash common.Hash) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	other := startEth(t, eth.Config{AnyChain: true})
	other.AddPeer(n.Self())
	p := awaitEth(t, other, anyEvent[*eth.PeerJoined]).Peer
	for ctx.Err() == nil {
		if txs, err := p.PooledTransactions(ctx, []common.Hash{hash}); err != nil {
			t.Fatal(err)
		} else if len(txs) == 1 {
			return
		}
	}
	t.Errorf("transaction %x was not kept", hash)
}
