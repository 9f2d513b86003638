package demo

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"github.com/sennit-net/sennit/p2p"
)

// Sizes of the messages' payloads in bytes.
const (
	echoSize  = 64
	bulkSize  = 1 << 20
	floodSize = 64
	stuckSize = 1 << 10
)

// Message codes of the echo; the other protocols have code 0 alone.
const (
	echoRequest = iota
	echoResponse
	echoLength
)

// errLinkEnded is the cause of an end that no one asked for.
var errLinkEnded = errors.New("the link ended")

// ErrOver is what the Run functions that [Stack.Connect] is given return when the demonstration has ended already. A link
// that ends for this reason at one end has another, earlier cause, which the other end may know.
var ErrOver = errors.New("the demonstration is over")

// strand is one of the protocols on the link. Its counters are added to by the Run functions and may be read at any time.
type strand struct {
	name           string
	length         uint64
	dialer         func(p2p.MsgReadWriter) error // what runs at the dialer's end
	listener       func(p2p.MsgReadWriter) error
	policy         p2p.OverloadPolicy // of the listener's end
	sent, received atomic.Uint64      // messages; of the echo, requests and answers
	bytes          atomic.Uint64      // received
}

// workload is the four protocols, from the start of one link to its end.
type workload struct {
	// Static after construction.
	ctx     context.Context // ends with the demonstration, or with the link and then with errLinkEnded as cause
	end     context.CancelCauseFunc
	strands []*strand
	running chan struct{} // takes one value from each Run function that has started

	// Written by the echo's dialer.
	rtt       histogram
	asked     atomic.Int64 // when the request that waits for its answer was sent, in Unix nanoseconds; 0: none waits
	lastReply atomic.Int64 // Unix nanoseconds; 0 if there was none
}

func newWorkload(ctx context.Context, stuck p2p.OverloadPolicy) *workload {
	w := new(workload)
	w.ctx, w.end = context.WithCancelCause(ctx)
	echo := &strand{name: "echo", length: echoLength}
	echo.dialer, echo.listener = w.ask(echo), answer
	w.strands = []*strand{
		echo,
		w.stream(&strand{name: "bulk"}, bulkSize),
		w.stream(&strand{name: "flood"}, floodSize),
		w.stream(&strand{name: "stuck", policy: stuck}, stuckSize),
	}
	w.strands[3].listener = w.neverRead
	w.running = make(chan struct{}, 2*len(w.strands))
	return w
}

// stream has the dialer send messages of the given size as fast as it can, and the listener read them.
func (w *workload) stream(s *strand, size int) *strand {
	s.length = 1
	s.dialer = func(rw p2p.MsgReadWriter) error {
		payload := noise(size)
		for w.ctx.Err() == nil {
			if err := send(rw, 0, payload); err != nil {
				return err
			}
			s.sent.Add(1)
		}
		return nil
	}
	s.listener = func(rw p2p.MsgReadWriter) error {
		for {
			msg, err := rw.ReadMsg()
			if err != nil {
				return err
			}
			if err := msg.Discard(); err != nil {
				return err
			}
			s.received.Add(1)
			s.bytes.Add(uint64(msg.Size))
		}
	}
	return s
}

// ask sends one request after the other, each when the answer to the one before has come.
func (w *workload) ask(s *strand) func(p2p.MsgReadWriter) error {
	return func(rw p2p.MsgReadWriter) error {
		payload := noise(echoSize)
		for w.ctx.Err() == nil {
			start := time.Now()
			w.asked.Store(start.UnixNano())
			if err := send(rw, echoRequest, payload); err != nil {
				return err
			}
			s.sent.Add(1)
			msg, err := rw.ReadMsg()
			if err != nil {
				return err
			}
			if err := msg.Discard(); err != nil {
				return err
			}
			now := time.Now()
			w.rtt.add(now.Sub(start))
			w.lastReply.Store(now.UnixNano())
			w.asked.Store(0)
			s.received.Add(1)
			s.bytes.Add(uint64(msg.Size))
		}
		return nil
	}
}

// answer sends every message back.
func answer(rw p2p.MsgReadWriter) error {
	for {
		msg, err := rw.ReadMsg()
		if err != nil {
			return err
		}
		if err := rw.WriteMsg(p2p.Msg{Code: echoResponse, Size: msg.Size, Payload: msg.Payload}); err != nil {
			return err
		}
	}
}

// neverRead is the protocol that hurts the others, if it can.
func (w *workload) neverRead(p2p.MsgReadWriter) error {
	<-w.ctx.Done()
	return nil
}

// protocols returns the protocols of the dialer's and of the listener's node.
func (w *workload) protocols() (dialer, listener []p2p.Protocol) {
	for _, s := range w.strands {
		p := p2p.Protocol{Name: s.name, Version: 1, Length: s.length}
		p.Run = w.watched(s.name+" of the dialer", s.dialer)
		dialer = append(dialer, p)
		p.Run, p.Overload = w.watched(s.name+" of the listener", s.listener), s.policy
		listener = append(listener, p)
	}
	return dialer, listener
}

// watched makes a Run function that tells when it starts, and ends the workload when it returns before its time.
func (w *workload) watched(name string, run func(p2p.MsgReadWriter) error) func(*p2p.Peer, p2p.MsgReadWriter) error {
	return func(_ *p2p.Peer, rw p2p.MsgReadWriter) error {
		select {
		case w.running <- struct{}{}:
		default: // a second link, which nobody waits for
		}
		err := run(rw)
		if err == nil {
			return ErrOver
		}
		w.end(fmt.Errorf("%w: %s: %v", errLinkEnded, name, err)) // a no-op after the end
		return err
	}
}

// await returns when all protocols run at both ends.
func (w *workload) await(limit time.Duration) error {
	timeout := time.NewTimer(limit)
	defer timeout.Stop()
	for n := range cap(w.running) {
		select {
		case <-w.running:
		case <-w.ctx.Done():
			return context.Cause(w.ctx)
		case <-timeout.C:
			return fmt.Errorf("no link after %v: %d of %d protocols run", limit, n, cap(w.running))
		}
	}
	return nil
}

func send(rw p2p.MsgWriter, code uint64, payload []byte) error {
	return rw.WriteMsg(p2p.Msg{Code: code, Size: uint32(len(payload)), Payload: bytes.NewReader(payload)})
}

// noise returns bytes that do not compress, so that the link carries what is counted.
func noise(n int) []byte {
	b := make([]byte, n)
	rng := rand.NewChaCha8([32]byte{'s', 'e', 'n', 'n', 'i', 't'})
	_, _ = rng.Read(b) // never fails
	return b
}
