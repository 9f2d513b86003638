package ends

import (
	"context"
	"errors"
	"net"
	"testing"

	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/p2p/enode"
	"go.uber.org/goleak"

	"github.com/sennit-net/sennit/trace"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestItIsDoneAfterEnoughEndsAndKnowsTheFirstAndTheLast(t *testing.T) {
	e := New(2)
	ctx, cancel := context.WithCancelCause(t.Context())
	defer e.Tell(cancel)()
	unheard, ignored := context.WithCancelCause(t.Context())
	defer ignored(nil)
	e.Tell(ignored)() // stopped before there is anything to tell
	if n, err := e.Last(); n != 0 || err != nil || e.First() != nil {
		t.Errorf("before there is one: %d, %v, %v", n, err, e.First())
	}
	one, two, three := errors.New("one"), errors.New("two"), errors.New("three")
	e.Record(&trace.LinkRefused{Stage: "dial", Err: one})
	e.Record(&trace.LinkOpened{})
	select {
	case <-e.Done():
		t.Error("done after one of two")
	default:
	}
	e.Record(&trace.LinkClosed{Side: trace.SideRemote, Cause: two})
	<-e.Done()
	<-ctx.Done()
	if err := context.Cause(ctx); !errors.Is(err, one) || err.Error() != "dial: one" {
		t.Errorf("told %v", err)
	}
	e.Record(&trace.LinkClosed{Side: trace.SideLocal, Cause: three})
	n, err := e.Last()
	if n != 3 || !errors.Is(err, three) || err.Error() != "the link ended, by the local side: three" || !errors.Is(e.First(), one) {
		t.Errorf("%d, %v, %v", n, err, e.First())
	}
	if unheard.Err() != nil {
		t.Error("somebody is told who did not want it any more")
	}
}

func TestItTellsLinksFromRefusalsAndNodesFromEachOther(t *testing.T) {
	var nodes []*enode.Node
	for port := range 2 {
		key, err := crypto.GenerateKey()
		if err != nil {
			t.Fatal(err)
		}
		nodes = append(nodes, enode.NewV4(&key.PublicKey, net.IPv4(127, 0, 0, 1), 1000+port, 0))
	}
	e, err := New(5), errors.New("one")
	e.Record(&trace.LinkClosed{Link: trace.Link{Peer: nodes[0].ID()}, Cause: err})
	e.Record(&trace.LinkRefused{Link: trace.Link{Peer: nodes[0].ID()}, Stage: "dial", Err: errors.New("two")})
	if n, cause := e.Closed(); n != 1 || !errors.Is(cause, err) {
		t.Errorf("%d links, the last ended with %v", n, cause)
	}
	if e.Each(nodes, 0) || !e.Each(nodes[:1], 1) || e.Each(nodes[:1], 2) {
		t.Error("one node counts for another, or an end that was before")
	}
	e.Record(&trace.LinkRefused{Link: trace.Link{Peer: nodes[1].ID()}, Stage: "rlpx", Err: err})
	if !e.Each(nodes, 1) || e.Each(nodes, 2) {
		t.Error("two nodes have had an end, the first of them the second")
	}
}
