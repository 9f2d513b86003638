package eth

import (
	"context"
	"net"
	"slices"
	"sync"
	"testing"

	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/p2p/enode"
	"github.com/ethereum/go-ethereum/p2p/enr"
	"github.com/ethereum/go-ethereum/rlp"

	"github.com/sennit-net/sennit/p2p"
)

// record is a node whose record has a fork id, or none if it is zero.
func record(t *testing.T, id ForkID) *enode.Node {
	t.Helper()
	key, err := crypto.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	var r enr.Record
	if id != (ForkID{}) {
		r.Set(&enrEntry{ForkID: id})
	}
	if err := enode.SignV4(&r, key); err != nil {
		t.Fatal(err)
	}
	n, err := enode.New(enode.ValidSchemes, &r)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestTheRecordSaysTheForkID(t *testing.T) {
	raw, err := rlp.EncodeToBytes(&enrEntry{ForkID: id("cba2a1c0", 1767747671)})
	if err != nil || string(raw) != string(unhex("cbca84cba2a1c084695db057")) {
		t.Errorf("%x, %v", raw, err)
	}
	for _, later := range []string{"cbca84cba2a1c084695db057", "cccb84cba2a1c084695db05701", "ccca84cba2a1c084695db05701"} {
		var e enrEntry
		if err := rlp.DecodeBytes(unhex(later), &e); err != nil || e.ForkID != id("cba2a1c0", 1767747671) {
			t.Errorf("%s: %+v, %v", later, e, err)
		}
	}
	chain := newMemChain(t, 3)
	n := startNode(t, Config{Backend: chain})
	var e enrEntry
	if err := n.Self().Load(&e); err != nil || e.ForkID != n.h.forkID() {
		t.Errorf("the record says %v, %v", e.ForkID, err)
	}
}

// candidates are what a handler's protocols have dialed.
func candidates(h *Handler) (ids []enode.ID) {
	for _, p := range h.Protocols() {
		if p.DialCandidates != nil {
			for p.DialCandidates.Next() {
				ids = append(ids, p.DialCandidates.Node().ID())
			}
		}
	}
	return ids
}

func TestOnlyNodesThatAreOnOurChainAreDialed(t *testing.T) {
	good, other, none := record(t, mainnet.ForkIDAt(20_000_000, 1_720_000_000)), record(t, id("01020304", 0)), record(t, ForkID{})
	var r enr.Record
	r.Set(enr.WithEntry("eth", "nonsense"))
	key, err := crypto.GenerateKey()
	if err == nil {
		err = enode.SignV4(&r, key)
	}
	if err != nil {
		t.Fatal(err)
	}
	broken, err := enode.New(enode.ValidSchemes, &r)
	if err != nil {
		t.Fatal(err)
	}
	all := []*enode.Node{other, good, none, broken}
	for unknown, want := range map[bool][]enode.ID{false: {good.ID()}, true: {good.ID(), none.ID()}} {
		h := newHandler(t, Config{Backend: NewObserver(mainnet), DialCandidates: enode.IterNodes(all), DialUnknown: unknown})
		if got := candidates(h); !slices.Equal(got, want) {
			t.Errorf("unknown ones %v: %d nodes to dial, want %d", unknown, len(got), len(want))
		}
		for _, n := range all {
			if h.Compatible(n) != (n == good) {
				t.Errorf("compatible: %v", n != good)
			}
		}
	}
}

// noting is a dialer that notes whom it has dialed.
type noting struct {
	mu     sync.Mutex
	dialed map[enode.ID]bool
}

func (d *noting) Dial(ctx context.Context, n *enode.Node) (net.Conn, error) {
	d.mu.Lock()
	d.dialed[n.ID()] = true
	d.mu.Unlock()
	addr, _ := n.TCPEndpoint()
	return new(net.Dialer).DialContext(ctx, "tcp", addr.String())
}

func (d *noting) has(n *enode.Node) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.dialed[n.ID()]
}

