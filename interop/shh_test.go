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

// hear waits for a message with that text.
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

// awaitWhisper waits until the peer's status has arrived.
func (n *whisperNode) awaitWhisper(t *testing.T, count int) {
	t.Helper()
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); {
		ready := 0
		for _, p := range n.server.PeersInfo() {
			if _, waits := p.Protocols["shh"].(string); !waits {
				ready++
			}
		}
		if ready == count {
			return
		}
		<-time.After(5 * time.Millisecond)
	}
	t.Fatalf("%d Whisper sessions do not come about: %+v", count, n.server.PeersInfo())
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

func startWhisper19(t *testing.T, args ...string) *theirs {
	t.Helper()
	p := &theirs{Process: counterparts.Start(t, "whisper", ".", args...)}
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

func TestWhisperExchangesMessagesWithGoEthereum19(t *testing.T) {
	for _, weDial := range []bool{true, false} {
		t.Run(fmt.Sprintf("we dial: %v", weDial), func(t *testing.T) {
			them, us := startWhisper19(t), startWhisper(t, shh.Config{})
			if weDial {
				us.server.AddPeer(them.node)
			} else {
				them.Say("dial %s", us.server.Self().URLv4())
			}
			us.awaitWhisper(t, 1)
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
				if by := e.Work().Reaching(shh.DefaultMinWork); by != shh.Rule19 {
					t.Errorf("the envelope proves work by %v", by)
				}
				if want := fmt.Sprintf("hash=%x", e.Hash()); them.Await(m.want+".* "+want+"$", patience) == nil {
					t.Error("another message arrives")
				}
			}

			them.Say("sym from them")
			if m := hear(t, us.sym, "from them"); m.From != nil || m.To != nil || m.Topic != whisperTopic || m.TTL != 50 || m.Work.By19 < shh.DefaultMinWork {
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
}
