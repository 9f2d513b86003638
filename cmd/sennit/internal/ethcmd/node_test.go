package ethcmd

import (
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/log"
	"github.com/ethereum/go-ethereum/p2p/enode"
	"github.com/ethereum/go-ethereum/rpc"

	"github.com/sennit-net/sennit/p2p"
	"github.com/sennit-net/sennit/protocols/eth"
	"github.com/sennit-net/sennit/trace"
)

func dialConfig(t *testing.T) DialConfig {
	t.Helper()
	key, err := crypto.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	return DialConfig{Name: "asking", Key: key}
}

// serve starts a node on 127.0.0.1.
func serve(t *testing.T, protocols ...p2p.Protocol) *p2p.Server {
	t.Helper()
	s := &p2p.Server{Config: p2p.Config{
		PrivateKey: dialConfig(t).Key, Name: "asked", MaxPeers: 5, ListenAddr: "127.0.0.1:0", NoDiscovery: true, Protocols: protocols,
		Logger: log.NewLogger(log.DiscardHandler()),
	}}
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Stop)
	return s
}

func TestALinkThatDoesNotComeAboutSaysWhy(t *testing.T) {
	gone := serve(t)
	gone.Stop()
	other := serve(t, p2p.Protocol{Name: "xyz", Version: 1, Length: 1, Run: func(_ *p2p.Peer, rw p2p.MsgReadWriter) error {
		_, err := rw.ReadMsg()
		return err
	}})
	mute := serve(t, p2p.Protocol{Name: eth.Name, Version: 69, Length: eth.Length(69), Run: func(_ *p2p.Peer, rw p2p.MsgReadWriter) error {
		for {
			msg, err := rw.ReadMsg()
			if err == nil {
				err = msg.Discard()
			}
			if err != nil {
				return err
			}
		}
	}})
	patience, cancel := context.WithTimeoutCause(t.Context(), 100*time.Millisecond, errors.New("no answer in time"))
	defer cancel()
	for _, tt := range []struct {
		name   string
		ctx    context.Context
		target *enode.Node
		want   string
	}{
		{"nobody is there", t.Context(), gone.Self(), "dial: "},
		{"another protocol", t.Context(), other.Self(), "useless peer"},
		{"no Status", patience, mute.Self(), "no answer in time"},
	} {
		node, err := Dial(tt.ctx, dialConfig(t), tt.target)
		if err == nil {
			node.Close()
		}
		if want := "no eth with " + tt.target.ID().TerminalString() + ": "; err == nil || !strings.HasPrefix(err.Error(), want) || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %s...%s", tt.name, err, want, tt.want)
		}
	}
}

func TestARequestSaysWhyTheLinkHasEnded(t *testing.T) {
	chain, err := eth.Network("sepolia")
	if err != nil {
		t.Fatal(err)
	}
	h, err := eth.New(eth.Config{Backend: eth.NewObserver(chain), Logger: log.NewLogger(log.DiscardHandler())})
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	server := serve(t, h.Protocols()...)
	node, err := Dial(t.Context(), dialConfig(t), server.Self())
	if err != nil {
		t.Fatal(err)
	}
	defer node.Close()
	states, err := node.States(t.Context())
	if err != nil || len(states) != 1 || states[0].Genesis != chain.Genesis || states[0].Client != "asked" {
		t.Errorf("%+v, %v", states, err)
	}
	server.Stop()
	<-node.(*direct).ended.Done()
	if _, err := node.Transaction(t.Context(), common.Hash{1}); err == nil || !strings.Contains(err.Error(), "the link ended, by the remote side") {
		t.Errorf("the error is %v", err)
	}
}

func TestOnlyKnownNetworksAreLookedFor(t *testing.T) {
	c := dialConfig(t)
	c.Network = "nonsense"
	if _, err := Listen(c, nil, nil); err == nil || !strings.Contains(err.Error(), `"nonsense"`) {
		t.Errorf("the error is %v", err)
	}
	for _, name := range eth.Networks() {
		if nodes, err := bootnodes(name); err != nil || len(nodes) == 0 {
			t.Errorf("%s: %d bootnodes, %v", name, len(nodes), err)
		}
	}
}

func TestAllNamedNodesAreWatched(t *testing.T) {
	chain, err := eth.Network("sepolia")
	if err != nil {
		t.Fatal(err)
	}
	missing := make(map[enode.ID]bool)
	var nodes []*enode.Node
	for range 5 {
		h, err := eth.New(eth.Config{Backend: eth.NewObserver(chain), Logger: log.NewLogger(log.DiscardHandler())})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(h.Close)
		n := serve(t, h.Protocols()...).Self()
		nodes, missing[n.ID()] = append(nodes, n), true
	}
	node, err := Listen(dialConfig(t), nodes, func(id enode.ID, why error) { t.Errorf("no link to %v: %v", id, why) })
	if err != nil {
		t.Fatal(err)
	}
	defer node.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	err = node.Watch(ctx, func(r *eth.EventRecord) error {
		if r.Event == "joined" {
			delete(missing, r.Peer)
		}
		if len(missing) == 0 {
			return io.EOF
		}
		return nil
	})
	if err != io.EOF {
		t.Errorf("%v; %d of %d nodes have not joined", err, len(missing), len(nodes))
	}
}

