package swarmcmd

import (
	"errors"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/p2p/enode"

	"github.com/sennit-net/sennit/cmd/sennit/internal/ends"
	"github.com/sennit-net/sennit/protocols/bzz"
	"github.com/sennit-net/sennit/protocols/bzz/chunk"
	"github.com/sennit-net/sennit/protocols/bzz/store"
	"github.com/sennit-net/sennit/trace"
)

// unlinked returns a place that has lost its links to n nodes, and what it has said so far.
func unlinked(t *testing.T, n int) (d *linked, said *[]string) {
	t.Helper()
	node, err := bzz.New(bzz.Config{Overlay: chunk.Address{1}, Store: store.NewMemory(store.Options{Base: chunk.Address{1}})})
	if err != nil {
		t.Fatal(err)
	}
	said = new([]string)
	d = &linked{node: node, ends: &reasons{Ends: ends.New(n)}, say: func(text string) { *said = append(*said, text) }}
	for range n {
		key, err := crypto.GenerateKey()
		if err != nil {
			t.Fatal(err)
		}
		d.nodes = append(d.nodes, enode.NewV4(&key.PublicKey, net.IPv4(127, 0, 0, 1), 1, 0))
	}
	return d, said
}

func (d *linked) refused(n int) {
	d.ends.Record(&trace.LinkRefused{Link: trace.Link{Peer: d.nodes[n].ID()}, Stage: "dial", Err: errors.New("refused")})
}

func TestOneNodeThatFailsDoesNotEndTheWaitForAnother(t *testing.T) {
	d, _ := unlinked(t, 2)
	var l loss
	now := time.Now()
	look := func() error { return d.look(&l, now) }
	if err := look(); err != nil {
		t.Error(err)
	}
	d.refused(0) // too soon to count
	d.refused(1)
	if err := look(); err != nil {
		t.Error(err)
	}
	now = now.Add(failTooSoon)
	for range 3 {
		d.refused(1)
		if err := look(); err != nil {
			t.Fatalf("with one to come: %v", err)
		}
	}
	d.refused(0)
	if err := look(); err == nil || !strings.Contains(err.Error(), "after 5s there is none: dial: refused") {
		t.Errorf("when both have failed: %v", err)
	}
	l = loss{}
	if err := look(); err != nil {
		t.Error(err)
	}
	now = now.Add(stall)
	if err := look(); err == nil {
		t.Error("it is waited for longer than that")
	}
}

func TestTheCauseOfALossIsThatOfTheLinkAndNotOfADialThatFollows(t *testing.T) {
	d, said := unlinked(t, 1)
	var l loss
	now := time.Now()
	d.refused(0) // before the link
	for range 2 {
		if err := d.look(&l, now); err != nil || len(*said) != 0 {
			t.Fatalf("before it is known: %v, %q", err, *said)
		}
		d.refused(0)
	}
	d.ends.Record(&trace.LinkClosed{Side: trace.SideRemote, Cause: errors.New("too many peers")})
	d.refused(0)
	if err := d.look(&l, now); err != nil || len(*said) != 1 || !strings.Contains((*said)[0], "is lost: the link ended, by the remote side: too many peers; it is dialed") {
		t.Errorf("%v, %q", err, *said)
	}
	*said, l = nil, loss{links: 1}
	for range 2 {
		if err := d.look(&l, now); err != nil {
			t.Error(err)
		}
		now = now.Add(causeTime)
	}
	if len(*said) != 1 || !strings.Contains((*said)[0], "is lost: it did not say why") {
		t.Errorf("with none: %q", *said)
	}
}

func TestAllNodesAreDialed(t *testing.T) {
	var nodes []*enode.Node
	for range 5 {
		_, self := startNode(t, bzz.Config{NoDial: true})
		nodes = append(nodes, self)
	}
	p, err := Dial(t.Context(), testConfig(t), 0, ToGet, nodes, time.Minute, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	ticker, enough := time.NewTicker(tick), time.After(time.Minute)
	defer ticker.Stop()
	for d := p.(*linked); d.node.Stats().Peers < len(nodes); {
		select {
		case <-ticker.C:
		case <-enough:
			t.Fatalf("%d links", d.node.Stats().Peers)
		}
	}
}

func TestALostLinkIsToldAtOnceAndGivenUpWithItsName(t *testing.T) {
	defer func(d time.Duration) { stall = d }(stall)
	stall = 500 * time.Millisecond
	for _, purpose := range []Purpose{ToGet, ToPut} {
		node, self := startNode(t, bzz.Config{NoDial: true})
		said := make(chan string, 10)
		p, err := Dial(t.Context(), testConfig(t), 0, purpose, []*enode.Node{self}, 0, func(text string) { said <- text })
		if err != nil {
			t.Fatal(err)
		}
		defer p.Close()
		node.Stop()
		if text := <-said; !strings.Contains(text, "the link to the node is lost: the link ended, by the remote side") || !strings.Contains(text, "dialed again, for up to 500ms") {
			t.Errorf("told %q", text)
		}
		if purpose == ToGet { // which does not take as long as a search, at the end of which the chunk is not found
			_, err = p.Get(t.Context(), chunk.Address{1})
		} else {
			_, _, err = Put(t.Context(), p, strings.NewReader("hello world"), 0, false, untold, untold)
		}
		if err == nil || !strings.Contains(err.Error(), "the link to the node is lost") {
			t.Errorf("purpose %d: %v", purpose, err)
		}
	}
}
