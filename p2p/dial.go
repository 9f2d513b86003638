package p2p

import (
	"context"
	"math/rand/v2"
	"net"
	"sync"
	"time"

	"github.com/ethereum/go-ethereum/common/mclock"
	"github.com/ethereum/go-ethereum/log"
	"github.com/ethereum/go-ethereum/p2p/enode"
	"github.com/ethereum/go-ethereum/p2p/netutil"
)

const (
	dialTimeout = 15 * time.Second // of one TCP connection with the default dialer

	// tcpKeepAlive is off: a link pings every 15 s and ends after 30 s of silence, a connection before that has its
	// deadlines, and to set it up costs four system calls per connection.
	tcpKeepAlive = -1

	// An iterator that returns nothing but nodes which are not to be dialed now (one that goes round a short list, say)
	// is not asked again for a while, so that it doesn't keep a core busy.
	maxRefusedInRow  = 64
	refusedPauseTime = 250 * time.Millisecond
)

// dialConfig is what a dialScheduler needs from its server.
type dialConfig struct {
	self        enode.ID
	maxDialed   int // dialed peers at the same time; 0 dials nobody
	maxActive   int // dials at the same time
	netRestrict *netutil.Netlist
	scope       func() addrScope // narrowest scope of candidates; nil admits all. Called from several goroutines.
	resolver    nodeResolver     // finds static nodes without address; nil if there is no discv4
	hosts       hostResolver     // nil: the system's resolver
	dialer      NodeDialer
	log         log.Logger
	clock       mclock.Clock
	rand        *rand.Rand // nil: the global source

	// setup makes a peer of the connection, or closes it and says why not.
	setup func(fd net.Conn, flags connFlag, dest *enode.Node) error
	// failed is told of dials that got no connection.
	failed func(dest *enode.Node, err error)
}

// dialScheduler decides whom to dial and when. One goroutine, run, owns all state in a [dialPlan]; everybody else talks
// to it through the channels. Each dial has a goroutine of its own, which also sets the connection up.
type dialScheduler struct {
	// Static after construction.
	cfg    dialConfig
	it     enode.Iterator
	ctx    context.Context
	cancel context.CancelFunc
	wg     sync.WaitGroup
	inbox  chan func(*dialPlan) // unbuffered; never closed
	nodes  chan *enode.Node     // unbuffered; never closed
	ended  chan *dialTask       // unbuffered; never closed

	// Owned by run.
	plan         *dialPlan
	timer        mclock.ChanTimer
	timerFor     mclock.AbsTime // when timer fires; 0: it is not set
	refusedInRow int            // candidates refused since the last one that was dialed
	pausedUntil  mclock.AbsTime // the iterator is not read before
}

// newDialScheduler returns a scheduler that takes candidates from it. The caller starts it, and ends it with stop and
// wait.
func newDialScheduler(cfg dialConfig, it enode.Iterator) *dialScheduler {
	if cfg.hosts == nil {
		cfg.hosts = net.DefaultResolver
	}
	if cfg.dialer == nil {
		cfg.dialer = tcpDialer{&net.Dialer{Timeout: dialTimeout, KeepAlive: tcpKeepAlive}}
	}
	d := &dialScheduler{
		cfg:   cfg,
		it:    it,
		inbox: make(chan func(*dialPlan)),
		nodes: make(chan *enode.Node),
		ended: make(chan *dialTask),
		plan:  newDialPlan(cfg.self, cfg.maxDialed, cfg.maxActive),
		timer: cfg.clock.NewTimer(time.Hour),
	}
	d.timer.Stop()
	d.plan.netRestrict = cfg.netRestrict
	d.plan.rand = cfg.rand
	if cfg.scope != nil {
		d.plan.scope = cfg.scope
	}
	d.ctx, d.cancel = context.WithCancel(context.Background())
	return d
}

func (d *dialScheduler) start() {
	d.wg.Go(d.run)
	d.wg.Go(d.readNodes)
}

// stop ends the scheduler: no dial begins any more, those in flight are cancelled. It doesn't wait.
func (d *dialScheduler) stop() {
	d.cancel()
	d.it.Close()
}

// wait returns when all goroutines of a stopped scheduler have ended.
func (d *dialScheduler) wait() { d.wg.Wait() }

