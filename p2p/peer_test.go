package p2p_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"reflect"
	"runtime"
	"strings"
	"testing"

	gethp2p "github.com/ethereum/go-ethereum/p2p"
	"github.com/ethereum/go-ethereum/p2p/enode"

	"github.com/sennit-net/sennit/p2p"
	"github.com/sennit-net/sennit/trace"
)

// ending is one way in which a link ends, and what both sides see of it.
type ending struct {
	name   string
	run    func(*p2p.Peer, p2p.MsgReadWriter) error // of protocol "aaa", once the remote has sent it code 1
	remote func(*forger)                            // what the remote does instead, if run is nil
	sent   []byte                                   // payload of the Disconnect that the remote gets; nil: none
	text   string                                   // of the drop event, its beginning
	side   trace.Side
}

var endings = []ending{
	{"Run returns nil", returns(nil), nil, []byte{0xc1, 8}, "protocol returned", trace.SideLocal},
	{"Run returns an error", returns(errors.New("enough")), nil, []byte{0xc1, 16}, "enough", trace.SideLocal},
	{"Run returns io.EOF", returns(io.EOF), nil, []byte{0xc1, 16}, "EOF", trace.SideLocal},
	{"Run returns a reason", returns(p2p.DiscUselessPeer), nil, []byte{0xc1, 3}, "useless peer", trace.SideLocal},
	{"Run returns reason 0", returns(p2p.DiscRequested), nil, []byte{0xc1, 0x80}, "disconnect requested", trace.SideLocal},
	{"Run returns reason 1", returns(p2p.DiscNetworkError), nil, nil, "network error", trace.SideLocal},
	{"Run returns reason 255", returns(p2p.DiscReason(p2p.DiscInvalid)), nil, []byte{0xc2, 0x81, 0xff}, "invalid disconnect reason", trace.SideLocal},
	{"Run returns a wrapped reason", returns(fmt.Errorf("no: %w", p2p.DiscUselessPeer)), nil, []byte{0xc1, 16}, "no: useless peer", trace.SideLocal},
	{"Run returns what Decode says", decodes, nil, []byte{0xc1, 2}, "invalid message: (code 2) (size 1) ", trace.SideLocal},
	{"Run returns what a code too high gives", sendsTooHigh, nil, []byte{0xc1, 2}, "invalid message code: not handled", trace.SideLocal},
	{"Run disconnects", disconnects(p2p.DiscTooManyPeers), nil, []byte{0xc1, 4}, "too many peers", trace.SideLocal},
	{"Run disconnects with reason 1", disconnects(p2p.DiscNetworkError), nil, nil, "network error", trace.SideLocal},
	{"Run panics", func(*p2p.Peer, p2p.MsgReadWriter) error { panic("at the disco") }, nil, []byte{0xc1, 16}, "protocol panicked: at the disco", trace.SideLocal},
	{"Run ends its goroutine", func(*p2p.Peer, p2p.MsgReadWriter) error { runtime.Goexit(); return nil }, nil, []byte{0xc1, 16}, "protocol's goroutine was ended by runtime.Goexit", trace.SideLocal},

	{"remote disconnects", nil, says(0x01, 0xc1, 4), []byte{0xc1, 4}, "too many peers", trace.SideRemote},
	{"remote disconnects with reason 0", nil, says(0x01, 0xc1, 0x80), []byte{0xc1, 0x80}, "disconnect requested", trace.SideRemote},
	{"remote disconnects with reason 1", nil, says(0x01, 0xc1, 1), nil, "network error", trace.SideRemote},
	{"remote disconnects with a bare byte", nil, says(0x01, 3), []byte{0xc1, 3}, "useless peer", trace.SideRemote},
	{"remote disconnects with reason 144", nil, says(0x01, 0xc2, 0x81, 144), []byte{0xc2, 0x81, 144}, "unknown disconnect reason 144", trace.SideRemote},
	{"remote disconnects without a reason", nil, says(0x01), []byte{0xc2, 0x81, 0xff}, "invalid disconnect reason", trace.SideRemote},
	{"remote closes its end", nil, func(f *forger) { f.fd.CloseWrite() }, nil, "EOF", trace.SideRemote},
	{"remote closes its end in a frame", nil, func(f *forger) { f.put(f.seal([]byte{16, 0})[:40]); f.fd.CloseWrite() }, nil, "EOF", trace.SideRemote},
	{"remote sends a code of no protocol", nil, says(32, 0xc0), nil, "message code belongs to no protocol of the link", trace.SideNetwork},
	{"remote sends a bad header", nil, flips(0), nil, "frame: MAC does not match", trace.SideNetwork},
	{"remote sends a bad body", nil, flips(33), nil, "frame: MAC does not match", trace.SideNetwork},
}

