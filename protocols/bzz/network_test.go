package bzz

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/crypto"

	"github.com/sennit-net/sennit/p2p"
	"github.com/sennit-net/sennit/protocols/bzz/chunk"
	"github.com/sennit-net/sennit/protocols/bzz/file"
	"github.com/sennit-net/sennit/protocols/bzz/store"
)

// peerNode is a node on a server of its own, on 127.0.0.1.
type peerNode struct {
	*Node
	server *p2p.Server
	chunks *store.Memory
	events chan *p2p.PeerEvent
}

func startPeer(t *testing.T, change func(*Config)) *peerNode {
	t.Helper()
	key, err := crypto.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	overlay := OverlayOf(&key.PublicKey)
	p := &peerNode{chunks: store.NewMemory(store.Options{Base: overlay}), events: make(chan *p2p.PeerEvent, 1000)}
	cfg := Config{Overlay: overlay, Store: p.chunks, SyncDelay: 10 * time.Millisecond}
	if change != nil {
		change(&cfg)
	}
	if p.Node, err = New(cfg); err != nil {
		t.Fatal(err)
	}
	p.server = &p2p.Server{Config: p2p.Config{
		PrivateKey: key, MaxPeers: 10, NoDiscovery: true, ListenAddr: "127.0.0.1:0", Name: "test", Protocols: p.Protocols(),
	}}
	sub := p.server.SubscribeEvents(p.events)
	if err := p.server.Start(); err != nil {
		t.Fatal(err)
	}
	if err := p.Start(p.server); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		p.server.Stop()
		p.Stop()
		sub.Unsubscribe()
	})
	return p
}

// join connects two nodes.
func (p *peerNode) join(t *testing.T, other *peerNode) {
	t.Helper()
	p.server.AddPeer(other.server.Self())
	p.awaitPeer(t, other)
	other.awaitPeer(t, p)
}

// awaitPeer waits until a node is connected.
func (p *peerNode) awaitPeer(t *testing.T, other *peerNode) {
	t.Helper()
	timeout := time.After(patience)
	for {
		select {
		case e := <-p.events:
			if e.Type == p2p.PeerEventTypeAdd && e.Peer == other.server.Self().ID() {
				return
			}
		case <-timeout:
			t.Fatal("two nodes do not connect")
		}
	}
}

// awaitChunk waits until a store has a chunk.
func (p *peerNode) awaitChunk(t *testing.T, addr chunk.Address) {
	t.Helper()
	timeout := time.After(patience)
	for {
		changed := p.chunks.Changed(min(p.cfg.Overlay.PO(addr), store.Bins-1))
		if has, err := p.chunks.Has(t.Context(), addr); has || err != nil {
			return
		}
		select {
		case <-changed:
		case <-timeout:
			t.Fatalf("chunk %v does not come", addr)
		}
	}
}

// eachDialect runs a test with nodes of either dialect.
func eachDialect(t *testing.T, f func(t *testing.T, dialect func(*Config))) {
	for name, d := range map[string]Dialects{"early": Early, "later": Later} {
		t.Run(name, func(t *testing.T) { f(t, func(c *Config) { c.Dialects = d }) })
	}
}

func TestAFileIsFetchedOverANodeInBetween(t *testing.T) { eachDialect(t, testFileOverNode) }

func testFileOverNode(t *testing.T, dialect func(*Config)) {
	quiet := func(c *Config) {
		dialect(c)
		c.NoDial, c.NoSync = true, true
	}
	a, b, c := startPeer(t, quiet), startPeer(t, quiet), startPeer(t, quiet)
	a.join(t, b)
	b.join(t, c)
	content := make([]byte, 2_000_000)
	rand.New(rand.NewSource(1)).Read(content)
	ref, _, err := file.Split(t.Context(), bytes.NewReader(content), c.Put, file.SplitOptions{})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	f, err := file.Open(ctx, a.Get, ref)
	if err != nil {
		t.Fatal(err)
	}
	r := f.NewReader(ctx, 0, f.Size())
	defer r.Close()
	got, err := io.ReadAll(r)
	if err != nil || !bytes.Equal(got, content) {
		t.Errorf("%d bytes, the same: %v, %v", len(got), bytes.Equal(got, content), err)
	}
	if s := b.Stats(); s.Served == 0 || s.Received != s.Served || s.Queued != 0 || s.Searches != 0 {
		t.Errorf("%+v", s)
	}
}

func TestNodesMeetThroughOneTheyBothKnowAndSync(t *testing.T) { eachDialect(t, testMeetAndSync) }

func testMeetAndSync(t *testing.T, dialect func(*Config)) {
	a, b, c := startPeer(t, dialect), startPeer(t, dialect), startPeer(t, dialect)
	a.join(t, b)
	c.join(t, b)
	a.awaitPeer(t, c) // whichever of them has dialed
	// With two peers each, all are neighbours of all: every chunk goes everywhere.
	for i := range 300 {
		put(t, []*Node{a.Node, b.Node, c.Node}[i%3], someChunk(i))
	}
	for _, p := range []*peerNode{a, b, c} {
		for i := range 300 {
			p.awaitChunk(t, someChunk(i).Address())
		}
	}
}

func TestALightNodeFetchesAndIsAskedForNothing(t *testing.T) { eachDialect(t, testLight) }

func testLight(t *testing.T, dialect func(*Config)) {
	full, light := startPeer(t, dialect), startPeer(t, func(c *Config) {
		dialect(c)
		c.Light = true
	})
	put(t, full.Node, someChunk(1))
	put(t, light.Node, someChunk(2))
	light.join(t, full)
	if _, err := light.Get(t.Context(), someChunk(1).Address()); err != nil {
		t.Error(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := full.Get(ctx, someChunk(2).Address()); !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
	if s := light.Stats(); s.Requests != 0 || s.Offered != 0 || s.Wanted != 0 {
		t.Errorf("%+v", s)
	}
}

func TestNetworksDoNotMix(t *testing.T) { eachDialect(t, testNetworks) }

func testNetworks(t *testing.T, dialect func(*Config)) {
	a, b := startPeer(t, dialect), startPeer(t, func(c *Config) {
		dialect(c)
		c.NetworkID, c.LaterNetworkID = 7, 7
	})
	a.server.AddPeer(b.server.Self())
	timeout := time.After(patience)
	for {
		select {
		case e := <-b.events:
			if e.Type == p2p.PeerEventTypeDrop {
				return
			}
		case <-timeout:
			t.Fatal("the link does not end")
		}
	}
}

// A node of both dialects speaks the later one with its like, and joins the networks.
func TestChunksGoFromOneNetworkToTheOther(t *testing.T) {
	early := startPeer(t, func(c *Config) { c.Dialects = Early })
	both, alike := startPeer(t, nil), startPeer(t, nil)
	later := startPeer(t, func(c *Config) { c.Dialects = Later })
	early.join(t, both)
	both.join(t, alike)
	alike.join(t, later)
	for i, p := range []*peerNode{early, later} {
		put(t, p.Node, someChunk(i))
	}
	for _, p := range []*peerNode{early, both, alike, later} {
		for i := range 2 {
			p.awaitChunk(t, someChunk(i).Address())
		}
	}
	if info, ok := both.peerInfo(alike.server.Self().ID()); !ok || !info.Later {
		t.Errorf("%+v", info)
	}
	if info, ok := both.peerInfo(early.server.Self().ID()); !ok || info.Later {
		t.Errorf("%+v", info)
	}
}
