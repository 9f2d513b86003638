package p2p_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/sennit-net/sennit/internal/lanes"
	"github.com/sennit-net/sennit/p2p"
	"github.com/sennit-net/sennit/trace"
)

// noLanes sets Config.NoLanes.
func noLanes(off bool) func(*p2p.Config) { return func(c *p2p.Config) { c.NoLanes = off } }

func TestTwoNodesSpeakLanesUnlessOneHasBeenToldNotTo(t *testing.T) {
	for _, test := range []struct {
		a, b bool // NoLanes
		want string
	}{{false, false, "lanes/1"}, {true, false, "rlpx"}, {false, true, "rlpx"}, {true, true, "rlpx"}} {
		got := make(chan string, 1)
		ask := testProtocol("ask", func(_ *p2p.Peer, rw p2p.MsgReadWriter) error {
			if err := p2p.Send(rw, 3, "hello"); err != nil {
				return err
			}
			msg, err := rw.ReadMsg()
			if err != nil {
				return err
			}
			var text string
			if err := msg.Decode(&text); err != nil {
				return err
			}
			got <- text
			return drain(nil, rw)
		})
		a := startNode(t, noLanes(test.a), ask)
		b := startNode(t, noLanes(test.b), testProtocol("ask", echo))
		atA, atB := connect(t, a, b)
		if text := within(t, "the echo", got); text != "hello" {
			t.Errorf("NoLanes %v and %v: %q came back", test.a, test.b, text)
		}
		for _, p := range []*p2p.Peer{atA, atB} {
			if f := p.Info().Framing; f != test.want {
				t.Errorf("NoLanes %v and %v: PeerInfo says %q, want %q", test.a, test.b, f, test.want)
			}
		}
		for _, n := range []*node{a, b} {
			opened := recorded[*trace.LinkOpened](&n.journal)
			if len(opened) != 1 || opened[0].Framing != test.want {
				t.Errorf("NoLanes %v and %v: recorded %+v", test.a, test.b, opened)
			}
			if slices.Contains(opened[0].Protocols, "lanes/1") {
				t.Errorf("lanes/1 is said to be a protocol: %v", opened[0].Protocols)
			}
		}
		probed, err := p2p.Probe(context.Background(), p2p.ProbeConfig{NoLanes: test.a, Caps: []p2p.Cap{{Name: "ask", Version: 1}}}, b.Self())
		if err != nil || probed.Framing != test.want || probed.RTT <= 0 || probed.Refused != nil {
			t.Errorf("NoLanes %v and %v: probe %+v, %v", test.a, test.b, probed, err)
		}
		if offers := slices.Contains(probed.Caps, lanesCap); offers == test.b {
			t.Errorf("NoLanes %v: Hello offers %v", test.b, probed.Caps)
		}
	}
}

// classicTalk is all that a server says to a remote of the given version and capabilities, sealed data opened.
func classicTalk(t *testing.T, off bool, version uint64, caps ...p2p.Cap) (hello greeting, said []string) {
	n := startNode(t, noLanes(off), testProtocol("echo", echo))
	w := dialWire(t, n)
	w.sendHello(version, caps...)
	hello = w.readHello()
	w.SetSnappy(version >= 5)
	f := w.forge()
	for _, m := range []struct {
		code byte
		body []byte
	}{{2, []byte{0xc0}}, {16, nil}, {17, []byte("some text")}, {23, bytes.Repeat([]byte("much text"), 5000)}, {1, []byte{0xc1, 8}}} {
		f.put(f.seal(append([]byte{m.code}, f.packed(m.body)...)))
		code, payload, size, err := f.open()
		if err != nil {
			t.Fatalf("after message %#x: %v", m.code, err)
		}
		said = append(said, fmt.Sprintf("%#x %x, %d bytes on the wire", code, payload, size))
	}
	if infos := recorded[*trace.LinkOpened](&n.journal); len(infos) != 1 || infos[0].Framing != "rlpx" {
		t.Errorf("recorded %+v", infos)
	}
	w.fd.Close()
	return hello, said
}

