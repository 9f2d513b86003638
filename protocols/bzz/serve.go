package bzz

import (
	"context"
	"errors"
	"fmt"
	"math"

	"github.com/sennit-net/sennit/protocols/bzz/chunk"
	"github.com/sennit-net/sennit/protocols/bzz/store"
	"github.com/sennit-net/sennit/protocols/bzz/wire"
)

// served is a stream that a peer takes from us: one bin of the store, either what it holds or what comes in.
type served struct {
	// Static after construction.
	stream   wire.Stream
	bin      int
	priority int
	end      uint64 // the last number of history; math.MaxUint64 for a live stream
	batch    int    // hashes in an offer at most
	cancel   context.CancelFunc
	answers  chan answer   // holds one; filled only while offered is set
	resume   chan struct{} // holds a token when the stream may not be paused any more

	// Guarded by session.mu.
	offered int  // hashes in the offer that has not been answered; 0 for none
	paused  bool // make no more offers for the time being
}

// answer is what a peer wants of an offer.
type answer struct {
	want     wire.Bits
	from, to uint64 // what to offer next
}

// Errors that end a link.
var (
	errNoOffer   = errors.New("bzz: answer to an offer that was not made")
	errBits      = errors.New("bzz: answer to an offer of another length")
	errPriority  = errors.New("bzz: no such priority")
	errChunkGone = errors.New("bzz: a chunk that was offered is gone")
)

// handleSubscribe starts to offer a stream. Streams that there are not, or that the peer has already, are refused with a
// message, which ends the link from the other side.
func (s *session) handleSubscribe(payload []byte) error {
	m, err := wire.ParseSubscribe(payload)
	if err != nil {
		return err
	}
	if m.Priority >= wire.Priorities {
		return fmt.Errorf("%w: %d", errPriority, m.Priority)
	}
	if err := s.subscribe(m); err != nil {
		s.node.log.Debug("subscription is refused", "peer", s.peer.ID(), "stream", m.Stream, "err", err)
		return s.stream.push(wire.PriorityTop, wire.SubscribeError{Text: err.Error()})
	}
	return nil
}

func (s *session) subscribe(m wire.Subscribe) error {
	bin, isBin := m.Stream.Bin()
	switch {
	case m.Stream.Name == wire.RetrieveStream && m.Stream.Key == "" && !s.node.cfg.Light:
		if s.mayRetrieve {
			return fmt.Errorf("stream %v already registered", m.Stream)
		}
		s.mayRetrieve = true
		return nil
	case !isBin || !s.node.cfg.syncs() || bin >= store.Bins:
		return fmt.Errorf("stream %v not registered", m.Stream)
	}
	if !m.Stream.Live {
		r := wire.Range{}
		if m.Range != nil {
			r = *m.Range
		}
		return s.serveHistory(m.Stream, bin, int(m.Priority), r)
	}
	cursor := s.node.cfg.Store.Cursor(bin)
	live := &served{stream: m.Stream, bin: bin, priority: int(m.Priority), end: math.MaxUint64, batch: offerSize}
	if err := s.startServing(live, cursor+1, math.MaxUint64); err != nil || m.Range == nil {
		return err
	}
	r := *m.Range
	if r.To == 0 || r.To > cursor {
		r.To = cursor
	}
	return s.serveHistory(m.Stream.History(), bin, max(int(m.Priority)-1, 0), r)
}

func (s *session) serveHistory(stream wire.Stream, bin, priority int, r wire.Range) error {
	end := s.node.cfg.Store.Cursor(bin)
	if r.To == 0 || r.To > end {
		r.To = end
	}
	return s.startServing(&served{stream: stream, bin: bin, priority: priority, end: r.To, batch: offerSize}, r.From, r.To)
}

// startServing registers a stream and has it offered from a number to another.
func (s *session) startServing(v *served, from, to uint64) error {
	ctx, cancel := context.WithCancel(s.ctx)
	v.cancel, v.answers, v.resume = cancel, make(chan answer, 1), make(chan struct{}, 1)
	s.mu.Lock()
	if s.served[v.stream] != nil {
		s.mu.Unlock()
		cancel()
		return fmt.Errorf("stream %v already registered", v.stream)
	}
	s.served[v.stream] = v
	s.mu.Unlock()
	s.node.spawn(func() {
		defer cancel()
		s.failed(s.offer(ctx, v, from, to))
	})
	return nil
}

