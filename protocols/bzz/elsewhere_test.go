package bzz

import (
	"slices"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/log"

	"github.com/sennit-net/sennit/p2p"
	"github.com/sennit-net/sennit/protocols/bzz/store"
	"github.com/sennit-net/sennit/protocols/internal/echo"
	"github.com/sennit-net/sennit/protocols/internal/silence"
)

// stranger is a node on a server of its own that has other protocols as well.
type stranger struct {
	*Node
	server *p2p.Server
	events chan *p2p.PeerEvent
}

func startStranger(t *testing.T, change func(*Config), others ...p2p.Protocol) *stranger {
	t.Helper()
	key, err := crypto.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	overlay := OverlayOf(&key.PublicKey)
	cfg := Config{Overlay: overlay, Store: store.NewMemory(store.Options{Base: overlay}), NoDial: true}
	change(&cfg)
	n, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	n.handshakeTimeout = time.Second
	s := &stranger{n, &p2p.Server{Config: p2p.Config{
		PrivateKey: key, Name: "test", MaxPeers: 10, ListenAddr: "127.0.0.1:0", NoDiscovery: true, Protocols: append(n.Protocols(), others...),
		Logger: log.NewLogger(log.DiscardHandler()),
	}}, make(chan *p2p.PeerEvent, 100)}
	sub := s.server.SubscribeEvents(s.events)
	if err := s.server.Start(); err != nil {
		t.Fatal(err)
	}
	if err := n.Start(s.server); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		s.server.Stop()
		n.Stop()
		sub.Unsubscribe()
	})
	return s
}

// elsewhere changes a configuration to that of another network.
func elsewhere(c *Config) { c.NetworkID, c.LaterNetworkID = 77, 78 }

func TestAnotherNetworkCostsTheOtherProtocolsOfTheLinkNothing(t *testing.T) {
	eachDialect(t, func(t *testing.T, dialect func(*Config)) {
		links, echoes := make(chan p2p.MsgWriter, 2), make(chan struct{}, 1)
		us := startStranger(t, dialect, echo.Protocol(links, echoes))
		them := startStranger(t, func(c *Config) {
			dialect(c)
			elsewhere(c)
		}, echo.Protocol(links, echoes))
		us.server.AddPeer(them.server.Self())
		ends := []p2p.MsgWriter{<-links, <-links}
		nodes := []*stranger{us, them}
		var peers []*p2p.Peer
		for _, n := range nodes {
			peer := n.server.Peers()[0]
			peers = append(peers, peer)
			// The one that was dialed falls silent for the other's handshake, and the other as there is none.
			for deadline := time.Now().Add(patience); !silence.Silent(peer, "hive"); <-time.After(5 * time.Millisecond) {
				if time.Now().After(deadline) {
					t.Fatal("no silence")
				}
			}
		}
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
		for i, n := range nodes {
			_, known := n.peerInfo(peers[i].ID())
			if s := n.Stats(); n.server.PeerCount() != 1 || s.Peers != 0 || known {
				t.Errorf("%d peers, %d of Swarm, known: %v", n.server.PeerCount(), s.Peers, known)
			}
			if slices.ContainsFunc(peers[i].Stats().Protocols, func(s p2p.ProtocolStats) bool {
				return s.MessagesOut > 0 && s.Name != "zzz" && (s.Name != "bzz" || s.MessagesOut > 1)
			}) {
				t.Errorf("more than a handshake is sent: %+v", peers[i].Stats().Protocols)
			}
		}
		us.server.Stop()
		if silence.Silent(peers[0], "hive") {
			t.Error("a link that has ended is remembered")
		}
	})
}

func TestAnotherNetworkEndsTheLinkIfNothingElseRunsOnIt(t *testing.T) {
	eachDialect(t, func(t *testing.T, dialect func(*Config)) {
		us := startStranger(t, dialect)
		them := startStranger(t, func(c *Config) {
			dialect(c)
			elsewhere(c)
		})
		us.server.AddPeer(them.server.Self())
		timeout := time.After(patience)
		for {
			select {
			case e := <-us.events:
				if e.Type == p2p.PeerEventTypeDrop {
					return
				}
			case <-timeout:
				t.Fatal("the link does not end")
			}
		}
	})
}
