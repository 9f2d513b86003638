package bzz

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"time"

	"github.com/sennit-net/sennit/p2p"
	"github.com/sennit-net/sennit/protocols/bzz/chunk"
	"github.com/sennit-net/sennit/protocols/bzz/store"
	"github.com/sennit-net/sennit/protocols/bzz/wire"
)

// pullHandlers handle the messages of bzz-stream by code.
var pullHandlers = []handler{
	wire.CodeStreamInfoReq: (*session).handleStreamInfoReq,
	wire.CodeStreamInfoRes: (*session).handleStreamInfoRes,
	wire.CodeGetRange:      (*session).handleGetRange,
	wire.CodePullOffer:     (*session).handlePullOffer,
	wire.CodePullDelivery:  (*session).handlePullDelivery,
	wire.CodePullWanted:    (*session).handlePullWanted,
}

// Errors that end a link.
var (
	errTooManyRanges = fmt.Errorf("bzz: more than %d ranges asked for at a time", maxRanges)
	errRangeTwice    = errors.New("bzz: a range was asked for with the id of another")
)

// pullBatch is how many hashes are asked for at a time.
const pullBatch = 64

// runPull is the protocol bzz-stream of the later dialect: chunks that a peer has, range by range. Who wants them asks, and
// knows how far it has come.
func (s *session) runPull(rw p2p.MsgReadWriter) error {
	if err := s.await(); err != nil {
		return err
	}
	if !s.later {
		return idle(rw)
	}
	s.node.spawn(func() { s.failed(s.stream.run(s.ctx, rw, s.loadPulled)) })
	s.node.sync(s)
	return s.handle(rw, "bzz-stream", pullHandlers)
}

// changePulls asks how far some bins have come, to pull them, and pulls others no more.
func (s *session) changePulls(begin, end []int) error {
	var m wire.StreamInfoReq
	s.mu.Lock()
	for _, bin := range end {
		delete(s.infos, bin)
		for _, stream := range []wire.Stream{wire.SyncBin(bin), wire.SyncBin(bin).History()} {
			if t := s.taken[stream]; t != nil {
				s.endLocked(t)
				delete(s.taken, stream)
				delete(s.pulled, t.id)
			}
		}
	}
	for _, bin := range begin {
		s.infos[bin] = true
		m.Streams = append(m.Streams, wire.SyncBin(bin))
	}
	s.mu.Unlock()
	if len(m.Streams) == 0 {
		return nil
	}
	return s.stream.push(wire.PriorityHigh, m)
}

// handleStreamInfoReq says how far bins have come. Streams that there are not are left out.
func (s *session) handleStreamInfoReq(payload []byte) error {
	req, err := wire.ParseStreamInfoReq(payload)
	if err != nil {
		return err
	}
	var res wire.StreamInfoRes
	for _, stream := range req.Streams {
		if bin, ok := stream.Bin(); ok && bin < store.Bins {
			res.Streams = append(res.Streams, wire.StreamInfo{Stream: stream, Cursor: s.node.cfg.Store.Cursor(bin)})
		}
	}
	return s.stream.push(wire.PriorityHigh, res)
}

// handleStreamInfoRes begins to pull the bins that were asked about: what there is, and what comes in.
func (s *session) handleStreamInfoRes(payload []byte) error {
	m, err := wire.ParseStreamInfoRes(payload)
	if err != nil {
		return err
	}
	if len(m.Streams) == 2 && m.Streams[0].Stream == m.Streams[1].Stream {
		s.receiptFor(chunk.Address{})
		return nil
	}
	var begin []*taken
	s.mu.Lock()
	for _, info := range m.Streams {
		bin, ok := info.Stream.Bin()
		if !ok || !s.infos[bin] || info.Cursor == math.MaxUint64 {
			continue
		}
		delete(s.infos, bin)
		live := &taken{stream: wire.SyncBin(bin), priority: wire.PriorityHigh, from: info.Cursor + 1}
		history := &taken{stream: wire.SyncBin(bin).History(), priority: wire.PriorityMid, from: 1, to: info.Cursor}
		if !info.Bounded {
			begin = append(begin, live)
		}
		if info.Cursor > 0 {
			begin = append(begin, history)
		}
	}
	for _, t := range begin {
		s.taken[t.stream] = t
	}
	s.mu.Unlock()
	for _, t := range begin {
		if err := s.nextRange(t); err != nil {
			return err
		}
	}
	return nil
}

