package eth

import (
	"encoding/json"
	"testing"

	"github.com/ethereum/go-ethereum/p2p/enode"
)

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
