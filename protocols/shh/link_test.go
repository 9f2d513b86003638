package shh

import (
	"context"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/log"
	"github.com/ethereum/go-ethereum/rlp"

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
			if e.Error != "malformed status: version: value size exceeds available input length" && e.Error == "" {
				t.Errorf("the link ends with %q", e.Error)
			}
			break
		}
	}
}

// flooding is a shh/6 that sends a flood of envelopes, each different, in packets of some.
func flooding(t *testing.T, start <-chan struct{}, packets, each, size int, sent *sync.WaitGroup) func(*p2p.Peer, p2p.MsgReadWriter) error {
	return func(p *p2p.Peer, rw p2p.MsgReadWriter) error {
		defer sent.Done()
		if err := p2p.Send(rw, statusCode, []uint{ProtocolVersion}); err != nil {
			return err
		}
		<-start
		for i := range packets {
			list := make([]rlp.RawValue, each)
			for j := range list {
				e := envelopeAt(time.Now(), uint64(i*each+j), 3600, size)
				copy(e.Data[8:], p.ID().Bytes())
				e.finish()
				list[j] = e.raw
			}
			if err := p2p.Send(rw, messagesCode, list); err != nil {
				t.Error(err)
				return err
			}
		}
		return nil
	}
}

func TestAFloodOfEnvelopesStaysWithinItsBytes(t *testing.T) {
	const (
		peers, packets, each = 4, 50, 20
		size                 = 10 << 10
		poolBytes            = 4 << 20
		slack                = peers * (4 + 1 + 1) << 20 // inboxes, the senders' outboxes, what is being read and written
	)
	w := newTestWhisper(t, Config{MinWork: -1, PoolBytes: poolBytes})
	us := startServer(t, "us", w.Protocols()...)
	live := func() int64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	var sent sync.WaitGroup
	sent.Add(peers)
	start, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		sent.Wait()
	}()
	for range peers {
		flood := p2p.Protocol{Name: ProtocolName, Version: ProtocolVersion, Length: ProtocolLength, Run: func(p *p2p.Peer, rw p2p.MsgReadWriter) error {
			if err := flooding(t, start, packets, each, size, &sent)(p, rw); err != nil {
				return err
			}
			return readOn(p, rw)
		}}
		startServer(t, "them", flood).AddPeer(us.Self())
	}
	until(t, "all sessions", func() bool { return len(w.Peers()) == peers })
	before, largest := live(), int64(0)
	close(start)
	for flooded := false; !flooded; {
		select {
		case <-done:
			flooded = true
		case <-time.After(20 * time.Millisecond):
		}
		largest = max(largest, live()-before)
		if s := w.Stats(); s.Bytes > poolBytes {
			t.Fatalf("the pool holds %d bytes of %d", s.Bytes, poolBytes)
		}
	}
	until(t, "the pool's being full", func() bool { return w.Stats().Refused[FaultPoolFull.String()]+w.Stats().Evicted > 0 })
	s := w.Stats()
	total := peers * packets * each * size
	t.Logf("%d MiB were sent, the heap grew by %d KiB at most, the pool holds %d KiB in %d envelopes", total>>20, largest>>10, s.Bytes>>10, s.Envelopes)
	if !raceEnabled && largest > poolBytes+slack {
		t.Errorf("the heap grew by %d bytes", largest)
	}
	if left := live() - before; !raceEnabled && left > poolBytes+4<<20 {
		t.Errorf("%d bytes of heap are left", left)
	}
	if s.Envelopes == 0 || s.Bytes < poolBytes/2 {
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
	e, err := nodes[0].Post(t.Context(), Outgoing{SymKey: key, Topic: topic, Payload: make([]byte, 100_000), TTL: 2 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	m, err := sub.Next(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if m.Hash != e.Hash() || len(m.Payload) != 100_000 {
		t.Errorf("%d bytes of %v", len(m.Payload), m.Hash)
	}
	if n := nodes[0].Holders(e.Hash()); n != 1 {
		t.Errorf("%d peers of the sender have it", n)
	}
}
