package interop

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/p2p/enode"

	"github.com/sennit-net/sennit/p2p"
	"github.com/sennit-net/sennit/protocols/bzz"
	"github.com/sennit-net/sennit/protocols/bzz/chunk"
	"github.com/sennit-net/sennit/protocols/bzz/file"
	"github.com/sennit-net/sennit/protocols/bzz/store"
)

// swarmDir is the module of the counterparts that are made of go-ethereum 1.8.27.
const swarmDir = "counterparts/swarm"

// building has one program built at a time.
var building sync.Mutex

// buildSwarm builds a program of the counterparts' module, "." or "./trio", unless it is there and up to date.
func buildSwarm(t *testing.T, pkg string) string {
	t.Helper()
	if _, err := exec.LookPath("gcc"); err != nil {
		t.Skip("gcc is missing: go-ethereum 1.8.27 needs a C compiler")
	}
	building.Lock()
	defer building.Unlock()
	path, err := filepath.Abs(filepath.Join("bin", "swarm-1.8.27-"+filepath.Base(pkg)))
	if err != nil {
		t.Fatal(err)
	}
	build := exec.Command("go", "build", "-o", path, pkg)
	build.Dir = swarmDir
	build.Env = append(os.Environ(), "CGO_ENABLED=1")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%s does not build: %v\n%s", swarmDir, err, out)
	}
	return path
}

// counterpart is a running program that is not ours and takes commands on standard input.
type counterpart struct {
	t     *testing.T
	node  *enode.Node
	cmd   *exec.Cmd
	stdin io.WriteCloser
	lines chan string
	over  []string // lines that came and were not what was expected
	done  chan struct{}
}

// startSwarm starts a program of the counterparts' module and waits until it listens.
func startSwarm(t *testing.T, pkg string, args ...string) *counterpart {
	t.Helper()
	c := &counterpart{t: t, cmd: exec.Command(buildSwarm(t, pkg), args...), lines: make(chan string, 1<<16), done: make(chan struct{})}
	stdin, err := c.cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := c.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	errs := &bytes.Buffer{}
	c.stdin, c.cmd.Stderr = stdin, errs
	if err := c.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(c.done)
		for s := bufio.NewScanner(stdout); s.Scan(); {
			c.lines <- s.Text()
		}
		_ = c.cmd.Wait()
	}()
	t.Cleanup(func() {
		c.kill()
		if t.Failed() {
			t.Logf("%s says:\n%s", pkg, errs)
		}
	})
	c.node = enode.MustParse(strings.TrimPrefix(c.expect("ENODE "), "ENODE "))
	return c
}

// kill ends the program without letting it say good-bye.
func (c *counterpart) kill() {
	_ = c.cmd.Process.Kill()
	for {
		select {
		case <-c.lines:
		case <-c.done:
			return
		}
	}
}

// do gives the program a command.
func (c *counterpart) do(format string, args ...any) {
	c.t.Helper()
	if _, err := fmt.Fprintf(c.stdin, format+"\n", args...); err != nil {
		c.t.Fatal(err)
	}
}

// expect returns the next line that begins with prefix. Others are left for later.
func (c *counterpart) expect(prefix string) string {
	c.t.Helper()
	for i, l := range c.over {
		if strings.HasPrefix(l, prefix) {
			c.over = append(c.over[:i:i], c.over[i+1:]...)
			return l
		}
	}
	timeout := time.After(patience)
	for {
		select {
		case l := <-c.lines:
			if strings.HasPrefix(l, prefix) {
				return l
			}
			c.over = append(c.over, l)
		case <-timeout:
			c.t.Fatalf("the counterpart does not say %q, but:\n%s", prefix, strings.Join(c.over, "\n"))
		}
	}
}

// has reports whether a line that begins with prefix has come.
func (c *counterpart) has(prefix string) bool {
	for len(c.lines) > 0 {
		c.over = append(c.over, <-c.lines)
	}
	for _, l := range c.over {
		if strings.HasPrefix(l, prefix) {
			return true
		}
	}
	return false
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
	base := bzz.OverlayOf(&key.PublicKey)
	s := &swarmNode{base: base, chunks: store.NewMemory(store.Options{Base: base}), events: make(chan *p2p.PeerEvent, 1000), conns: new(cutter)}
	cfg := bzz.Config{Overlay: base, Store: s.chunks, SyncDelay: 100 * time.Millisecond}
	if change != nil {
		change(&cfg)
	}
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
	ref, err := file.ParseReference(hash)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	f, err := file.Open(ctx, s.Get, ref)
	if err != nil {
		t.Fatal(err)
	}
	r := f.NewReader(ctx, 0, f.Size())
	defer r.Close()
	content, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return content
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
