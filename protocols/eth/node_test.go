package eth

import (
	"encoding/json"
	"slices"
	"testing"

	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/p2p/enode"
	"github.com/ethereum/go-ethereum/p2p/enr"
	"github.com/ethereum/go-ethereum/rlp"
)

// record is a node whose record has a fork id, or none if it is zero.
func record(t *testing.T, id ForkID) *enode.Node {
	t.Helper()
	key, err := crypto.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	var r enr.Record
	if id != (ForkID{}) {
		r.Set(&enrEntry{ForkID: id})
	}
	if err := enode.SignV4(&r, key); err != nil {
		t.Fatal(err)
	}
	n, err := enode.New(enode.ValidSchemes, &r)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestTheRecordSaysTheForkID(t *testing.T) {
	raw, err := rlp.EncodeToBytes(&enrEntry{ForkID: id("cba2a1c0", 1767747671)})
	if err != nil || string(raw) != string(unhex("cbca84cba2a1c084695db057")) {
		t.Errorf("%x, %v", raw, err)
	}
	for _, later := range []string{"cbca84cba2a1c084695db057", "cccb84cba2a1c084695db05701", "ccca84cba2a1c084695db05701"} {
		var e enrEntry
		if err := rlp.DecodeBytes(unhex(later), &e); err != nil || e.ForkID != id("cba2a1c0", 1767747671) {
			t.Errorf("%s: %+v, %v", later, e, err)
		}
	}
	chain := newMemChain(t, 3)
	n := startNode(t, Config{Backend: chain})
	var e enrEntry
	if err := n.Self().Load(&e); err != nil || e.ForkID != n.h.forkID() {
		t.Errorf("the record says %v, %v", e.ForkID, err)
	}
}

func TestOnlyNodesThatAreOnOurChainAreDialed(t *testing.T) {
	h := newHandler(t, Config{Backend: NewObserver(mainnet)})
	good, other, none := record(t, mainnet.ForkIDAt(20_000_000, 1_720_000_000)), record(t, id("01020304", 0)), record(t, ForkID{})
	for n, want := range map[*enode.Node]bool{good: true, other: false, none: false} {
		if h.Compatible(n) != want {
			t.Errorf("compatible: %v", !want)
		}
	}
	h = newHandler(t, Config{Backend: NewObserver(mainnet), DialCandidates: enode.IterNodes([]*enode.Node{other, good, none})})
	protocols := h.Protocols()
	var got []enode.ID
	for _, p := range protocols {
		if p.DialCandidates != nil {
			for p.DialCandidates.Next() {
				got = append(got, p.DialCandidates.Node().ID())
			}
		}
	}
	if !slices.Equal(got, []enode.ID{good.ID()}) {
		t.Errorf("%d nodes to dial", len(got))
	}
}

func TestInfoOfNodeAndPeerAreThoseOfGoEthereum(t *testing.T) {
	chain := newMemChain(t, 5)
	a, b := startNode(t, Config{Backend: chain, Versions: []uint{70}}), startNode(t, Config{Backend: chain})
	p, _ := connect(t, a, b)
	info, err := json.Marshal(a.PeersInfo()[0].Protocols["eth"])
	if want := `{"version":70,"earliestBlock":0,"latestBlock":5,"latestBlockHash":"` + chain.hashes[5].String() + `"}`; err != nil || string(info) != want {
		t.Errorf("%s, %v; want %s", info, err, want)
	}
	node, ok := a.NodeInfo().Protocols["eth"].(*NodeInfo)
	if !ok || node.Network != 1337 || node.Genesis != chain.hashes[0] || node.Head != chain.hashes[5] || node.Config == nil {
		t.Errorf("%+v", node)
	}
	if a.h.peerInfo(enode.ID{1}) != nil {
		t.Error("there is info of a peer that is not there")
	}
	if a.h.Peer(b.Self().ID()) != p || p.P2P() == nil {
		t.Error("the peer is not found by its ID")
	}
}

// TestTwoThatAskEachOtherForMuchAtATimeGoOn: answers of 2 MiB, many at a time and both ways, are more than all queues of the
// link hold. Neither side may wait for the other to read before it reads itself.
func TestTwoThatAskEachOtherForMuchAtATimeGoOn(t *testing.T) {
	chain := newMemChain(t, 9)
	for i, hash := range chain.hashes {
		chain.bodies[hash] = encode(t, []any{[]any{make([]byte, 300<<10+i)}, []any{}})
	}
	a, b := startNode(t, Config{Backend: chain, Versions: []uint{69}}), startNode(t, Config{Backend: chain, Versions: []uint{69}})
	atA, atB := connect(t, a, b)
	const requests = 20
	results := make(chan error, 2*requests)
	for _, p := range []*Peer{atA, atB} {
		for range requests {
			go func() {
				list, err := p.byHashes(t.Context(), CodeGetBlockBodies, chain.hashes, MaxBodies)
				if err == nil && len(list) < 6 {
					t.Errorf("%d bodies", len(list))
				}
				results <- err
			}()
		}
	}
	for range 2 * requests {
		if err := <-results; err != nil {
			t.Fatal(err)
		}
	}
}
