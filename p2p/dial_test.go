package p2p

import (
	"context"
	"errors"
	"maps"
	"net"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ethereum/go-ethereum/common/mclock"
	"github.com/ethereum/go-ethereum/log"
	"github.com/ethereum/go-ethereum/p2p/enode"
	"github.com/ethereum/go-ethereum/p2p/enr"
	"github.com/ethereum/go-ethereum/p2p/netutil"
)

// nodeAt returns a node with a one-byte ID; without address if addr is "".
func nodeAt(id byte, addr string) *enode.Node {
	var r enr.Record
	if addr != "" {
		ap := netip.MustParseAddrPort(addr)
		r.Set(enr.IPv4Addr(ap.Addr()))
		if ap.Port() != 0 {
			r.Set(enr.TCP(ap.Port()))
		}
	}
	return enode.SignNull(&r, enode.ID{id})
}

// publicNode returns the node id at 5.0.0.id.
func publicNode(id byte) *enode.Node {
	return nodeAt(id, netip.AddrPortFrom(netip.AddrFrom4([4]byte{5, 0, 0, id}), 30303).String())
}

func publicNodes(from, to byte) (nodes []*enode.Node) {
	for id := from; id <= to; id++ {
		nodes = append(nodes, publicNode(id))
	}
	return nodes
}

// dialRound is a step of a scheduler's script: what happens, in the order of the fields, and which dials begin.
type dialRound struct {
	added     []byte // peers that we have dialed
	addedIn   []byte // peers that have dialed us
	removed   []byte
	pending   []byte // inbound connections that begin
	unpending []byte // and end
	static    []*enode.Node
	unstatic  []byte
	found     []*enode.Node // by the iterator
	succeeded []byte        // dials in flight
	failed    []byte
	after     time.Duration
	want      []byte // new dials, in any order
	wantOneOf []byte // exactly one new dial, to one of these
}

// dialBench is a scheduler with a simulated clock whose network is the test.
type dialBench struct {
	t     *testing.T
	d     *dialScheduler
	clock *mclock.Simulated
	found chan *enode.Node
	next  *enode.Node // owned by the scheduler's readNodes

	mu      sync.Mutex
	flight  map[enode.ID]chan error
	begun   []byte
	dests   []*enode.Node
	setups  int
	refused map[enode.ID]error
}

func newDialBench(t *testing.T, change func(*dialConfig)) *dialBench {
	b := &dialBench{
		t: t, clock: new(mclock.Simulated), found: make(chan *enode.Node, 1000),
		flight: make(map[enode.ID]chan error), refused: make(map[enode.ID]error),
	}
	b.clock.Run(time.Hour) // so that no time is 0
	cfg := dialConfig{
		self: enode.ID{0xff}, maxDialed: 4, maxActive: 10,
		dialer: b, clock: b.clock, log: log.New(),
		setup: func(fd net.Conn, _ connFlag, _ *enode.Node) error {
			b.mu.Lock()
			b.setups++
			b.mu.Unlock()
			return fd.Close()
		},
		failed: func(n *enode.Node, err error) {
			b.mu.Lock()
			b.refused[n.ID()] = err
			b.mu.Unlock()
		},
	}
	if change != nil {
		change(&cfg)
	}
	b.d = newDialScheduler(cfg, b)
	b.d.start()
	return b
}

func (b *dialBench) stop() {
	b.d.stop()
	b.d.wait()
}

// Next, Node and Close make the bench the scheduler's iterator.
func (b *dialBench) Next() bool {
	select {
	case b.next = <-b.found:
		return true
	case <-b.d.ctx.Done():
		return false
	}
}

func (b *dialBench) Node() *enode.Node { return b.next }
func (b *dialBench) Close()            {}

