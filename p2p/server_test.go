package p2p

import (
	"context"
	"crypto/ecdsa"
	"errors"
	"io"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/log"
	"github.com/ethereum/go-ethereum/p2p/enode"
	"github.com/ethereum/go-ethereum/rlp"

	"github.com/sennit-net/sennit/p2p/rlpx"
	"github.com/sennit-net/sennit/trace"
)

func newKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	key, err := crypto.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func keyID(key *ecdsa.PrivateKey) enode.ID { return enode.PubkeyToIDV4(&key.PublicKey) }

// waitProtocol runs until its peer goes.
func waitProtocol(name string, version uint) Protocol {
	return Protocol{Name: name, Version: version, Length: 1, Run: func(_ *Peer, rw MsgReadWriter) error {
		for {
			msg, err := rw.ReadMsg()
			if err != nil {
				return err
			}
			if err := msg.Discard(); err != nil {
				return err
			}
		}
	}}
}

// startTestServer starts a server that listens on 127.0.0.1 and doesn't dial, and stops it at the end of the test.
func startTestServer(t testing.TB, change func(*Server)) *Server {
	t.Helper()
	srv := &Server{Config: Config{
		PrivateKey: newKey(t), MaxPeers: 10, NoDiscovery: true, NoDial: true, ListenAddr: "127.0.0.1:0",
		Name: "test", Protocols: []Protocol{waitProtocol("test", 1)}, Logger: log.New(),
	}}
	if change != nil {
		change(srv)
	}
	if err := srv.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(srv.Stop)
	return srv
}

// rawClient is a node made of an RLPx connection and nothing else.
type rawClient struct {
	t  testing.TB
	fd net.Conn
	*rlpx.Conn
	key *ecdsa.PrivateKey
}

// dialRaw connects to the server and makes the RLPx handshake.
func dialRaw(t testing.TB, srv *Server, key *ecdsa.PrivateKey) *rawClient {
	t.Helper()
	fd, err := net.Dial("tcp", srv.ListenAddr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { fd.Close() })
	fd.SetDeadline(time.Now().Add(10 * time.Second))
	c := &rawClient{t, fd, rlpx.NewConn(fd, &srv.PrivateKey.PublicKey), key}
	if _, err := c.Handshake(key); err != nil {
		t.Fatal("RLPx handshake:", err)
	}
	return c
}

func (c *rawClient) sendHello(h *hello) {
	c.t.Helper()
	payload, err := rlp.EncodeToBytes(h)
	if err != nil {
		c.t.Fatal(err)
	}
	if _, err := c.Write(helloMsg, payload); err != nil {
		c.t.Fatal("writing Hello:", err)
	}
}

func (c *rawClient) hello(caps ...Cap) *hello { return newHello(&c.key.PublicKey, "raw", caps) }

// expect reads a message with the given code and payload; any payload if it is nil.
func (c *rawClient) expect(code uint64, payload []byte) {
	c.t.Helper()
	got, data, _, err := c.Read()
	if err != nil {
		c.t.Fatalf("reading message %#x: %v", code, err)
	}
	if got != code || (payload != nil && string(payload) != string(data)) {
		c.t.Fatalf("got message %#x %x, want %#x %x", got, data, code, payload)
	}
}

func (c *rawClient) expectClosed() {
	c.t.Helper()
	if code, data, _, err := c.Read(); err != io.EOF && !errors.Is(err, io.ErrUnexpectedEOF) {
		c.t.Fatalf("got message %#x %x, error %v, want the end", code, data, err)
	}
}

// connect becomes a peer.
func (c *rawClient) connect() {
	c.t.Helper()
	c.sendHello(c.hello(Cap{"test", 1}))
	c.expect(helloMsg, nil)
	c.SetSnappy(true)
}

// refusals is a recorder that keeps the connections that were refused.
type refusals struct {
	mu   sync.Mutex
	list []*trace.LinkRefused
}

func (r *refusals) Record(ev trace.Event) {
	if ev, ok := ev.(*trace.LinkRefused); ok {
		r.mu.Lock()
		r.list = append(r.list, ev)
		r.mu.Unlock()
	}
}

// last waits for n refusals and returns the last one.
func (r *refusals) last(t testing.TB, n int) *trace.LinkRefused {
	t.Helper()
	eventually(t, "a refusal", func() bool {
		r.mu.Lock()
		defer r.mu.Unlock()
		return len(r.list) >= n
	})
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.list[n-1]
}

