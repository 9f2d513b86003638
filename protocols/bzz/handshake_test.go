package bzz

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/ethereum/go-ethereum/crypto"
	"github.com/google/go-cmp/cmp"

	"github.com/sennit-net/sennit/p2p"
	"github.com/sennit-net/sennit/protocols/bzz/chunk"
	"github.com/sennit-net/sennit/protocols/bzz/store"
	"github.com/sennit-net/sennit/protocols/bzz/wire"
)

func TestTheOverlayIsTheHashOfTheWholeKey(t *testing.T) {
	key, err := crypto.HexToECDSA("65138b2aa745041b372153550584587da326ab440576b2a1191dd95cee30039c")
	if err != nil {
		t.Fatal(err)
	}
	want := "e861964402c0b78e2d44098329b8545726f215afa737d803714a4338552fcb81"
	if got := OverlayOf(&key.PublicKey).String(); got != want {
		t.Errorf("overlay %s, want %s", got, want)
	}
}

func TestTheHandshakeOfWhoDialsComesFirst(t *testing.T) {
	n := newNode(t, nil)
	r := link(t, n, near(0, 1))
	m, err := wire.ParseHandshake(r.expect(wire.BzzName, wire.CodeHandshake))
	if err != nil {
		t.Fatal(err)
	}
	want := wire.Handshake{Version: 8, NetworkID: 3, Addr: wire.PeerAddr{Overlay: base, Underlay: []byte(newFakeServer().self.URLv4())}}
	if diff := cmp.Diff(want, m); diff != "" {
		t.Error(diff)
	}
	r.say(wire.BzzName, wire.Handshake{Version: 8, NetworkID: 3, Addr: r.addr})
	r.expect(wire.HiveName, wire.CodeSubPeers)
	r.alive(n)
	if info, ok := n.peerInfo(n.onlyPeer(t)); !ok || info.Overlay != r.addr.Overlay || info.Light {
		t.Errorf("info %+v %v", info, ok)
	}
}

func (n *Node) onlyPeer(t *testing.T) (id [32]byte) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if len(n.sessions) != 1 {
		t.Fatalf("%d sessions", len(n.sessions))
	}
	for p := range n.sessions {
		id = p.ID()
	}
	return id
}

func TestHandshakesOfOtherNetworksAreRefused(t *testing.T) {
	addr := wire.PeerAddr{Overlay: near(0, 1)}
	for _, test := range []struct {
		name string
		m    wire.Message
		want string
	}{
		{"network", wire.Handshake{Version: 8, NetworkID: 4, Addr: addr}, "network id 4, ours is 3"},
		{"version", wire.Handshake{Version: 9, NetworkID: 3, Addr: addr}, "version 9, ours is 8"},
		{"our address", wire.Handshake{Version: 8, NetworkID: 3, Addr: wire.PeerAddr{Overlay: base}}, "our own address"},
		{"no handshake", wire.SubscribeError{Text: "x"}, "malformed"},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := link(t, newNode(t, nil), addr.Overlay)
			r.sayBytes(wire.BzzName, 0, wire.Append(nil, test.m))
			r.end(test.want)
		})
	}
}

func TestANodeThatWasStoppedShakesNoHands(t *testing.T) {
	n := newNode(t, nil)
	n.Stop()
	for i := range 20 {
		r := linkWith(t, n, near(0, byte(i)), []p2p.Cap{{Name: wire.BzzName, Version: wire.Version}})
		r.end("EOF")
		if len(r.rest()) > 0 {
			t.Error("it sends a handshake")
		}
	}
}

func TestASecondHandshakeEndsTheLink(t *testing.T) {
	r := meet(t, newNode(t, nil), near(0, 1), false)
	r.say(wire.BzzName, wire.Handshake{Version: 8, NetworkID: 3, Addr: r.addr})
	r.end(errSecondHandshake.Error())
}

func TestAPeerThatDoesNotShakeHandsIsLetGoAfterThreeSeconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		r := link(t, newNode(t, nil), near(0, 1))
		r.end(errNoHandshake.Error())
		if d := time.Since(start); d != handshakeTimeout {
			t.Errorf("after %v", d)
		}
	})
}

func TestWithoutStartAPeerWaitsThreeSeconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, err := New(Config{Overlay: base, Store: store.NewMemory(store.Options{})})
		if err != nil {
			t.Fatal(err)
		}
		link(t, n, near(0, 1)).end(errNotStarted.Error())
		r := link(t, n, near(0, 1))
		time.AfterFunc(time.Second, func() { _ = n.Start(newFakeServer()) })
		r.expect(wire.BzzName, wire.CodeHandshake)
		n.Stop()
		if err := n.Start(newFakeServer()); err != ErrStopped {
			t.Error(err)
		}
	})
}

func TestConfigurationsThatCannotWorkAreRefused(t *testing.T) {
	chunks := store.NewMemory(store.Options{})
	for _, cfg := range []Config{{}, {Overlay: base}, {Store: chunks}, {Overlay: base, Store: chunks, SendQueue: -1}} {
		if _, err := New(cfg); err == nil {
			t.Errorf("%+v is taken", cfg)
		}
	}
	if _, err := New(Config{Overlay: chunk.Address{1}, Store: chunks}); err != nil {
		t.Error(err)
	}
}

func TestStoppingEndsTheLinks(t *testing.T) {
	n := newNode(t, nil)
	r := meet(t, n, near(0, 1), false)
	n.Stop()
	r.end("closed message pipe")
	n.Stop()
	if s := n.Stats(); s.Peers != 0 {
		t.Errorf("%d peers are left", s.Peers)
	}
}

func TestRubbishEndsTheLinkWithItsName(t *testing.T) {
	for _, test := range []struct {
		name    string
		proto   string
		code    uint64
		payload []byte
		want    string
	}{
		{"no wrapper", "hive", 0, []byte{0xc0}, "wrapper: context"},
		{"no message", "stream", 4, []byte{0xc4, 0x80, 0x80, 0x81, 0x80}, "malformed"},
		{"unknown code of hive", "hive", 2, wire.Append(nil, wire.SubPeers{}), "unknown message code: hive 2"},
		{"unknown code of stream", "stream", 11, wire.Append(nil, wire.SubPeers{}), "unknown message code: stream 11"},
		{"too large", "stream", 0, make([]byte, wire.MaxMessage+1), "more than 10485760 bytes"},
		{"proof of another form", "stream", 3, wire.Append(nil, wire.SubPeers{}), "TakeoverProof"},
		{"priority", "stream", 4, wire.Append(nil, wire.Subscribe{Stream: wire.SyncBin(1), Priority: 4}), "no such priority: 4"},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := meet(t, newNode(t, nil), near(0, 1), false)
			r.sayBytes(test.proto, test.code, test.payload)
			r.end(test.want)
		})
	}
}