func TestWhoDoesNotOfferLanesSeesTheSameRLPxAsIfItDidNotExist(t *testing.T) {
	own := p2p.Cap{Name: "echo", Version: 1}
	for name, remote := range map[string]struct {
		version uint64
		caps    []p2p.Cap
	}{
		"no offer":                      {5, []p2p.Cap{own}},
		"no offer, version 4":           {4, []p2p.Cap{own}},
		"an offer, version 4":           {4, []p2p.Cap{own, lanesCap}},
		"another version of lanes":      {5, []p2p.Cap{own, {Name: "lanes", Version: 2}}},
		"lanes in other letters":        {5, []p2p.Cap{own, {Name: "Lanes", Version: 1}}},
		"version 0 of lanes":            {5, []p2p.Cap{own, {Name: "lanes", Version: 0}}},
		"a name with lanes in it":       {5, []p2p.Cap{own, {Name: "lanes/1", Version: 1}}},
		"an offer to one that does not": {5, []p2p.Cap{own, lanesCap}},
	} {
		t.Run(name, func(t *testing.T) {
			offers := name != "an offer to one that does not"
			hello, said := classicTalk(t, !offers, remote.version, remote.caps...)
			plainHello, plainSaid := classicTalk(t, true, remote.version, remote.caps...)
			if !slices.Equal(said, plainSaid) {
				t.Errorf("said\n%s\nwant\n%s", strings.Join(said, "\n"), strings.Join(plainSaid, "\n"))
			}
			if without := slices.DeleteFunc(slices.Clone(hello.Caps), func(c p2p.Cap) bool { return c == lanesCap }); !slices.Equal(without, plainHello.Caps) ||
				len(hello.Caps)-len(without) != map[bool]int{true: 1, false: 0}[offers] {
				t.Errorf("Hello has %v, without an offer %v", hello.Caps, plainHello.Caps)
			}
		})
	}
}

func TestALinkOfLanesCarriesMessagesForARemoteOfTheTestsOwn(t *testing.T) {
	n := startNode(t, nil, testProtocol("bbb", echo), testProtocol("aaa", drain), testProtocol("zzz", echo))
	l := offerLanes(t, n, nil, "zzz", "bbb") // so bbb is lane 1 and zzz lane 2
	for i, lane := range []uint64{1, 2} {
		payload := []byte(fmt.Sprintf("for lane %d", lane))
		code := uint64(3 + i)
		l.put(append(lanes.AppendMessage(nil, lane, code, len(payload), lanes.Plain, len(payload), len(payload)), payload...))
		f := l.awaitFrame(lanes.Message)
		if f.Lane != lane || f.Code != code || !bytes.Equal(f.Data, payload) {
			t.Errorf("lane %d: %+v", lane, f)
		}
	}
	l.put(lanes.AppendMessage(nil, 3, 0, 0, lanes.Plain, 0, 0))
	if f := l.awaitEnd(); f.Type != lanes.Disconnect || f.Value != uint64(p2p.DiscProtocolError) {
		t.Errorf("a third lane is answered with %+v", f)
	}
	until(t, "the end", func() bool { return len(recorded[*trace.LinkClosed](&n.journal)) == 1 })
	closed := recorded[*trace.LinkClosed](&n.journal)[0]
	var breach lanes.Breach
	if !errors.As(closed.Cause, &breach) || closed.Side != trace.SideNetwork || !closed.ReasonSent || closed.Reason != uint8(p2p.DiscProtocolError) {
		t.Errorf("recorded %+v", closed)
	}
}

