package p2p

import (
	"context"
	"fmt"
	"net"
	"runtime"
	"sync"
	"time"

	"github.com/ethereum/go-ethereum/common/mclock"
	"github.com/ethereum/go-ethereum/log"
	"github.com/ethereum/go-ethereum/p2p/enode"
	"github.com/ethereum/go-ethereum/p2p/enr"

	"github.com/sennit-net/sennit/internal/link"
)

// runningServer is a server between Start and the end of Stop.
type runningServer struct {
	// Static after construction.
	cfg      *Config
	srv      *Server // for its feed
	hello    *hello  // ours
	db       *enode.DB
	local    *enode.LocalNode
	listener net.Listener // nil if there is none
	gate     *gate
	throttle *inboundThrottle
	workers  chan struct{} // one element per handshake that is computed; never closed
	disc     *discovery
	ports    *portMapper // nil if there is no NAT
	dialer   *dialScheduler
	peers    *peerSet
	ledger   *link.Ledger // memory that all links share

	ctx      context.Context // ends when the server is being stopped
	cancel   context.CancelFunc
	accepts  sync.WaitGroup // the accept loop and the goroutines of connections it has accepted
	stopOnce sync.Once      // stop waits here for the first call
}

// startServer starts everything that can fail, or nothing. What brings in connections waits for run.
func startServer(srv *Server) (*runningServer, error) {
	cfg := &srv.Config
	if cfg.Logger == nil {
		cfg.Logger = log.Root()
	}
	if cfg.clock == nil {
		cfg.clock = mclock.System{}
	}
	hello := newHello(&cfg.PrivateKey.PublicKey, cfg.Name, cfg.caps())
	if err := hello.checkSize(); err != nil {
		return nil, err
	}
	self := publicKeyID(cfg.PrivateKey)
	r := &runningServer{
		cfg:      cfg,
		srv:      srv,
		hello:    hello,
		gate:     newGate(cfg.maxPending()),
		throttle: newInboundThrottle(cfg.clock),
		workers:  make(chan struct{}, runtime.GOMAXPROCS(0)),
		disc:     new(discovery),
		ledger:   link.NewLedger(cfg.memoryBudget()),
		peers:    newPeerSet(self, cfg.MaxPeers, srv.MaxInboundConns(), cfg.TrustedNodes),
	}
	r.ctx, r.cancel = context.WithCancel(context.Background())
	for _, start := range []func() error{r.startLocalNode, r.startListener, r.startDiscovery} {
		if err := start(); err != nil {
			r.stop()
			return nil, err
		}
	}
	r.dialer = r.newDialer()
	return r, nil
}

// run begins to dial and to accept. The server's methods must find it already: they are called from the NodeDialer and
// from each Run.
func (r *runningServer) run() {
	r.warnOfShadowed()
	r.dialer.start()
	for _, n := range r.cfg.StaticNodes {
		r.addStatic(n)
	}
	if r.listener != nil {
		r.accepts.Go(r.acceptLoop)
	}
	r.cfg.Logger.Info("P2P networking started", "self", r.local.Node().URLv4())
}

// startLocalNode makes the record of the local node and what keeps its addresses up to date.
func (r *runningServer) startLocalNode() error {
	db, err := enode.OpenDB(r.cfg.NodeDatabase)
	if err != nil {
		return fmt.Errorf("node database %q: %w", r.cfg.NodeDatabase, err)
	}
	r.db = db
	r.local = enode.NewLocalNode(db, r.cfg.PrivateKey)
	r.local.SetFallbackIP(net.IP{127, 0, 0, 1})
	for i := range r.cfg.Protocols {
		for _, entry := range r.cfg.Protocols[i].Attributes {
			r.local.Set(entry)
		}
	}
	r.ports = startPortMapper(r.cfg.NAT, r.local, r.cfg.clock, r.cfg.Logger)
	return nil
}