// returns is a Run.
func returns(err error) func(*p2p.Peer, p2p.MsgReadWriter) error {
	return func(*p2p.Peer, p2p.MsgReadWriter) error { return err }
}

func disconnects(r p2p.DiscReason) func(*p2p.Peer, p2p.MsgReadWriter) error {
	return func(p *p2p.Peer, rw p2p.MsgReadWriter) error {
		p.Disconnect(r)
		if _, err := rw.ReadMsg(); err != io.EOF {
			return fmt.Errorf("ReadMsg after Disconnect: %v", err)
		}
		if err := p2p.Send(rw, 0, []uint{}); err != p2p.ErrShuttingDown {
			return fmt.Errorf("WriteMsg after Disconnect: %v", err)
		}
		return errors.New("second cause")
	}
}

func decodes(*p2p.Peer, p2p.MsgReadWriter) error {
	var list []uint
	return p2p.Msg{Code: 2, Size: 1, Payload: bytes.NewReader([]byte{5})}.Decode(&list)
}

func sendsTooHigh(_ *p2p.Peer, rw p2p.MsgReadWriter) error { return p2p.Send(rw, 8, []uint{}) }

// says is a remote that sends a message.
func says(code byte, payload ...byte) func(*forger) {
	return func(f *forger) { f.put(f.seal(append([]byte{code}, f.packed(payload)...))) }
}

// flips is a remote that sends a frame with one wrong bit.
func flips(at int) func(*forger) {
	return func(f *forger) {
		b := f.seal([]byte{16, 1, 0, 0xc0})
		b[at] ^= 1
		f.put(b)
	}
}

func TestEveryEndOfALinkIsSeenAlikeOnBothSides(t *testing.T) {
	for _, version := range []uint64{4, 5} {
		for _, e := range endings {
			t.Run(fmt.Sprintf("%s, version %d", e.name, version), func(t *testing.T) { checkEnding(t, version, e) })
		}
	}
}

