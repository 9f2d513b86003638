package p2p

import (
	"crypto/ecdsa"
	"errors"
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/p2p/enode"
	"github.com/ethereum/go-ethereum/p2p/netutil"
	"github.com/sennit-net/sennit/p2p/rlpx"
)

func TestConnectionsAreRefusedBeforeOurHello(t *testing.T) {
	for _, test := range []struct {
		name    string
		config  func(*Server)
		before  func(t *testing.T, srv *Server, key *ecdsa.PrivateKey)
		self    bool // dial with the server's own key
		payload []byte
		reason  DiscReason
	}{
		{
			name:   "too many peers",
			config: func(srv *Server) { srv.MaxPeers = 1 },
			before: func(t *testing.T, srv *Server, _ *ecdsa.PrivateKey) {
				dialRaw(t, srv, newKey(t)).connect()
				eventually(t, "the peer", func() bool { return srv.PeerCount() == 1 })
			},
			payload: []byte{0xc1, 4}, reason: DiscTooManyPeers,
		},
		{
			name:    "too many inbound peers",
			config:  func(srv *Server) { srv.MaxPeers, srv.DialRatio, srv.NoDial = 1, 1, false },
			payload: []byte{0xc1, 4}, reason: DiscTooManyPeers,
		},
		{
			name: "already connected",
			before: func(t *testing.T, srv *Server, key *ecdsa.PrivateKey) {
				dialRaw(t, srv, key).connect()
				eventually(t, "the peer", func() bool { return srv.PeerCount() == 1 })
			},
			payload: []byte{0xc1, 5}, reason: DiscAlreadyConnected,
		},
		{name: "self", self: true, payload: []byte{0xc1, 10}, reason: DiscSelf},
	} {
		t.Run(test.name, func(t *testing.T) {
			rec := new(refusals)
			srv := startTestServer(t, func(srv *Server) {
				srv.Recorder = rec
				if test.config != nil {
					test.config(srv)
				}
			})
			key := newKey(t)
			if test.self {
				key = srv.PrivateKey
			}
			if test.before != nil {
				test.before(t, srv, key)
			}
			c := dialRaw(t, srv, key)
			c.sendHello(c.hello(Cap{"test", 1})) // as every dialer does at once; it must not cost us the reason
			c.expect(discMsg, test.payload)
			c.expectClosed()
			ev := rec.last(t, 1)
			if ev.Err != test.reason || ev.Stage != "checks" || ev.Link.Peer != keyID(key) || !ev.Link.Inbound {
				t.Errorf("recorded %+v", ev)
			}
		})
	}
}

func TestConnectionsAreRefusedAfterHello(t *testing.T) {
	for _, test := range []struct {
		name    string
		hello   func(c *rawClient) *hello
		payload []byte // of the Disconnect, uncompressed; nil: none is sent
		stage   string
		reason  error
	}{
		{
			name:    "another identity",
			hello:   func(c *rawClient) *hello { return newHello(&newKey(c.t).PublicKey, "raw", []Cap{{"test", 1}}) },
			payload: []byte{0xc1, 9}, stage: "checks", reason: DiscUnexpectedIdentity,
		},
		{
			name:    "no protocol in common",
			hello:   func(c *rawClient) *hello { return c.hello(Cap{"test", 2}, Cap{"other", 1}) },
			payload: []byte{0xc1, 3}, stage: "checks", reason: DiscUselessPeer,
		},
		{
			name: "a key of zeros",
			hello: func(c *rawClient) *hello {
				h := c.hello(Cap{"test", 1})
				h.ID = make([]byte, 64)
				return h
			},
			stage: "hello", reason: errBadHello,
		},
	} {
		for _, version := range []uint64{4, 5} {
			t.Run(test.name, func(t *testing.T) {
				rec := new(refusals)
				srv := startTestServer(t, func(srv *Server) { srv.Recorder = rec })
				c := dialRaw(t, srv, newKey(t))
				h := test.hello(c)
				h.Version = version
				c.sendHello(h)
				if test.payload != nil {
					c.expect(helloMsg, nil)
					c.SetSnappy(version >= 5)
					c.expect(discMsg, test.payload)
					c.expectClosed()
				} else if code, _, _, err := c.Read(); err == nil && code == helloMsg { // if theirs was quicker
					c.expectClosed()
				} else if err == nil {
					t.Errorf("got message %#x", code)
				}
				if ev := rec.last(t, 1); !errors.Is(ev.Err, test.reason) || ev.Stage != test.stage {
					t.Errorf("recorded %+v", ev)
				}
			})
		}
	}
}

