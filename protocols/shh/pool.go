package shh

import (
	"container/heap"
	"math/bits"
	"slices"
	"sort"
	"sync"
	"time"

	"github.com/ethereum/go-ethereum/common"
)

// entryOverhead is what an envelope is charged for in the pool besides its encoding: the structures that keep it.
const entryOverhead = 512

// entry is an envelope in the pool.
type entry struct {
	// Static after it was added.
	env  *Envelope
	work Work
	seq  uint64 // in the order of arrival
	own  bool   // posted here

	// Guarded by pool.mu.
	known   peerSet // who has it
	place   [2]int  // in the heaps
	removed bool
}

func (e *entry) charge() int64 { return int64(len(e.env.raw)) + entryOverhead }

// peerSet is a set of peers by their numbers.
type peerSet []uint64

func (s *peerSet) add(peer int) {
	for len(*s) <= peer/64 {
		*s = append(*s, 0)
	}
	(*s)[peer/64] |= 1 << (peer % 64)
}

func (s peerSet) has(peer int) bool { return peer/64 < len(s) && s[peer/64]>>(peer%64)&1 == 1 }

func (s peerSet) remove(peer int) {
	if peer/64 < len(s) {
		s[peer/64] &^= 1 << (peer % 64)
	}
}

// The heaps: what expires first, and what has the least proof of work.
const (
	byExpiry = iota
	byWork
)

type entryHeap struct {
	entries []*entry
	which   int
}

func (h *entryHeap) Len() int { return len(h.entries) }
func (h *entryHeap) Less(i, j int) bool {
	a, b := h.entries[i], h.entries[j]
	if h.which == byExpiry {
		return a.env.Expiry < b.env.Expiry
	}
	return a.work.Best() < b.work.Best()
}
func (h *entryHeap) Swap(i, j int) {
	h.entries[i], h.entries[j] = h.entries[j], h.entries[i]
	h.entries[i].place[h.which], h.entries[j].place[h.which] = i, j
}
func (h *entryHeap) Push(x any) {
	e := x.(*entry)
	e.place[h.which] = len(h.entries)
	h.entries = append(h.entries, e)
}
func (h *entryHeap) Pop() any {
	last := len(h.entries) - 1
	e := h.entries[last]
	h.entries[last] = nil
	h.entries = h.entries[:last]
	return e
}

// pool holds the envelopes that have not expired, at most so many bytes of them. When it is full, an envelope with more
// proof of work takes the place of those with the least, and one with less is refused; both are counted. It is safe for
// concurrent use.
type pool struct {
	limit int64 // static

	mu      sync.Mutex // guards what follows
	bytes   int64
	byHash  map[common.Hash]*entry
	heaps   [2]entryHeap
	order   []*entry // by seq; those removed stay until there are too many of them
	removed int      // in order
	nextSeq uint64
	peers   peerSet // numbers in use
	evicted uint64
	expired uint64
}

func newPool(limit int64) *pool {
	return &pool{limit: limit, byHash: make(map[common.Hash]*entry), heaps: [2]entryHeap{{which: byExpiry}, {which: byWork}}}
}

// noPeer is the number of no peer: that of an envelope posted here.
const noPeer = -1

// add takes an envelope that has passed the checks, and that the peer of that number has. isNew is false if it was there
// already, or if there is no room, which the fault says.
func (p *pool) add(env *Envelope, work Work, from int, now time.Time) (isNew bool, fault Fault) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.expire(now)
	if e, ok := p.byHash[env.hash]; ok {
		if from != noPeer {
			e.known.add(from)
		}
		return false, NoFault
	}
	e := &entry{env: env, work: work, seq: p.nextSeq, own: from == noPeer}
	if !p.makeRoom(e) {
		return false, FaultPoolFull
	}
	if from != noPeer {
		e.known.add(from)
	}
	p.nextSeq++
	p.bytes += e.charge()
	p.byHash[env.hash] = e
	p.order = append(p.order, e)
	for i := range p.heaps {
		heap.Push(&p.heaps[i], e)
	}
	return true, NoFault
}