func checkEnding(t *testing.T, version uint64, e ending) {
	srv := startNode(t, nil, testProtocol("aaa", func(p *p2p.Peer, rw p2p.MsgReadWriter) error {
		if _, err := rw.ReadMsg(); err != nil || e.run == nil {
			return err
		}
		return e.run(p, rw)
	}), testProtocol("bbb", echo))
	f := joinAs(t, srv, version, "aaa", "bbb").forge()
	if e.run != nil {
		says(16+1, 0xc0)(f)
	} else {
		e.remote(f)
	}

	sent, wireSize := f.farewell()
	if !bytes.Equal(sent, e.sent) {
		t.Errorf("the remote is sent Disconnect %x, want %x", sent, e.sent)
	}
	if plain := wireSize == len(sent); sent != nil && plain != (version < 5) {
		t.Errorf("version %d: Disconnect of %d bytes has %d on the wire", version, len(sent), wireSize)
	}

	add, drop := srv.event(p2p.PeerEventTypeAdd), srv.event(p2p.PeerEventTypeDrop)
	if !strings.HasPrefix(drop.Error, e.text) {
		t.Errorf("dropped with %q, want %q", drop.Error, e.text)
	}
	if add.Peer != f.id() || drop.Peer != f.id() || add.RemoteAddress != f.fd.LocalAddr().String() || drop.LocalAddress != srv.ListenAddr {
		t.Errorf("events name somebody else: %+v, %+v", add, drop)
	}
	closed := recorded[*trace.LinkClosed](&srv.journal)
	if len(closed) != 1 || closed[0].Cause.Error() != drop.Error || closed[0].Side != e.side {
		t.Fatalf("recorded %+v", closed)
	}
	c := closed[0]
	wantReason, told := p2p.DiscReason(0), e.sent != nil || e.name == "remote disconnects with reason 1"
	if r, ok := c.Cause.(p2p.DiscReason); ok {
		wantReason = r
	} else if e.sent != nil {
		wantReason = p2p.DiscReason(e.sent[1])
	}
	if told && p2p.DiscReason(c.Reason) != wantReason || (c.ReasonSent || c.ReasonReceived) != told || c.ReasonReceived != (told && e.side == trace.SideRemote) {
		t.Errorf("recorded %+v", c)
	}
	if (c.Protocol != "") != (e.run != nil && !strings.HasPrefix(e.name, "Run disconnects")) {
		t.Errorf("recorded protocol %q", c.Protocol)
	}
}

func TestStoppingTheServerIsSeenOnBothSides(t *testing.T) {
	for _, version := range []uint64{4, 5} {
		srv := startNode(t, nil, testProtocol("aaa", echo))
		w := joinAs(t, srv, version, "aaa")
		srv.peer()
		done := make(chan struct{})
		go func() { srv.Stop(); close(done) }()
		if sent, _ := w.farewell(); string(sent) != "\xc1\x08" {
			t.Errorf("version %d: the remote is sent Disconnect %x", version, sent)
		}
		w.fd.Close()
		within(t, "Stop", done)
		if ev := srv.event(p2p.PeerEventTypeDrop); ev.Error != "client quitting" {
			t.Errorf("version %d: dropped with %q", version, ev.Error)
		}
	}
}

func TestTwoServersSeeTheEndOfTheirLink(t *testing.T) {
	for _, test := range []struct {
		name     string
		run      func(*p2p.Peer, p2p.MsgReadWriter) error // at a
		atA, atB string
	}{
		{name: "nil", run: returns(nil), atA: "protocol returned", atB: "client quitting"},
		{name: "an error", run: returns(errors.New("enough")), atA: "enough", atB: "subprotocol error"},
		{name: "a reason", run: returns(p2p.DiscReadTimeout), atA: "read timeout", atB: "read timeout"},
		{name: "Disconnect", run: disconnects(p2p.DiscUselessPeer), atA: "useless peer", atB: "useless peer"},
		{name: "reason 1", run: returns(p2p.DiscNetworkError), atA: "network error", atB: "EOF"},
	} {
		t.Run(test.name, func(t *testing.T) {
			static := func(c *p2p.Config) { c.MaxPeers = 10 }
			a := startNode(t, static, testProtocol("aaa", func(p *p2p.Peer, rw p2p.MsgReadWriter) error {
				if err := p2p.ExpectMsg(rw, 0, []uint{}); err != nil {
					return err
				}
				return test.run(p, rw)
			}))
			b := startNode(t, static, testProtocol("aaa", func(_ *p2p.Peer, rw p2p.MsgReadWriter) error {
				if err := p2p.Send(rw, 0, []uint{}); err != nil {
					return err
				}
				_, err := rw.ReadMsg()
				return err
			}))
			a.AddPeer(b.Self())
			if got := a.event(p2p.PeerEventTypeDrop).Error; got != test.atA {
				t.Errorf("a dropped its peer with %q, want %q", got, test.atA)
			}
			got := b.event(p2p.PeerEventTypeDrop).Error
			// A socket that is closed while something has come that nobody has read is reset.
			if reset := test.atB == "EOF" && strings.Contains(got, "reset"); got != test.atB && !reset {
				t.Errorf("b dropped its peer with %q, want %q", got, test.atB)
			}
		})
	}
}

