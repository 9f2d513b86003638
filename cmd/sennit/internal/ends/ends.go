// Package ends keeps why the links of a node ended that a command has started for itself, so that the command can say so when
// nothing comes of them.
package ends

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"github.com/ethereum/go-ethereum/p2p/enode"

	"github.com/sennit-net/sennit/trace"
)

// Ends is a recorder for a server that keeps the causes of ends, of links or on the way to one. It is made with [New] and safe
// for concurrent use.
type Ends struct {
	// Static after construction.
	enough int
	done   chan struct{}

	mu          sync.Mutex // guards what follows
	n           int
	first, last error
	closed      int              // links that there had been
	cause       error            // of the last of them
	by          map[enode.ID]int // number of the last end of a node: as many as the command dials
}

// New returns a recorder that is done after so many ends, 1 or more.
func New(enough int) *Ends {
	return &Ends{enough: enough, done: make(chan struct{}), by: make(map[enode.ID]int)}
}

// Record keeps the cause of an end.
func (e *Ends) Record(event trace.Event) {
	switch event := event.(type) {
	case *trace.LinkRefused:
		e.end(event.Link.Peer, fmt.Errorf("%s: %w", event.Stage, event.Err), false)
	case *trace.LinkClosed:
		e.end(event.Link.Peer, fmt.Errorf("the link ended, by the %v side: %w", event.Side, event.Cause), true)
	}
}

func (e *Ends) end(peer enode.ID, err error, closed bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.n++; e.n == 1 {
		e.first = err
	}
	e.last = err
	if closed {
		e.closed++
		e.cause = err
	}
	e.by[peer] = e.n
	if e.n == e.enough {
		close(e.done)
	}
}

// Done returns a channel that is closed when there were enough ends.
func (e *Ends) Done() <-chan struct{} { return e.done }

// First returns the cause of the first end; nil if there was none.
func (e *Ends) First() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.first
}

// Last returns how many ends there were, and the cause of the last; nil if there was none.
func (e *Ends) Last() (int, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.n, e.last
}

// Closed returns how many links ended that there had been, and the cause of the last; nil if there was none.
func (e *Ends) Closed() (int, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.closed, e.cause
}

// Each reports whether each of the nodes had an end after the first n.
func (e *Ends) Each(nodes []*enode.Node, n int) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return !slices.ContainsFunc(nodes, func(node *enode.Node) bool { return e.by[node.ID()] <= n })
}

// Tell hands the cause of the first end on when there were enough; the function it returns ends that, and waits for it.
func (e *Ends) Tell(to context.CancelCauseFunc) (stop func()) {
	quit, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		select {
		case <-e.done:
			to(e.First())
		case <-quit:
		}
	}()
	return func() {
		close(quit)
		<-stopped
	}
}