// has tells whether the envelope is there, and if so notes that the peer has it.
func (p *pool) has(hash common.Hash, from int) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	e, ok := p.byHash[hash]
	if ok && from != noPeer {
		e.known.add(from)
	}
	return ok
}

// makeRoom removes envelopes with less proof of work than e until it fits, or none if that would not be enough.
func (p *pool) makeRoom(e *entry) bool {
	need := p.bytes + e.charge() - p.limit
	if need <= 0 {
		return true
	}
	if e.charge() > p.limit {
		return false
	}
	h := &p.heaps[byWork]
	var gone []*entry
	for need > 0 && h.Len() > 0 && h.entries[0].work.Best() < e.work.Best() {
		least := heap.Pop(h).(*entry)
		gone = append(gone, least)
		need -= least.charge()
	}
	for _, g := range gone {
		heap.Push(h, g)
	}
	if need > 0 {
		return false
	}
	for _, g := range gone {
		p.remove(g)
		p.evicted++
	}
	return true
}

// expire removes what has expired.
func (p *pool) expire(now time.Time) {
	h := &p.heaps[byExpiry]
	for h.Len() > 0 && int64(h.entries[0].env.Expiry) < now.Unix() {
		p.remove(h.entries[0])
		p.expired++
	}
}

func (p *pool) remove(e *entry) {
	for i := range p.heaps {
		heap.Remove(&p.heaps[i], e.place[i])
	}
	delete(p.byHash, e.env.hash)
	p.bytes -= e.charge()
	e.removed, e.env = true, nil
	if p.removed++; p.removed > 64 && p.removed > len(p.order)/2 {
		p.order = slices.DeleteFunc(p.order, func(e *entry) bool { return e.removed })
		p.removed = 0
	}
}

// batch is what a peer is to be sent in one packet.
type batch struct {
	entries []*entry
	raw     [][]byte // their encodings
	size    int      // of all of raw
	next    uint64   // where to go on
}

// collect returns envelopes for a peer from the given place on: those it does not have and wants, until there are more than
// limit bytes. One is always taken, however large.
func (p *pool) collect(peer int, from uint64, limit int, a *appetite, now time.Time) batch {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.expire(now)
	b := batch{next: from}
	start := sort.Search(len(p.order), func(i int) bool { return p.order[i].seq >= from })
	for _, e := range p.order[start:] {
		if !e.removed && !e.known.has(peer) && a.takes(e) {
			if len(b.raw) > 0 && b.size+len(e.env.raw) > limit {
				break
			}
			b.entries, b.raw = append(b.entries, e), append(b.raw, e.env.raw)
			b.size += len(e.env.raw)
		}
		b.next = e.seq + 1
	}
	return b
}

// sent notes that the peer has what was collected for it.
func (p *pool) sent(b batch, peer int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, e := range b.entries {
		e.known.add(peer)
	}
}

// holders returns how many peers have the envelope.
func (p *pool) holders(hash common.Hash) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := 0
	if e, ok := p.byHash[hash]; ok {
		for _, word := range e.known {
			n += bits.OnesCount64(word)
		}
	}
	return n
}

// join returns a number for a new peer.
func (p *pool) join() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := 0
	for p.peers.has(n) {
		n++
	}
	p.peers.add(n)
	return n
}

// leave forgets what a peer has; its number may be given to another.
func (p *pool) leave(peer int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.peers.remove(peer)
	for _, e := range p.order {
		e.known.remove(peer)
	}
}

// poolStats are the pool's counters.
type poolStats struct {
	envelopes        int
	bytes            int64
	evicted, expired uint64
}

func (p *pool) stats(now time.Time) poolStats {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.expire(now)
	return poolStats{len(p.byHash), p.bytes, p.evicted, p.expired}
}

// all returns the envelopes in the order of their arrival.
func (p *pool) all(now time.Time) []*Envelope {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.expire(now)
	list := make([]*Envelope, 0, len(p.byHash))
	for _, e := range p.order {
		if !e.removed {
			list = append(list, e.env)
		}
	}
	return list
}
