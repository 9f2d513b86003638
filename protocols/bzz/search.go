package bzz

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/sennit-net/sennit/protocols/bzz/chunk"
	"github.com/sennit-net/sennit/protocols/bzz/wire"
)

// search looks for one chunk, however many want it. All fields are guarded by node.mu.
type search struct {
	addr    chunk.Address
	hops    uint8
	asked   map[*session]time.Time
	last    *session  // whom we asked last
	nextAt  time.Time // when to ask the next
	callers int       // of Get, who wait for done
	peers   []waiter  // who want it sent
	until   time.Time // how long to look on behalf of peers
	done    chan struct{}
	found   chunk.Chunk // set before done is closed
}

// waiter is a peer that wants a chunk, and the id of its request in the later dialect.
type waiter struct {
	s  *session
	id uint64
}

// send queues a chunk of the store for the peer.
func (w waiter) send(addr chunk.Address) error {
	if w.s.later {
		return w.s.chunks.pushAnswer(wire.CodeLaterDelivery, addr, w.id, laterGrace)
	}
	return w.s.chunks.pushChunk(wire.PriorityTop, wire.CodeDeliveryRetrieval, addr, 0)
}

// ErrBusy is returned by Get when too many chunks are being looked for already.
var ErrBusy = errors.New("bzz: too many searches")

// Get returns a chunk from the store or else from the network, where it is looked for until the context ends or
// [Config.SearchTimeout] has passed. A chunk from the network has been verified and goes into the store. The error is
// [ErrNotFound] if nobody has sent it, [ErrBusy], [ErrStopped], the context's, or one of the store.
func (n *Node) Get(ctx context.Context, addr chunk.Address) (chunk.Chunk, error) {
	c, err := n.cfg.Store.Get(ctx, addr)
	if err == nil || !errors.Is(err, ErrNotFound) {
		return c, err
	}
	n.mu.Lock()
	f := n.searchLocked(addr)
	if f == nil {
		err := ErrBusy
		if n.stopped {
			err = ErrStopped
		}
		n.mu.Unlock()
		return chunk.Chunk{}, err
	}
	f.callers++
	f.hops = 0
	n.mu.Unlock()
	// It may have come before the search began.
	if c, err := n.cfg.Store.Get(ctx, addr); err == nil {
		n.finish(c)
	} else {
		n.step(f)
	}
	return n.await(ctx, f)
}

// await waits for a search to succeed, on behalf of one caller.
func (n *Node) await(ctx context.Context, f *search) (chunk.Chunk, error) {
	timer := time.NewTimer(n.cfg.SearchTimeout)
	defer timer.Stop()
	select {
	case <-f.done:
		n.leaveSearch(f)
		return f.found, nil
	case <-ctx.Done():
		n.leaveSearch(f)
		return chunk.Chunk{}, ctx.Err()
	case <-timer.C:
		asked := n.leaveSearch(f)
		return chunk.Chunk{}, fmt.Errorf("%w: %v, %d peers asked", ErrNotFound, f.addr, asked)
	case <-n.ctx.Done():
		n.leaveSearch(f)
		return chunk.Chunk{}, ErrStopped
	}
}

// Put keeps a chunk in the store, from where syncing carries it to the neighbours it belongs to. Errors are the store's.
func (n *Node) Put(ctx context.Context, c chunk.Chunk) error {
	_, err := n.cfg.Store.Put(ctx, c)
	if err == nil {
		n.finish(c)
	}
	return err
}

// searchLocked returns the search for a chunk, which it makes if there is room; else nil.
func (n *Node) searchLocked(addr chunk.Address) *search {
	if f := n.searches[addr]; f != nil {
		return f
	}
	if len(n.searches) >= maxSearches || n.stopped {
		return nil
	}
	f := &search{addr: addr, hops: maxHops, asked: make(map[*session]time.Time), done: make(chan struct{})}
	n.searches[addr] = f
	poke(n.search)
	return f
}

// leaveSearch notes that a caller waits no longer, and returns how many peers were asked.
func (n *Node) leaveSearch(f *search) int {
	n.mu.Lock()
	defer n.mu.Unlock()
	f.callers--
	if f.callers == 0 && len(f.peers) == 0 && n.searches[f.addr] == f {
		delete(n.searches, f.addr)
	}
	return len(f.asked)
}

// handleRetrieveRequest sends a chunk, or looks for it. Whether the peer would rather have it offered first is not looked
// at: it takes it either way. There is no answer if it cannot be found.
func (s *session) handleRetrieveRequest(payload []byte) error {
	m, err := wire.ParseRetrieveRequest(payload)
	if err != nil {
		return err
	}
	return s.node.answer(waiter{s: s}, m.Addr, m.Hops)
}

// answer sends a chunk to a peer, or looks for it.
func (n *Node) answer(w waiter, addr chunk.Address, hops uint8) error {
	n.counts.requests.Add(1)
	if n.cfg.Light {
		return nil
	}
	has, err := n.cfg.Store.Has(w.s.ctx, addr)
	if err != nil {
		n.log.Warn("store fails", "err", err)
		return nil
	}
	if has {
		return w.send(addr)
	}
	if hops >= maxHops {
		return nil
	}
	if f := n.forward(w, addr, hops); f != nil {
		n.step(f)
	}
	return nil
}