// Dial is the bench as the scheduler's dialer: a dial lasts until a round ends it.
func (b *dialBench) Dial(ctx context.Context, n *enode.Node) (net.Conn, error) {
	end := make(chan error, 1)
	b.mu.Lock()
	id := n.ID()
	b.flight[id] = end
	b.begun = append(b.begun, id[0])
	b.dests = append(b.dests, n)
	b.mu.Unlock()
	select {
	case err := <-end:
		if err != nil {
			return nil, err
		}
		fd, _ := net.Pipe()
		return fd, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

var errDialTest = errors.New("connection refused")

func (b *dialBench) end(id byte, err error) {
	b.mu.Lock()
	end := b.flight[enode.ID{id}]
	delete(b.flight, enode.ID{id})
	b.mu.Unlock()
	if end == nil {
		b.t.Fatalf("node %d is not being dialed", id)
	}
	end <- err
}

func (b *dialBench) run(rounds []dialRound) {
	for i, r := range rounds {
		b.step(r)
		synctest.Wait()
		b.mu.Lock()
		got := slices.Sorted(slices.Values(b.begun))
		b.begun = nil
		b.mu.Unlock()
		if r.wantOneOf != nil {
			if len(got) != 1 || !slices.Contains(r.wantOneOf, got[0]) {
				b.t.Fatalf("round %d: dialed %v, want one of %v", i, got, r.wantOneOf)
			}
		} else if want := slices.Sorted(slices.Values(r.want)); !slices.Equal(got, want) {
			b.t.Fatalf("round %d: dialed %v, want %v", i, got, want)
		}
	}
}

func (b *dialBench) step(r dialRound) {
	for _, id := range r.added {
		b.d.peerAdded(enode.ID{id}, uint64(id), dynDialedConn)
	}
	for _, id := range r.addedIn {
		b.d.peerAdded(enode.ID{id}, uint64(id), inboundConn)
	}
	for _, id := range r.removed {
		b.d.peerRemoved(enode.ID{id}, uint64(id))
	}
	for _, id := range r.pending {
		b.d.inboundPending(enode.ID{id}, +1)
	}
	for _, id := range r.unpending {
		b.d.inboundPending(enode.ID{id}, -1)
	}
	for _, n := range r.static {
		b.d.addStatic(n)
	}
	for _, id := range r.unstatic {
		b.d.removeStatic(nodeAt(id, ""))
	}
	for _, n := range r.found {
		b.found <- n
	}
	for _, id := range r.succeeded {
		b.end(id, nil)
	}
	for _, id := range r.failed {
		b.end(id, errDialTest)
	}
	if r.after > 0 {
		synctest.Wait()
		b.clock.Run(r.after)
	}
}

func TestDialScheduling(t *testing.T) {
	restrict, err := netutil.ParseNetlist("5.0.0.0/30")
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name   string
		config func(*dialConfig)
		rounds []dialRound
	}{
		{
			name: "Candidates fill twice the free slots",
			rounds: []dialRound{
				{added: []byte{100, 101}, found: publicNodes(1, 9), want: []byte{1, 2, 3, 4}},
				{failed: []byte{1}, want: []byte{5}},
				{succeeded: []byte{2}, added: []byte{2}},                            // one slot left: two dials, three are in flight
				{failed: []byte{3}},                                                 // two
				{failed: []byte{4}, want: []byte{6}},                                // one, and another begins
				{removed: []byte{100}, want: []byte{7, 8}},                          // two slots: four dials
				{addedIn: []byte{102}, failed: []byte{5, 6, 7, 8}, want: []byte{9}}, // inbound peers take none
			},
		},
		{
			name:   "No more dials than MaxPendingPeers are in flight",
			config: func(c *dialConfig) { c.maxDialed, c.maxActive = 10, 3 },
			rounds: []dialRound{
				{found: publicNodes(1, 5), want: []byte{1, 2, 3}},
				{failed: []byte{2}, want: []byte{4}},
			},
		},
		{
			name:   "Nobody is dialed without slots",
			config: func(c *dialConfig) { c.maxDialed = 0 },
			rounds: []dialRound{
				{found: publicNodes(1, 2), static: publicNodes(3, 4)},
				{after: time.Hour},
			},
		},
		{
			name: "A candidate is not dialed again within 35 s of the start of its dial",
			rounds: []dialRound{
				{found: publicNodes(1, 1), want: []byte{1}},
				{failed: []byte{1}, after: 34 * time.Second},
				{found: publicNodes(1, 1)},
				{after: time.Second},
				{found: publicNodes(1, 1), want: []byte{1}},
			},
		},
		{
			name: "A static node is dialed again after 35 s, for ever",
			rounds: []dialRound{
				{static: publicNodes(1, 1), want: []byte{1}},
				{static: publicNodes(1, 1), failed: []byte{1}, after: 34 * time.Second},
				{after: time.Second, want: []byte{1}},
				{succeeded: []byte{1}, added: []byte{1}},
				{after: time.Hour},
				{removed: []byte{1}, want: []byte{1}},
				{failed: []byte{1}, after: 35 * time.Second, want: []byte{1}},
				{unstatic: []byte{1}, failed: []byte{1}},
				{after: time.Hour},
			},
		},
		{
			name:   "Static nodes take dialed slots",
			config: func(c *dialConfig) { c.maxDialed, c.maxActive = 1, 10 },
			rounds: []dialRound{
				{static: publicNodes(1, 1), want: []byte{1}},
				{succeeded: []byte{1}, added: []byte{1}, found: publicNodes(5, 5)},
				{removed: []byte{1}, want: []byte{5}},
			},
		},
		{
			name:   "A static node that has a free slot to wait for gets it",
			config: func(c *dialConfig) { c.maxDialed, c.maxActive = 1, 1 },
			rounds: []dialRound{
				{added: []byte{100}, static: publicNodes(1, 3)},
				{found: publicNodes(9, 9)},
				{removed: []byte{100}, wantOneOf: []byte{1, 2, 3}},
			},
		},
		{
			name: "A node that is connecting to us is not dialed",
			rounds: []dialRound{
				{pending: []byte{1, 1, 2}, static: publicNodes(1, 1), found: publicNodes(2, 2)},
				{unpending: []byte{1}},
				{unpending: []byte{1}, want: []byte{1}},
			},
		},
		{
			name: "Ourselves, and nodes that are connected, are not dialed",
			rounds: []dialRound{
				{added: []byte{1}, addedIn: []byte{2}, found: append(publicNodes(1, 2), publicNode(0xff)), static: []*enode.Node{nodeAt(0xff, "5.0.0.1:1")}},
				{removed: []byte{2}, found: publicNodes(2, 2), want: []byte{2}},
			},
		},
		{
			name:   "Nobody outside of NetRestrict is dialed",
			config: func(c *dialConfig) { c.netRestrict = restrict },
			rounds: []dialRound{
				{found: publicNodes(3, 4), static: publicNodes(2, 5), want: []byte{2, 3}},
			},
		},
		{
			name:   "Candidates with addresses narrower than our network are not dialed, static nodes are",
			config: func(c *dialConfig) { c.scope = func() addrScope { return scopePublic } },
			rounds: []dialRound{
				{found: []*enode.Node{
					nodeAt(1, "127.0.0.1:1"), nodeAt(2, "10.0.0.1:1"), nodeAt(3, "192.168.1.1:1"), nodeAt(4, "100.64.0.1:1"),
					nodeAt(5, "169.254.0.1:1"), nodeAt(6, "224.0.0.1:1"), nodeAt(7, "0.0.0.0:1"), nodeAt(8, "203.0.113.9:1"),
					nodeAt(9, "5.5.5.5:1"), nodeAt(10, ""), nodeAt(11, "5.5.5.5:0"),
				}, static: []*enode.Node{nodeAt(20, "127.0.0.1:1"), nodeAt(21, "10.0.0.1:1")}, want: []byte{9, 20, 21}},
			},
		},
		{
			name:   "Candidates of our own network are dialed",
			config: func(c *dialConfig) { c.scope = func() addrScope { return scopeLAN } },
			rounds: []dialRound{
				{found: []*enode.Node{nodeAt(1, "127.0.0.1:1"), nodeAt(2, "10.0.0.1:1"), nodeAt(3, "224.0.0.1:1")}, want: []byte{2}},
			},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newDialBench(t, test.config)
				defer b.stop()
				b.run(test.rounds)
			})
		})
	}
}