func TestTheFirstCauseOfAnEndWins(t *testing.T) {
	go1 := make(chan struct{})
	var peer *p2p.Peer
	srv := startNode(t, nil, testProtocol("aaa", func(p *p2p.Peer, rw p2p.MsgReadWriter) error {
		_, err := rw.ReadMsg()
		return fmt.Errorf("too late: %w", err)
	}), testProtocol("bbb", func(p *p2p.Peer, rw p2p.MsgReadWriter) error {
		peer = p
		<-go1
		p.Disconnect(p2p.DiscUselessPeer)
		p.Disconnect(p2p.DiscTooManyPeers)
		return p2p.DiscSelf
	}))
	w := join(t, srv, "aaa", "bbb")
	close(go1)
	if sent, _ := w.farewell(); string(sent) != "\xc1\x03" {
		t.Errorf("the remote is sent Disconnect %x", sent)
	}
	if ev := srv.event(p2p.PeerEventTypeDrop); ev.Error != "useless peer" {
		t.Errorf("dropped with %q", ev.Error)
	}
	peer.Disconnect(p2p.DiscQuitting) // of a peer that has gone: nothing
	if closed := recorded[*trace.LinkClosed](&srv.journal); len(closed) != 1 || closed[0].Cause != p2p.DiscUselessPeer {
		t.Errorf("recorded %+v", closed)
	}
}

func TestAPanicInRunEndsThatPeerOnly(t *testing.T) {
	srv := startNode(t, nil, testProtocol("aaa", func(_ *p2p.Peer, rw p2p.MsgReadWriter) error {
		if msg, err := rw.ReadMsg(); err != nil || msg.Code == 0 {
			return err
		}
		var none []int
		_ = none[3]
		return nil
	}), testProtocol("bbb", echo))
	bystander, victim := join(t, srv, "aaa", "bbb"), join(t, srv, "aaa", "bbb")
	victim.send(17, nil)
	if sent, _ := victim.farewell(); string(sent) != "\xc1\x10" {
		t.Errorf("the remote is sent Disconnect %x", sent)
	}
	if ev := srv.event(p2p.PeerEventTypeDrop); ev.Peer != victim.id() || !strings.Contains(ev.Error, "index out of range") {
		t.Errorf("dropped %+v", ev)
	}
	panics := recorded[*trace.ProtocolPanicked](&srv.journal)
	if len(panics) != 1 || panics[0].Protocol != "aaa" || panics[0].Link.Peer != victim.id() || panics[0].Value == nil {
		t.Fatalf("recorded %+v", panics)
	}
	if !bytes.Contains(panics[0].Stack, []byte("TestAPanicInRunEndsThatPeerOnly")) {
		t.Errorf("the stack does not show where:\n%s", panics[0].Stack)
	}
	bystander.send(24, []byte{0xc0})
	bystander.expect(24, []byte{0xc0})
}

func TestTheEndOfALinkIsItsLastEvent(t *testing.T) {
	slow := make(chan struct{})
	srv := startNode(t, nil, testProtocol("aaa", func(_ *p2p.Peer, rw p2p.MsgReadWriter) error {
		_, err := rw.ReadMsg()
		return err
	}), testProtocol("bbb", func(*p2p.Peer, p2p.MsgReadWriter) error {
		<-slow
		panic("too late to matter")
	}))
	w := join(t, srv, "aaa", "bbb")
	w.send(16, nil)
	w.farewell()
	w.fd.Close()
	if closed := recorded[*trace.LinkClosed](&srv.journal); closed != nil {
		t.Errorf("%+v is recorded while a protocol still runs", closed[0])
	}
	close(slow)
	srv.event(p2p.PeerEventTypeDrop)
	events := recorded[trace.Event](&srv.journal)
	if n := len(events); n != 3 {
		t.Fatalf("%d events: %+v", n, events)
	}
	_, first := events[0].(*trace.LinkOpened)
	_, second := events[1].(*trace.ProtocolPanicked)
	closed, third := events[2].(*trace.LinkClosed)
	if !first || !second || !third || closed.Protocol != "aaa" {
		t.Errorf("recorded %T, %T, %T %+v", events[0], events[1], events[2], closed)
	}
}

