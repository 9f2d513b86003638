package p2p

import (
	"errors"
	"math/rand/v2"
	"net/netip"
	"time"

	"github.com/ethereum/go-ethereum/common/mclock"
	"github.com/ethereum/go-ethereum/p2p/enode"
	"github.com/ethereum/go-ethereum/p2p/netutil"
)

const (
	// inboundThrottleTime is how long an address waits between two inbound attempts.
	inboundThrottleTime = 30 * time.Second
	// dialHistoryTime is how long a node is not dialed again, counted from the start of the dial. It is longer than the
	// remote's inbound throttle, so that a second attempt is not thrown away.
	dialHistoryTime = inboundThrottleTime + 5*time.Second
)

// Why a node is not dialed, one error per reason.
var (
	errSelf             = errors.New("the node is ourselves")
	errAlreadyDialing   = errors.New("already dialing")
	errAlreadyConnected = errors.New("already connected")
	errPendingInbound   = errors.New("the node is connecting to us")
	errRecentlyDialed   = errors.New("recently dialed")
	errNetRestrict      = errors.New("address not in NetRestrict")
	errNoPort           = errors.New("node has an address but no TCP port")
	errNoAddress        = errors.New("node has no address")
	errSpecialUse       = errors.New("candidate has a special-use address that is not of our network")
)

// dialPlan is what the dial scheduler knows and decides: a plain state machine without goroutines, clocks or sockets.
// Every method is called by the scheduler's goroutine, which owns it.
type dialPlan struct {
	// Static after construction.
	self        enode.ID
	maxDialed   int // dialed peers
	maxActive   int // dials in flight
	netRestrict *netutil.Netlist
	scope       func() addrScope // narrowest addresses that candidates may have
	rand        *rand.Rand

	dialing map[enode.ID]*dialTask
	peers   map[enode.ID]planPeer
	dialed  int              // entries of peers that occupy a dialed slot
	inbound map[enode.ID]int // inbound connections on their way to become peers
	history *recentSet[enode.ID]

	static map[enode.ID]*dialTask
	ready  []*dialTask // static nodes that may be dialed now; a task knows its index
}

type planPeer struct {
	seq    uint64
	dialed bool
}

func newDialPlan(self enode.ID, maxDialed, maxActive int) *dialPlan {
	return &dialPlan{
		self:      self,
		maxDialed: maxDialed,
		maxActive: maxActive,
		scope:     func() addrScope { return scopeLoopback },
		dialing:   make(map[enode.ID]*dialTask),
		peers:     make(map[enode.ID]planPeer),
		inbound:   make(map[enode.ID]int),
		history:   newRecentSet[enode.ID](dialHistoryTime, 0), // free keeps it below maxDialHistory
		static:    make(map[enode.ID]*dialTask),
	}
}

// maxDialHistory bounds the history, in nodes: about 6 MiB. It takes 1,800 dials a second to get there.
const maxDialHistory = 1 << 16

// free returns how many more dials may start: twice the free slots, because many fail, within maxActive.
func (p *dialPlan) free() int {
	if len(p.history.order) >= maxDialHistory {
		return 0
	}
	slots := max(p.maxDialed-p.dialed, 0) * 2
	return min(slots, p.maxActive) - len(p.dialing)
}

// check returns why n must not be dialed now, or nil. The rule about special-use addresses is checkCandidate's.
func (p *dialPlan) check(n *enode.Node) error {
	id := n.ID()
	switch {
	case id == p.self:
		return errSelf
	case p.dialing[id] != nil:
		return errAlreadyDialing
	case p.inbound[id] > 0:
		return errPendingInbound
	case p.history.has(id):
		return errRecentlyDialed
	}
	if _, ok := p.peers[id]; ok {
		return errAlreadyConnected
	}
	return p.checkAddr(n.IPAddr(), n.TCP(), n.Hostname())
}

func (p *dialPlan) checkAddr(ip netip.Addr, port int, host string) error {
	if port == 0 && (ip.IsValid() || host != "") {
		return errNoPort
	}
	if ip.IsValid() && p.netRestrict != nil && !p.netRestrict.ContainsAddr(ip) {
		return errNetRestrict
	}
	return nil
}

// checkCandidate is check for a node that somebody else told us about.
func (p *dialPlan) checkCandidate(n *enode.Node) error {
	if err := p.check(n); err != nil {
		return err
	}
	ip := n.IPAddr()
	if !ip.IsValid() {
		if n.Hostname() != "" {
			return nil // the address is looked at once it is known
		}
		return errNoAddress
	}
	return p.checkScope(ip)
}

