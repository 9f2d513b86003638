package interop

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/sennit-net/sennit/p2p"
	"github.com/sennit-net/sennit/protocols/shh"
)

// TestWhisperRelaysBetweenTheGenerations has one node of ours between two of go-ethereum's that do not understand each other's
// proof of work: each gets what is enough by its rule and nothing else, so that both stay.
func TestWhisperRelaysBetweenTheGenerations(t *testing.T) {
	us := startWhisper(t, shh.Config{})
	old, young := generations[0].start(t), generations[1].start(t)
	us.connect(t, old, true)
	us.connect(t, young, false)

	for _, rules := range []shh.Rules{shh.Rule18, shh.Rule19} {
		us.post(t, shh.Outgoing{Payload: fmt.Appendf(nil, "sealed by %v", rules), Rules: rules})
	}
	// Sealed as the peers need it: by both rules, which takes some seconds with a small TTL. This is the longest for which 11
	// bits by each are enough, so that a machine that is busy elsewhere is done before the message has expired.
	e := us.post(t, shh.Outgoing{Payload: []byte("for both"), TTL: 33 * time.Second, WorkTime: patience})
	if by := e.Work().Reaching(shh.DefaultMinWork); by != shh.BothRules {
		t.Errorf("the envelope for both is good by %v: %+v", by, e.Work())
	}
	old.Await(`^MSG sym payload="sealed by 1.8"`, patience)
	old.Await(`^MSG sym payload="for both"`, patience)
	young.Await(`^MSG sym payload="sealed by 1.9"`, patience)
	young.Await(`^MSG sym payload="for both"`, patience)

	old.Say("sym from 1.8")
	hear(t, us.sym, "from 1.8")
	young.Say("sym from 1.9")
	hear(t, us.sym, "from 1.9")
	<-time.After(time.Second) // three cycles more: nothing that is not meant for them follows
	for _, p := range []*theirs{old, young} {
		if p.Count("^PEER-") != 0 {
			t.Error("a session has ended")
		}
	}
	if old.Count(`sealed by 1.9|from 1.9`)+young.Count(`sealed by 1.8|from 1.8`) != 0 {
		t.Error("an envelope went to a node that would not have accepted it")
	}
}

// TestWhisperRelaysBetweenNodesOfOneGeneration has one node of ours between two of theirs.
func TestWhisperRelaysBetweenNodesOfOneGeneration(t *testing.T) {
	for _, g := range generations {
		t.Run(g.name, func(t *testing.T) {
			us, one, two := startWhisper(t, shh.Config{}), g.start(t), g.start(t)
			us.connect(t, one, true)
			us.connect(t, two, true)
			for i := range 5 {
				one.Say("sign number %d", i)
				two.Await(fmt.Sprintf(`^MSG sym payload="number %d" from=04`, i), patience)
			}
			if one.Count("^PEER-")+two.Count("^PEER-") != 0 {
				t.Error("a session has ended")
			}
		})
	}
}

func TestWhisperPeersHearOfSettingsOnBothSides(t *testing.T) {
	eachGeneration(t, func(t *testing.T, g generation, them *theirs, us *whisperNode) {
		// Their filter: only what passes it is sent.
		filter := shh.BloomOf(shh.Topic{9, 9, 9, 9})
		them.Say("bloom %x", filter)
		until(t, func() bool { return !us.Peers()[0].WantsAll })
		us.post(t, shh.Outgoing{Payload: []byte("not asked for")})
		filter = shh.BloomOf(whisperTopic)
		them.Say("bloom %x", filter)
		them.Await(`payload="not asked for"`, patience) // now it is

		// Their minimum.
		them.Say("pow 2")
		until(t, func() bool { return us.Peers()[0].MinWork == 2 })
		us.post(t, shh.Outgoing{Payload: []byte("too cheap"), Work: 0.2, Rules: shh.BothRules, TTL: 10 * time.Second})
		us.post(t, shh.Outgoing{Payload: []byte("dear"), Work: 2, Rules: g.rule})
		them.Await(`payload="dear"`, patience)

		// Ours: what we do not want is not sent, so that nothing has to be refused.
		us.SetBloom(shh.BloomOf(shh.Topic{9, 9, 9, 9}))
		<-time.After(time.Second) // they have heard of it by then, and envelopes are accepted for 10 s anyway
		them.Say("sym not wanted")
		them.Await("^POSTED", patience)
		us.SetBloom(shh.FullBloom())
		hear(t, us.sym, "not wanted")
		if n := them.Count("^PEER-"); n != 0 || len(us.Stats().Refused) != 0 {
			t.Errorf("the session ended %d times; refused: %v", n, us.Stats().Refused)
		}
	})
}

