package p2p

import (
	"testing"

	"github.com/ethereum/go-ethereum/p2p/enode"
)

func TestDiscoveryVersionsRunAsConfigured(t *testing.T) {
	for _, test := range []struct{ off, v4, v5, want4, want5 bool }{
		{off: true, v4: true, v5: true},
		{},
		{v4: true, want4: true},
		{v5: true, want5: true},
		{v4: true, v5: true, want4: true, want5: true},
	} {
		srv := startTestServer(t, func(srv *Server) {
			srv.NoDiscovery, srv.Config.DiscoveryV4, srv.Config.DiscoveryV5 = test.off, test.v4, test.v5
			srv.NodeDatabase = t.TempDir()
		})
		if got4, got5 := srv.DiscoveryV4() != nil, srv.DiscoveryV5() != nil; got4 != test.want4 || got5 != test.want5 {
			t.Errorf("%+v: v4 runs: %v, v5 runs: %v", test, got4, got5)
		}
		if udp := srv.Self().UDP(); (udp != 0) != (test.want4 || test.want5) || (udp != 0 && udp != srv.Self().TCP()) {
			t.Errorf("%+v: UDP port %d, TCP port %d", test, udp, srv.Self().TCP())
		}
		srv.Stop()
	}
}

func TestDiscoveryListensWhereItIsTold(t *testing.T) {
	srv := startTestServer(t, func(srv *Server) {
		srv.NoDiscovery, srv.Config.DiscoveryV4 = false, true
		srv.ListenAddr, srv.DiscAddr = "", "127.0.0.1:0"
	})
	if n := srv.Self(); n.UDP() == 0 || n.TCP() != 0 {
		t.Errorf("we are %v", n)
	}
}

// Both versions answer on the one socket, and what they find is dialed: on this host, because the bootstrap node is.
func TestNodesThatDiscoveryFindsAreDialed(t *testing.T) {
	boot := startTestServer(t, func(srv *Server) {
		srv.NoDiscovery, srv.Config.DiscoveryV4, srv.Config.DiscoveryV5 = false, true, true
	})
	for _, test := range []struct {
		name   string
		config func(*Server)
	}{
		{"v4", func(srv *Server) { srv.Config.DiscoveryV4, srv.BootstrapNodes = true, []*enode.Node{boot.Self()} }},
		{"v5", func(srv *Server) { srv.Config.DiscoveryV5, srv.BootstrapNodesV5 = true, []*enode.Node{boot.Self()} }},
	} {
		t.Run(test.name, func(t *testing.T) {
			srv := startTestServer(t, func(srv *Server) {
				srv.NoDiscovery, srv.NoDial = false, false
				test.config(srv)
			})
			eventually(t, "the peer", func() bool {
				for _, p := range srv.Peers() {
					if p.ID() == boot.Self().ID() {
						return true
					}
				}
				return false
			})
		})
	}
}

func TestAStaticNodeWithoutAddressIsFoundByDiscovery(t *testing.T) {
	v4 := func(srv *Server) { srv.NoDiscovery, srv.Config.DiscoveryV4 = false, true }
	target := startTestServer(t, v4)
	srv := startTestServer(t, func(srv *Server) {
		v4(srv)
		srv.NoDial = false
		srv.Protocols[0].DialCandidates = enode.IterNodes(nil) // so that the node isn't dialed as a candidate
		srv.BootstrapNodes = []*enode.Node{target.Self()}
		srv.StaticNodes = []*enode.Node{enode.NewV4(&target.PrivateKey.PublicKey, nil, 0, 0)}
	})
	eventually(t, "the peer", func() bool { return srv.PeerCount() == 1 })
	if p := srv.Peers()[0]; p.ID() != target.Self().ID() || !p.StaticDialed() {
		t.Errorf("the peer is %v", p)
	}
}