func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(10 * time.Second)
	for !ok() {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain for %s", what)
		}
		<-time.After(time.Millisecond)
	}
}

func TestServerLifeCycle(t *testing.T) {
	srv := &Server{Config: Config{NoDiscovery: true, Logger: log.New()}}
	if err := srv.Start(); err != errNoPrivateKey {
		t.Errorf("Start without a key: %v", err)
	}
	if srv.Self() != nil {
		t.Error("a server without a key has an identity")
	}
	srv.PrivateKey = newKey(t)
	callEverything(t, srv)
	self := srv.Self()
	if self.ID() != keyID(srv.PrivateKey) || self.IPAddr().String() != "0.0.0.0" || self.TCP() != 0 || self.UDP() != 0 {
		t.Errorf("before Start we are %v", self)
	}
	srv.ListenAddr = "127.0.0.1:0"
	if err := srv.Start(); err != nil {
		t.Fatal(err)
	}
	if err := srv.Start(); err != errServerRunning {
		t.Errorf("second Start: %v", err)
	}
	self = srv.Self()
	if addr, _ := self.TCPEndpoint(); addr.String() != srv.ListenAddr || self.UDP() != 0 {
		t.Errorf("listening on %s we are %v", srv.ListenAddr, self)
	}
	var both sync.WaitGroup
	both.Go(srv.Stop)
	both.Go(srv.Stop)
	both.Wait()
	srv.Stop()
	if err := srv.Start(); err != errServerRestart {
		t.Errorf("Start after Stop: %v", err)
	}
	callEverything(t, srv)
	if _, err := net.Dial("tcp", srv.ListenAddr); err == nil {
		t.Error("a stopped server accepts connections")
	}
}

// callEverything calls the methods of a server that doesn't run.
func callEverything(t *testing.T, srv *Server) {
	t.Helper()
	n := enode.NewV4(&newKey(t).PublicKey, net.IP{127, 0, 0, 1}, 1, 1)
	for _, call := range []func(*enode.Node){srv.AddPeer, srv.RemovePeer, srv.AddTrustedPeer, srv.RemoveTrustedPeer} {
		call(n)
		call(nil)
	}
	if len(srv.Peers()) != 0 || srv.PeerCount() != 0 || len(srv.PeersInfo()) != 0 || srv.PeersInfo() == nil {
		t.Error("a server that doesn't run has peers")
	}
	if srv.DiscoveryV4() != nil || srv.DiscoveryV5() != nil {
		t.Error("discovery runs")
	}
	if info := srv.NodeInfo(); info.ID != keyID(srv.PrivateKey).String() {
		t.Errorf("NodeInfo has ID %s", info.ID)
	}
	a, b := net.Pipe()
	if err := srv.SetupConn(a, 0, nil); err != errServerStopped {
		t.Errorf("SetupConn: %v", err)
	}
	if _, err := b.Write([]byte{0}); err != io.ErrClosedPipe {
		t.Error("SetupConn has left the connection open")
	}
}

func TestAStartThatFailsLeavesNothingRunning(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	srv := &Server{Config: Config{PrivateKey: newKey(t), ListenAddr: taken.Addr().String(), Logger: log.New(), DiscoveryV4: true}}
	if err := srv.Start(); err == nil {
		t.Fatal("listens on a port that is taken")
	}
	srv.ListenAddr, srv.DiscAddr = "127.0.0.1:0", "no address"
	if err := srv.Start(); err == nil {
		t.Fatal("listens on no address")
	}
	if _, err := net.Dial("tcp", srv.ListenAddr); err == nil {
		t.Error("the listener is still open")
	}
	srv.DiscAddr = ""
	if err := srv.Start(); err != nil {
		t.Fatal(err)
	}
	srv.Stop()
}

// dialerFunc is a NodeDialer.
type dialerFunc func(context.Context, *enode.Node) (net.Conn, error)

func (f dialerFunc) Dial(ctx context.Context, n *enode.Node) (net.Conn, error) { return f(ctx, n) }

