package bzz

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/p2p/enode"
	"go.uber.org/goleak"

	"github.com/sennit-net/sennit/p2p"
	"github.com/sennit-net/sennit/protocols/bzz/chunk"
	"github.com/sennit-net/sennit/protocols/bzz/store"
	"github.com/sennit-net/sennit/protocols/bzz/wire"
)

// TestMain looks for goroutines that are left. The one of the node database ends by itself, a second after that was closed.
func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("github.com/syndtr/goleveldb/leveldb.(*DB).mpoolDrain"))
}

// base is the address of the node that most tests are about.
var base = chunk.Address{31: 1}

// near returns an address that shares po bits with base; n tells it from others.
func near(po int, n byte) chunk.Address {
	a := chunk.Address{31: 1, 30: n}
	a[po/8] ^= 0x80 >> (po % 8)
	return a
}

// someChunk returns the i-th chunk of a test.
func someChunk(i int) chunk.Chunk {
	payload := binary.BigEndian.AppendUint64([]byte("chunk "), uint64(i))
	c, err := chunk.New(uint64(len(payload)), payload)
	if err != nil {
		panic(err)
	}
	return c
}

// chunksOfBin returns n chunks of one bin of base.
func chunksOfBin(bin, n int) (list []chunk.Chunk) {
	for i := 0; len(list) < n; i++ {
		if c := someChunk(i); base.PO(c.Address()) == bin {
			list = append(list, c)
		}
	}
	return list
}

// fakeServer is the server of a node whose peers are made by the test.
type fakeServer struct {
	self           *enode.Node
	added, removed chan *enode.Node
	other          atomic.Pointer[p2p.Peer] // a peer without Swarm, if there is one
}

func newFakeServer() *fakeServer {
	return &fakeServer{
		self:  enode.MustParse("enode://4f355bdcb7cc0af728ef3cceb9615d90684bb5b2ca5f859ab0f0b704075871aa385b6b1b8ead809ca67454d9683fcf2ba03456d6fe2c4abe2b07f0fbdbb2f1c1@127.0.0.1:30303"),
		added: make(chan *enode.Node, 1000), removed: make(chan *enode.Node, 1000),
	}
}

func (s *fakeServer) Self() *enode.Node        { return s.self }
func (s *fakeServer) AddPeer(n *enode.Node)    { s.added <- n }
func (s *fakeServer) RemovePeer(n *enode.Node) { s.removed <- n }
func (s *fakeServer) Peers() (list []*p2p.Peer) {
	if p := s.other.Load(); p != nil {
		list = append(list, p)
	}
	return list
}

