package p2p

import (
	"bytes"
	"errors"
	"io"
	"net"
	"testing"

	"github.com/ethereum/go-ethereum/p2p/enode"

	"github.com/sennit-net/sennit/p2p/rlpx"
)

const plainAuthSize = 307 // of a packet from before EIP-8

// byteFD is a socket on which the remote has sent some bytes and closed.
type byteFD struct {
	net.Conn
	r io.Reader
}

func (b *byteFD) Read(p []byte) (int, error) { return b.r.Read(p) }

func newByteFD(data []byte) *byteFD { return &byteFD{r: bytes.NewReader(data)} }

func TestTheWholeHandshakePacketIsAwaitedAndNoMore(t *testing.T) {
	packet := func(size, sent int) []byte {
		return append([]byte{byte(size >> 8), byte(size)}, make([]byte, sent)...)
	}
	for _, test := range []struct {
		name   string
		sent   []byte
		legacy bool
		err    error
		ahead  int
	}{
		{name: "nothing", err: io.EOF},
		{name: "half a size", sent: []byte{1}, err: io.ErrUnexpectedEOF},
		{name: "size alone", sent: packet(300, 0), err: io.EOF, ahead: 2},
		{name: "one byte too few", sent: packet(300, 299), err: io.ErrUnexpectedEOF, ahead: 301},
		{name: "exact", sent: packet(300, 300), ahead: 302},
		{name: "more", sent: packet(300, 400), ahead: 302},
		{name: "empty", sent: packet(0, 10), ahead: 2},
		{name: "largest", sent: packet(2048, 2048), ahead: 2050},
		{name: "too large", sent: packet(2049, 3000), err: errAuthTooLarge},
		{name: "plain, not accepted", sent: packet(0x0400, plainAuthSize-2), err: io.ErrUnexpectedEOF, ahead: plainAuthSize},
		{name: "plain", sent: packet(0x0400, plainAuthSize-2), legacy: true, ahead: plainAuthSize},
	} {
		b := newBoundedFD(newByteFD(test.sent))
		if err := b.awaitAuth(test.legacy); err != test.err || len(b.ahead) != test.ahead {
			t.Errorf("%s: error %v with %d bytes, want %v with %d", test.name, err, len(b.ahead), test.err, test.ahead)
		}
		if !bytes.HasPrefix(test.sent, b.ahead) {
			t.Errorf("%s: other bytes than were sent", test.name)
		}
	}
}

func TestAPacketThatWasTakenForAPlainOneCanBeReadToItsEnd(t *testing.T) {
	sent := append([]byte{0x04, 0x21}, bytes.Repeat([]byte("abc"), 500)...)
	b := newBoundedFD(newByteFD(sent))
	if err := b.awaitAuth(true); err != nil || !b.plain {
		t.Fatalf("%d bytes of it: %v", len(b.auth), err)
	}
	b.held = true
	if got, err := io.ReadAll(b); len(got) != plainAuthSize || err != errAuthIncomplete {
		t.Fatalf("read %d bytes, %v", len(got), err)
	}
	b.held = false
	if err := b.awaitAuth(false); err != nil || b.plain {
		t.Fatalf("%d bytes of it: %v", len(b.auth), err)
	}
	b.held = true
	if got, err := io.ReadAll(b); !bytes.Equal(got, sent[:2+0x0421]) || err != errAuthIncomplete {
		t.Errorf("then read %d bytes, %v", len(got), err)
	}
}

func TestAHandshakeThatIsComputedNeverReadsTheSocket(t *testing.T) {
	b := newBoundedFD(newByteFD(append([]byte{0, 4}, "abcdef"...)))
	if err := b.awaitAuth(false); err != nil {
		t.Fatal(err)
	}
	b.held = true
	got, err := io.ReadAll(b)
	if string(got) != "\x00\x04abcd" || err != errAuthIncomplete {
		t.Errorf("read %q, %v", got, err)
	}
	b.held = false
	if got, err := io.ReadAll(b); string(got) != "ef" || err != nil {
		t.Errorf("then read %q, %v", got, err)
	}
}

func TestBytesBeforeThePeerAreBounded(t *testing.T) {
	b := newBoundedFD(newByteFD(make([]byte, 1<<20)))
	if got, err := io.ReadAll(b); len(got) != setupReadLimit || !errors.Is(err, errSetupReadLimit) {
		t.Errorf("read %d bytes, %v", len(got), err)
	}
}