// forward has a chunk looked for on a peer's behalf. It returns nil if it is already, or cannot be.
func (n *Node) forward(w waiter, addr chunk.Address, hops uint8) *search {
	n.mu.Lock()
	defer n.mu.Unlock()
	f := n.searches[addr]
	if f != nil {
		for i := range f.peers {
			if f.peers[i].s == w.s {
				f.peers[i] = w
				f.until = time.Now().Add(n.cfg.SearchTimeout)
				return nil
			}
		}
	}
	if w.s.forwards >= maxForwards || f == nil && len(n.searches) >= maxSearches-maxSearches/4 {
		n.counts.unforwarded.Add(1)
		return nil
	}
	f = n.searchLocked(addr)
	if f == nil {
		n.counts.unforwarded.Add(1)
		return nil
	}
	w.s.forwards++
	f.peers = append(f.peers, w)
	f.hops = min(f.hops, hops+1)
	f.until = time.Now().Add(n.cfg.SearchTimeout)
	return f
}

// step asks the next peer if the time has come.
func (n *Node) step(f *search) {
	now := time.Now()
	n.mu.Lock()
	if n.searches[f.addr] != f || now.Before(f.nextAt) {
		n.mu.Unlock()
		return
	}
	f.nextAt = now.Add(searchStep)
	s := n.nearestLocked(f, now)
	if s == nil {
		n.mu.Unlock()
		return
	}
	f.asked[s], f.last = now, s
	var m wire.Message = wire.RetrieveRequest{Addr: f.addr, SkipCheck: true, Hops: f.hops}
	if s.later {
		m = wire.LaterRetrieveRequest{ID: uint64(rand.Uint32()), Addr: f.addr}
	}
	n.mu.Unlock()
	n.counts.asked.Add(1)
	s.failed(s.chunks.push(wire.PriorityTop, m))
}

// nearestLocked returns the peer nearest to the chunk that keeps chunks, does not want this one itself and was not asked
// for it lately.
func (n *Node) nearestLocked(f *search, now time.Time) (best *session) {
	var least chunk.Address
next:
	for _, s := range n.sessions {
		if !s.serving || s.remote.Light {
			continue
		}
		if at, ok := f.asked[s]; ok && now.Sub(at) < askAgain {
			continue
		}
		for _, x := range f.peers {
			if x.s == s {
				continue next
			}
		}
		var distance chunk.Address
		for i := range distance {
			distance[i] = f.addr[i] ^ s.remote.Addr.Overlay[i]
		}
		if best == nil || bytes.Compare(distance[:], least[:]) < 0 {
			best, least = s, distance
		}
	}
	return best
}

// hurryLocked makes the searches due that wait for s, or those that wait for nobody if s is nil.
func (n *Node) hurryLocked(s *session) {
	for _, f := range n.searches {
		if f.last == s {
			f.nextAt = time.Time{}
		}
	}
}

// forgetSessionLocked takes a peer out of all searches.
func (n *Node) forgetSessionLocked(s *session) {
	for _, f := range n.searches {
		delete(f.asked, s)
		if f.last == s {
			f.last = nil
		}
		f.dropPeer(s)
		n.dropIfUnwantedLocked(f)
	}
	s.forwards = 0
}

func (f *search) dropPeer(s *session) {
	for i, x := range f.peers {
		if x.s == s {
			f.peers = append(f.peers[:i], f.peers[i+1:]...)
			return
		}
	}
}

func (n *Node) dropIfUnwantedLocked(f *search) {
	if f.callers == 0 && len(f.peers) == 0 {
		delete(n.searches, f.addr)
	}
}

// runSearches asks the next peer for each chunk that has not come, as long as there are any.
func (n *Node) runSearches() {
	ticker := time.NewTicker(searchTick)
	defer ticker.Stop()
	for {
		select {
		case <-n.ctx.Done():
			return
		case <-n.search:
		}
		for n.stepAll(time.Now()) {
			select {
			case <-n.ctx.Done():
				return
			case <-ticker.C:
			case <-n.search:
			}
		}
	}
}

// stepAll takes a step in each search that is due, and reports whether there are any searches left.
func (n *Node) stepAll(now time.Time) bool {
	var due []*search
	n.mu.Lock()
	for _, f := range n.searches {
		if len(f.peers) > 0 && now.After(f.until) {
			for _, w := range f.peers {
				w.s.forwards--
			}
			f.peers = nil
			n.dropIfUnwantedLocked(f)
		}
		if !now.Before(f.nextAt) {
			due = append(due, f)
		}
	}
	left := len(n.searches) > 0
	n.mu.Unlock()
	for _, f := range due {
		n.step(f)
	}
	return left
}

// finish ends the search for a chunk, if there is one, and sends it to the peers that want it.
func (n *Node) finish(c chunk.Chunk) {
	n.mu.Lock()
	f := n.searches[c.Address()]
	if f == nil {
		n.mu.Unlock()
		return
	}
	delete(n.searches, f.addr)
	f.found = c
	close(f.done)
	peers := f.peers
	f.peers = nil
	for _, w := range peers {
		w.s.forwards--
	}
	n.mu.Unlock()
	for _, w := range peers {
		w.s.failed(w.send(f.addr))
	}
}
