package p2p_test

import (
	"bytes"
	"net"
	"runtime"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/rlp"

	"github.com/sennit-net/sennit/internal/frame"
	"github.com/sennit-net/sennit/internal/race"
	"github.com/sennit-net/sennit/p2p"
	"github.com/sennit-net/sennit/p2p/rlpx"
)

// What a peer with two protocols may cost while nothing happens: goroutines (a Run each and the reader), bytes of heap, and
// bytes of stack. All of it is counted as new, the runtime's 1.4 KiB for the goroutines included; in a process that has had
// as many goroutines before, these are not. The runtime starts goroutines with 2 KiB of stack or, if those that ran before
// needed it, with 4 KiB; the reader needs 4 KiB.
const idleGoroutines, idleHeap, idleStack = 3, 9<<10 + 512, idleGoroutines*4<<10 + 512

// bareClient is as little as a remote can be: a socket and, as long as it sends, the cipher.
type bareClient struct {
	fd     net.Conn
	sealer *frame.Sealer
}

// joinBare makes so many peers of clients that keep nothing but their sockets, and their ciphers if they are to send.
func joinBare(t *testing.T, srv *node, count int, sends bool, names ...string) []bareClient {
	t.Helper()
	clients := make([]bareClient, 0, count)
	t.Cleanup(func() {
		for _, c := range clients {
			c.fd.Close()
		}
	})
	caps := make([]p2p.Cap, len(names))
	for i, name := range names {
		caps[i] = p2p.Cap{Name: name, Version: 1}
	}
	there := srv.PeerCount()
	for range count {
		fd, err := net.Dial("tcp", srv.ListenAddr)
		if err != nil {
			t.Fatal(err)
		}
		fd.(*net.TCPConn).SetWriteBuffer(16 << 10) // so that what is sent goes to the server and not to the system
		clients = append(clients, bareClient{fd: fd})
		sealer := greetBare(t, fd, srv, caps)
		if sends {
			clients[len(clients)-1].sealer = sealer
		}
	}
	until(t, "all peers", func() bool { return srv.PeerCount() == there+count })
	return clients
}

func greetBare(t *testing.T, fd net.Conn, srv *node, caps []p2p.Cap) *frame.Sealer {
	t.Helper()
	fd.SetDeadline(time.Now().Add(patience))
	defer fd.SetDeadline(time.Time{})
	key := newTestKey(t)
	c := rlpx.NewConn(fd, &srv.PrivateKey.PublicKey)
	if _, err := c.Handshake(key); err != nil {
		t.Fatal(err)
	}
	hello, err := rlp.EncodeToBytes(&greeting{5, "bare", caps, 0, crypto.FromECDSAPub(&key.PublicKey)[1:]})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Write(0, hello); err != nil {
		t.Fatal(err)
	}
	if code, _, _, err := c.Read(); code != 0 || err != nil {
		t.Fatalf("message %#x instead of Hello, %v", code, err)
	}
	srv.event(p2p.PeerEventTypeAdd)
	return c.Detach().Sealer
}

// used returns what the process takes.
func used() (heap, stack int) {
	heap = int(liveHeap())
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return heap, int(m.StackInuse)
}

// serverGoroutines counts the goroutines that do anything for a server.
func serverGoroutines() (n int) {
	stacks := make([]byte, 8<<20)
	stacks = stacks[:runtime.Stack(stacks, true)]
	for stack := range bytes.SplitSeq(stacks, []byte("\n\n")) {
		if bytes.Contains(stack, []byte("sennit/p2p.")) || bytes.Contains(stack, []byte("sennit/internal/")) {
			n++
		}
	}
	return n
}

func quietNode(t *testing.T, budget int64, protocols ...p2p.Protocol) *node {
	return startNode(t, func(c *p2p.Config) { c.Recorder, c.MemoryBudget = nil, budget }, protocols...)
}

// socketBytes returns what the client's end of a connection takes, as half of what both ends do.
func socketBytes(t *testing.T, count int) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	before := liveHeap()
	fds := make([]net.Conn, 0, 2*count)
	for range count {
		a, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer a.Close()
		b, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		defer b.Close()
		fds = append(fds, a, b)
	}
	after := liveHeap()
	runtime.KeepAlive(fds)
	return int(after-before) / len(fds)
}

func TestAnIdlePeerCostsLittle(t *testing.T) {
	const count = 200
	socket := socketBytes(t, count)
	srv := quietNode(t, 0, testProtocol("aaa", drain), testProtocol("bbb", echo))
	joinBare(t, srv, 1, false, "aaa", "bbb")
	without := 0
	until(t, "goroutines of the set-up to end", func() bool {
		last := without
		without = serverGoroutines() - idleGoroutines
		return last == without
	})
	heap0, stack0 := used()
	joinBare(t, srv, count, false, "aaa", "bbb")
	until(t, "three goroutines per peer, and no more", func() bool {
		return serverGoroutines()-without == (1+count)*idleGoroutines
	})
	heap, stack := used()
	heap, stack = (heap-heap0)/count-socket, (stack-stack0)/count
	t.Logf("%d B of heap and %d B of stack per peer, %d B for the client's socket taken off", heap, stack, socket)
	if (heap > idleHeap || stack > idleStack) && !race.Enabled {
		t.Errorf("an idle peer takes %d bytes of heap and %d of stack, more than %d or %d", heap, stack, idleHeap, idleStack)
	}
}
