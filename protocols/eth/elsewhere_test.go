package eth

import (
	"slices"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"

	"github.com/sennit-net/sennit/p2p"
	"github.com/sennit-net/sennit/protocols/internal/echo"
	"github.com/sennit-net/sennit/protocols/internal/silence"
)

// serve starts a server on 127.0.0.1 with some protocols.
func serve(t *testing.T, protocols ...p2p.Protocol) *p2p.Server {
	t.Helper()
	return serveWith(t, p2p.Config{Protocols: protocols})
}

// serveWith starts a server on 127.0.0.1 with protocols, and lanes or not, as cfg says.
func serveWith(t *testing.T, cfg p2p.Config) *p2p.Server {
	t.Helper()
	key, err := crypto.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	s := &p2p.Server{Config: p2p.Config{
		PrivateKey: key, Name: "test", MaxPeers: 50, ListenAddr: "127.0.0.1:0", NoDiscovery: true, NoLanes: cfg.NoLanes, Protocols: cfg.Protocols, Logger: quiet,
	}}
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Stop)
	return s
}

// until waits for something that nobody tells of.
func until(t *testing.T, what string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !done(); <-time.After(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%s does not come about", what)
		}
	}
}

// elsewhere are backends that do not agree with that of a chain, by what differs. The one without a backend says nothing.
func elsewhere(chain *memChain) map[string]Backend {
	change := func(f func(*ChainConfig)) Backend {
		c := *chain.config
		f(&c)
		return NewObserver(&c)
	}
	return map[string]Backend{
		"network":   change(func(c *ChainConfig) { c.NetworkID++ }),
		"genesis":   change(func(c *ChainConfig) { c.Genesis = common.Hash{1} }),
		"fork id":   change(func(c *ChainConfig) { c.BlockForks, c.TimeForks = []uint64{1}, nil }),
		"no Status": nil,
	}
}

// strangers returns the eth of two nodes that do not agree.
func strangers(t *testing.T, chain *memChain, backend Backend) (h *Handler, ours, theirs []p2p.Protocol) {
	h = newHandler(t, Config{Backend: chain})
	t.Cleanup(h.Close)
	if backend != nil {
		g := newHandler(t, Config{Backend: backend})
		t.Cleanup(g.Close)
		return h, h.Protocols(), g.Protocols()
	}
	h.handshakeTimeout = 100 * time.Millisecond
	return h, h.Protocols(), []p2p.Protocol{{Name: Name, Version: 69, Length: Length(69), Run: func(_ *p2p.Peer, rw p2p.MsgReadWriter) error {
		return silence.Discard(rw)
	}}}
}

func TestWhoIsElsewhereCostsTheOtherProtocolsOfTheLinkNothing(t *testing.T) {
	chain := newMemChain(t, 3)
	for name, backend := range elsewhere(chain) {
		t.Run(name, func(t *testing.T) {
			h, ours, theirs := strangers(t, chain, backend)
			links, echoes := make(chan p2p.MsgWriter, 2), make(chan struct{}, 1)
			us, them := serve(t, append(ours, echo.Protocol(links, echoes))...), serve(t, append(theirs, echo.Protocol(links, echoes))...)
			us.AddPeer(them.Self())
			ends := []p2p.MsgWriter{<-links, <-links}
			peer := us.Peers()[0]
			until(t, "the silence", func() bool { return silence.Silent(peer, Name) })
			for i := range 20 {
				if err := p2p.Send(ends[i%2], 0, "hello"); err != nil {
					t.Fatal(err)
				}
				select {
				case <-echoes:
				case <-time.After(patience):
					t.Fatal("no echo")
				}
			}
			if us.PeerCount() != 1 || them.PeerCount() != 1 || len(h.Peers()) > 0 || h.peerInfo(peer.ID()) != nil {
				t.Errorf("%d and %d peers, %d of eth, info %v", us.PeerCount(), them.PeerCount(), len(h.Peers()), h.peerInfo(peer.ID()))
			}
			stats := peer.Stats().Protocols
			if i := slices.IndexFunc(stats, func(s p2p.ProtocolStats) bool { return s.Name == Name }); i < 0 || stats[i].MessagesOut > 1 {
				t.Errorf("it sends more than a Status: %+v", stats)
			}
			us.Stop()
			if silence.Silent(peer, Name) {
				t.Error("a link that has ended is remembered")
			}
		})
	}
}

func TestWhoIsElsewhereIsLetGoIfNothingElseRunsOnTheLink(t *testing.T) {
	chain := newMemChain(t, 3)
	for name, backend := range elsewhere(chain) {
		t.Run(name, func(t *testing.T) {
			_, ours, theirs := strangers(t, chain, backend)
			us, them := serve(t, ours...), serve(t, theirs...)
			events := make(chan *p2p.PeerEvent, 8)
			defer us.SubscribeEvents(events).Unsubscribe()
			us.AddPeer(them.Self())
			timeout := time.After(patience)
			for {
				select {
				case e := <-events:
					if e.Type == p2p.PeerEventTypeDrop {
						return
					}
				case <-timeout:
					t.Fatal("the link does not end")
				}
			}
		})
	}
}

func TestALinkToWhoSaysNothingEndsWhenTheLastOtherProtocolIsStopped(t *testing.T) {
	_, ours, theirs := strangers(t, newMemChain(t, 3), nil)
	over := make(chan struct{})
	links, flood := make(chan *p2p.Peer, 1), make(chan p2p.MsgWriter, 1)
	us := serveWith(t, p2p.Config{NoLanes: true, Protocols: append(ours, p2p.Protocol{
		Name: "other", Version: 1, Length: 1, InboxBytes: 1, Overload: p2p.OverloadStop(), Run: func(peer *p2p.Peer, _ p2p.MsgReadWriter) error {
			links <- peer
			<-over // reads nothing
			return nil
		},
	})})
	defer close(over)
	them := serve(t, append(theirs, p2p.Protocol{Name: "other", Version: 1, Length: 1, Run: func(_ *p2p.Peer, rw p2p.MsgReadWriter) error {
		flood <- rw
		return silence.Discard(rw)
	}})...)
	us.AddPeer(them.Self())
	peer, w := <-links, <-flood
	until(t, "the silence", func() bool { return silence.Silent(peer, Name) })
	for range 10 {
		if err := p2p.Send(w, 0, make([]byte, 1<<16)); err != nil {
			break // it has ended
		}
	}
	until(t, "the end of the link", func() bool { return them.PeerCount() == 0 })
}
