package p2p_test

import (
	"bytes"
	"crypto/ecdsa"
	"errors"
	"io"
	"net"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/log"
	"github.com/ethereum/go-ethereum/p2p/enode"
	"github.com/ethereum/go-ethereum/rlp"
	"github.com/golang/snappy"

	"github.com/sennit-net/sennit/internal/frame"
	"github.com/sennit-net/sennit/p2p"
	"github.com/sennit-net/sennit/p2p/rlpx"
	"github.com/sennit-net/sennit/trace"
)

// What the tests of peers have in common. They see the package from outside: whole servers on 127.0.0.1, and remote
// nodes that are an RLPx connection and nothing else, so that every byte on the wire is the test's own.

// patience bounds every wait of these tests. It is not a measure of anything.
const patience = 30 * time.Second

func newTestKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	key, err := crypto.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// node is a running server and all that it tells.
type node struct {
	*p2p.Server
	t      testing.TB
	events chan *p2p.PeerEvent
	journal
}

// startNode starts a server on 127.0.0.1 that runs the protocols, and stops it at the end of the test.
func startNode(t testing.TB, change func(*p2p.Config), protocols ...p2p.Protocol) *node {
	t.Helper()
	n := &node{t: t, events: make(chan *p2p.PeerEvent, 1<<14)}
	n.Server = &p2p.Server{Config: p2p.Config{
		PrivateKey: newTestKey(t), Name: "sennit/test", MaxPeers: 3000, NoDiscovery: true,
		ListenAddr: "127.0.0.1:0", Protocols: protocols, Logger: log.New(), Recorder: &n.journal,
	}}
	if change != nil {
		change(&n.Server.Config)
	}
	sub := n.SubscribeEvents(n.events)
	if err := n.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		n.Stop()
		sub.Unsubscribe()
	})
	return n
}

// event waits for the next event of that type; others before it are left out.
func (n *node) event(what p2p.PeerEventType) *p2p.PeerEvent {
	n.t.Helper()
	timeout := time.After(patience)
	for {
		select {
		case ev := <-n.events:
			if ev.Type == what {
				return ev
			}
		case <-timeout:
			n.t.Fatalf("waited in vain for a %q event", what)
		}
	}
}

// peer waits for the one peer of the server.
func (n *node) peer() *p2p.Peer {
	n.t.Helper()
	until(n.t, "a peer", func() bool { return len(n.Peers()) == 1 })
	return n.Peers()[0]
}

// connect links two servers, a being the one that dials, and returns their ends.
func connect(t testing.TB, a, b *node) (atA, atB *p2p.Peer) {
	t.Helper()
	a.AddPeer(b.Self())
	return a.peer(), b.peer()
}

// until waits for a condition.
func until(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !ok(); {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain for %s", what)
		}
		runtime.Gosched()
		<-time.After(time.Millisecond)
	}
}

// within receives from a channel.
func within[T any](t testing.TB, what string, c <-chan T) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(patience):
		t.Fatalf("waited in vain for %s", what)
		panic("unreachable")
	}
}

// journal is a recorder that keeps everything but messages and pings.
type journal struct {
	mu     sync.Mutex
	events []trace.Event
}

func (j *journal) Record(ev trace.Event) {
	switch ev.(type) {
	case *trace.Message, *trace.Ping:
		return
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	j.events = append(j.events, ev)
}

// recorded returns the events of one type so far.
func recorded[E trace.Event](j *journal) (list []E) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, ev := range j.events {
		if e, ok := ev.(E); ok {
			list = append(list, e)
		}
	}
	return list
}

// testProtocol has 8 codes and version 1.
func testProtocol(name string, run func(*p2p.Peer, p2p.MsgReadWriter) error) p2p.Protocol {
	return p2p.Protocol{Name: name, Version: 1, Length: 8, Run: run}
}

// echo sends every message back.
func echo(_ *p2p.Peer, rw p2p.MsgReadWriter) error {
	for {
		msg, err := rw.ReadMsg()
		if err != nil {
			return err
		}
		if err := rw.WriteMsg(msg); err != nil {
			return err
		}
	}
}

// drain reads and forgets.
func drain(_ *p2p.Peer, rw p2p.MsgReadWriter) error {
	for {
		msg, err := rw.ReadMsg()
		if err != nil {
			return err
		}
		if err := msg.Discard(); err != nil {
			return err
		}
	}
}

// wire is a remote node made of an RLPx connection.
type wire struct {
	t  testing.TB
	fd *net.TCPConn
	*rlpx.Conn
	key  *ecdsa.PrivateKey
	read func() (code uint64, payload []byte, wireSize int, err error)
}

// dialTCP connects to the server and says nothing.
func dialTCP(t testing.TB, n *node) *net.TCPConn {
	t.Helper()
	fd, err := net.Dial("tcp", n.ListenAddr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { fd.Close() })
	fd.SetDeadline(time.Now().Add(patience))
	return fd.(*net.TCPConn)
}

// dialWire connects to the server and does the handshake with a key of its own.
func dialWire(t testing.TB, n *node) *wire {
	t.Helper()
	return dialWireAs(t, n, newTestKey(t))
}

func dialWireAs(t testing.TB, n *node, key *ecdsa.PrivateKey) *wire {
	t.Helper()
	fd := dialTCP(t, n)
	w := &wire{t: t, fd: fd, Conn: rlpx.NewConn(fd, &n.PrivateKey.PublicKey), key: key}
	w.read = w.Conn.Read
	if _, err := w.Handshake(w.key); err != nil {
		t.Fatal("handshake:", err)
	}
	return w
}