// nextRange asks for what is left of a stream; if nothing is, the stream has ended.
func (s *session) nextRange(t *taken) error {
	s.mu.Lock()
	delete(s.pulled, t.id)
	if t.ended || t.to != 0 && t.from > t.to {
		t.ended = true
		s.mu.Unlock()
		return nil
	}
	t.id, t.since = uint64(rand.Uint32()), time.Now()
	s.pulled[t.id] = t
	m := wire.GetRange{ID: t.id, Stream: t.stream, From: t.from, To: t.to, Batch: pullBatch}
	s.mu.Unlock()
	return s.stream.push(t.priority, m)
}

// A range without an end may wait for an offer for staleRanges times Config.SyncDelay, but at least minStale, before it is
// asked for again. Swarm 0.5.8 at times forgets one that was asked for while its store was busy, and offers nothing of that
// bin any more. To ask again within a few seconds is wrong: it lets chunks gather for 2 s before it makes an offer.
const (
	staleRanges = 20
	minStale    = 30 * time.Second
)

// askStale asks again for what comes in where nothing has for a long time.
func (s *session) askStale(now time.Time) error {
	var stale []*taken
	patience := max(staleRanges*s.node.cfg.SyncDelay, minStale)
	s.mu.Lock()
	for id, t := range s.pulled {
		if t.to == 0 && now.Sub(t.since) > patience {
			delete(s.pulled, id)
			stale = append(stale, t)
		}
	}
	s.mu.Unlock()
	for _, t := range stale {
		if err := s.nextRange(t); err != nil {
			return err
		}
	}
	return nil
}

// handlePullOffer asks for the chunks of an offer that we do not have; of an offer that was not asked for, or not any more,
// for none. An offer of nothing has no answer: who has made it has forgotten it.
func (s *session) handlePullOffer(payload []byte) error {
	m, err := wire.ParsePullOffer(payload)
	if err != nil {
		return err
	}
	s.mu.Lock()
	t := s.pulled[m.ID]
	if t == nil {
		s.mu.Unlock()
		if len(m.Hashes) == 0 {
			return nil
		}
		return s.stream.push(wire.PriorityMid, wire.PullWanted{ID: m.ID})
	}
	delete(s.pulled, m.ID) // it is answered once
	if m.Last < t.from && len(m.Hashes) > 0 || m.Last == math.MaxUint64 {
		s.mu.Unlock()
		return fmt.Errorf("%w: %d to %d", errOfferRange, t.from, m.Last)
	}
	switch {
	case len(m.Hashes) > 0:
		t.from = m.Last + 1
	case t.to != 0:
		t.from = t.to + 1 // there is nothing left
	}
	s.mu.Unlock()
	n := len(m.Hashes) / 32
	answer := wire.PullWanted{ID: m.ID, Want: make(wire.Bits, (n+7)/8)}
	if n > 0 {
		if err := s.lack(t, m.Hashes, answer.Want); err != nil {
			return err
		}
		if err := s.stream.push(t.priority, answer); err != nil {
			return err
		}
	}
	s.mu.Lock()
	complete := len(t.missing) == 0
	s.mu.Unlock()
	if !complete {
		return nil
	}
	return s.nextRange(t)
}

// handlePullDelivery takes chunks of an offer.
func (s *session) handlePullDelivery(payload []byte) error {
	m, err := wire.ParsePullDelivery(payload)
	if err != nil {
		return err
	}
	for _, c := range m.Chunks {
		if err := s.receive(c.Addr, c.Data); err != nil {
			return err
		}
	}
	return nil
}

