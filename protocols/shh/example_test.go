package shh_test

import (
	"context"
	"fmt"

	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/log"

	"github.com/sennit-net/sennit/p2p"
	"github.com/sennit-net/sennit/protocols/shh"
)

// newNode starts a node on this host that finds no peers by itself.
func newNode() (*shh.Whisper, *p2p.Server) {
	w, err := shh.New(shh.Config{})
	if err != nil {
		panic(err)
	}
	key, err := crypto.GenerateKey()
	if err != nil {
		panic(err)
	}
	server := &p2p.Server{Config: p2p.Config{
		PrivateKey: key, Name: "sennit/example", MaxPeers: 10, NoDiscovery: true, ListenAddr: "127.0.0.1:0", Protocols: w.Protocols(),
		Logger: log.NewLogger(log.DiscardHandler()),
	}}
	if err := server.Start(); err != nil {
		panic(err)
	}
	return w, server
}

// Two nodes that share a password exchange a message.
func Example() {
	alice, aliceServer := newNode()
	defer aliceServer.Stop()
	bob, bobServer := newNode()
	defer bobServer.Stop()
	aliceServer.AddPeer(bobServer.Self())

	key, err := shh.SymKeyFromPassword("secret")
	if err != nil {
		panic(err)
	}
	topic := shh.Topic{0xde, 0xad, 0xbe, 0xef}
	sub, err := bob.Subscribe(shh.Filter{SymKey: key, Topics: []shh.Topic{topic}})
	if err != nil {
		panic(err)
	}
	defer sub.Close()
	if _, err := alice.Post(context.Background(), shh.Outgoing{
		SymKey: key, Topic: topic, Payload: []byte("hello"), Rules: shh.Rule19,
	}); err != nil {
		panic(err)
	}
	m, err := sub.Next(context.Background())
	if err != nil {
		panic(err)
	}
	fmt.Printf("%s on %v, for %d s\n", m.Payload, m.Topic, m.TTL)
	// Output: hello on 0xdeadbeef, for 50 s
}