func TestAHelloThatWasChangedOnTheWayMakesTheFirstRecordFail(t *testing.T) {
	n := startNode(t, nil, testProtocol("aaa", drain))
	ended := func(links int) {
		until(t, "the end", func() bool { return len(recorded[*trace.LinkClosed](&n.journal)) == links })
	}
	for i, doctor := range []func([]byte){
		nil,
		func(hello []byte) { hello[0] ^= 1 },
		func(hello []byte) { hello[len(hello)/2] ^= 0x80 },
		func(hello []byte) { hello[len(hello)-1] ^= 1 },
	} {
		l := offerLanes(t, n, doctor, "aaa")
		l.put(lanes.AppendPing(nil, lanes.Ping, [8]byte{9}))
		if doctor == nil {
			if f := l.awaitFrame(lanes.Pong); f.Data[0] != 9 {
				t.Errorf("pong %x", f.Data)
			}
			l.put(lanes.AppendDisconnect(nil, 8))
			l.awaitEnd()
			ended(i + 1)
			continue
		}
		// What the server says cannot be opened either, so only the end is looked at.
		var rest [1 << 10]byte
		var err error
		for err == nil {
			_, err = l.in.Read(rest[:])
		}
		l.fd.Close()
		ended(i + 1)
		closed := recorded[*trace.LinkClosed](&n.journal)[i]
		if !errors.Is(closed.Cause, lanes.ErrRecord) || closed.ReasonSent {
			t.Errorf("recorded %+v", closed)
		}
	}
}

func TestARefusalBehindTheHellosIsARecordAndOneInPlaceOfTheHelloAFrame(t *testing.T) {
	n := startNode(t, func(c *p2p.Config) { c.MaxPeers, c.NoDial = 1, true }, testProtocol("aaa", drain))
	l := offerLanes(t, n, nil, "other")
	if f := l.awaitEnd(); f.Type != lanes.Disconnect || f.Value != uint64(p2p.DiscUselessPeer) {
		t.Errorf("who shares no protocol sees %+v", f)
	}
	l = offerLanes(t, n, nil) // lanes/1 alone is no protocol
	if f := l.awaitEnd(); f.Type != lanes.Disconnect || f.Value != uint64(p2p.DiscUselessPeer) {
		t.Errorf("who shares nothing but lanes/1 sees %+v", f)
	}
	until(t, "the refusals", func() bool { return len(recorded[*trace.LinkRefused](&n.journal)) == 2 })
	l = offerLanes(t, n, nil, "aaa")
	n.peer()
	w := dialWire(t, n)
	w.sendHello(5, lanesCap, p2p.Cap{Name: "aaa", Version: 1})
	if payload, _ := w.farewell(); !bytes.Equal(payload, []byte{0xc1, byte(p2p.DiscTooManyPeers)}) {
		t.Errorf("the second peer of one that takes one sees %x", payload)
	}
	l.put(lanes.AppendDisconnect(nil, 8))
	l.awaitEnd()
}

func TestAProbeIsToldTheReasonOfARefusalOnLanes(t *testing.T) {
	n := startNode(t, nil, testProtocol("aaa", drain))
	for _, off := range []bool{false, true} {
		probed, err := p2p.Probe(context.Background(), p2p.ProbeConfig{NoLanes: off}, n.Self())
		if err != nil || probed.Refused == nil || *probed.Refused != p2p.DiscUselessPeer {
			t.Errorf("NoLanes %v: %+v, %v", off, probed, err)
		}
	}
}

func TestAProtocolMayNotHaveTheNameOfTheCapability(t *testing.T) {
	for _, test := range []struct {
		version uint
		off     bool
		refused bool
	}{
		{1, false, true},
		{2, false, true},
		{1, true, true}, // our Hello would offer what we do not speak
		{2, true, false},
	} {
		protocol := testProtocol("lanes", drain)
		protocol.Version = test.version
		srv := &p2p.Server{Config: p2p.Config{
			PrivateKey: newTestKey(t), MaxPeers: 1, NoDiscovery: true, ListenAddr: "127.0.0.1:0",
			Protocols: []p2p.Protocol{testProtocol("aaa", drain), protocol}, NoLanes: test.off,
		}}
		err := srv.Start()
		srv.Stop()
		if (err != nil) != test.refused || err != nil && !strings.Contains(err.Error(), fmt.Sprintf(`Protocols[1] ("lanes" version %d)`, test.version)) {
			t.Errorf("version %d, NoLanes %v: %v", test.version, test.off, err)
		}
	}
}