// handleGetRange has a range offered.
func (s *session) handleGetRange(payload []byte) error {
	m, err := wire.ParseGetRange(payload)
	if err != nil {
		return err
	}
	bin, ok := m.Stream.Bin()
	if !ok || bin >= store.Bins || m.Batch == 0 {
		return fmt.Errorf("bzz: range of %d hashes of a stream that there is not: %q %q", m.Batch, m.Stream.Name, m.Stream.Key)
	}
	ctx, cancel := context.WithCancel(s.ctx)
	v := &served{
		stream: m.Stream, bin: bin, priority: wire.PriorityMid, end: math.MaxUint64, batch: int(min(m.Batch, offerSize)), cancel: cancel,
		answers: make(chan answer, 1),
	}
	if m.To == 0 {
		v.stream.Live, v.priority = true, wire.PriorityHigh
	}
	s.mu.Lock()
	switch {
	case s.ranges[m.ID] != nil:
		err = fmt.Errorf("%w: %d", errRangeTwice, m.ID)
	case len(s.ranges) >= maxRanges:
		err = errTooManyRanges
	default:
		s.supersedeLocked(v)
		s.ranges[m.ID] = v
	}
	s.mu.Unlock()
	if err != nil {
		cancel()
		return err
	}
	s.node.spawn(func() {
		defer cancel()
		s.failed(s.offerRange(ctx, v, m))
	})
	return nil
}

// supersedeLocked ends a range without an end that waits for the same chunks as v, which was asked for later.
func (s *session) supersedeLocked(v *served) {
	for id, other := range s.ranges {
		if v.stream.Live && other.stream == v.stream && other.offered == 0 {
			other.cancel()
			delete(s.ranges, id)
		}
	}
}

// offerRange makes one offer and sends what is wanted of it.
func (s *session) offerRange(ctx context.Context, v *served, m wire.GetRange) error {
	defer func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.ranges[m.ID] == v {
			delete(s.ranges, m.ID)
		}
	}()
	entries, err := s.collect(ctx, v, m.From, m.To)
	if err != nil || ctx.Err() != nil {
		return err
	}
	offer := wire.PullOffer{ID: m.ID, Last: m.To}
	for _, e := range entries {
		offer.Hashes = append(offer.Hashes, e.Address[:]...)
		offer.Last = e.ID
	}
	s.mu.Lock()
	superseded := s.ranges[m.ID] != v
	v.offered = len(entries)
	if len(entries) == 0 && !superseded {
		s.empty++
	}
	s.mu.Unlock()
	if superseded {
		return nil
	}
	if err := s.stream.push(v.priority, offer); err != nil || len(entries) == 0 {
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
		if len(a.want) == 0 || !a.want.Has(i) {
			continue
		}
		s.node.touch(e.Address)
		if err := s.stream.pushChunk(v.priority, wire.CodePullDelivery, e.Address, m.ID); err != nil {
			return err
		}
	}
	s.answered(v.bin, offer.Last, entries[len(entries)-1].Address)
	return nil
}

// handlePullWanted hands an answer to the offer it is for. Offers of nothing are answered by some; nobody waits for that.
func (s *session) handlePullWanted(payload []byte) error {
	m, err := wire.ParsePullWanted(payload)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	v := s.ranges[m.ID]
	switch {
	case (v == nil || v.offered == 0) && len(m.Want) == 0 && s.empty > 0:
		s.empty-- // there is nothing to send
		return nil
	case v == nil || v.offered == 0:
		return fmt.Errorf("%w: %d", errNoOffer, m.ID)
	case len(m.Want) > 0 && !m.Want.Fit(v.offered):
		return fmt.Errorf("%w: %d bytes for %d hashes", errBits, len(m.Want), v.offered)
	}
	v.offered = 0
	v.answers <- answer{want: append(wire.Bits(nil), m.Want...)} // has room: offered was set
	return nil
}

// loadPulled makes a message of a chunk that was wanted of an offer.
func (s *session) loadPulled(ctx context.Context, q queued) ([]byte, error) {
	c, err := s.load(ctx, q.addr, true)
	if err != nil || c.IsZero() {
		return nil, err
	}
	return wire.AppendLater(nil, wire.PullDelivery{ID: q.id, Chunks: []wire.Delivered{{Addr: q.addr, Data: c.Data()}}}), nil
}
