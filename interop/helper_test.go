package interop

import (
	"errors"
	"testing"
	"time"

	"github.com/sennit-net/sennit/interop/stack"
)

// patience is how long a test waits for something that happens at once on an idle machine.
const patience = 120 * time.Second

// pairing is who dials whom.
type pairing struct{ dialer, listener stack.Stack }

func (p pairing) String() string { return p.dialer.Name() + " dials " + p.listener.Name() }

// pairings are all combinations; go-ethereum with itself is the control.
func pairings() []pairing {
	var out []pairing
	for _, d := range stack.All() {
		for _, l := range stack.All() {
			out = append(out, pairing{d, l})
		}
	}
	return out
}

// eachPairing runs a test for every combination of stacks.
func eachPairing(t *testing.T, f func(*testing.T, pairing)) {
	for _, p := range pairings() {
		t.Run(p.String(), func(t *testing.T) { f(t, p) })
	}
}

// eachStack runs a test for every stack.
func eachStack(t *testing.T, f func(*testing.T, stack.Stack)) {
	for _, s := range stack.All() {
		t.Run(s.Name(), func(t *testing.T) { f(t, s) })
	}
}

// serving is a protocol of version 1 with 8 messages.
func serving(name string, serve func(*stack.End) error) stack.Serving {
	return stack.Serving{Protocol: stack.Protocol{Name: name, Version: 1, Length: 8}, Serve: serve}
}

// startHost starts a node that the test's end stops.
func startHost(t *testing.T, s stack.Stack, c stack.Config, protos ...stack.Serving) *stack.Host {
	t.Helper()
	h, err := stack.NewHost(s, c, protos...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(h.Close)
	return h
}

// connect links two hosts over n protocols.
func connect(t *testing.T, dialer, listener *stack.Host, n int) *stack.Link {
	t.Helper()
	link, err := stack.Connect(dialer, listener, n, patience)
	if err != nil {
		t.Fatal(err)
	}
	return link
}

// awaitEvent returns the next event of a type; events of other types are passed over.
func awaitEvent(t *testing.T, h *stack.Host, typ string) stack.Event {
	t.Helper()
	timeout := time.After(patience)
	for {
		select {
		case e, ok := <-h.Events():
			if !ok {
				t.Fatalf("%s: no %q event before the node ended", h.Stack.Name(), typ)
			}
			if e.Type == typ {
				return e
			}
		case <-timeout:
			t.Fatalf("%s: no %q event", h.Stack.Name(), typ)
		}
	}
}

// returning makes a protocol's Run return what comes on End.Return, whatever serve is doing; serve goes on until the link's
// end lets it go.
func returning(serve func(*stack.End) error) func(*stack.End) error {
	return func(e *stack.End) error {
		done := make(chan error, 1)
		go func() { done <- serve(e) }()
		select {
		case err := <-done:
			return err
		case err := <-e.Return:
			return err
		}
	}
}

// await waits for the results of n goroutines and fails the test with the first error.
func await(t *testing.T, n int, results <-chan error) {
	t.Helper()
	timeout := time.After(patience)
	for range n {
		select {
		case err := <-results:
			if err != nil {
				t.Fatal(err)
			}
		case <-timeout:
			t.Fatal(errors.New("the test's goroutines do not end"))
		}
	}
}

// until waits for something that nobody tells of.
func until(t *testing.T, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !done(); <-time.After(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("it does not come about")
		}
	}
}
