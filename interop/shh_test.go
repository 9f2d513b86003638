package interop

import (
	"context"
	"crypto/ecdsa"
	"encoding/hex"
	"fmt"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/log"
	"github.com/ethereum/go-ethereum/p2p/enode"

	"github.com/sennit-net/sennit/interop/counterparts"
	"github.com/sennit-net/sennit/p2p"
	"github.com/sennit-net/sennit/protocols/shh"
)

// whisperTopic is the topic that the counterparts post to and listen to, with the key of the password "test".
var whisperTopic = shh.Topic{0xde, 0xad, 0xbe, 0xef}

// whisperNode is a node of ours that listens to what the counterparts post.
type whisperNode struct {
	*shh.Whisper
	server    *p2p.Server
	key       *ecdsa.PrivateKey
	symKey    []byte
	sym, asym *shh.Subscription
	events    chan *p2p.PeerEvent
}

func startWhisper(t *testing.T, c shh.Config) *whisperNode {
	t.Helper()
	key, err := crypto.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	n := &whisperNode{key: key, events: make(chan *p2p.PeerEvent, 64)}
	c.Logger = log.NewLogger(log.DiscardHandler())
	if n.Whisper, err = shh.New(c); err != nil {
		t.Fatal(err)
	}
	if n.symKey, err = shh.SymKeyFromPassword("test"); err != nil {
		t.Fatal(err)
	}
	n.sym = n.listen(t, shh.Filter{SymKey: n.symKey, Topics: []shh.Topic{whisperTopic}, AllowDirect: true})
	n.asym = n.listen(t, shh.Filter{PrivateKey: key})
	n.server = &p2p.Server{Config: p2p.Config{
		PrivateKey: key, Name: "sennit/test", MaxPeers: 10, ListenAddr: "127.0.0.1:0", NoDiscovery: true, Protocols: n.Protocols(), Logger: c.Logger,
	}}
	sub := n.server.SubscribeEvents(n.events)
	if err := n.server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		n.server.Stop()
		sub.Unsubscribe()
	})
	return n
}

func (n *whisperNode) listen(t *testing.T, f shh.Filter) *shh.Subscription {
	t.Helper()
	sub, err := n.Subscribe(f)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(sub.Close)
	return sub
}

// post posts a message, by the rule that the peers need.
func (n *whisperNode) post(t *testing.T, m shh.Outgoing) *shh.Envelope {
	t.Helper()
	m.Topic = whisperTopic
	if m.To == nil {
		m.SymKey = n.symKey
	}
	e, err := n.Post(t.Context(), m)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// hear waits for a message with that text; others that come before it are lost.
func hear(t *testing.T, sub *shh.Subscription, text string) *shh.Message {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for {
		m, err := sub.Next(ctx)
		if err != nil {
			t.Fatalf("%q does not come: %v", text, err)
		}
		if string(m.Payload) == text {
			return m
		}
	}
}

// awaitWhisper waits until the status of a peer has arrived.
func (n *whisperNode) awaitWhisper(t *testing.T, id enode.ID) {
	t.Helper()
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); {
		for _, p := range n.server.PeersInfo() {
			if _, waits := p.Protocols["shh"].(string); p.ID == id.String() && !waits {
				return
			}
		}
		<-time.After(5 * time.Millisecond)
	}
	t.Fatalf("no Whisper session with %v comes about: %+v", id, n.server.PeersInfo())
}

func (n *whisperNode) event(t *testing.T, typ p2p.PeerEventType) *p2p.PeerEvent {
	t.Helper()
	timeout := time.After(patience)
	for {
		select {
		case e := <-n.events:
			if e.Type == typ {
				return e
			}
		case <-timeout:
			t.Fatalf("no %q event", typ)
		}
	}
}

// theirs is a node of go-ethereum's.
type theirs struct {
	*counterparts.Process
	node *enode.Node
	key  *ecdsa.PublicKey
}

// generation is a release of go-ethereum, and the rule by which it counts proof of work.
type generation struct {
	name    string
	program counterparts.Program
	rule    shh.Rules
}

