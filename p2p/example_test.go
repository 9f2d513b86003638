package p2p_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"time"

	"github.com/ethereum/go-ethereum/p2p/enode"

	"github.com/sennit-net/sennit/p2p"
)

// A pipe connects two ends, here one that asks and a handler that answers, without any network.
func ExampleMsgPipe() {
	here, there := p2p.MsgPipe()
	done := make(chan error)
	go func() { done <- double(there) }()

	if err := p2p.Send(here, 0, []uint{21}); err != nil {
		log.Fatal(err)
	}
	msg, err := here.ReadMsg()
	if err != nil {
		log.Fatal(err)
	}
	var numbers []uint
	if err := msg.Decode(&numbers); err != nil {
		log.Fatal(err)
	}
	fmt.Println("code", msg.Code, "answer", numbers)

	here.Close()
	fmt.Println(<-done)
	// Output:
	// code 1 answer [42]
	// p2p: read or write on closed message pipe
}

// double answers each message of code 0 with one of code 1 that has all numbers doubled.
func double(rw p2p.MsgReadWriter) error {
	for {
		msg, err := rw.ReadMsg()
		if err != nil {
			return err
		}
		var numbers []uint
		if err := msg.Decode(&numbers); err != nil {
			return err
		}
		for i := range numbers {
			numbers[i] *= 2
		}
		if err := p2p.Send(rw, 1, numbers); err != nil {
			return err
		}
	}
}

func ExampleSend() {
	type request struct {
		ID   uint64
		Hash []byte
	}
	here, there := p2p.MsgPipe()
	defer here.Close()
	go p2p.Send(here, 3, request{ID: 7, Hash: []byte{0xca, 0xfe}})

	msg, err := there.ReadMsg()
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(msg)
	var r request
	if err := msg.Decode(&r); err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%d %x\n", r.ID, r.Hash)
	// Output:
	// msg #3 (5 bytes)
	// 7 cafe
}

func ExampleSendItems() {
	here, there := p2p.MsgPipe()
	defer here.Close()
	go p2p.SendItems(here, 2, uint(1), "two")

	fmt.Println(p2p.ExpectMsg(there, 2, []any{uint(1), "two"}))
	// Output: <nil>
}

func ExampleExpectMsg() {
	here, there := p2p.MsgPipe()
	defer here.Close()
	go p2p.SendItems(here, 2)

	fmt.Println(p2p.ExpectMsg(there, 1, nil))
	// Output: message code 2 received, 1 expected
}

// A decode error that Run returns tells the peer that it broke the protocol.
func ExampleMsg_Decode() {
	here, there := p2p.MsgPipe()
	defer here.Close()
	go p2p.Send(here, 0, "not a list")

	msg, err := there.ReadMsg()
	if err != nil {
		log.Fatal(err)
	}
	var numbers []uint
	fmt.Println(msg.Decode(&numbers))
	// Output: invalid message: (code 0) (size 11) rlp: expected input list for []uint
}

// A gossip protocol would rather lose messages than hold up the others on the link.
func ExampleProtocol() {
	gossip := p2p.Protocol{
		Name:       "gossip",
		Version:    1,
		Length:     2,
		Overload:   p2p.OverloadDropOldest(),
		InboxBytes: 1 << 20,
		Run: func(peer *p2p.Peer, rw p2p.MsgReadWriter) error {
			return double(rw)
		},
	}
	fmt.Println(gossip.Name, gossip.Overload)
	// Output: gossip drop-oldest
}

func ExampleOverloadWait() {
	var p p2p.Protocol
	fmt.Println(p.Overload)
	p.Overload = p2p.OverloadWait(500 * time.Millisecond)
	fmt.Println(p.Overload)
	// Output:
	// wait 10s
	// wait 500ms
}

func ExampleDiscReason() {
	err := fmt.Errorf("dialing: %w", p2p.DiscTooManyPeers)
	var reason p2p.DiscReason
	if errors.As(err, &reason) {
		fmt.Println(uint8(reason), reason)
	}
	fmt.Println(p2p.DiscReason(99))
	// Output:
	// 4 too many peers
	// unknown disconnect reason 99
}

func ExampleDecodeConfig() {
	cfg := p2p.Config{MaxPeers: 50, ListenAddr: ":30303"}
	err := p2p.DecodeConfig([]byte("MaxPeers = 10\nNAT = \"extip:192.0.2.1\"\n"), &cfg)
	fmt.Println(cfg.MaxPeers, cfg.ListenAddr, cfg.NAT, err)
	fmt.Println(p2p.DecodeConfig([]byte("NoDial = true\nMaxPears = 10"), &cfg))
	// Output:
	// 10 :30303 ExtIP(192.0.2.1) <nil>
	// line 2: unknown key MaxPears
}

// Probe needs a node to talk to, so this example is not run.
func ExampleProbe() {
	node, err := enode.ParseV4(os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	result, err := p2p.Probe(ctx, p2p.ProbeConfig{Name: "example"}, node)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%q speaks %v, answers in %v\n", result.Name, result.Caps, result.RTT)
}
