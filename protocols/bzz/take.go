package bzz

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/sennit-net/sennit/protocols/bzz/chunk"
	"github.com/sennit-net/sennit/protocols/bzz/store"
	"github.com/sennit-net/sennit/protocols/bzz/wire"
)

// taken is a stream that we take from a peer. The chunks of one batch must have come before those of the next are asked
// for, and the peer offers the next at once; so there is one batch that is awaited and one that is held back.
type taken struct {
	// Static after construction.
	stream   wire.Stream
	priority int

	// Guarded by session.mu.
	missing  map[chunk.Address]struct{} // of the batch that is awaited
	deadline time.Time                  // for them
	held     *wire.OfferedHashes        // the next batch, nil if it has not been offered
	ended    bool                       // the peer has quit; what it may still offer means nothing

	// Guarded by session.mu, in the later dialect, where there is nothing to hold back: the next batch has to be asked for.
	id       uint64 // of the range that was asked for
	from, to uint64 // what is left of the stream; a to of 0 leaves the end open
	since    time.Time
}

// Errors that end a link.
var (
	errUnknownStream = errors.New("bzz: offer of a stream that was not subscribed to")
	errTwoOffers     = errors.New("bzz: offer before the one before was answered")
	errOfferRange    = errors.New("bzz: offer from a number to a lower one")
	errBatchTimeout  = fmt.Errorf("bzz: chunks that were offered did not come within %v", batchTimeout)
)

// handleRequestSubscription subscribes to what the peer would like to offer. A stream that we do not want, or have already,
// is not: an answer other than a subscription would end the link.
func (s *session) handleRequestSubscription(payload []byte) error {
	m, err := wire.ParseRequestSubscription(payload)
	if err != nil {
		return err
	}
	if m.Priority >= wire.Priorities {
		return fmt.Errorf("%w: %d", errPriority, m.Priority)
	}
	if bin, ok := m.Stream.Bin(); !ok || bin >= store.Bins || !m.Stream.Live || !s.node.cfg.syncs() {
		return nil
	}
	s.mu.Lock()
	wanted := s.takeLocked(m.Stream, int(m.Priority), m.Range != nil)
	s.mu.Unlock()
	if !wanted {
		return nil
	}
	return s.stream.push(int(m.Priority), wire.Subscribe(m))
}

// takeLocked registers a live stream, and its history. It returns false if it is taken already. A stream that had
// ended begins anew.
func (s *session) takeLocked(stream wire.Stream, priority int, history bool) bool {
	if t := s.taken[stream]; t != nil && !t.ended {
		return false
	}
	s.taken[stream] = &taken{stream: stream, priority: priority}
	if h := stream.History(); history {
		if old := s.taken[h]; old != nil {
			s.endLocked(old)
		}
		s.taken[h] = &taken{stream: h, priority: max(priority-1, 0)}
	}
	return true
}

// handleQuit ends a stream that the peer does not offer any more. One that we do not take is no reason to end the link.
func (s *session) handleQuit(payload []byte) error {
	m, err := wire.ParseQuit(payload)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if t := s.taken[m.Stream]; t != nil {
		s.endLocked(t)
	}
	return nil
}

// endLocked has a stream wait for nothing any more.
func (s *session) endLocked(t *taken) {
	for addr := range t.missing {
		s.unwantLocked(addr, t)
	}
	t.ended, t.missing, t.held = true, nil, nil
}

// unwantLocked notes that a stream does not wait for a chunk any more.
func (s *session) unwantLocked(addr chunk.Address, t *taken) {
	rest := s.wanted[addr][:0]
	for _, other := range s.wanted[addr] {
		if other != t {
			rest = append(rest, other)
		}
	}
	if len(rest) == 0 {
		delete(s.wanted, addr)
	} else {
		s.wanted[addr] = rest
	}
}

