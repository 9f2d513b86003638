package bzz

import (
	"fmt"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ethereum/go-ethereum/crypto"

	"github.com/sennit-net/sennit/p2p"
	"github.com/sennit-net/sennit/protocols/bzz/chunk"
	"github.com/sennit-net/sennit/protocols/bzz/kademlia"
	"github.com/sennit-net/sennit/protocols/bzz/wire"
)

// expectPeers returns the addresses of the next Peers.
func (r *remote) expectPeers() []wire.PeerAddr {
	r.t.Helper()
	m, err := wire.ParsePeers(r.expect(wire.HiveName, wire.CodePeers))
	if err != nil {
		r.t.Fatal(err)
	}
	return m.Addrs
}

// silent wants the node to have sent no message of hive with this code. The node must have nothing left to send.
func (r *remote) silent(code uint64) {
	r.t.Helper()
	synctest.Wait()
	for _, m := range r.rest() {
		if m.proto == wire.HiveName && m.code == code {
			r.t.Errorf("the node sends hive %d: %x", m.code, m.payload)
		}
	}
}

func TestPeersHearOfANewOneOnceAndOnlyIfItConcernsThem(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNode(t, nil)
		a := meet(t, n, near(0, 1), false) // announces no depth: everything concerns it
		deep := meet(t, n, near(3, 1), false)
		if got := a.expectPeers(); len(got) != 1 || got[0].Overlay != deep.addr.Overlay {
			t.Errorf("a hears of %v", got)
		}
		deep.say(wire.HiveName, wire.SubPeers{Depth: 5})
		synctest.Wait()
		deep.silent(wire.CodePeers) // a is farther from deep than we are

		b := meet(t, n, near(1, 1), false) // shares 1 bit with deep, whose depth is 5, and is farther from us than deep is
		if got := a.expectPeers(); len(got) != 1 || got[0].Overlay != b.addr.Overlay {
			t.Errorf("a hears of %v", got)
		}
		deep.silent(wire.CodePeers)
		c := meet(t, n, near(6, 1), false) // nearer to us than deep is
		if got := deep.expectPeers(); len(got) != 1 || got[0].Overlay != c.addr.Overlay {
			t.Errorf("deep hears of %v", got)
		}
		light := meet(t, n, near(7, 1), true)
		deep.silent(wire.CodePeers)

		a.say(wire.HiveName, wire.Peers{Addrs: []wire.PeerAddr{c.addr, light.addr}})
		synctest.Wait()
		if got := b.expectPeers(); len(got) != 1 || got[0].Overlay != c.addr.Overlay {
			t.Errorf("b hears of %v", got)
		}
	})
}

func TestTheFirstQuestionForPeersIsAnsweredWithThoseNearer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNode(t, nil)
		meet(t, n, near(0, 9), false)
		nearer := meet(t, n, near(2, 1), false)
		meet(t, n, near(2, 2), true)
		asking := meet(t, n, near(2, 3), false)
		asking.say(wire.HiveName, wire.SubPeers{Depth: 1})
		if got := asking.expectPeers(); len(got) != 1 || got[0].Overlay != nearer.addr.Overlay {
			t.Errorf("told of %v", got)
		}
		asking.say(wire.HiveName, wire.SubPeers{Depth: 9})
		asking.silent(wire.CodePeers)
	})
}

func TestWhoNamesOurOwnAddressIsDisconnected(t *testing.T) {
	r := meet(t, newNode(t, nil), near(0, 1), false)
	r.say(wire.HiveName, wire.Peers{}) // means nothing
	r.say(wire.HiveName, wire.Peers{Addrs: []wire.PeerAddr{{Overlay: base}}})
	r.end(errOwnAddress.Error())
}

func TestADepthThatChangesIsToldToAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNode(t, nil)
		a := meet(t, n, near(0, 1), false)
		meet(t, n, near(1, 1), false)
		c := meet(t, n, near(2, 1), false) // takes the depth from 0 to 1
		m, err := wire.ParseSubPeers(a.expect(wire.HiveName, wire.CodeSubPeers))
		if err != nil || m.Depth != 1 {
			t.Errorf("a is told %v, %v", m, err)
		}
		if s := n.Stats(); s.Depth != 1 || s.Peers != 3 || s.Bins[2] != (kademlia.BinStats{Peers: 1, Known: 1}) {
			t.Errorf("%+v", s)
		}
		c.pipes[wire.StreamName].Close()
		c.end("closed message pipe")
		if m, err := wire.ParseSubPeers(a.expect(wire.HiveName, wire.CodeSubPeers)); err != nil || m.Depth != 0 {
			t.Errorf("a is told %v, %v", m, err)
		}
	})
}