func (r *runningServer) startListener() error {
	if r.cfg.ListenAddr == "" {
		return nil
	}
	lc := net.ListenConfig{KeepAlive: tcpKeepAlive}
	l, err := lc.Listen(r.ctx, "tcp", r.cfg.ListenAddr)
	if err != nil {
		return err
	}
	r.listener = l
	r.cfg.ListenAddr = l.Addr().String()
	addr := l.Addr().(*net.TCPAddr)
	r.local.Set(enr.TCP(addr.Port))
	r.ports.add(portMapping{protocol: "TCP", name: "ethereum p2p", ip: addr.IP, port: addr.Port})
	return nil
}

func (r *runningServer) newDialer() *dialScheduler {
	dc := dialConfig{
		self:        r.local.ID(),
		maxDialed:   r.srv.MaxDialedConns(),
		maxActive:   r.cfg.maxPending(),
		netRestrict: r.cfg.NetRestrict,
		scope:       r.candidateScope,
		dialer:      r.cfg.Dialer,
		log:         r.cfg.Logger,
		clock:       r.cfg.clock,
		failed:      r.dialFailed,
		setup: func(fd net.Conn, flags connFlag, dest *enode.Node) error {
			return r.setup(fd, flags, dest, nil)
		},
	}
	if r.disc.v4 != nil {
		dc.resolver = r.disc.v4
	}
	return newDialScheduler(dc, r.disc.candidates(r.cfg))
}

// launch makes a peer of a connection that has been admitted, and runs it in a goroutine of its own: the stack of this
// one has grown during the handshake and would stay as large for as long as the peer lives.
func (r *runningServer) launch(e *peerEntry, matched []matchedProtocol) {
	c := e.conn
	p := newPeer(r.cfg.Logger, c, matched, r.peerOptions())
	c.rlpx, c.bounded = nil, nil
	if !r.peers.launched(e, p) {
		p.Disconnect(DiscQuitting)
	}
	r.dialer.peerAdded(c.id, c.seq, c.flags.load())
	go r.runPeer(e, p)
}

func (r *runningServer) peerOptions() peerOptions {
	opts := peerOptions{ledger: r.ledger, recorder: r.cfg.Recorder}
	if r.cfg.EnableMsgEvents {
		opts.events = &r.srv.feed
	}
	return opts
}

// runPeer is the goroutine of a peer. Its entry in the peer set counts among the set's work until the end.
func (r *runningServer) runPeer(e *peerEntry, p *Peer) {
	r.announce(e.conn, PeerEventTypeAdd, nil)
	cause := p.run()
	r.peers.remove(e)
	r.dialer.peerRemoved(e.conn.id, e.conn.seq)
	r.announce(e.conn, PeerEventTypeDrop, cause)
	r.peers.done(e)
}

func (r *runningServer) announce(c *conn, what PeerEventType, cause error) {
	if !r.srv.subscribed.Load() {
		return
	}
	var reason string
	if cause != nil {
		reason = cause.Error()
	}
	r.srv.feed.Send(&PeerEvent{
		Type: what, Peer: c.id, Error: reason,
		LocalAddress: c.fd.LocalAddr().String(), RemoteAddress: c.fd.RemoteAddr().String(),
	})
}

// portMapWait bounds how long stop waits for the NAT device: the library's calls can't be interrupted.
const portMapWait = time.Second

// stop ends everything, in an order such that nothing waits for something that has not been told to end yet. It is also
// used for what a failed start has left.
func (r *runningServer) stop() {
	r.stopOnce.Do(func() {
		r.cancel()
		if r.listener != nil {
			r.listener.Close()
		}
		if r.dialer != nil {
			r.dialer.stop()
		}
		peers, setups := r.peers.close()
		for _, p := range peers {
			p.Disconnect(DiscQuitting)
		}
		for _, c := range setups {
			c.fd.Close()
		}
		r.ports.stop()
		r.disc.stop()
		r.accepts.Wait()
		if r.dialer != nil {
			r.dialer.wait()
		}
		r.peers.work.Wait()
		r.ports.wait(portMapWait)
		if r.db != nil {
			r.db.Close()
		}
	})
}