func (p *dialPlan) checkScope(ip netip.Addr) error {
	if p.netRestrict != nil {
		return nil // the operator has said which networks to dial, and check has compared
	}
	if s := scopeOf(ip); s == scopeNone || s < p.scope() {
		return errSpecialUse
	}
	return nil
}

// candidate returns the dial to start for a node from an iterator, or why there is none.
func (p *dialPlan) candidate(n *enode.Node, now mclock.AbsTime) (*dialTask, error) {
	if err := p.checkCandidate(n); err != nil {
		return nil, err
	}
	t := &dialTask{node: n, flags: dynDialedConn, readyIndex: -1}
	p.begin(t, now)
	return t, nil
}

// nextStatic returns a random static node that may be dialed, and notes that its dial begins; nil if there is none.
func (p *dialPlan) nextStatic(now mclock.AbsTime) *dialTask {
	if len(p.ready) == 0 {
		return nil
	}
	t := p.ready[p.intN(len(p.ready))]
	p.begin(t, now)
	return t
}

func (p *dialPlan) intN(n int) int {
	if p.rand != nil {
		return p.rand.IntN(n)
	}
	return rand.IntN(n)
}

func (p *dialPlan) begin(t *dialTask, now mclock.AbsTime) {
	id := t.node.ID()
	p.history.add(id, now)
	p.dialing[id] = t
	p.refresh(id)
}

// finished notes that a dial has ended, well or badly.
func (p *dialPlan) finished(t *dialTask) {
	delete(p.dialing, t.node.ID())
	p.refresh(t.node.ID())
}

// addStatic makes n a node to be dialed for ever. A node that is known already is left as it is.
func (p *dialPlan) addStatic(n *enode.Node) {
	id := n.ID()
	if p.static[id] != nil || id == p.self {
		return
	}
	p.static[id] = &dialTask{node: n, flags: staticDialedConn, readyIndex: -1}
	p.refresh(id)
}

// removeStatic ends that; a dial in flight goes on, its connection is the caller's to end.
func (p *dialPlan) removeStatic(id enode.ID) {
	if t := p.static[id]; t != nil {
		p.unready(t)
		delete(p.static, id)
	}
}

// peerAdded notes that connection seq has become the peer id.
func (p *dialPlan) peerAdded(id enode.ID, seq uint64, flags connFlag) {
	p.forget(id)
	dialed := flags.is(dynDialedConn | staticDialedConn)
	if dialed {
		p.dialed++
	}
	p.peers[id] = planPeer{seq, dialed}
	p.refresh(id)
}

// peerRemoved notes the end of the peer. A later connection with the same node may have been reported before the end of
// the earlier one; then there is nothing to do.
func (p *dialPlan) peerRemoved(id enode.ID, seq uint64) {
	if p.peers[id].seq == seq {
		p.forget(id)
		p.refresh(id)
	}
}

func (p *dialPlan) forget(id enode.ID) {
	if p.peers[id].dialed {
		p.dialed--
	}
	delete(p.peers, id)
}

// inboundPending notes that an inbound connection of the node has begun (+1) or ended (-1) its way to become a peer.
func (p *dialPlan) inboundPending(id enode.ID, delta int) {
	if n := p.inbound[id] + delta; n > 0 {
		p.inbound[id] = n
	} else {
		delete(p.inbound, id)
	}
	p.refresh(id)
}

// expire forgets dials whose time in the history is over.
func (p *dialPlan) expire(now mclock.AbsTime) {
	p.history.expire(now, p.refresh)
}

// refresh puts the static node id into the list of ready ones, or takes it out, after something about it has changed.
func (p *dialPlan) refresh(id enode.ID) {
	t := p.static[id]
	if t == nil {
		return
	}
	if p.check(t.node) != nil {
		p.unready(t)
	} else if t.readyIndex < 0 {
		t.readyIndex = len(p.ready)
		p.ready = append(p.ready, t)
	}
}

func (p *dialPlan) unready(t *dialTask) {
	if t.readyIndex < 0 {
		return
	}
	last := len(p.ready) - 1
	p.ready[t.readyIndex] = p.ready[last]
	p.ready[t.readyIndex].readyIndex = t.readyIndex
	p.ready[last] = nil
	p.ready = p.ready[:last]
	t.readyIndex = -1
}