// dialableAddr returns an address with an underlay that can be dialed.
func dialableAddr(t *testing.T, overlay chunk.Address, host string, port int) wire.PeerAddr {
	t.Helper()
	key, err := crypto.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	pub := crypto.FromECDSAPub(&key.PublicKey)
	return wire.PeerAddr{Overlay: overlay, Underlay: []byte(fmt.Sprintf("enode://%x@%s:%d", pub[1:], host, port))}
}

func TestSuggestedNodesAreDialedAndGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNode(t, nil)
		server := n.server.(*fakeServer)
		r := meet(t, n, near(0, 1), false)
		r.say(wire.HiveName, wire.Peers{Addrs: []wire.PeerAddr{
			dialableAddr(t, near(1, 1), "8.0.0.1", 1001), dialableAddr(t, near(2, 1), "8.0.0.1", 1002),
			{Overlay: near(3, 1), Underlay: []byte("http://example.org")},
			dialableAddr(t, near(6, 1), "127.0.0.1", 1003), dialableAddr(t, near(7, 1), "[fe80::1]", 1004),
			{Overlay: near(4, 1), Underlay: []byte("enode://" + string(make([]byte, 64)))},
			{Overlay: near(5, 1), Underlay: []byte(server.self.URLv4())},
		}})
		if node := <-server.added; node.TCP() != 1001 {
			t.Errorf("port %d is dialed first", node.TCP())
		}
		if node := <-server.added; node.TCP() != 1002 {
			t.Errorf("port %d is dialed second", node.TCP())
		}
		time.Sleep(10 * time.Second) // of the bubble
		if len(server.added) > 0 {
			t.Errorf("%v is dialed as well", <-server.added)
		}
		time.Sleep(dialPatience)
		if len(server.removed) != 2 {
			t.Errorf("%d nodes are given up", len(server.removed))
		}
		if s := n.Stats(); s.Undialable == 0 || s.Dialed < 2 {
			t.Errorf("%+v", s)
		}
	})
}

func TestAPeersOwnAddressIsNotDialedIfItMayNotNameIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNode(t, nil)
		for i, host := range []string{"127.0.0.1", "8.0.0.1"} {
			r := link(t, n, near(1, 1))
			r.addr = dialableAddr(t, near(1, 1), host, 1001+i)
			r.say(wire.BzzName, wire.Handshake{Version: 8, NetworkID: 3, Addr: r.addr})
			r.expect(wire.HiveName, wire.CodeSubPeers)
			r.pipes[wire.HiveName].Close()
			synctest.Wait()
		}
		if node := <-n.server.(*fakeServer).added; node.TCP() != 1002 {
			t.Errorf("port %d is dialed", node.TCP())
		}
	})
}

func TestOthersAreNotToldOfAddressesThatAPeerMayNotName(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNode(t, nil)
		a := meet(t, n, near(0, 1), false) // announces no depth: everything concerns it
		b := link(t, n, near(1, 1))
		b.addr = dialableAddr(t, near(1, 1), "127.0.0.1", 1001)
		b.say(wire.BzzName, wire.Handshake{Version: 8, NetworkID: 3, Addr: b.addr})
		synctest.Wait()
		public := dialableAddr(t, near(2, 1), "8.0.0.1", 1002)
		b.say(wire.HiveName, wire.Peers{Addrs: []wire.PeerAddr{dialableAddr(t, near(3, 1), "10.0.0.1", 1003), public}})
		if got := a.expectPeers(); len(got) != 1 || got[0].Overlay != public.Overlay {
			t.Errorf("a hears of %v", got)
		}
		a.say(wire.HiveName, wire.SubPeers{})
		a.silent(wire.CodePeers)
	})
}