// discovering starts a server with discovery v4 on 127.0.0.1; h may be nil.
func discovering(t *testing.T, h *Handler, boot ...*enode.Node) (*p2p.Server, *noting) {
	t.Helper()
	key, err := crypto.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	d := &noting{dialed: make(map[enode.ID]bool)}
	s := &p2p.Server{Config: p2p.Config{
		PrivateKey: key, Name: "test", MaxPeers: 20, ListenAddr: "127.0.0.1:0", DiscoveryV4: true, BootstrapNodes: boot, Dialer: d, Logger: quiet,
	}}
	if h != nil {
		s.Protocols = h.Protocols()
	}
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	if h != nil {
		h.Attach(s)
	}
	t.Cleanup(func() {
		if h != nil {
			h.Close()
		}
		s.Stop()
	})
	return s, d
}

func TestOfWhatDiscoveryFindsOnlyNodesOnOurChainAreDialed(t *testing.T) {
	chain := newMemChain(t, 3)
	boot, _ := discovering(t, nil) // its record has no entry
	good, _ := discovering(t, newHandler(t, Config{Backend: chain}), boot.Self())
	elsewhere := NewObserver(&ChainConfig{NetworkID: 1337, Genesis: one})
	other, _ := discovering(t, newHandler(t, Config{Backend: elsewhere}), boot.Self())

	h := newHandler(t, Config{Backend: chain, Discover: true})
	sub := h.Subscribe(0)
	us, d := discovering(t, h, boot.Self(), other.Self())
	if p := await[*PeerJoined](t, sub).Peer; p.ID() != good.Self().ID() {
		t.Errorf("%v has joined", p.ID())
	}
	if d.has(boot.Self()) || d.has(other.Self()) {
		t.Errorf("dialed: the node without an entry %v, that on another chain %v", d.has(boot.Self()), d.has(other.Self()))
	}
	for _, unknown := range []bool{false, true} {
		h := newHandler(t, Config{Backend: chain, Discover: true, DialUnknown: unknown})
		ask := h.recordFrom(us.DiscoveryV4())
		for n, want := range map[*enode.Node]bool{good.Self(): true, other.Self(): false, boot.Self(): unknown} {
			bare := enode.NewV4(n.Pubkey(), n.IP(), n.TCP(), n.UDP())
			if record := ask(t.Context(), bare); (record != nil && h.dialable(record)) != want {
				t.Errorf("unknown ones %v: of %v comes %v, dialed %v", unknown, n, record, !want)
			}
		}
		silent := enode.NewV4(&testKey.PublicKey, net.IPv4(127, 0, 0, 1), 1, 1)
		if record := ask(t.Context(), silent); (record != nil) != unknown {
			t.Errorf("unknown ones %v: of a node that does not answer comes %v", unknown, record)
		}
	}
}

func TestAttachingTwiceOrToAServerThatDoesNotRunDoesNothing(t *testing.T) {
	chain := newMemChain(t, 1)
	good := record(t, chain.config.ForkIDAt(1, 1001))
	h := newHandler(t, Config{Backend: chain, Discover: true, DialCandidates: enode.CycleNodes([]*enode.Node{record(t, id("01020304", 0)), good})})
	h.Attach(new(p2p.Server))
	us := serve(t) // it runs something else: what is found is left to us
	h.Attach(us)
	h.Attach(us)
	if !h.found.Next() || h.found.Node().ID() != good.ID() {
		t.Errorf("%v is found", h.found.Node())
	}
	h.Close()
	h.Close()
	if h.found.Next() {
		t.Error("after the end there is something to dial")
	}
}

func TestClosingAHandlerAtOnceAfterAttachingItHarmsNothing(t *testing.T) {
	chain := newMemChain(t, 1)
	s, _ := discovering(t, nil)
	for range 200 {
		h := newHandler(t, Config{Backend: chain, Discover: true})
		h.Attach(s)
		h.Close()
	}
}

func TestAttachingAClosedHandlerDoesNothing(t *testing.T) {
	s, _ := discovering(t, nil)
	h := newHandler(t, Config{Backend: newMemChain(t, 1), Discover: true})
	h.Close()
	h.Attach(s)
	if h.local.Load() != nil || s.Self().Load(new(enrEntry)) == nil {
		t.Error("the record of the server's node has changed")
	}
}