func FuzzAwaitAuth(f *testing.F) {
	f.Add([]byte{}, false)
	f.Add([]byte{0, 3, 1, 2, 3, 4}, false)
	f.Add([]byte{8, 0}, true)
	f.Add(bytes.Repeat([]byte{4}, 400), true)
	f.Fuzz(func(t *testing.T, sent []byte, legacy bool) {
		b := newBoundedFD(newByteFD(sent))
		err := b.awaitAuth(legacy)
		if !bytes.HasPrefix(sent, b.ahead) || cap(b.ahead) > 2*rlpx.MaxPacketSize {
			t.Fatalf("%d bytes of %d", len(b.ahead), len(sent))
		}
		rest, _ := io.ReadAll(b)
		if err == nil && len(sent) <= setupReadLimit && !bytes.Equal(rest, sent) {
			t.Fatalf("%d of %d bytes can be read", len(rest), len(sent))
		}
	})
}

// fakeListener returns its errors first and then its connections.
type fakeListener struct {
	net.Listener
	errs []error
	fds  chan net.Conn
}

func (l *fakeListener) Accept() (net.Conn, error) {
	if len(l.errs) > 0 {
		err := l.errs[0]
		l.errs = l.errs[1:]
		return nil, err
	}
	fd, ok := <-l.fds
	if !ok {
		return nil, net.ErrClosed
	}
	return fd, nil
}

func TestAcceptingGoesOnAfterAnErrorThatPasses(t *testing.T) {
	srv := startTestServer(t, nil)
	r := srv.active()
	l := &fakeListener{errs: []error{errors.New("too many open files")}, fds: make(chan net.Conn)}
	fake := &runningServer{
		cfg: r.cfg, srv: srv, listener: l, gate: newGate(1), throttle: r.throttle, peers: r.peers, dialer: r.dialer,
		workers: r.workers, ctx: r.ctx,
	}
	silent, fd := enter(t, fake.gate, "5.0.0.1") // makes room when there are too many open files
	fake.accepts.Go(fake.acceptLoop)
	ours, theirs := tcpPair(t)
	l.fds <- ours
	theirs.Close()
	close(l.fds)
	fake.accepts.Wait()
	if !fd.closed.Load() || silent.explain(nil) != errEvicted {
		t.Error("the silent connection was left open")
	}
	if fake.gate.places != 0 {
		t.Error("the connection accepted later is still there")
	}
}

func TestOfCrossedDialsBothNodesPreferTheSame(t *testing.T) {
	low, high := enode.ID{1}, enode.ID{2}
	for _, test := range []struct {
		self, other enode.ID
		flags       connFlag // of the connection that is ready
		rival       connFlag // of the one on its way
		waits       bool
	}{
		{self: low, other: high, flags: inboundConn, rival: staticDialedConn, waits: true},
		{self: low, other: high, flags: dynDialedConn, rival: inboundConn},
		{self: high, other: low, flags: inboundConn, rival: dynDialedConn},
		{self: high, other: low, flags: staticDialedConn, rival: inboundConn, waits: true},
		{self: low, other: high, flags: inboundConn, rival: inboundConn},
	} {
		s := newPeerSet(test.self, 10, 10, nil)
		node := enode.SignNull(publicNode(1).Record(), test.other)
		rival := &conn{flags: test.rival, setupID: test.other, id: node.ID()}
		ready := &conn{flags: test.flags, id: node.ID()}
		s.begin(rival)
		s.begin(ready)
		entry, over, err := s.admit(ready, true)
		if err != nil || (over != nil) != test.waits || (entry == nil) != test.waits {
			t.Errorf("%+v: entry %v, waits %v, %v", test, entry, over != nil, err)
			continue
		}
		if !test.waits {
			if _, _, err := s.admit(rival, true); err != DiscAlreadyConnected {
				t.Errorf("%+v: the other one gets %v", test, err)
			}
			continue
		}
		s.end(rival) // it has failed
		<-over
		if entry, _, err := s.admit(ready, true); entry == nil || err != nil {
			t.Errorf("%+v: after the end of the other one: %v", test, err)
		}
	}
}