func TestAServerWithoutProtocolsTakesEveryPeer(t *testing.T) {
	srv := startTestServer(t, func(srv *Server) { srv.Protocols = nil })
	c := dialRaw(t, srv, newKey(t))
	c.connect()
	eventually(t, "the peer", func() bool { return srv.PeerCount() == 1 })
}

func TestCapsOfAPeerAreSorted(t *testing.T) {
	for _, test := range []struct {
		caps []Cap
		want string // in JSON, as go-ethereum has it
	}{
		{[]Cap{{"eth", 69}, {"eth", 68}, {"bzz", 9}, {"eth", 100}}, `["bzz/9","eth/68","eth/69","eth/100"]`},
		{[]Cap{}, `null`},
		{nil, `null`},
	} {
		srv := startTestServer(t, func(srv *Server) { srv.Protocols = nil })
		c := dialRaw(t, srv, newKey(t))
		c.sendHello(c.hello(test.caps...))
		eventually(t, "the peer", func() bool { return srv.PeerCount() == 1 })
		for kind, p := range map[string]*Peer{
			"connected": srv.Peers()[0], "for tests": NewPeer(enode.ID{1}, "", test.caps),
		} {
			checkJSON(t, p.Info().Caps, test.want)
			if !slices.IsSortedFunc(p.Caps(), Cap.Cmp) || len(p.Caps()) != len(test.caps) {
				t.Errorf("%s: Caps are %v", kind, p.Caps())
			}
		}
	}
}

func TestATrustedNodeIsTakenThoughAllPlacesAreTaken(t *testing.T) {
	key, later := newKey(t), newKey(t)
	srv := startTestServer(t, func(srv *Server) {
		srv.MaxPeers, srv.DialRatio, srv.NoDial = 1, 1, false // no inbound peers at all
		srv.TrustedNodes = []*enode.Node{enode.NewV4(&key.PublicKey, nil, 0, 0)}
	})
	dialRaw(t, srv, key).connect()
	eventually(t, "the trusted peer", func() bool { return srv.PeerCount() == 1 })
	srv.AddTrustedPeer(enode.NewV4(&later.PublicKey, nil, 0, 0))
	dialRaw(t, srv, later).connect()
	eventually(t, "the later trusted peer", func() bool { return srv.PeerCount() == 2 })
	srv.RemoveTrustedPeer(enode.NewV4(&later.PublicKey, nil, 0, 0))
	entry := func() *peerEntry {
		set := srv.active().peers
		set.mu.Lock()
		defer set.mu.Unlock()
		return set.peers[keyID(later)]
	}()
	if entry == nil || entry.conn.flags.is(trustedConn) || !entry.conn.flags.is(inboundConn) {
		t.Errorf("after RemoveTrustedPeer: %+v", entry)
	}
}

