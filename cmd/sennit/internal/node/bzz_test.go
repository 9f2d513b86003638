package node

import (
	"net"
	"strings"
	"sync"
	"testing"

	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/log"
	"github.com/ethereum/go-ethereum/rpc"

	"github.com/sennit-net/sennit/protocols/bzz/chunk"
)

// startSwarm starts a node that speaks Swarm and nothing else, and returns it with its service and what stops it, which the
// test's end does otherwise.
func startSwarm(t *testing.T, dir string) (n *Node, s *swarm, stop func()) {
	t.Helper()
	c := quiet(t)
	c.Node.DataDir = dir
	c.RPC.NoIPC = true
	c.Bzz.Enabled = true
	c.Bzz.Capacity = 1 << 20
	n, err := New(c, log.NewLogger(log.DiscardHandler()))
	if err != nil {
		t.Fatal(err)
	}
	if err := n.Start(); err != nil {
		t.Fatal(err)
	}
	stop = sync.OnceFunc(n.Stop)
	t.Cleanup(stop)
	for _, s := range n.services {
		if s, ok := s.(*swarm); ok {
			return n, s, stop
		}
	}
	t.Fatal("the node has no Swarm")
	return nil, nil, nil
}

// swarmClient calls the methods of the service.
func swarmClient(t *testing.T, s *swarm) *rpc.Client {
	t.Helper()
	server := rpc.NewServer()
	t.Cleanup(server.Stop)
	for _, api := range s.APIs() {
		if err := server.RegisterName(api.Namespace, api.Service); err != nil {
			t.Fatal(err)
		}
	}
	client := rpc.DialInProc(server)
	t.Cleanup(client.Close)
	return client
}

func TestANodeThatCannotStartClosesItsStore(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	c := quiet(t)
	c.Node.DataDir, c.RPC.NoIPC, c.Bzz.Enabled, c.P2P.ListenAddr = t.TempDir(), true, true, taken.Addr().String()
	n, err := New(c, log.NewLogger(log.DiscardHandler()))
	if err != nil {
		t.Fatal(err)
	}
	if err := n.Start(); err == nil || !strings.Contains(err.Error(), "--listen") {
		t.Errorf("on a port of another: %v", err)
	}
	startSwarm(t, c.Node.DataDir)
}

func TestChunksGoFromNodeToNodeByTheEndpointAndStayOnDisk(t *testing.T) {
	dir := t.TempDir()
	a, here, stop := startSwarm(t, dir)
	b, there, _ := startSwarm(t, t.TempDir())
	ours, theirs := swarmClient(t, here), swarmClient(t, there)
	a.server.AddPeer(b.server.Self())

	data := hexutil.Bytes("\x05\x00\x00\x00\x00\x00\x00\x00hello")
	var addr, none chunk.Address
	if err := theirs.Call(&addr, "bzz_putChunk", data); err != nil {
		t.Fatal(err)
	}
	var got hexutil.Bytes
	if err := ours.Call(&got, "bzz_getChunk", addr); err != nil || string(got) != string(data) {
		t.Fatalf("got %q, %v", got, err)
	}
	var has bool
	if err := ours.Call(&has, "bzz_hasChunk", addr); err != nil || !has {
		t.Errorf("a chunk that was fetched is not kept: %v", err)
	}
	var info struct {
		Overlay  chunk.Address
		Peers    int
		Received uint64
		Store    struct{ Capacity int64 }
	}
	if err := ours.Call(&info, "bzz_info"); err != nil || info.Peers != 1 || info.Received != 1 || info.Store.Capacity == 0 {
		t.Errorf("%+v, %v", info, err)
	}
	if err := ours.Call(&none, "bzz_putChunk", hexutil.Bytes("short")); err == nil {
		t.Error("half a span is taken for a chunk")
	}

	stop()
	_, again, _ := startSwarm(t, dir)
	if ok, err := again.chunks.Has(t.Context(), addr); err != nil || !ok {
		t.Errorf("the chunk is not there after a restart: %v", err)
	}
}