func TestWhisperSendsDirectMessagesToWhoTrustsIt(t *testing.T) {
	eachGeneration(t, func(t *testing.T, _ generation, them *theirs, us *whisperNode) {
		id := us.server.Self().ID()
		direct := func(text string) {
			t.Helper()
			if _, err := us.PostDirect(t.Context(), them.node.ID(), shh.Outgoing{SymKey: us.symKey, Topic: whisperTopic, Payload: []byte(text)}); err != nil {
				t.Fatal(err)
			}
		}
		direct("not trusted")
		us.post(t, shh.Outgoing{Payload: []byte("after it")})
		them.Await(`payload="after it"`, patience)
		them.Say("trust %v", id)
		them.Say("direct %v ignored", id)
		them.Say("sym after that")
		hear(t, us.sym, "after that") // they do one after the other
		direct("trusted")
		them.Await(`payload="trusted"`, patience)
		if them.Count("not trusted") != 0 {
			t.Error("they show what they should have ignored")
		}
		us.Trust(them.node.ID())
		them.Say("direct %v from them directly", id)
		if m := hear(t, us.sym, "from them directly"); !m.Direct {
			t.Errorf("%+v", m)
		}
	})
}

func TestWhisperEndsCleanlyAndNot(t *testing.T) {
	for _, g := range generations {
		t.Run(g.name, func(t *testing.T) {
			us := startWhisper(t, shh.Config{})
			quits, crashes, stays := g.start(t), g.start(t), g.start(t)
			for _, p := range []*theirs{quits, crashes, stays} {
				us.connect(t, p, true)
			}
			quits.Say("quit")
			if e := us.event(t, p2p.PeerEventTypeDrop); e.Peer != quits.node.ID() {
				t.Errorf("%+v", e)
			}
			quits.Exited(patience)
			crashes.Kill()
			if e := us.event(t, p2p.PeerEventTypeDrop); e.Peer != crashes.node.ID() {
				t.Errorf("%+v", e)
			}
			us.post(t, shh.Outgoing{Payload: []byte("to who is left")})
			stays.Await(`payload="to who is left"`, patience)
			us.server.Stop()
			stays.Await("^PEER- ", patience)
		})
	}
}

// TestWhisperStaysConnected exchanges messages for longer than the timers of go-ethereum: the cycles of 300 ms and 1 s, the
// expiry of what was sent, the tolerance of 10 s for settings, and a ping each 15 s.
func TestWhisperStaysConnected(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes 20 seconds, which -short is there to save")
	}
	for _, g := range generations {
		t.Run(g.name, func(t *testing.T) {
			t.Parallel()
			them, us := g.start(t), startWhisper(t, shh.Config{})
			us.connect(t, them, true)
			sub := us.listen(t, shh.Filter{SymKey: us.symKey, Topics: []shh.Topic{whisperTopic}})
			for i, began := 0, time.Now(); time.Since(began) < 20*time.Second; i++ {
				us.post(t, shh.Outgoing{Payload: fmt.Appendf(nil, "ours %d", i), TTL: 8 * time.Second, Work: shh.DefaultMinWork, Rules: g.rule})
				them.Say("sym theirs %d", i)
				them.Await(fmt.Sprintf(`payload="ours %d"`, i), patience)
				hear(t, sub, fmt.Sprintf("theirs %d", i))
				if i == 3 {
					if err := us.SetMinWork(0.1); err != nil {
						t.Fatal(err)
					}
				}
				<-time.After(700 * time.Millisecond)
			}
			if s := us.Stats(); s.Expired == 0 || len(s.Refused) != 0 || us.server.PeerCount() != 1 || them.Count("^PEER-") != 0 {
				t.Errorf("%+v, %d peers", s, us.server.PeerCount())
			}
		})
	}
}

// TestWhisperIsToldWhyItIsRefused sends what go-ethereum disconnects for, to see that our picture of it is right.
func TestWhisperIsToldWhyItIsRefused(t *testing.T) {
	for _, g := range generations {
		t.Run(g.name, func(t *testing.T) {
			them := g.start(t)
			// A node that believes all peers to accept either rule, and so sends what this one does not accept.
			us := startWhisper(t, shh.Config{PeerRules: func(string) shh.Rules { return shh.BothRules }})
			us.connect(t, them, true)
			us.post(t, shh.Outgoing{Payload: []byte("wrong rule"), Rules: shh.BothRules &^ g.rule})
			m := them.Await("^PEER- [0-9a-f]+ (.*)$", patience)
			if !strings.Contains(m[1], "invalid envelope") && !strings.Contains(m[1], "PoW") {
				t.Errorf("the reason is %q", m[1])
			}
		})
	}
}
