package shh

import (
	"context"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/log"

	"github.com/sennit-net/sennit/internal/race"
	"github.com/sennit-net/sennit/p2p"
)

// patience is how long a test waits for something that happens at once on an idle machine.
const patience = 30 * time.Second

func startServer(t testing.TB, name string, protocols ...p2p.Protocol) *p2p.Server {
	t.Helper()
	server := &p2p.Server{Config: p2p.Config{
		PrivateKey: newKey(t), Name: name, MaxPeers: 20, ListenAddr: "127.0.0.1:0", NoDiscovery: true, Protocols: protocols,
		Logger: log.NewLogger(log.DiscardHandler()),
	}}
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Stop)
	return server
}

// until waits for something that nobody tells of.
func until(t testing.TB, what string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !done(); <-time.After(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%s does not come about", what)
		}
	}
}

// breaching is a shh/6 that sends a status that is none and then reads.
func breaching(p *p2p.Peer, rw p2p.MsgReadWriter) error {
	if err := p2p.Send(rw, statusCode, []uint{}); err != nil {
		return err
	}
	for range 100 { // what comes after the breach is read and forgotten
		if err := p2p.Send(rw, messagesCode, []uint{1, 2, 3}); err != nil {
			return err
		}
	}
	return readOn(p, rw)
}

func readOn(_ *p2p.Peer, rw p2p.MsgReadWriter) error {
	for {
		msg, err := rw.ReadMsg()
		if err != nil {
			return err
		}
		if err := msg.Discard(); err != nil {
			return err
		}
	}
}

func TestABreachCostsTheOtherProtocolsOfTheLinkNothing(t *testing.T) {
	echoed := make(chan error, 1)
	ask := p2p.Protocol{Name: "zzz", Version: 1, Length: 2, Run: func(p *p2p.Peer, rw p2p.MsgReadWriter) error {
		for range 50 {
			err := p2p.Send(rw, 0, "hello")
			if err == nil {
				err = p2p.ExpectMsg(rw, 1, "hello")
			}
			if err != nil {
				echoed <- err
				return err
			}
			<-time.After(time.Millisecond)
		}
		echoed <- nil
		return readOn(p, rw)
	}}
	answer := p2p.Protocol{Name: "zzz", Version: 1, Length: 2, Run: func(_ *p2p.Peer, rw p2p.MsgReadWriter) error {
		for {
			if err := p2p.ExpectMsg(rw, 0, "hello"); err != nil {
				return err
			}
			if err := p2p.Send(rw, 1, "hello"); err != nil {
				return err
			}
		}
	}}
	w := newTestWhisper(t, Config{})
	us := startServer(t, "us", append(w.Protocols(), ask)...)
	bad := p2p.Protocol{Name: ProtocolName, Version: ProtocolVersion, Length: ProtocolLength, Run: breaching}
	them := startServer(t, "them", bad, answer)
	us.AddPeer(them.Self())
	select {
	case err := <-echoed:
		if err != nil {
			t.Fatal(err)
		}
	case <-time.After(patience):
		t.Fatal("no echo")
	}
	until(t, "the breach", func() bool { return w.Stats().Breaches == 1 })
	peers := w.Peers()
	if len(peers) != 1 || peers[0].Ended == "" || us.PeerCount() != 1 {
		t.Errorf("%+v, %d peers", peers, us.PeerCount())
	}
	if _, err := w.PostDirect(t.Context(), them.Self().ID(), Outgoing{SymKey: NewSymKey()}); err == nil {
		t.Error("a message goes to a session that has ended")
	}

	// Alone on its link, it costs the link.
	alone := startServer(t, "alone", w.Protocols()...)
	events := make(chan *p2p.PeerEvent, 8)
	defer alone.SubscribeEvents(events).Unsubscribe()
	alone.AddPeer(startServer(t, "bad", bad).Self())
	for e := range events {
		if e.Type == p2p.PeerEventTypeDrop {
			if !strings.Contains(e.Error, "malformed status") {
				t.Errorf("the link ends with %q", e.Error)
			}
			break
		}
	}
}