func TestEveryRefusalToDialHasItsOwnError(t *testing.T) {
	restrict, err := netutil.ParseNetlist("5.0.0.0/8")
	if err != nil {
		t.Fatal(err)
	}
	p := newDialPlan(enode.ID{1}, 10, 10)
	p.peerAdded(enode.ID{2}, 1, inboundConn)
	p.dialing[enode.ID{3}] = &dialTask{}
	p.history.add(enode.ID{4}, 0)
	p.inboundPending(enode.ID{5}, 1)
	p.scope = func() addrScope { return scopePublic }
	for _, test := range []struct {
		node     *enode.Node
		restrict *netutil.Netlist
		want     error
	}{
		{node: publicNode(1), want: errSelf},
		{node: publicNode(2), want: errAlreadyConnected},
		{node: publicNode(3), want: errAlreadyDialing},
		{node: publicNode(4), want: errRecentlyDialed},
		{node: publicNode(5), want: errPendingInbound},
		{node: nodeAt(6, "6.0.0.1:1"), restrict: restrict, want: errNetRestrict},
		{node: nodeAt(6, "5.0.0.1:0"), want: errNoPort},
		{node: nodeAt(6, ""), want: errNoAddress},
		{node: nodeAt(6, "127.0.0.1:1"), want: errSpecialUse},
		{node: nodeAt(6, "5.0.0.1:1"), restrict: restrict},
		{node: nodeAt(6, "5.0.0.1:1")},
	} {
		p.netRestrict = test.restrict
		if err := p.checkCandidate(test.node); err != test.want {
			t.Errorf("node %v: got %v, want %v", test.node.ID(), err, test.want)
		}
	}
}