// greeting is the payload of a Hello.
type greeting struct {
	Version uint64
	Name    string
	Caps    []p2p.Cap
	Port    uint64
	ID      []byte
}

func (w *wire) id() enode.ID { return enode.PubkeyToIDV4(&w.key.PublicKey) }

// sendHello sends a Hello of the given devp2p version.
func (w *wire) sendHello(version uint64, caps ...p2p.Cap) {
	w.t.Helper()
	g := greeting{version, "raw/client", caps, 0, crypto.FromECDSAPub(&w.key.PublicKey)[1:]}
	payload, err := rlp.EncodeToBytes(&g)
	if err != nil {
		w.t.Fatal(err)
	}
	if _, err := w.Write(0, payload); err != nil {
		w.t.Fatal("writing Hello:", err)
	}
}

// readHello reads the server's Hello.
func (w *wire) readHello() (g greeting) {
	w.t.Helper()
	code, payload, _, err := w.read()
	if err != nil || code != 0 {
		w.t.Fatalf("message %#x %x instead of Hello, error %v", code, payload, err)
	}
	if err := rlp.DecodeBytes(payload, &g); err != nil {
		w.t.Fatal("the server's Hello:", err)
	}
	return g
}

// join connects and becomes a peer with devp2p version 5 and version 1 of each named protocol; their codes follow each
// other from 16 on, in the order of the names.
func join(t testing.TB, n *node, names ...string) *wire {
	t.Helper()
	return joinAs(t, n, 5, names...)
}

func joinAs(t testing.TB, n *node, version uint64, names ...string) *wire {
	t.Helper()
	w := dialWire(t, n)
	var caps []p2p.Cap
	for _, name := range names {
		caps = append(caps, p2p.Cap{Name: name, Version: 1})
	}
	w.sendHello(version, caps...)
	w.readHello()
	w.SetSnappy(version >= 5)
	return w
}

// send writes a message.
func (w *wire) send(code uint64, payload []byte) {
	w.t.Helper()
	if _, err := w.Write(code, payload); err != nil {
		w.t.Fatalf("sending message %#x: %v", code, err)
	}
}

// expect reads a message with that code and payload.
func (w *wire) expect(code uint64, payload []byte) {
	w.t.Helper()
	gotCode, got, _, err := w.read()
	for err == nil && gotCode == 2 && code != 2 { // the server's own ping, of a test that has taken its time
		gotCode, got, _, err = w.read()
	}
	if err != nil {
		w.t.Fatalf("waiting for message %#x: %v", code, err)
	}
	if gotCode != code || string(got) != string(payload) {
		w.t.Fatalf("message %#x %x, want %#x %x", gotCode, got, code, payload)
	}
}

// farewell reads until the end of the connection and closes it. It returns the payload of the last message if that is a Disconnect,
// and how long it was on the wire; other messages must not come.
func (w *wire) farewell() (disconnect []byte, wireSize int) {
	w.t.Helper()
	defer w.fd.Close()
	for {
		code, payload, size, err := w.read()
		switch {
		case err == nil && code == 1 && disconnect == nil:
			disconnect, wireSize = append([]byte{}, payload...), size
		case err == nil:
			w.t.Fatalf("message %#x %x instead of the end", code, payload)
		case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), isReset(err):
			return disconnect, wireSize
		default:
			w.t.Fatal("waiting for the end:", err)
		}
	}
}

// isReset tells whether the server has closed the connection while there was something that it had not read.
func isReset(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) && !op.Timeout()
}

// forger seals frames of the test's own making.
type forger struct {
	*wire
	rlpx.Session
	in io.Reader
}

// forge takes the connection apart.
func (w *wire) forge() *forger {
	f := &forger{wire: w, Session: w.Detach()}
	f.in = io.MultiReader(bytes.NewReader(f.Buffered), w.fd)
	w.read = f.open
	return f
}

// seal returns the frame with the given data: code, payload, and no compression of any kind.
func (f *forger) seal(data []byte) []byte {
	buf := make([]byte, frame.SealedSize(len(data)))
	copy(buf[frame.HeaderSize:], data)
	f.Sealer.Seal(buf, len(data))
	return buf
}

// packed returns a payload as it travels.
func (f *forger) packed(payload []byte) []byte {
	if f.Snappy {
		return snappy.Encode(nil, payload)
	}
	return payload
}

// put writes bytes as they are. The server may have closed the connection before the last of them.
func (f *forger) put(b []byte) { f.fd.Write(b) }

// open reads the next message.
func (f *forger) open() (code uint64, payload []byte, wireSize int, err error) {
	head := make([]byte, frame.HeaderSize)
	if _, err := io.ReadFull(f.in, head); err != nil {
		return 0, nil, 0, err
	}
	n, _, err := f.Opener.Open(head)
	if err != nil {
		return 0, nil, 0, err
	}
	body := make([]byte, frame.PaddedSize(n)+frame.MACSize)
	if _, err := io.ReadFull(f.in, body); err != nil {
		return 0, nil, 0, err
	}
	f.Opener.OpenBody(body[:frame.PaddedSize(n)])
	if err := f.Opener.OpenMAC(body[frame.PaddedSize(n):]); err != nil {
		return 0, nil, 0, err
	}
	if code, payload, err = frame.SplitCode(body[:n]); err != nil {
		return 0, nil, 0, err
	}
	wireSize = len(payload)
	if f.Snappy {
		payload, err = snappy.Decode(nil, payload)
	}
	return code, payload, wireSize, err
}