func TestOfEachNamedNodeTheFirstRefusalIsTold(t *testing.T) {
	a, b, other := serve(t).Self(), serve(t).Self(), serve(t).Self()
	told := make(chan string, 9)
	r := newRefusals([]*enode.Node{a, b}, func(id enode.ID, why error) { told <- id.TerminalString() + " " + why.Error() })
	for i, n := range []*enode.Node{other, a, a, b, a, b} {
		r.Record(&trace.LinkRefused{Link: trace.Link{Peer: n.ID()}, Stage: "dial", Err: errors.New(string(rune('0' + i)))})
	}
	r.Record(&trace.LinkClosed{})
	got := []string{<-told, <-told}
	r.close()
	if want := []string{a.ID().TerminalString() + " dial: 1", b.ID().TerminalString() + " dial: 3"}; !slices.Equal(got, want) || len(told) > 0 {
		t.Errorf("%q and %d more, want %q", got, len(told), want)
	}
}

// fake is the namespace eth of a running node; on a subscription it says what it is given.
type fake struct {
	states []*eth.PeerState
	says   []*eth.EventRecord
}

func (f *fake) PeerStates() []*eth.PeerState { return f.states }

func (f *fake) Seen(ctx context.Context) (*rpc.Subscription, error) {
	notifier, _ := rpc.NotifierFromContext(ctx)
	sub := notifier.CreateSubscription()
	for _, r := range f.says {
		if err := notifier.Notify(sub.ID, r); err != nil {
			return nil, err
		}
	}
	return sub, nil
}

// running is a node that runs, as far as its namespace eth goes.
func running(t *testing.T, f *fake, peer string) *remote {
	t.Helper()
	server := rpc.NewServer()
	if err := server.RegisterName("eth", f); err != nil {
		t.Fatal(err)
	}
	r := &remote{rpc.DialInProc(server), peer}
	t.Cleanup(func() {
		r.Close()
		server.Stop()
	})
	return r
}

func peerID(n byte) enode.ID { return enode.ID{n, 0xaa} }

func TestWhoIsThereIsShownFirstAndOnce(t *testing.T) {
	number := uint64(0)
	f := &fake{
		states: []*eth.PeerState{
			{ID: peerID(1).String(), Client: "one", Version: 68, Head: common.Hash{1}},
			{ID: peerID(2).String(), Client: "two", Version: 69, Head: common.Hash{2}},
		},
		says: []*eth.EventRecord{
			{Event: "joined", Peer: peerID(2)}, // it is in the list as well
			{Event: "joined", Peer: peerID(3)},
			{Event: "left", Peer: peerID(1)},
			{Event: "joined", Peer: peerID(1)}, // it comes again
			{Event: "lost", Lost: 5},
			{Event: "head", Peer: peerID(3), Number: &number},
		},
	}
	var got []string
	err := running(t, f, "").Watch(t.Context(), func(r *eth.EventRecord) error {
		got = append(got, string(rune('0'+r.Peer[0]))+" "+r.Event)
		if r.Event == "head" && r.Peer == peerID(1) && (r.Number != nil || r.Client != "one" || *r.Hash != (common.Hash{1})) {
			t.Errorf("the head of the first: %+v", r)
		}
		if r.Event == "head" && r.Peer == peerID(2) && (r.Number == nil || *r.Number != 0) {
			t.Errorf("the head of the second: %+v", r)
		}
		if r.Event == "lost" && r.Lost != 5 {
			t.Errorf("%+v", r)
		}
		if r.Event == "head" && r.Peer == peerID(3) {
			return io.EOF
		}
		return nil
	})
	want := []string{"1 present", "1 head", "2 present", "2 head", "3 joined", "1 left", "1 joined", "0 lost", "3 head"}
	if err != io.EOF || !slices.Equal(got, want) {
		t.Errorf("%v, %q\nwant %q", err, got, want)
	}
}

func TestOfARunningNodeOnlyThePeerThatIsMeantIsShown(t *testing.T) {
	f := &fake{states: []*eth.PeerState{{ID: peerID(0x11).String()}, {ID: peerID(0x12).String()}, {ID: peerID(0x21).String()}}}
	for prefix, want := range map[string]int{"": 3, "1": 2, "12": 1, "3": 0} {
		if list, err := running(t, f, prefix).States(t.Context()); err != nil || len(list) != want {
			t.Errorf("%q: %d peers, %v; want %d", prefix, len(list), err, want)
		}
	}
}

func TestAWatchEndsWithItsContextOrTheNode(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	why := errors.New("enough")
	f := &fake{says: []*eth.EventRecord{{Event: "left"}}}
	if err := running(t, f, "").Watch(ctx, func(*eth.EventRecord) error { cancel(why); return nil }); err != why {
		t.Errorf("the error is %v", err)
	}
	r := running(t, f, "")
	if err := r.Watch(t.Context(), func(*eth.EventRecord) error { r.Close(); return nil }); err == nil || !strings.Contains(err.Error(), "the running node has gone") {
		t.Errorf("the error is %v", err)
	}
	f.states = []*eth.PeerState{{ID: "nonsense"}}
	if err := running(t, f, "").Watch(t.Context(), func(*eth.EventRecord) error { return nil }); err == nil || !strings.Contains(err.Error(), "id of a peer") {
		t.Errorf("the error is %v", err)
	}
}