func TestTheEndOfAnEarlierConnectionDoesNotHideTheLaterOne(t *testing.T) {
	p := newDialPlan(enode.ID{1}, 10, 10)
	p.peerAdded(enode.ID{2}, 1, dynDialedConn)
	p.peerAdded(enode.ID{2}, 2, inboundConn)
	p.peerRemoved(enode.ID{2}, 1)
	if err := p.check(publicNode(2)); err != errAlreadyConnected {
		t.Errorf("after the end of the first connection: %v", err)
	}
	p.peerRemoved(enode.ID{2}, 2)
	if err := p.check(publicNode(2)); err != nil || p.dialed != 0 {
		t.Errorf("after the end of both: %v, %d slots taken", err, p.dialed)
	}
}

func TestAnIteratorThatGoesRoundIsNotReadAllTheTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newDialBench(t, nil)
		defer b.stop()
		b.d.peerAdded(enode.ID{1}, 1, inboundConn)
		for range maxRefusedInRow + 10 {
			b.found <- publicNode(1)
		}
		synctest.Wait()
		if left := len(b.found); left < 8 || left > 10 {
			t.Errorf("%d candidates left unread, want about 9", left)
		}
		b.clock.Run(refusedPauseTime)
		synctest.Wait()
		if left := len(b.found); left != 0 {
			t.Errorf("%d candidates left unread after the pause", left)
		}
	})
}

func TestStoppingCancelsDialsInFlight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newDialBench(t, nil)
		b.run([]dialRound{{static: publicNodes(1, 3), want: []byte{1, 2, 3}}})
		b.stop()
		b.d.addStatic(publicNode(4)) // does nothing, and returns
		if got := slices.Collect(maps.Values(b.refused)); len(got) != 3 || !errors.Is(got[0], context.Canceled) {
			t.Errorf("dials ended with %v", got)
		}
	})
}
