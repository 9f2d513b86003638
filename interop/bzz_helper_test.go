package interop

import (
	"bytes"
	"context"
	"crypto/rand"
	"io"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/p2p/enode"

	"github.com/sennit-net/sennit/interop/counterparts"
	"github.com/sennit-net/sennit/p2p"
	"github.com/sennit-net/sennit/protocols/bzz"
	"github.com/sennit-net/sennit/protocols/bzz/chunk"
	"github.com/sennit-net/sennit/protocols/bzz/file"
	"github.com/sennit-net/sennit/protocols/bzz/store"
)

// counterpart is a program of counterparts/swarm or counterparts/swarm5. Its lines can be expected in any order.
type counterpart struct {
	*counterparts.Process
	t    *testing.T
	node *enode.Node
	used map[int]bool // lines that were expected and came
}

// startSwarm starts a Swarm of go-ethereum 1.8.27 and waits until it listens.
func startSwarm(t *testing.T, args ...string) *counterpart {
	t.Helper()
	return startCounterpart(t, "swarm", "", args...)
}

func startCounterpart(t *testing.T, module, path string, args ...string) *counterpart {
	t.Helper()
	c := &counterpart{Process: counterparts.Start(t, module, path, args...), t: t, used: make(map[int]bool)}
	c.node = enode.MustParse(strings.TrimPrefix(c.expect("ENODE "), "ENODE "))
	return c
}

// expect returns the first line that begins with prefix and was not expected before.
func (c *counterpart) expect(prefix string) string {
	c.t.Helper()
	for {
		if l, ok := c.find(prefix, true); ok {
			return l
		}
		c.Await("^"+regexp.QuoteMeta(prefix), patience) // may come upon a line that was found before
	}
}

// has reports whether there is such a line.
func (c *counterpart) has(prefix string) bool {
	_, ok := c.find(prefix, false)
	return ok
}

func (c *counterpart) find(prefix string, use bool) (string, bool) {
	for i, l := range c.Lines() {
		if strings.HasPrefix(l, prefix) && !c.used[i] {
			if use {
				c.used[i] = true
			}
			return l, true
		}
	}
	return "", false
}

// id is how the program names a node in its lines.
func id(n *enode.Node) string { return n.ID().String()[:16] }

// swarmNode is a Swarm node of ours.
type swarmNode struct {
	*bzz.Node
	server *p2p.Server
	chunks *store.Memory
	base   chunk.Address
	events chan *p2p.PeerEvent
	conns  *cutter
}

// startOurs starts a node with a store in memory on 127.0.0.1.
func startOurs(t *testing.T, change func(*bzz.Config)) *swarmNode {
	t.Helper()
	key, err := crypto.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	cfg := bzz.Config{Overlay: bzz.OverlayOf(&key.PublicKey), SyncDelay: 100 * time.Millisecond}
	if change != nil {
		change(&cfg)
	}
	s := &swarmNode{
		base: cfg.Overlay, chunks: store.NewMemory(store.Options{Base: cfg.Overlay}), events: make(chan *p2p.PeerEvent, 1000), conns: new(cutter),
	}
	cfg.Store = s.chunks
	if s.Node, err = bzz.New(cfg); err != nil {
		t.Fatal(err)
	}
	s.server = &p2p.Server{Config: p2p.Config{
		PrivateKey: key, MaxPeers: 25, NoDiscovery: true, ListenAddr: "127.0.0.1:0", Name: "sennit/interop",
		Protocols: s.Protocols(), Dialer: s.conns,
	}}
	sub := s.server.SubscribeEvents(s.events)
	if err := s.server.Start(); err != nil {
		t.Fatal(err)
	}
	if err := s.Start(s.server); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		s.server.Stop()
		s.Stop()
		sub.Unsubscribe()
	})
	return s
}

// event returns the next event of a type about a node.
func (s *swarmNode) event(t *testing.T, typ p2p.PeerEventType, n *enode.Node) *p2p.PeerEvent {
	t.Helper()
	timeout := time.After(patience)
	for {
		select {
		case e := <-s.events:
			if e.Type == typ && e.Peer == n.ID() {
				return e
			}
		case <-timeout:
			t.Fatalf("no %q event", typ)
		}
	}
}

// awaitChunk waits until the store has a chunk.
func (s *swarmNode) awaitChunk(t *testing.T, addr chunk.Address) {
	t.Helper()
	timeout := time.After(patience)
	for {
		changed := s.chunks.Changed(min(s.base.PO(addr), store.Bins-1))
		if has, err := s.chunks.Has(context.Background(), addr); has || err != nil {
			return
		}
		select {
		case <-changed:
		case <-timeout:
			t.Fatalf("chunk %v does not come", addr)
		}
	}
}

// upload splits content into chunks of the node's store.
func (s *swarmNode) upload(t *testing.T, content []byte, opts file.SplitOptions) file.Reference {
	t.Helper()
	ref, _, err := file.Split(context.Background(), bytes.NewReader(content), s.Put, opts)
	if err != nil {
		t.Fatal(err)
	}
	return ref
}

// download fetches content from the network.
func (s *swarmNode) download(t *testing.T, hash string) []byte {
	t.Helper()
	content, err := s.fetch(hash)
	if err != nil {
		t.Fatal(err)
	}
	return content
}

// fetch is download for any goroutine.
func (s *swarmNode) fetch(hash string) ([]byte, error) {
	ref, err := file.ParseReference(hash)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	f, err := file.Open(ctx, s.Get, ref)
	if err != nil {
		return nil, err
	}
	r := f.NewReader(ctx, 0, f.Size())
	defer r.Close()
	return io.ReadAll(r)
}

// randomFile writes a file of random content.
func randomFile(t *testing.T, size int) (path string, content []byte) {
	t.Helper()
	content = make([]byte, size)
	if _, err := rand.Read(content); err != nil {
		t.Fatal(err)
	}
	path = filepath.Join(t.TempDir(), "content")
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return path, content
}

// smallChunk is a chunk of a text.
func smallChunk(t *testing.T, text string) chunk.Chunk {
	t.Helper()
	c, err := chunk.New(uint64(len(text)), []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// cutter dials over TCP and can cut what it has dialed.
type cutter struct {
	mu    sync.Mutex
	conns []net.Conn
}

// Dial implements [p2p.NodeDialer].
func (c *cutter) Dial(ctx context.Context, n *enode.Node) (net.Conn, error) {
	endpoint, _ := n.TCPEndpoint()
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", endpoint.String())
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.conns = append(c.conns, conn)
	return conn, nil
}

// cut closes all connections as a crash would.
func (c *cutter) cut() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, conn := range c.conns {
		_ = conn.(*net.TCPConn).SetLinger(0)
		conn.Close()
	}
	c.conns = nil
}
