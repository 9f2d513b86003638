package p2p_test

import (
	"fmt"
	"io"
	"time"

	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/log"

	"github.com/sennit-net/sennit/p2p"
)

// newExampleServer returns a server on this host that finds no peers by itself. NoDial would keep it from dialing
// altogether.
func newExampleServer(name string, protocols ...p2p.Protocol) *p2p.Server {
	key, err := crypto.GenerateKey()
	if err != nil {
		panic(err)
	}
	return &p2p.Server{Config: p2p.Config{
		PrivateKey: key, Name: name, MaxPeers: 10, NoDiscovery: true, ListenAddr: "127.0.0.1:0",
		Protocols: protocols, Logger: log.New(),
	}}
}

// Two servers on one host: one dials the other and asks a question.
func ExampleServer() {
	answer := p2p.Protocol{Name: "sum", Version: 1, Length: 2, Run: func(_ *p2p.Peer, rw p2p.MsgReadWriter) error {
		msg, err := rw.ReadMsg()
		if err != nil {
			return err
		}
		var numbers []uint64
		if err := msg.Decode(&numbers); err != nil {
			return err // the peer is told that it broke the protocol
		}
		sum := uint64(0)
		for _, n := range numbers {
			sum += n
		}
		if err := p2p.Send(rw, 1, []uint64{sum}); err != nil {
			return err
		}
		_, err = rw.ReadMsg() // until the peer goes
		return err
	}}
	done := make(chan struct{})
	ask := p2p.Protocol{Name: "sum", Version: 1, Length: 2, Run: func(peer *p2p.Peer, rw p2p.MsgReadWriter) error {
		defer close(done)
		if err := p2p.Send(rw, 0, []uint64{1, 2, 3}); err != nil {
			return err
		}
		msg, err := rw.ReadMsg()
		if err != nil {
			return err
		}
		var sum []uint64
		if err := msg.Decode(&sum); err != nil {
			return err
		}
		fmt.Println(peer.Fullname(), "says", sum)
		return p2p.DiscRequested
	}}

	server, client := newExampleServer("answerer", answer), newExampleServer("asker", ask)
	for _, srv := range []*p2p.Server{server, client} {
		if err := srv.Start(); err != nil {
			fmt.Println(err)
			return
		}
		defer srv.Stop()
	}
	client.AddPeer(server.Self())
	<-done
	// Output: answerer says [6]
}

// Gossip may lose messages, and a slow reader of it must not hold up the other protocols of the link: the latest 256 KiB
// are kept.
func ExampleProtocol_overload() {
	gossip := p2p.Protocol{
		Name: "gossip", Version: 1, Length: 1,
		Overload:   p2p.OverloadDropOldest(),
		InboxBytes: 256 << 10,
		Run: func(_ *p2p.Peer, rw p2p.MsgReadWriter) error {
			for {
				msg, err := rw.ReadMsg()
				if err != nil {
					return err
				}
				if err := msg.Discard(); err != nil {
					return err
				}
			}
		},
	}
	sync := p2p.Protocol{Name: "sync", Version: 1, Length: 1, Run: gossip.Run} // waits up to 10 s, then it is stopped
	fmt.Println(gossip.Overload)
	fmt.Println(sync.Overload)
	// Output:
	// drop-oldest
	// wait 10s
}

// Who eats the traffic, and who does not keep up?
func ExamplePeer_Stats() {
	flooded := make(chan struct{})
	idle := p2p.Protocol{Name: "idle", Version: 1, Length: 1, Overload: p2p.OverloadDropNewest(), InboxBytes: 10_000,
		Run: func(peer *p2p.Peer, rw p2p.MsgReadWriter) error {
			<-flooded
			for { // not a word has been read so far
				s := peer.Stats().Protocols[0]
				if s.MessagesIn+s.Dropped == 100 {
					fmt.Printf("%s: %d messages wait, %d lost\n", s.Name, s.InboxMessages, s.Dropped)
					return nil
				}
				<-time.After(time.Millisecond)
			}
		}}
	flood := p2p.Protocol{Name: "idle", Version: 1, Length: 1, Run: func(_ *p2p.Peer, rw p2p.MsgReadWriter) error {
		for range 100 {
			if err := p2p.Send(rw, 0, [][]byte{make([]byte, 997)}); err != nil {
				return err
			}
		}
		close(flooded)
		if _, err := rw.ReadMsg(); err != io.EOF {
			return err
		}
		return nil
	}}

	server, client := newExampleServer("server", idle), newExampleServer("client", flood)
	server.NoLanes = true // on a link with flow control the flood would wait, and nothing be lost
	events := make(chan *p2p.PeerEvent, 2)
	defer server.SubscribeEvents(events).Unsubscribe()
	for _, srv := range []*p2p.Server{server, client} {
		if err := srv.Start(); err != nil {
			fmt.Println(err)
			return
		}
		defer srv.Stop()
	}
	client.AddPeer(server.Self())
	for ev := range events {
		if ev.Type == p2p.PeerEventTypeDrop {
			fmt.Println(ev.Error)
			break
		}
	}
	// Output:
	// idle: 8 messages wait, 92 lost
	// protocol returned
}