var generations = []generation{
	{"1.8.27", counterparts.Program{Module: "whisper", Flags: []string{"-tags=geth18", "-modfile=go18.mod"}}, shh.Rule18},
	{"1.9.20", counterparts.Program{Module: "whisper"}, shh.Rule19},
}

func (g generation) start(t *testing.T, args ...string) *theirs {
	t.Helper()
	p := &theirs{Process: g.program.Start(t, args...)}
	key, err := hex.DecodeString(p.Await(`^KEY (\w+)$`, patience)[1])
	if err != nil {
		t.Fatal(err)
	}
	if p.key, err = crypto.UnmarshalPubkey(key); err != nil {
		t.Fatal(err)
	}
	if p.node, err = enode.ParseV4(p.Await(`^ENODE (\S+)$`, patience)[1]); err != nil {
		t.Fatal(err)
	}
	return p
}

// eachGeneration runs a test for every generation and both ways of dialing. The sessions are there when it begins.
func eachGeneration(t *testing.T, f func(t *testing.T, g generation, them *theirs, us *whisperNode)) {
	for _, g := range generations {
		for _, weDial := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s, we dial: %v", g.name, weDial), func(t *testing.T) {
				them, us := g.start(t), startWhisper(t, shh.Config{})
				us.connect(t, them, weDial)
				f(t, g, them, us)
			})
		}
	}
}

func (n *whisperNode) connect(t *testing.T, them *theirs, weDial bool) {
	t.Helper()
	if weDial {
		n.server.AddPeer(them.node)
	} else {
		them.Say("dial %s", n.server.Self().URLv4())
	}
	n.awaitWhisper(t, them.node.ID())
}

func TestWhisperExchangesMessagesWithBothGenerationsOfGoEthereum(t *testing.T) {
	eachGeneration(t, func(t *testing.T, g generation, them *theirs, us *whisperNode) {
		theirKey, ourKey := hex.EncodeToString(crypto.FromECDSAPub(them.key)), hex.EncodeToString(crypto.FromECDSAPub(&us.key.PublicKey))
		for _, m := range []struct {
			post shh.Outgoing
			want string
		}{
			{shh.Outgoing{Payload: []byte("from us")}, `^MSG sym payload="from us" from= topic=deadbeef`},
			{shh.Outgoing{Payload: []byte("signed by us"), From: us.key}, `^MSG sym payload="signed by us" from=` + ourKey},
			{shh.Outgoing{Payload: []byte("for them alone"), To: them.key}, `^MSG asym payload="for them alone" from= `},
			{shh.Outgoing{Payload: []byte("signed for them"), To: them.key, From: us.key}, `^MSG asym payload="signed for them" from=` + ourKey},
			{shh.Outgoing{Payload: []byte{}}, `^MSG sym payload="" `},
		} {
			e := us.post(t, m.post)
			if e.Work().Reaching(shh.DefaultMinWork)&g.rule == 0 {
				t.Errorf("the envelope's work is %+v", e.Work())
			}
			them.Await(m.want+fmt.Sprintf(".* hash=%x$", e.Hash()), patience)
		}

		them.Say("sym from them")
		if m := hear(t, us.sym, "from them"); m.From != nil || m.To != nil || m.Topic != whisperTopic || m.TTL != 50 || m.Work.Reaching(shh.DefaultMinWork)&g.rule == 0 {
			t.Errorf("%+v", m)
		}
		them.Say("sign signed by them")
		if m := hear(t, us.sym, "signed by them"); hex.EncodeToString(crypto.FromECDSAPub(m.From)) != theirKey {
			t.Errorf("signed by %x", crypto.FromECDSAPub(m.From))
		}
		them.Say("asym %s for us alone", ourKey)
		if m := hear(t, us.asym, "for us alone"); !m.To.Equal(&us.key.PublicKey) || !m.From.Equal(them.key) {
			t.Errorf("%+v", m)
		}
		if n := them.Count("^PEER-"); n != 0 {
			t.Errorf("the session ended %d times", n)
		}
	})
}
