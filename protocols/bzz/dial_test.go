package bzz

import (
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/log"
	"github.com/ethereum/go-ethereum/p2p/enode"

	"github.com/sennit-net/sennit/p2p"
	"github.com/sennit-net/sennit/protocols/bzz/store"
	"github.com/sennit-net/sennit/protocols/bzz/wire"
)

func TestAStaticNodeThatIsDownStaysStaticWhoeverTellsOfIt(t *testing.T) {
	addrs := []wire.PeerAddr{dialableAddr(t, near(1, 1), "127.0.0.1", 1), dialableAddr(t, near(2, 1), "127.0.0.1", 2)} // where nobody listens
	static, _ := dialable(addrs[0])
	key, err := crypto.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	server := &p2p.Server{Config: p2p.Config{
		PrivateKey: key, MaxPeers: 10, NoDiscovery: true, StaticNodes: []*enode.Node{static}, Logger: log.NewLogger(log.DiscardHandler()),
	}}
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	defer server.Stop()
	n, err := New(Config{Overlay: base, NoDial: true, Store: store.NewMemory(store.Options{Base: base})}) // the test ticks itself
	if err != nil {
		t.Fatal(err)
	}
	if err := n.Start(server); err != nil {
		t.Fatal(err)
	}
	defer n.Stop()
	n.mu.Lock()
	for _, a := range addrs {
		n.table.Learn(a)
	}
	n.mu.Unlock()
	asked := make(dials)
	now := time.Now()
	for range 10 {
		asked.tick(n, now)
	}
	if asked[static.ID()] != nil || len(asked) != 1 {
		t.Errorf("of a static node and another, %d were asked for, the static one: %v", len(asked), asked[static.ID()] != nil)
	}
}
