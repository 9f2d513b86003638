package p2p

import (
	"net"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/p2p/enode"
	"github.com/ethereum/go-ethereum/p2p/enr"
)

func nextEvent(t *testing.T, ch <-chan *PeerEvent) *PeerEvent {
	t.Helper()
	select {
	case ev := <-ch:
		return ev
	case <-time.After(10 * time.Second):
		t.Fatal("waited in vain for an event")
		return nil
	}
}

func TestPeersAreAnnouncedWhenTheyComeAndGo(t *testing.T) {
	a := startTestServer(t, nil)
	b := startTestServer(t, func(srv *Server) { srv.NoDial = false })
	events := make(chan *PeerEvent, 10)
	sub := b.SubscribeEvents(events)
	defer sub.Unsubscribe()
	b.AddPeer(a.Self())
	ev := nextEvent(t, events)
	if ev.Type != PeerEventTypeAdd || ev.Peer != a.Self().ID() || ev.RemoteAddress != a.ListenAddr || ev.Error != "" {
		t.Errorf("got %+v", ev)
	}
	if _, _, err := net.SplitHostPort(ev.LocalAddress); err != nil {
		t.Errorf("local address %q: %v", ev.LocalAddress, err)
	}
	if peers := b.Peers(); len(peers) != 1 || b.PeerCount() != 1 || len(b.PeersInfo()) != 1 || b.PeersInfo()[0].ID != ev.Peer.String() {
		t.Errorf("peers are %v", peers)
	}
	b.RemovePeer(a.Self())
	select {
	case ev = <-events:
	default:
		t.Fatal("RemovePeer has returned before the drop event")
	}
	if ev.Type != PeerEventTypeDrop || ev.Peer != a.Self().ID() || ev.Error != DiscRequested.String() {
		t.Errorf("got %+v", ev)
	}
	if b.PeerCount() != 0 {
		t.Errorf("%d peers left", b.PeerCount())
	}
	b.RemovePeer(a.Self()) // of nobody: returns
}

func TestStoppingTellsAllPeersThatWeQuit(t *testing.T) {
	srv := startTestServer(t, nil)
	events := make(chan *PeerEvent, 10)
	sub := srv.SubscribeEvents(events)
	defer sub.Unsubscribe()
	c := dialRaw(t, srv, newKey(t))
	c.connect()
	if ev := nextEvent(t, events); ev.Type != PeerEventTypeAdd {
		t.Errorf("got %+v", ev)
	}
	srv.Stop()
	c.expect(discMsg, []byte{0xc1, 8})
	if ev := nextEvent(t, events); ev.Type != PeerEventTypeDrop || ev.Error != DiscQuitting.String() {
		t.Errorf("got %+v", ev)
	}
}

func TestAnInboundNodeHasTheAddressItCameFrom(t *testing.T) {
	srv := startTestServer(t, nil)
	c := dialRaw(t, srv, newKey(t))
	c.connect()
	eventually(t, "the peer", func() bool { return srv.PeerCount() == 1 })
	set := srv.active().peers
	set.mu.Lock()
	n := set.peers[keyID(c.key)].conn.known()
	set.mu.Unlock()
	port := c.fd.LocalAddr().(*net.TCPAddr).Port
	if n.IPAddr().String() != "127.0.0.1" || n.TCP() != port || n.UDP() != port {
		t.Errorf("got %v, want port %d", n, port)
	}
}

func TestDialCandidatesAreDialed(t *testing.T) {
	a, b, c := startTestServer(t, nil), startTestServer(t, nil), startTestServer(t, nil)
	d := startTestServer(t, func(srv *Server) {
		srv.NoDial, srv.NoDiscovery = false, false
		p := srv.Protocols[0]
		p.DialCandidates = enode.IterNodes([]*enode.Node{a.Self(), b.Self()})
		again := waitProtocol(p.Name, 2) // the same name: not a source
		again.DialCandidates = enode.IterNodes([]*enode.Node{c.Self()})
		srv.Protocols = []Protocol{p, again}
		p.Attributes = nil
	})
	eventually(t, "both peers", func() bool { return d.PeerCount() == 2 })
	if c.PeerCount() != 0 {
		t.Error("the second source of a protocol name is used")
	}
}

// untouched is an iterator that nobody may ask.
type untouched struct {
	t      *testing.T
	closed bool
}

func (it *untouched) Next() bool        { it.t.Error("a candidate was asked for"); return false }
func (it *untouched) Node() *enode.Node { return nil }
func (it *untouched) Close()            { it.closed = true }

func TestNoDiscoveryMeansNoDialCandidatesEither(t *testing.T) {
	a, it := startTestServer(t, nil), &untouched{t: t}
	d := startTestServer(t, func(srv *Server) {
		srv.NoDial, srv.NoDiscovery = false, true
		srv.Protocols[0].DialCandidates = it
	})
	d.AddPeer(a.Self())
	eventually(t, "the static node, which is dialed", func() bool { return d.PeerCount() == 1 })
	if d.Stop(); !it.closed {
		t.Error("the server has stopped and not closed it")
	}
}

type testAttribute string

func (testAttribute) ENRKey() string { return "test" }

func TestAttributesOfProtocolsAreInOurRecord(t *testing.T) {
	srv := startTestServer(t, func(srv *Server) { srv.Protocols[0].Attributes = []enr.Entry{testAttribute("value")} })
	var got testAttribute
	if err := srv.Self().Load(&got); err != nil || got != "value" {
		t.Errorf("got %q, %v", got, err)
	}
	if srv.LocalNode().Node().Seq() != srv.Self().Seq() {
		t.Error("LocalNode is not Self")
	}
}

func TestTwoServersThatDialEachOtherGetOneLink(t *testing.T) {
	for range 10 {
		dials := func(srv *Server) { srv.NoDial = false }
		a, b := startTestServer(t, dials), startTestServer(t, dials)
		go a.AddPeer(b.Self())
		b.AddPeer(a.Self())
		eventually(t, "the link", func() bool { return a.PeerCount() == 1 && b.PeerCount() == 1 })
		a.Stop()
		b.Stop()
	}
}