// offer offers the chunks of a stream, batch by batch, and sends those that are wanted. It returns when the stream ends;
// history ends when all of it has been offered.
func (s *session) offer(ctx context.Context, v *served, from, to uint64) error {
	for {
		entries, err := s.collect(ctx, v, from, to)
		if err != nil || len(entries) == 0 {
			return err
		}
		m := wire.OfferedHashes{Stream: v.stream, From: from, To: entries[len(entries)-1].ID}
		for _, e := range entries {
			m.Hashes = append(m.Hashes, e.Address[:]...)
		}
		if !s.beginOffer(v, len(entries)) {
			select {
			case <-v.resume:
				continue // with what has come meanwhile
			case <-ctx.Done():
				return nil
			}
		}
		if err := s.stream.push(v.priority, m); err != nil {
			return err
		}
		s.node.counts.offered.Add(uint64(len(entries)))
		var a answer
		select {
		case a = <-v.answers:
		case <-ctx.Done():
			return nil
		}
		for i, e := range entries {
			if !a.want.Has(i) {
				continue
			}
			s.node.touch(e.Address)
			if err := s.stream.pushChunk(v.priority, wire.CodeDeliverySyncing, e.Address, 0); err != nil {
				return err
			}
		}
		s.answered(v.bin, m.To, entries[len(entries)-1].Address)
		from, to = a.from, a.to
	}
}

// beginOffer notes that an offer of n hashes is made, unless the stream is paused.
func (s *session) beginOffer(v *served, n int) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if v.paused {
		return false
	}
	v.offered = n
	return true
}

// pause has a stream make no more offers, or make them again, and reports whether the peer takes the stream.
func (s *session) pause(stream wire.Stream, paused bool) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	v := s.served[stream]
	if v == nil {
		return false
	}
	v.paused = paused
	if !paused {
		poke(v.resume)
	}
	return true
}

// collect returns the next chunks of a stream from a number to another, where 0 is as far as there is. For a live stream
// it waits until there is one; without any error it returns none when the stream ends.
func (s *session) collect(ctx context.Context, v *served, from, to uint64) ([]store.Entry, error) {
	if to == 0 || to > v.end {
		to = v.end
	}
	chunks := s.node.cfg.Store
	for from <= to {
		changed := chunks.Changed(v.bin)
		entries, err := chunks.Range(v.bin, from, to, v.batch)
		if err != nil {
			s.node.log.Warn("chunks to offer cannot be listed", "bin", v.bin, "err", err)
			return nil, nil
		}
		if len(entries) > 0 || !v.stream.Live {
			return entries, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, nil
		}
	}
	return nil, nil
}

// handleWantedHashes hands an answer to the stream it is for.
func (s *session) handleWantedHashes(payload []byte) error {
	m, err := wire.ParseWantedHashes(payload)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	v := s.served[m.Stream]
	switch {
	case v == nil:
		return nil // the stream has been ended, and the peer did not know yet
	case v.offered == 0:
		return fmt.Errorf("%w: %v", errNoOffer, m.Stream)
	case !m.Want.Fit(v.offered):
		return fmt.Errorf("%w: %d bytes for %d hashes of %v", errBits, len(m.Want), v.offered, m.Stream)
	}
	v.offered = 0
	v.answers <- answer{append(wire.Bits(nil), m.Want...), m.From, m.To} // has room: offered was set
	return nil
}

// handleUnsubscribe ends a stream that the peer takes. One that it does not take is no reason to end the link.
func (s *session) handleUnsubscribe(payload []byte) error {
	m, err := wire.ParseUnsubscribe(payload)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if v := s.served[m.Stream]; v != nil {
		v.cancel()
		delete(s.served, m.Stream)
	}
	return nil
}

// touch has the store keep a chunk that a peer waits for. Its turn to be sent may take minutes to come, and what a full store
// offers of its history first is what would leave it next.
func (n *Node) touch(addr chunk.Address) {
	if t, ok := n.cfg.Store.(interface{ Touch(chunk.Address) }); ok {
		t.Touch(addr)
	}
}

// loadChunk makes a message of a chunk whose turn to be sent has come. A chunk that has left the store meanwhile is left
// out; if it had been offered, the link ends. There is no message that takes an offer back, and without the chunk 0.5.8 ends the
// link itself after 20 s, while 1.8.27 keeps it and never asks for anything more of the stream, as a test against both showed. A
// link that begins anew is offered what there is then.
func (s *session) loadChunk(ctx context.Context, q queued) ([]byte, error) {
	syncing := q.code == wire.CodeDeliverySyncing
	c, err := s.load(ctx, q.addr, syncing)
	if err != nil || c.IsZero() {
		return nil, err
	}
	return wire.Append(nil, wire.Delivery{Addr: c.Address(), Data: c.Data(), Syncing: syncing}), nil
}

// load returns a chunk that is to be sent, or none and no error if it is to be left out.
func (s *session) load(ctx context.Context, addr chunk.Address, offered bool) (chunk.Chunk, error) {
	c, err := s.node.cfg.Store.Get(ctx, addr)
	switch {
	case err == nil && offered:
		s.node.counts.synced.Add(1)
	case err == nil:
		s.node.counts.served.Add(1)
	case offered && ctx.Err() == nil:
		return chunk.Chunk{}, fmt.Errorf("%w: %v: %w", errChunkGone, addr, err)
	default:
		return chunk.Chunk{}, nil
	}
	return c, nil
}