// closeNoting is an iterator that notes its end.
type closeNoting struct {
	enode.Iterator
	closed chan struct{}
	once   sync.Once
}

func (it *closeNoting) Close() {
	it.Iterator.Close()
	it.once.Do(func() { close(it.closed) })
}

func TestCandidatesAreClosedThoughTheHandlerIsNeverAttached(t *testing.T) {
	for name, end := range map[string]func(*Handler, *p2p.Server){
		"by the server":  func(_ *Handler, s *p2p.Server) { s.Stop() },
		"by the handler": func(h *Handler, _ *p2p.Server) { h.Close() },
	} {
		t.Run(name, func(t *testing.T) {
			it := &closeNoting{Iterator: enode.CycleNodes([]*enode.Node{record(t, ForkID{})}), closed: make(chan struct{})}
			h := newHandler(t, Config{Backend: newMemChain(t, 1), Discover: true, DialCandidates: it})
			defer h.Close()
			end(h, serve(t, h.Protocols()...))
			<-it.closed
		})
	}
}

// forgetful yields nodes of which it has forgotten some by the time they are asked for, as if it had been closed in between.
type forgetful struct {
	enode.Iterator
	asked int
}

func (it *forgetful) Node() *enode.Node {
	if it.asked++; it.asked == 2 {
		return it.Iterator.Node()
	}
	return nil
}

func TestACandidateThatIsGoneWhenItIsAskedForIsPassedOver(t *testing.T) {
	all := []*enode.Node{record(t, ForkID{}), record(t, ForkID{}), record(t, ForkID{})}
	h := newHandler(t, Config{Backend: newMemChain(t, 1), DialUnknown: true, DialCandidates: &forgetful{Iterator: enode.IterNodes(all)}})
	defer h.Close()
	if got := candidates(h); !slices.Equal(got, []enode.ID{all[1].ID()}) {
		t.Errorf("%v are dialed, want %v", got, all[1].ID())
	}
}

func TestAHandlerMayBeClosedTwiceAtATime(t *testing.T) {
	chain := newMemChain(t, 1)
	for range 100 {
		h := newHandler(t, Config{Backend: chain, Discover: true})
		var closing sync.WaitGroup
		for range 4 {
			closing.Go(h.Close)
		}
		closing.Wait()
	}
}

// recorded is the fork id in a server's record.
func recorded(t *testing.T, s *p2p.Server) ForkID {
	t.Helper()
	var e enrEntry
	if err := s.Self().Load(&e); err != nil {
		t.Fatal(err)
	}
	return e.ForkID
}

func TestTheRecordFollowsTheHead(t *testing.T) {
	long, short := newMemChain(t, 6), newMemChain(t, 6)
	long.config.TimeForks, short.config.TimeForks = []uint64{1002, 1005}, []uint64{1002, 1005}
	short.hashes = long.hashes[:2]
	n := startNode(t, Config{Backend: short})
	n.h.Attach(n.Server)
	before, seq := n.h.forkID(), n.Self().Seq()
	if got := recorded(t, n.Server); got != before || before.Next != 1002 {
		t.Fatalf("the record says %v, we are at %v", got, before)
	}
	n.h.UpdateRange()
	if n.Self().Seq() != seq {
		t.Error("there is a new record with nothing new in it")
	}
	for blocks, move := range map[int]func(){4: n.h.UpdateRange, 7: func() { n.h.AnnounceBlocks() }} {
		short.hashes = long.hashes[:blocks]
		move()
		if got, want := recorded(t, n.Server), long.config.ForkIDAt(uint64(blocks-1), uint64(999+blocks)); got != want {
			t.Errorf("after %d blocks the record says %v, want %v", blocks, got, want)
		}
	}

	observer := startNode(t, Config{Backend: NewObserver(long.config)})
	observer.h.Attach(observer.Server)
	if got := recorded(t, observer.Server); got.Next != 1002 {
		t.Errorf("at first the record says %v", got)
	}
	connect(t, observer, startNode(t, Config{Backend: long}))
	want := long.config.ForkIDAt(6, 1006)
	until(t, "the new record", func() bool { return recorded(t, observer.Server) == want })
}
