package eth_test

import (
	"context"
	"fmt"
	"log"
	"time"

	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/p2p/enode"

	"github.com/sennit-net/sennit/p2p"
	"github.com/sennit-net/sennit/protocols/eth"
)

// A node without a chain that watches what one other node says, and asks it for a header whenever its head moves.
func ExampleHandler_Subscribe() {
	chain, err := eth.Network("sepolia")
	if err != nil {
		log.Fatal(err)
	}
	handler, err := eth.New(eth.Config{Backend: eth.NewObserver(chain)})
	if err != nil {
		log.Fatal(err)
	}
	key, err := crypto.GenerateKey()
	if err != nil {
		log.Fatal(err)
	}
	server := &p2p.Server{Config: p2p.Config{
		PrivateKey: key, Name: "watcher", MaxPeers: 1, NoDiscovery: true, Protocols: handler.Protocols(),
		StaticNodes: []*enode.Node{enode.MustParse("enode://1dd9d65c4552b5eb43d5ad55a2ee3f56c6cbc1c64a5c8d659f51fcd51bace24351232b8d7821617d2b29b54b81cdefb9b3e9c37d7fd5f63270bcc9e1a6f6a439@127.0.0.1:1")},
	}}
	events := handler.Subscribe(0)
	if err := server.Start(); err != nil {
		log.Fatal(err)
	}
	defer handler.Close()
	defer server.Stop()

	ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
	defer cancel()
	for event := range events.Events(ctx) {
		head, ok := event.(*eth.HeadSeen)
		if !ok {
			continue
		}
		headers, err := head.Peer.Headers(ctx, eth.HeadersQuery{Start: eth.Start{Hash: head.Head.Hash}, Amount: 1})
		if err == nil && len(headers) == 1 {
			fmt.Println(headers[0].Number, headers[0].Time)
		}
	}
	fmt.Println("nobody is there")
	// Output: nobody is there
}

// Fork ids tell whether two nodes are on the same chain.
func ExampleChainConfig_CheckForkID() {
	chain, err := eth.Network("mainnet")
	if err != nil {
		log.Fatal(err)
	}
	ours := chain.ForkIDAt(20_000_000, 1_720_000_000)
	fmt.Println(ours)
	fmt.Println(chain.CheckForkID(chain.ForkIDAt(15_050_000, 0), 20_000_000, 1_720_000_000))
	fmt.Println(chain.CheckForkID(eth.ForkID{Hash: [4]byte{1, 2, 3, 4}}, 20_000_000, 1_720_000_000))
	// Output:
	// 9f3d2254/1746612311
	// <nil>
	// the remote is on another chain, or knows a fork that we do not
}