func (d *dialScheduler) addStatic(n *enode.Node) { d.post(func(p *dialPlan) { p.addStatic(n) }) }
func (d *dialScheduler) removeStatic(n *enode.Node) {
	d.post(func(p *dialPlan) { p.removeStatic(n.ID()) })
}

func (d *dialScheduler) peerAdded(id enode.ID, seq uint64, flags connFlag) {
	d.post(func(p *dialPlan) { p.peerAdded(id, seq, flags) })
}

func (d *dialScheduler) peerRemoved(id enode.ID, seq uint64) {
	d.post(func(p *dialPlan) { p.peerRemoved(id, seq) })
}

func (d *dialScheduler) inboundPending(id enode.ID, delta int) {
	d.post(func(p *dialPlan) { p.inboundPending(id, delta) })
}

// post hands fn to the owner of the plan and returns when it has been taken, or when the scheduler has been stopped.
func (d *dialScheduler) post(fn func(*dialPlan)) {
	select {
	case d.inbox <- fn:
	case <-d.ctx.Done():
	}
}

func (d *dialScheduler) run() {
	defer d.timer.Stop()
	for {
		d.startStatic()
		d.setTimer()
		select {
		case n := <-d.candidates():
			d.startCandidate(n)
		case t := <-d.ended:
			d.plan.finished(t)
		case fn := <-d.inbox:
			fn(d.plan)
		case <-d.timer.C():
			d.timerFor = 0
			d.plan.expire(d.cfg.clock.Now())
		case <-d.ctx.Done():
			for len(d.plan.dialing) > 0 {
				d.plan.finished(<-d.ended)
			}
			return
		}
	}
}

// candidates returns the channel to read candidates from: none while there is no slot to dial them.
func (d *dialScheduler) candidates() <-chan *enode.Node {
	if d.plan.free() <= 0 || d.cfg.clock.Now() < d.pausedUntil {
		return nil
	}
	return d.nodes
}

func (d *dialScheduler) startStatic() {
	for d.plan.free() > 0 {
		t := d.plan.nextStatic(d.cfg.clock.Now())
		if t == nil {
			return
		}
		d.startDial(t)
	}
}

func (d *dialScheduler) startCandidate(n *enode.Node) {
	now := d.cfg.clock.Now()
	t, err := d.plan.candidate(n, now)
	if err == nil {
		d.refusedInRow = 0
		d.startDial(t)
		return
	}
	d.cfg.log.Trace("Not dialing candidate", "id", n.ID(), "ip", n.IPAddr(), "reason", err)
	if d.refusedInRow++; d.refusedInRow >= maxRefusedInRow {
		d.refusedInRow = 0
		d.pausedUntil = now.Add(refusedPauseTime)
	}
}

func (d *dialScheduler) startDial(t *dialTask) {
	d.cfg.log.Trace("Dialing", "id", t.node.ID(), "ip", t.node.IPAddr(), "conn", &t.flags)
	d.wg.Go(func() {
		if err := d.attempt(t); err != nil {
			d.cfg.log.Trace("Dial failed", "id", t.node.ID(), "conn", &t.flags, "err", err)
		}
		d.ended <- t // run takes it even when it is about to end
	})
}

// setTimer makes the timer fire when the next node leaves the history or the pause of the iterator is over.
func (d *dialScheduler) setTimer() {
	next, ok := d.plan.history.nextEnd()
	now := d.cfg.clock.Now()
	if now < d.pausedUntil && (!ok || d.pausedUntil < next) {
		next, ok = d.pausedUntil, true
	}
	if ok && next != d.timerFor {
		d.timerFor = next
		d.timer.Reset(max(next.Sub(now), 0))
	}
}

// readNodes moves candidates from the iterator, whose Next blocks, to run.
func (d *dialScheduler) readNodes() {
	for d.it.Next() {
		n := d.it.Node()
		if n == nil {
			continue // the iterator was closed meanwhile
		}
		select {
		case d.nodes <- n:
		case <-d.ctx.Done():
			return
		}
	}
}

// tcpDialer is the default NodeDialer.
type tcpDialer struct{ d *net.Dialer }

func (t tcpDialer) Dial(ctx context.Context, dest *enode.Node) (net.Conn, error) {
	addr, ok := dest.TCPEndpoint()
	if !ok {
		return nil, errNoAddress
	}
	return t.d.DialContext(ctx, "tcp", addr.String())
}