// handleOfferedHashes answers an offer, or holds it back while chunks of the one before are still to come.
func (s *session) handleOfferedHashes(payload []byte) error {
	m, err := wire.ParseOfferedHashes(payload)
	if err != nil {
		return err
	}
	if m.To < m.From || m.To == math.MaxUint64 {
		return fmt.Errorf("%w: %d to %d", errOfferRange, m.From, m.To)
	}
	m.Hashes = bytes.Clone(m.Hashes)
	s.mu.Lock()
	t := s.taken[m.Stream]
	switch {
	case t == nil:
		s.mu.Unlock()
		return fmt.Errorf("%w: %v", errUnknownStream, m.Stream)
	case t.ended:
		s.mu.Unlock()
		return nil
	case t.held != nil:
		s.mu.Unlock()
		return fmt.Errorf("%w: %v", errTwoOffers, m.Stream)
	case len(t.missing) > 0:
		t.held = &m
		s.mu.Unlock()
		return nil
	}
	s.mu.Unlock()
	return s.answerOffer(t, m)
}

// answerOffer asks for the chunks of an offer that we do not have, and for the next offer. It is called by the Run of
// stream alone, so nobody else answers the same stream meanwhile. A chunk that the peer was asked for in answer to another
// offer is awaited, but not asked for again.
func (s *session) answerOffer(t *taken, m wire.OfferedHashes) error {
	answer := wire.WantedHashes{Stream: m.Stream, Want: wire.NewBits(m.Len()), From: m.To + 1}
	if !m.Stream.Live {
		answer.To = math.MaxUint64
	}
	if err := s.lack(t, m.Hashes, answer.Want); err != nil {
		return err
	}
	return s.stream.push(t.priority, answer)
}

// lack notes which chunks of an offer a stream waits for, and puts those that have to be asked for into want.
func (s *session) lack(t *taken, hashes []byte, want wire.Bits) error {
	var lacking []int
	for i := range len(hashes) / chunk.AddressSize {
		has, err := s.node.cfg.Store.Has(s.ctx, hashAt(hashes, i))
		if err != nil {
			return fmt.Errorf("bzz: looking for an offered chunk: %w", err)
		}
		if !has {
			lacking = append(lacking, i)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if t.ended {
		return nil // meanwhile: it would never stop waiting
	}
	s.node.counts.wanted.Add(uint64(len(lacking)))
	t.missing, t.deadline = make(map[chunk.Address]struct{}, len(lacking)), time.Now().Add(batchTimeout)
	for _, i := range lacking {
		addr := hashAt(hashes, i)
		if _, twice := t.missing[addr]; twice {
			continue
		}
		t.missing[addr] = struct{}{}
		if len(s.wanted[addr]) == 0 {
			want.Set(i)
		}
		s.wanted[addr] = append(s.wanted[addr], t)
	}
	return nil
}

// hashAt returns the i-th of addresses that stand one after the other.
func hashAt(hashes []byte, i int) chunk.Address { return chunk.Address(hashes[i*chunk.AddressSize:]) }

// arrived notes that a chunk has come that was wanted. Where it was the last of its batch, the next one is gone on with.
func (s *session) arrived(addr chunk.Address) error {
	var complete []*taken
	s.mu.Lock()
	for _, t := range s.wanted[addr] {
		if delete(t.missing, addr); len(t.missing) == 0 {
			complete = append(complete, t)
		}
	}
	delete(s.wanted, addr)
	s.mu.Unlock()
	for _, t := range complete {
		if err := s.goOn(t); err != nil {
			return err
		}
	}
	return nil
}

// goOn answers the offer that was held back or, in the later dialect, asks for the next.
func (s *session) goOn(t *taken) error {
	if s.later {
		return s.nextRange(t)
	}
	s.mu.Lock()
	held := t.held
	t.held = nil
	s.mu.Unlock()
	if held == nil {
		return nil
	}
	return s.answerOffer(t, *held)
}

// checkBatches ends the links of peers that do not send what they have offered, and asks those again that do not offer.
func (n *Node) checkBatches(now time.Time) {
	n.mu.Lock()
	sessions := make([]*session, 0, len(n.sessions))
	for _, s := range n.sessions {
		sessions = append(sessions, s)
	}
	n.mu.Unlock()
	for _, s := range sessions {
		if s.isLate(now) {
			s.fail(errBatchTimeout)
		}
		s.failed(s.askStale(now))
	}
}

func (s *session) isLate(now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, t := range s.taken {
		if len(t.missing) > 0 && now.After(t.deadline) {
			return true
		}
	}
	return false
}