// newNode starts a node at base with a store in memory. The test's end stops it.
func newNode(t *testing.T, change func(*Config)) *Node {
	t.Helper()
	cfg := Config{Overlay: base, Store: store.NewMemory(store.Options{Base: base})}
	if change != nil {
		change(&cfg)
	}
	n, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	if err := n.Start(newFakeServer()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(n.Stop)
	return n
}

func put(t *testing.T, n *Node, chunks ...chunk.Chunk) {
	t.Helper()
	for _, c := range chunks {
		if err := n.Put(context.Background(), c); err != nil {
			t.Fatal(err)
		}
	}
}

func has(n *Node, c chunk.Chunk) bool {
	ok, _ := n.cfg.Store.Has(context.Background(), c.Address())
	return ok
}

// remote is a peer that the test plays, over one message pipe for each protocol.
type remote struct {
	t     *testing.T
	addr  wire.PeerAddr
	later bool // speaks the later dialect
	pipes map[string]*p2p.MsgPipeRW
	ends  chan error // of the Runs of the node
	in    chan heard
	over  []heard // has come, but was passed over by expect
}

// heard is a message of the node.
type heard struct {
	proto   string
	code    uint64
	payload []byte
}

// link connects a peer to the node, without a handshake. The node believes that it has dialed. The peer does not read what
// is sent on the protocols it is deaf to.
func link(t *testing.T, n *Node, overlay chunk.Address, deaf ...string) *remote {
	t.Helper()
	return linkWith(t, n, overlay, []p2p.Cap{{Name: "bzz", Version: 8}, {Name: "hive", Version: 8}, {Name: "stream", Version: 8}}, deaf...)
}

// meetLater connects a peer of the later dialect and shakes hands.
func meetLater(t *testing.T, n *Node, overlay chunk.Address) *remote {
	t.Helper()
	r := linkWith(t, n, overlay, []p2p.Cap{
		{Name: "bzz", Version: 14}, {Name: "hive", Version: 11}, {Name: wire.RetrieveName, Version: 2}, {Name: wire.PullName, Version: 8},
	})
	r.expect(wire.BzzName, wire.CodeHandshake)
	r.addr.Caps = wire.CapsFull
	r.say(wire.BzzName, wire.LaterHandshake{Version: 14, NetworkID: 4, Addr: r.addr})
	r.expect(wire.HiveName, wire.CodeSubPeers)
	return r
}

func linkWith(t *testing.T, n *Node, overlay chunk.Address, caps []p2p.Cap, deaf ...string) *remote {
	t.Helper()
	var id enode.ID
	copy(id[:], overlay[:])
	ours, theirs := p2p.MsgPipe()
	peer := p2p.NewPeerPipe(id, "remote", caps, theirs)
	r := &remote{
		t: t, addr: wire.PeerAddr{Overlay: overlay, Underlay: []byte(fmt.Sprintf("enode://%x", overlay[:4]))},
		pipes: make(map[string]*p2p.MsgPipeRW), ends: make(chan error, len(caps)), later: caps[0].Version == 14, in: make(chan heard, 100_000),
	}
	for _, proto := range n.Protocols() {
		if !slices.Contains(caps, p2p.Cap{Name: proto.Name, Version: proto.Version}) {
			continue
		}
		here, there := p2p.MsgPipe()
		r.pipes[proto.Name] = here
		go func() {
			r.ends <- proto.Run(peer, there)
			ours.Close() // as a server ends the link when a protocol returns
		}()
		if !slices.Contains(deaf, proto.Name) {
			go r.listen(proto.Name, here)
		}
	}
	go func() {
		_, _ = ours.ReadMsg()
		for _, pipe := range r.pipes {
			pipe.Close()
		}
	}()
	t.Cleanup(func() { ours.Close() })
	return r
}

// listen takes in what the node sends on one protocol.
func (r *remote) listen(proto string, rw p2p.MsgReader) {
	for {
		msg, err := rw.ReadMsg()
		if err != nil {
			return
		}
		data, err := io.ReadAll(msg.Payload)
		if err != nil {
			return
		}
		if !r.later {
			if data, err = wire.Unwrap(data); err != nil {
				r.t.Errorf("the node sends %x: %v", data, err)
				return
			}
		}
		r.in <- heard{proto, msg.Code, data}
	}
}

// meet connects a peer and shakes hands.
func meet(t *testing.T, n *Node, overlay chunk.Address, light bool) *remote {
	t.Helper()
	r := link(t, n, overlay)
	r.expect(wire.BzzName, wire.CodeHandshake)
	r.say(wire.BzzName, wire.Handshake{Version: 8, NetworkID: 3, Addr: r.addr, Light: light})
	r.expect(wire.HiveName, wire.CodeSubPeers)
	return r
}

// say sends the node a message. It does nothing if the link has ended.
func (r *remote) say(proto string, m wire.Message) {
	payload := wire.Append(nil, m)
	if r.later {
		payload = wire.AppendLater(nil, m)
	}
	r.sayBytes(proto, m.Code(), payload)
}

func (r *remote) sayBytes(proto string, code uint64, payload []byte) {
	r.t.Helper()
	if err := write(r.pipes[proto], code, payload); err != nil && !errors.Is(err, p2p.ErrPipeClosed) {
		r.t.Fatal(err)
	}
}

// patience is how long a test waits for what happens at once.
const patience = 20 * time.Second

// expect returns the payload of the next message with this code. Others are left for later.
func (r *remote) expect(proto string, code uint64) []byte {
	r.t.Helper()
	for i, m := range r.over {
		if m.proto == proto && m.code == code {
			r.over = slices.Delete(r.over, i, i+1)
			return m.payload
		}
	}
	timeout := time.After(patience)
	for {
		select {
		case m := <-r.in:
			if m.proto == proto && m.code == code {
				return m.payload
			}
			r.over = append(r.over, m)
		case <-timeout:
			r.t.Fatalf("the node does not send %s %d", proto, code)
		}
	}
}

// rest returns what has come and was not expected.
func (r *remote) rest() []heard {
	for len(r.in) > 0 {
		r.over = append(r.over, <-r.in)
	}
	rest := r.over
	r.over = nil
	return rest
}

// end waits until the node has ended the link, and wants an error with a text among the ends of its protocols.
func (r *remote) end(text string) {
	r.t.Helper()
	var errs []string
	timeout := time.After(patience)
	for range cap(r.ends) {
		select {
		case err := <-r.ends:
			errs = append(errs, fmt.Sprint(err))
		case <-timeout:
			r.t.Fatal("the node does not end the link")
		}
	}
	if all := strings.Join(errs, "; "); !strings.Contains(all, text) {
		r.t.Errorf("the link ends with %q, want %q", all, text)
	}
}

// alive has the node answer a request, which shows that it has handled everything before, and that the link goes on.
func (r *remote) alive(n *Node) {
	r.t.Helper()
	c := someChunk(-1)
	put(r.t, n, c)
	if r.later {
		r.say(wire.RetrieveName, wire.LaterRetrieveRequest{ID: 9, Addr: c.Address()})
		r.expect(wire.RetrieveName, wire.CodeLaterDelivery)
		return
	}
	r.say(wire.StreamName, wire.RetrieveRequest{Addr: c.Address(), SkipCheck: true})
	for {
		m, err := wire.ParseDelivery(wire.CodeDeliveryRetrieval, r.expect(wire.StreamName, wire.CodeDeliveryRetrieval))
		if err != nil {
			r.t.Fatal(err)
		}
		if m.Addr == c.Address() {
			return
		}
	}
}