func TestOfManyConnectionsWithOneNodeOneBecomesThePeer(t *testing.T) {
	rec := new(refusals)
	srv := startTestServer(t, func(srv *Server) { srv.Recorder = rec })
	key := newKey(t)
	const n = 8
	var clients []*rawClient
	for range n {
		clients = append(clients, dialRaw(t, srv, key))
	}
	var wg sync.WaitGroup
	for _, c := range clients {
		wg.Go(func() {
			c.sendHello(c.hello(Cap{"test", 1}))
			c.Read()
		})
	}
	wg.Wait()
	for i := 1; i < n; i++ {
		if ev := rec.last(t, i); ev.Err != DiscAlreadyConnected {
			t.Errorf("refused with %v", ev.Err)
		}
	}
	eventually(t, "the peer", func() bool { return srv.PeerCount() == 1 })
}

func TestAcceptedAddressesMustBeInNetRestrict(t *testing.T) {
	restrict, err := netutil.ParseNetlist("5.0.0.0/8")
	if err != nil {
		t.Fatal(err)
	}
	rec := new(refusals)
	srv := startTestServer(t, func(srv *Server) { srv.NetRestrict, srv.Recorder = restrict, rec })
	fd, err := net.Dial("tcp", srv.ListenAddr)
	if err != nil {
		t.Fatal(err)
	}
	defer fd.Close()
	fd.SetDeadline(time.Now().Add(5 * time.Second))
	if n, err := fd.Read(make([]byte, 1)); n != 0 || err == nil {
		t.Errorf("read %d bytes, %v", n, err)
	}
	if ev := rec.last(t, 1); ev.Err != errNetRestrict || ev.Stage != "accept" {
		t.Errorf("recorded %+v", ev)
	}
}

func TestHandshakePacketsThatAreTooLargeAreNotRead(t *testing.T) {
	rec := new(refusals)
	srv := startTestServer(t, func(srv *Server) { srv.Recorder = rec })
	for i, first := range [][]byte{{0x08, 0x01}, {0xff, 0xff}} {
		fd, err := net.Dial("tcp", srv.ListenAddr)
		if err != nil {
			t.Fatal(err)
		}
		defer fd.Close()
		if _, err := fd.Write(first); err != nil {
			t.Fatal(err)
		}
		if ev := rec.last(t, i+1); ev.Err != errAuthTooLarge || ev.Stage != "rlpx" {
			t.Errorf("recorded %+v", ev)
		}
	}
}

func TestALargeFirstMessageIsNotRead(t *testing.T) {
	rec := new(refusals)
	srv := startTestServer(t, func(srv *Server) { srv.Recorder = rec })
	c := dialRaw(t, srv, newKey(t))
	c.Write(helloMsg, make([]byte, 1<<20)) // fails when the server has closed the connection
	if ev := rec.last(t, 1); !errors.Is(ev.Err, errSetupReadLimit) || ev.Stage != "hello" {
		t.Errorf("recorded %+v", ev)
	}
}

func TestSetupConnMakesPeersOfConnectionsOfTheCaller(t *testing.T) {
	a := startTestServer(t, nil)
	b := startTestServer(t, nil)
	left, right := tcpPair(t)
	errs := make(chan error, 1)
	go func() { errs <- a.SetupConn(left, inboundConn, nil) }()
	if err := b.SetupConn(right, staticDialedConn, a.Self()); err != nil {
		t.Fatal(err)
	}
	if err := <-errs; err != nil {
		t.Fatal(err)
	}
	if a.PeerCount() != 1 || b.PeerCount() != 1 {
		t.Errorf("%d and %d peers", a.PeerCount(), b.PeerCount())
	}
	left, right = tcpPair(t)
	go func() {
		defer left.Close()
		rlpx.NewConn(left, nil).Handshake(newKey(t)) // not the key that b expects
	}()
	if err := b.SetupConn(right, staticDialedConn, a.Self()); err == nil {
		t.Error("another node than the one dialed has become a peer")
	}
}

func tcpPair(t *testing.T) (a, b net.Conn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if a, err = net.Dial("tcp", l.Addr().String()); err != nil {
		t.Fatal(err)
	}
	if b, err = l.Accept(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { a.Close(); b.Close() })
	return a, b
}
