package shh

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/ethereum/go-ethereum/rlp"

	"github.com/sennit-net/sennit/p2p"
)

const (
	// relayCycle is how long envelopes are gathered before more are sent to a peer.
	relayCycle = 300 * time.Millisecond

	// packetSize is how many bytes of envelopes go into one packet, if there is more than one, or fewer where the largest
	// message is smaller. go-ethereum disconnects whoever sends a packet larger than its largest message.
	packetSize = 256 << 10

	// stuckAfter is how long the end of a session waits for a message that is on its way.
	stuckAfter = time.Second
)

// relay tells the peer our status and then, every so often, what it does not have and wants, and what it alone is to get. It
// ends with the link or the session.
func (s *session) relay() {
	if s.write(statusCode, encodeStatus(s.w.ownStatus())) != nil {
		return
	}
	var (
		next uint64           // place in the pool
		turn time.Time        // when envelopes may be sent again
		due  <-chan time.Time // tells when, while there may be any; else nil
	)
	for {
		select {
		case <-s.wake:
			ready, err := s.tellSettings()
			if err != nil {
				return
			}
			if ready && due == nil {
				due = time.After(time.Until(turn))
			}
		case <-due:
			due = nil
			place, worked, err := s.relayFrom(next)
			if err != nil {
				return
			}
			if next = place; worked {
				turn = time.Now().Add(relayCycle)
			}
		case d := <-s.direct:
			err := s.write(directCode, d.envelope.Encoding())
			d.written <- err
			if err != nil {
				return
			}
		case <-s.done:
			return
		}
	}
}

// tellSettings sends what has changed. ready says whether the peer's status has arrived.
func (s *session) tellSettings() (ready bool, err error) {
	s.mu.Lock()
	work, bloom := s.pending[workCode], s.pending[bloomCode]
	clear(s.pending)
	ready = s.ready
	s.mu.Unlock()
	if work {
		err = s.write(workCode, encodeWork(s.w.MinWork()))
	}
	if bloom && err == nil {
		err = s.write(bloomCode, encodeBloom(s.w.Bloom()))
	}
	return ready, err
}

// relayFrom sends the peer what is in the pool from the given place on, and returns where to go on and whether that was
// work: it sent something, or looked through all of the pool once more.
func (s *session) relayFrom(from uint64) (next uint64, worked bool, err error) {
	next = from
	light, maxSize := s.w.Light(), s.w.MaxMessageSize()
	for {
		s.mu.Lock()
		a := appetite{wants: s.wants, counting: s.counting, maxSize: maxSize, light: light}
		if s.restart {
			s.restart, next, worked = false, 0, true
		}
		s.mu.Unlock()
		b := s.w.pool.collect(s.number, next, min(packetSize, maxSize-listHeadMax), &a, time.Now())
		next = b.next
		if len(b.raw) == 0 {
			return next, worked, nil
		}
		if err := s.writeBatch(b); err != nil {
			return next, worked, err
		}
		worked = true
		s.w.pool.sent(b, s.number)
		s.w.counts.sent.Add(uint64(len(b.raw)))
	}
}

// appetite says which envelopes a peer is sent.
type appetite struct {
	wants    status
	counting counting
	maxSize  int  // of a packet
	light    bool // this node sends its own envelopes alone
}

func (a *appetite) takes(e *entry) bool {
	return (e.own || !a.light) && packetOf(len(e.env.raw)) <= a.maxSize && a.wants.bloom.Passes(e.env.Topic) &&
		a.counting.satisfied(e.work.Reaching(a.wants.minWork))
}

// packetOf returns the size of a packet with envelopes of that size. A peer's largest packet is as large as its largest
// message, of which only the data is counted; so the very largest messages fit into no packet. We take the peer's setting to
// be ours.
func packetOf(size int) int { return int(rlp.ListSize(uint64(size))) }

// writeBatch sends a list of envelopes without copying them.
func (s *session) writeBatch(b batch) error {
	head := appendListHead(nil, b.size)
	parts := append(net.Buffers{head}, b.raw...)
	return s.rw.WriteMsg(p2p.Msg{Code: messagesCode, Size: uint32(len(head) + b.size), Payload: &parts})
}

func (s *session) write(code uint64, payload []byte) error {
	return s.rw.WriteMsg(p2p.Msg{Code: code, Size: uint32(len(payload)), Payload: bytes.NewReader(payload)})
}

// finish ends the relay and waits for it. If the peer does not read what is on its way, the link has to end for that.
func (s *session) finish(relayed <-chan struct{}) {
	s.stopRelay()
	select {
	case <-relayed:
		return
	case <-time.After(stuckAfter):
	}
	s.peer.Disconnect(p2p.DiscSubprotocolError)
	<-relayed
}

// direct is an envelope that one peer alone is to get.
type direct struct {
	envelope *Envelope
	written  chan error // of size 1
}

var errSessionOver = errors.New("the Whisper session has ended")

// sendDirect sends the peer an envelope that it will not relay.
func (s *session) sendDirect(ctx context.Context, e *Envelope) error {
	s.mu.Lock()
	ready, muted := s.ready, s.muted
	s.mu.Unlock()
	switch {
	case muted != nil:
		return fmt.Errorf("%w: %w", errSessionOver, muted)
	case !ready:
		return fmt.Errorf("peer %v has not sent its status yet", s.peer)
	}
	d := direct{e, make(chan error, 1)}
	select {
	case s.direct <- d:
	case <-s.done:
		return errSessionOver
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	select {
	case err := <-d.written:
		return err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