func TestAnAddressIsNamedByWhoCouldReachIt(t *testing.T) {
	for _, tt := range []struct {
		from, to string
		want     bool
	}{
		{"8.0.0.1", "9.0.0.1", true},
		{"8.0.0.1", "127.0.0.1", false},
		{"8.0.0.1", "::ffff:127.0.0.1", false},
		{"8.0.0.1", "::1", false},
		{"8.0.0.1", "10.0.0.1", false},
		{"8.0.0.1", "169.254.169.254", false},
		{"8.0.0.1", "100.64.0.1", false},
		{"10.0.0.2", "127.0.0.1", false},
		{"10.0.0.2", "192.168.0.1", true},
		{"::ffff:10.0.0.2", "10.0.0.1", true},
		{"fe80::1%eth0", "fe80::2", true},
		{"127.0.0.1", "127.0.0.2", true},
		{"127.0.0.1", "10.0.0.1", true},
		{"10.0.0.2", "8.0.0.1", true},
		{"127.0.0.1", "224.0.0.1", false},
		{"127.0.0.1", "0.0.0.0", false},
		{"127.0.0.1", "255.255.255.255", false},
	} {
		if got := nameable(netip.MustParseAddr(tt.from), netip.MustParseAddr(tt.to)); got != tt.want {
			t.Errorf("%s names %s: %v", tt.from, tt.to, got)
		}
	}
}

func TestAnAddressOfHivesDoesNotEndALinkOfOtherProtocols(t *testing.T) {
	for _, first := range []bool{true, false} {
		t.Run(fmt.Sprintf("linked before it is suggested: %v", first), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := newNode(t, nil)
				server := n.server.(*fakeServer)
				addr := dialableAddr(t, near(1, 1), "8.0.0.1", 1001)
				node, _ := dialable(addr)
				other := p2p.NewPeer(node.ID(), "eth alone", nil)
				if first {
					server.other.Store(other)
				}
				r := meet(t, n, near(0, 1), false)
				r.say(wire.HiveName, wire.Peers{Addrs: []wire.PeerAddr{addr}})
				time.Sleep(5 * hiveTick) // of the bubble
				if dialed := len(server.added) > 0; dialed == first {
					t.Errorf("dialed: %v", dialed)
				}
				server.other.Store(other)
				time.Sleep(2 * dialPatience)
				if len(server.removed) > 0 {
					t.Error("the link of another protocol is ended")
				}
				server.other.Store(nil)
				time.Sleep(20 * dialPatience) // it is suggested again less and less often
				if len(server.removed) == 0 {
					t.Error("it is not given up when it has gone")
				}
			})
		})
	}
}

func TestAPeerThatIsSlowIsNotLostToThoseWhoTellMuch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNode(t, func(c *Config) { c.NoDial = true })
		slow := link(t, n, near(1, 1), wire.HiveName)
		slow.expect(wire.BzzName, wire.CodeHandshake)
		slow.say(wire.BzzName, wire.Handshake{Version: 8, NetworkID: 3, Addr: slow.addr})
		synctest.Wait()
		for i := range 10 {
			var m wire.Peers
			for j := range tellBurst {
				m.Addrs = append(m.Addrs, wire.PeerAddr{Overlay: someChunk(i*tellBurst + j).Address(), Underlay: make([]byte, wire.MaxUnderlay)})
			}
			meet(t, n, near(0, byte(i)), false).say(wire.HiveName, m)
		}
		synctest.Wait()
		if len(slow.ends) > 0 {
			t.Errorf("it is disconnected: %v", <-slow.ends)
		}
		if s := n.Stats(); s.Dropped == 0 || s.Queued > 11*defaultSendQueue/4 {
			t.Errorf("%+v", s)
		}
	})
}

func TestAFloodOfAddressesIsForgottenAndNotSpread(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNode(t, func(c *Config) { c.NoDial = true })
		other := meet(t, n, near(1, 1), false)
		r := meet(t, n, near(0, 1), false)
		other.expectPeers()
		for i := range 20 {
			var m wire.Peers
			for j := range 1000 {
				m.Addrs = append(m.Addrs, wire.PeerAddr{Overlay: someChunk(i*1000 + j).Address(), Underlay: make([]byte, wire.MaxUnderlay)})
			}
			r.say(wire.HiveName, m)
		}
		synctest.Wait()
		s := n.Stats()
		known := 0
		for _, b := range s.Bins {
			known += b.Known
		}
		if s.Addresses != 20_000 || known > kademlia.Bins*kademlia.MaxKnown {
			t.Errorf("%d addresses came, %d are known", s.Addresses, known)
		}
		if told := s.Addresses - s.Untold; told > tellBurst {
			t.Errorf("%d addresses are spread", told)
		}
		n.mu.Lock()
		defer n.mu.Unlock()
		for _, s := range n.sessions {
			if len(s.seen) > maxSeen {
				t.Errorf("%d addresses are noted as known to a peer", len(s.seen))
			}
		}
	})
}