// What runs from the first moment on finds a server that has been started.
func TestTheFirstDialSeesAServerThatRuns(t *testing.T) {
	other := enode.NewV4(&newKey(t).PublicKey, net.IP{127, 0, 0, 1}, 1, 1)
	for range 20 { // it has to be early to see one that doesn't
		srv := &Server{Config: Config{
			PrivateKey: newKey(t), MaxPeers: 10, NoDiscovery: true, ListenAddr: "127.0.0.1:0", Logger: log.New(),
			StaticNodes: []*enode.Node{enode.NewV4(&newKey(t).PublicKey, net.IP{127, 0, 0, 1}, 1, 1)},
		}}
		started := make(chan struct{})
		added := make(chan struct{}, 1)
		srv.Dialer = dialerFunc(func(_ context.Context, n *enode.Node) (net.Conn, error) {
			if n.ID() == other.ID() {
				added <- struct{}{}
				return nil, errDialTest
			}
			if srv.LocalNode() == nil || srv.Self().TCP() == 0 {
				t.Errorf("during the first dial we are %v, record %v", srv.Self(), srv.LocalNode())
			}
			srv.AddPeer(other)
			close(started)
			return nil, errDialTest
		})
		if err := srv.Start(); err != nil {
			t.Fatal(err)
		}
		<-started
		<-added
		srv.Stop()
	}
}

func TestConnectionLimits(t *testing.T) {
	for _, test := range []struct {
		maxPeers, ratio int
		noDial          bool
		dialed, inbound int
	}{
		{maxPeers: 0, dialed: 0, inbound: 0},
		{maxPeers: 1, dialed: 1, inbound: 0},
		{maxPeers: 2, dialed: 1, inbound: 1},
		{maxPeers: 50, dialed: 16, inbound: 34},
		{maxPeers: 50, ratio: 2, dialed: 25, inbound: 25},
		{maxPeers: 50, ratio: 100, dialed: 1, inbound: 49},
		{maxPeers: 50, ratio: 1, dialed: 50, inbound: 0},
		{maxPeers: 50, noDial: true, dialed: 0, inbound: 50},
	} {
		srv := &Server{Config: Config{MaxPeers: test.maxPeers, DialRatio: test.ratio, NoDial: test.noDial}}
		if d, i := srv.MaxDialedConns(), srv.MaxInboundConns(); d != test.dialed || i != test.inbound {
			t.Errorf("%+v: %d dialed and %d inbound", test, d, i)
		}
	}
}

func TestNodeInfoShowsTheFirstVersionOfEachProtocol(t *testing.T) {
	srv := startTestServer(t, func(srv *Server) {
		says := func(p Protocol, what string) Protocol {
			p.NodeInfo = func() interface{} { return what }
			return p
		}
		srv.Protocols = []Protocol{
			waitProtocol("aaa", 1), says(waitProtocol("bbb", 2), "two"), says(waitProtocol("bbb", 1), "one"),
			says(waitProtocol("aaa", 2), "never"),
		}
	})
	info := srv.NodeInfo()
	addr, _ := srv.Self().TCPEndpoint()
	if info.IP != "127.0.0.1" || info.Ports.Listener != int(addr.Port()) || info.Ports.Discovery != 0 || info.ListenAddr != srv.ListenAddr {
		t.Errorf("addresses: %+v", info)
	}
	if info.Name != "test" || info.ID != srv.Self().ID().String() || info.ENR != srv.Self().String() || info.Enode != srv.Self().URLv4() {
		t.Errorf("identity: %+v", info)
	}
	if len(info.Protocols) != 2 || info.Protocols["aaa"] != "unknown" || info.Protocols["bbb"] != "two" {
		t.Errorf("protocols: %v", info.Protocols)
	}
}
func TestNodeInfoMayBeAskedDuringStart(t *testing.T) {
	srv := &Server{Config: Config{PrivateKey: newKey(t), MaxPeers: 1, NoDiscovery: true, ListenAddr: "127.0.0.1:0"}}
	asked := make(chan struct{})
	go func() {
		defer close(asked)
		for range 1000 {
			srv.NodeInfo()
		}
	}()
	if err := srv.Start(); err != nil {
		t.Fatal(err)
	}
	defer srv.Stop()
	<-asked
	if info := srv.NodeInfo(); info.ListenAddr != srv.ListenAddr || info.Ports.Listener == 0 {
		t.Errorf("listening on %q, port %d, want %q", info.ListenAddr, info.Ports.Listener, srv.ListenAddr)
	}
}
