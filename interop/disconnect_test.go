package interop

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"testing"

	"github.com/sennit-net/sennit/interop/stack"
)

// act is what a cause of an end has to work with: the node that brings the end about and the one that suffers it, and their
// ends of the link by protocol.
type act struct {
	actor, other         *stack.Host
	actorEnds, otherEnds map[string]*stack.End
}

// cause is a way in which a link ends, and the text of the drop event on either side (p2p-behaviour, "when things end").
type cause struct {
	name                 string
	do                   func(*testing.T, act)
	actorText, otherText string // regular expressions for the whole text
}

// broken is what a connection's end without a Disconnect looks like.
const broken = `EOF|.*connection reset by peer|.*broken pipe|.*use of closed network connection`

// reasonTexts are the texts of the reasons that a link can end with.
var reasonTexts = map[uint8]string{
	0: "disconnect requested", 2: "breach of protocol", 3: "useless peer", 4: "too many peers", 5: "already connected",
	6: "incompatible p2p protocol version", 7: "invalid node identity", 8: "client quitting", 9: "unexpected identity",
	10: "connected to self", 11: "read timeout", 16: "subprotocol error", 77: "unknown disconnect reason 77", 255: "invalid disconnect reason",
}

// returns is a cause: a protocol's Run returns an error.
func returns(name string, err func(stack.Stack) error, actorText, otherText string) cause {
	return cause{"Run returns " + name, func(_ *testing.T, a act) { a.actorEnds["beta"].Return <- err(a.actor.Stack) }, actorText, otherText}
}

func plain(err error) func(stack.Stack) error { return func(stack.Stack) error { return err } }

func causes() []cause {
	out := []cause{
		returns("nil", plain(nil), "protocol returned", "client quitting"),
		returns("an error", plain(errors.New("the cat is on the keyboard")), "the cat is on the keyboard", "subprotocol error"),
		returns("io.EOF", plain(io.EOF), "EOF", "subprotocol error"),
		returns("a wrapped reason", func(s stack.Stack) error { return fmt.Errorf("no room: %w", s.Reason(4)) }, "no room: too many peers", "subprotocol error"),
		returns("reason 1", func(s stack.Stack) error { return s.Reason(1) }, "network error", broken),
		{"Run returns the error of Decode", func(t *testing.T, a act) {
			if err := a.otherEnds["alpha"].RW.Write(3, 2, bytes.NewReader([]byte{0xc1, 0xc0})); err != nil {
				t.Fatal(err)
			}
		}, `invalid message: \(code 3\) \(size 2\) rlp: .+`, "breach of protocol"},
		{"Run returns the error of a code out of range", func(t *testing.T, a act) {
			err := a.actorEnds["beta"].RW.Write(8, 0, bytes.NewReader(nil))
			if err == nil {
				t.Fatal("a code that the protocol does not have was sent")
			}
			a.actorEnds["beta"].Return <- err
		}, "invalid message code: not handled", "breach of protocol"},
		{"Peer.Disconnect(1)", func(_ *testing.T, a act) { a.actorEnds["gamma"].Peer.Disconnect(1) }, "network error", broken},
		{"Server.Stop", func(_ *testing.T, a act) { a.actor.Stop() }, "client quitting", "client quitting"},
		{"Server.RemovePeer", func(_ *testing.T, a act) { a.actor.RemovePeer(a.other.Self()) }, "disconnect requested", "disconnect requested"},
	}
	for r, text := range reasonTexts {
		out = append(out, returns(fmt.Sprintf("reason %d", r), func(s stack.Stack) error { return s.Reason(r) }, text, text),
			cause{fmt.Sprintf("Peer.Disconnect(%d)", r), func(_ *testing.T, a act) { a.actorEnds["gamma"].Peer.Disconnect(r) }, text, text})
	}
	return out
}

// decodeLoop decodes every message as a list of numbers until one is not.
func decodeLoop(e *stack.End) error {
	for {
		var numbers []uint
		if err := e.RW.Decode(&numbers); err != nil {
			return err
		}
	}
}

// TestEachCauseOfAnEndIsSeenTheSameFromBothSides brings a link of three protocols to its end in every way there is, from the
// dialing and from the listening side, and compares the drop events of both nodes.
func TestEachCauseOfAnEndIsSeenTheSameFromBothSides(t *testing.T) {
	eachPairing(t, func(t *testing.T, p pairing) {
		for _, c := range causes() {
			for _, side := range []string{"dialer", "listener"} {
				t.Run(c.name+" at the "+side, func(t *testing.T) {
					t.Parallel()
					protos := []stack.Serving{serving("alpha", returning(decodeLoop)), serving("beta", returning(stack.Sink)), serving("gamma", returning(stack.Sink))}
					l := startHost(t, p.listener, stack.Config{}, protos...)
					d := startHost(t, p.dialer, stack.Config{NoListen: true}, protos...)
					link := connect(t, d, l, 3)
					a := act{d, l, link.Dialer, link.Listener}
					if side == "listener" {
						a = act{l, d, link.Listener, link.Dialer}
					}
					c.do(t, a)
					checkDrop(t, a.actor, a.other, c.actorText)
					checkDrop(t, a.other, a.actor, c.otherText)
					for _, ends := range []map[string]*stack.End{link.Dialer, link.Listener} {
						checkEnded(t, ends)
					}
				})
			}
		}
	})
}

// checkDrop waits for a node's drop event and compares it.
func checkDrop(t *testing.T, h, remote *stack.Host, text string) {
	t.Helper()
	e := awaitEvent(t, h, "drop")
	if e.Peer != remote.Self().ID() {
		t.Errorf("%s: the drop event names peer %v, not %v", h.Stack.Name(), e.Peer, remote.Self().ID())
	}
	if !regexp.MustCompile("^(?:" + text + ")$").MatchString(e.Error) {
		t.Errorf("%s: the drop event says %q, not %q", h.Stack.Name(), e.Error, text)
	}
}

// checkEnded wants all protocols of an ended link to have returned, and the link's users to be told.
func checkEnded(t *testing.T, ends map[string]*stack.End) {
	t.Helper()
	for name, e := range ends {
		select {
		case <-e.Done:
		default:
			t.Errorf("protocol %s still runs after the drop event", name)
		}
		if _, err := e.RW.Read(); !errors.Is(err, io.EOF) {
			t.Errorf("ReadMsg of %s after the end: %v", name, err)
		}
		if err := e.RW.Write(0, 0, bytes.NewReader(nil)); err == nil {
			t.Errorf("WriteMsg of %s after the end succeeds", name)
		}
	}
}