func TestAMutedSessionDoesNotKeepALinkThatNobodyUses(t *testing.T) {
	muted, over := make(chan struct{}), make(chan struct{})
	defer close(over)
	deaf := p2p.Protocol{Name: "zzz", Version: 1, Length: 1, InboxBytes: 1, Overload: p2p.OverloadStop(), Run: func(*p2p.Peer, p2p.MsgReadWriter) error {
		<-over
		return nil
	}}
	flood := p2p.Protocol{Name: "zzz", Version: 1, Length: 1, Run: func(p *p2p.Peer, rw p2p.MsgReadWriter) error {
		<-muted
		for range 10 {
			if err := p2p.Send(rw, 0, make([]byte, 1<<16)); err != nil {
				return err
			}
		}
		return readOn(p, rw)
	}}
	w := newTestWhisper(t, Config{})
	us := &p2p.Server{Config: p2p.Config{
		PrivateKey: newKey(t), Name: "us", MaxPeers: 20, NoDiscovery: true, NoLanes: true, Protocols: append(w.Protocols(), deaf),
		Logger: log.NewLogger(log.DiscardHandler()),
	}}
	if err := us.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(us.Stop)
	bad := p2p.Protocol{Name: ProtocolName, Version: ProtocolVersion, Length: ProtocolLength, Run: breaching}
	us.AddPeer(startServer(t, "them", bad, flood).Self())
	until(t, "the breach", func() bool { peers := w.Peers(); return len(peers) == 1 && peers[0].Ended != "" })
	close(muted)
	until(t, "the end of the link", func() bool { return len(w.Peers()) == 0 })
}

// The links' own budgets are tested in package p2p; here peers are pipes, which hold nothing.
func TestAFloodOfEnvelopesStaysWithinItsBytes(t *testing.T) {
	const (
		peers, rounds, packets, each = 4, 5, 10, 20
		size                         = 10 << 10
		poolBytes                    = 4 << 20
		slack                        = 1 << 20
	)
	live := func() int64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	w := newTestWhisper(t, Config{MinWork: -1, PoolBytes: poolBytes})
	var remotes [peers]*remote
	for n := range remotes {
		remotes[n] = join(t, w, byte(n), "x")
		remotes[n].greet(status{}) // wants nothing
	}
	before := live()
	for round := range rounds {
		var flood sync.WaitGroup
		for n, r := range remotes {
			flood.Go(func() {
				for i := range packets {
					var list []*Envelope
					for j := range each {
						number := ((round*peers+n)*packets+i)*each + j
						list = append(list, envelopeAt(time.Now(), uint64(number), 3600, size))
					}
					r.sendEnvelopes(list...)
				}
			})
		}
		flood.Wait()
		until(t, "the end of the flood", func() bool { return w.Stats().Received == uint64((round+1)*peers*packets*each) })
		s, grown := w.Stats(), live()-before
		if s.Bytes > poolBytes || s.Bytes < poolBytes*9/10 || !race.Enabled && grown > poolBytes+slack {
			t.Errorf("the pool says it keeps %d bytes of %d, the heap has grown by %d", s.Bytes, poolBytes, grown)
		}
		t.Logf("of %d MiB, the pool keeps %d KiB; the heap has grown by %d KiB", (round+1)*peers*packets*each*size>>20, s.Bytes>>10, grown>>10)
	}
	if s := w.Stats(); s.Refused[FaultPoolFull.String()] == 0 || s.Evicted == 0 || s.Breaches != 0 {
		t.Errorf("%+v", s)
	}
}

func TestMessagesGoThroughANodeInTheMiddle(t *testing.T) {
	key, topic := NewSymKey(), Topic{1, 2, 3, 4}
	var nodes [3]*Whisper
	var servers [3]*p2p.Server
	for i := range nodes {
		nodes[i] = newTestWhisper(t, Config{})
		servers[i] = startServer(t, "sennit/test", nodes[i].Protocols()...)
	}
	servers[0].AddPeer(servers[1].Self())
	servers[2].AddPeer(servers[1].Self())
	until(t, "both sessions", func() bool { return len(nodes[1].Peers()) == 2 })
	sub := subscribe(t, nodes[2], Filter{SymKey: key, Topics: []Topic{topic}, MinWork: DefaultMinWork})
	e, err := nodes[0].Post(t.Context(), Outgoing{SymKey: key, Topic: topic, Payload: make([]byte, 20_000), TTL: 10 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	m, err := sub.Next(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if m.Hash != e.Hash() || len(m.Payload) != 20_000 {
		t.Errorf("%d bytes of %v", len(m.Payload), m.Hash)
	}
	if n := nodes[0].Holders(e.Hash()); n != 1 {
		t.Errorf("%d peers of the sender have it", n)
	}
}
