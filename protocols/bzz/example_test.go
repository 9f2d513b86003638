package bzz_test

import (
	"context"
	"fmt"
	"log"

	"github.com/ethereum/go-ethereum/crypto"

	"github.com/sennit-net/sennit/p2p"
	"github.com/sennit-net/sennit/protocols/bzz"
	"github.com/sennit-net/sennit/protocols/bzz/chunk"
	"github.com/sennit-net/sennit/protocols/bzz/store"
)

// start runs a Swarm node on a server of its own.
func start() (*bzz.Node, *p2p.Server) {
	key, err := crypto.GenerateKey()
	if err != nil {
		log.Fatal(err)
	}
	overlay := bzz.OverlayOf(&key.PublicKey)
	node, err := bzz.New(bzz.Config{Overlay: overlay, Store: store.NewMemory(store.Options{Base: overlay})})
	if err != nil {
		log.Fatal(err)
	}
	server := &p2p.Server{Config: p2p.Config{
		PrivateKey: key, MaxPeers: 10, NoDiscovery: true, ListenAddr: "127.0.0.1:0", Protocols: node.Protocols(),
	}}
	if err := server.Start(); err != nil {
		log.Fatal(err)
	}
	if err := node.Start(server); err != nil {
		log.Fatal(err)
	}
	return node, server
}

// One node puts a chunk into its store, and another that is connected to it fetches the chunk by its address.
func Example() {
	alice, aliceServer := start()
	bob, bobServer := start()
	defer alice.Stop()
	defer bob.Stop()
	defer aliceServer.Stop()
	defer bobServer.Stop()
	aliceServer.AddPeer(bobServer.Self())

	c, err := chunk.New(5, []byte("hello"))
	if err != nil {
		log.Fatal(err)
	}
	if err := alice.Put(context.Background(), c); err != nil {
		log.Fatal(err)
	}
	got, err := bob.Get(context.Background(), c.Address())
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s\n", got.Payload())
	// Output: hello
}