func TestPeersForTestsRunTheirCapsAsInGoEthereum(t *testing.T) {
	for _, list := range [][]p2p.Cap{
		nil,
		{{Name: "eth", Version: 69}},
		{{Name: "snap", Version: 1}, {Name: "eth", Version: 69}},
		{{Name: "eth", Version: 68}, {Name: "eth", Version: 70}, {Name: "eth", Version: 69}, {Name: "eth", Version: 70}},
	} {
		theirList := make([]gethp2p.Cap, len(list))
		for i, c := range list {
			theirList[i] = gethp2p.Cap(c)
		}
		id := enode.ID{1}
		ours, theirs := p2p.NewPeer(id, "x", list), gethp2p.NewPeer(id, "x", theirList)
		if got, want := ours.Info().Protocols, theirs.Info().Protocols; !reflect.DeepEqual(got, want) {
			t.Errorf("%v: protocols %v, go-ethereum says %v", list, got, want)
		}
		for _, name := range []string{"eth", "snap", "les"} {
			for _, versions := range [][]uint{nil, {1}, {68}, {69}, {70}, {68, 69, 70}} {
				if got, want := ours.RunningCap(name, versions), theirs.RunningCap(name, versions); got != want {
					t.Errorf("%v: RunningCap(%q, %v) is %v, go-ethereum says %v", list, name, versions, got, want)
				}
			}
		}
		if s := ours.Stats(); s.Protocols != nil {
			t.Errorf("%v: has carried %+v", list, s)
		}
		piped, _ := p2p.MsgPipe()
		if got := p2p.NewPeerPipe(id, "x", list, piped).Info().Protocols; !reflect.DeepEqual(got, ours.Info().Protocols) {
			t.Errorf("%v: protocols %v with a pipe", list, got)
		}
	}
}

func TestPeersForTestsNeverBlock(t *testing.T) {
	id, caps := enode.ID{1}, []p2p.Cap{{Name: "eth", Version: 69}}
	bare := p2p.NewPeer(id, "a name of more than twenty bytes", caps)
	bare.Disconnect(p2p.DiscQuitting)
	bare.Disconnect(p2p.DiscQuitting)
	if bare.ID() != id || bare.Name() != "a name of more than ..." || bare.Fullname() != "a name of more than twenty bytes" ||
		len(bare.Caps()) != 1 || bare.Inbound() || bare.Trusted() || bare.DynDialed() || bare.StaticDialed() ||
		!bare.RunningCap("eth", []uint{69}) || bare.String() != "Peer 0100000000000000 pipe" || bare.Log() == nil {
		t.Errorf("bare peer: %v %+v", bare, bare.Info())
	}
	if s := bare.Stats(); s.Protocols != nil || s.WireBytesIn != 0 {
		t.Errorf("bare peer has carried %+v", s)
	}

	ours, theirs := p2p.MsgPipe()
	piped := p2p.NewPeerPipe(id, "piped", caps, ours)
	done := make(chan error, 1)
	go func() { done <- p2p.Send(theirs, 0, []uint{}) }()
	piped.Disconnect(p2p.DiscQuitting)
	piped.Disconnect(p2p.DiscQuitting)
	if err := within(t, "the other end", done); err != p2p.ErrPipeClosed {
		t.Errorf("the other end of the pipe: %v", err)
	}
	if _, err := ours.ReadMsg(); err != p2p.ErrPipeClosed {
		t.Errorf("this end of the pipe: %v", err)
	}
}
