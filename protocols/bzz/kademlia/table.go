// Package kademlia decides whom a Swarm node knows and wants to know (bzz fact sheet, section 4). It is a table of
// addresses, sorted into bins by how many leading bits they share with the node's own, and knows no link and no clock:
// the caller says who has come and gone and what time it is.
package kademlia

import (
	"cmp"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/sennit-net/sennit/protocols/bzz/chunk"
	"github.com/sennit-net/sennit/protocols/bzz/wire"
)

const (
	// Bins is how many bins there are: 0 to 15 for as many shared bits, and the last for all with more.
	Bins = 17

	// NeighbourhoodSize is how many of the nearest peers make the neighbourhood, at least.
	NeighbourhoodSize = 2

	// MinBinSize is how many peers a bin outside of the neighbourhood wants.
	MinBinSize = 2

	// MaxKnown is how many addresses each bin remembers. With the longest underlay addresses and capabilities a full table
	// takes about 2 MB.
	MaxKnown = 128

	// RetryInterval is how long a node that did not connect is left alone; it doubles with each attempt.
	RetryInterval = 4200 * time.Millisecond

	// MaxRetries is how often a node is tried that never connects.
	MaxRetries = 42
)

// Table is the table of one node. It is for one goroutine at a time.
type Table struct {
	base  chunk.Address
	conns map[chunk.Address]conn
	bins  [Bins]bin
	learn uint64 // how many addresses have been learnt
}

// conn is a peer.
type conn struct {
	bin   int
	light bool
}

// bin holds the addresses that share a number of bits with the base.
type bin struct {
	peers int // connected, light ones left out
	known map[chunk.Address]*known
	tried int // of known, with tries; so that a full bin without any is known as such at once
}

// known is an address somebody has told us, or of a peer.
type known struct {
	addr   wire.PeerAddr
	order  uint64 // when it was learnt, as a number
	tries  int    // since it was last connected
	nextAt time.Time
}

// New returns an empty table of the node at base.
func New(base chunk.Address) *Table {
	t := &Table{base: base, conns: make(map[chunk.Address]conn)}
	for i := range t.bins {
		t.bins[i].known = make(map[chunk.Address]*known)
	}
	return t
}

// Bin returns the bin of an address.
func (t *Table) Bin(a chunk.Address) int { return min(t.base.PO(a), Bins-1) }

// Connect notes a new peer. It returns false if there is one with this address already, or if it is the node's own: then
// nothing changes. A light peer takes no place in a bin and its address is not remembered.
func (t *Table) Connect(a wire.PeerAddr, light bool) bool {
	if _, ok := t.conns[a.Overlay]; ok || a.Overlay == t.base {
		return false
	}
	c := conn{bin: t.Bin(a.Overlay), light: light}
	t.conns[a.Overlay] = c
	if light {
		return true
	}
	b := &t.bins[c.bin]
	b.peers++
	if k := t.remember(a); k != nil {
		if k.tries > 0 {
			b.tried--
		}
		if len(a.Underlay) == 0 {
			a.Underlay = k.addr.Underlay // may still be right
		}
		k.addr, k.tries, k.nextAt = a, 0, time.Time{}
	}
	return true
}

// Disconnect notes that a peer has gone.
func (t *Table) Disconnect(a chunk.Address) {
	c, ok := t.conns[a]
	if !ok {
		return
	}
	delete(t.conns, a)
	if !c.light {
		t.bins[c.bin].peers--
	}
}

// Learn remembers an address. It returns false if it is known, if it is the node's own, or if there is no place for it:
// when a bin is full, only an address that has been tried in vain makes way for a new one. The underlay is kept, not
// copied.
func (t *Table) Learn(a wire.PeerAddr) bool {
	if a.Overlay == t.base {
		return false
	}
	if _, ok := t.bins[t.Bin(a.Overlay)].known[a.Overlay]; ok {
		return false
	}
	return t.remember(a) != nil
}

// remember returns the entry of an address, which it makes if there is a place for it.
func (t *Table) remember(a wire.PeerAddr) *known {
	b := &t.bins[t.Bin(a.Overlay)]
	if k := b.known[a.Overlay]; k != nil {
		return k
	}
	if len(b.known) >= MaxKnown && !t.forgetOne(b) {
		return nil
	}
	t.learn++
	k := &known{addr: a, order: t.learn}
	b.known[a.Overlay] = k
	return k
}

// forgetOne drops the address of a bin that was tried most often in vain, if any was.
func (t *Table) forgetOne(b *bin) bool {
	if b.tried == 0 {
		return false
	}
	var worst *known
	for a, k := range b.known {
		if _, connected := t.conns[a]; connected || k.tries == 0 {
			continue
		}
		if worst == nil || cmp.Or(cmp.Compare(k.tries, worst.tries), cmp.Compare(worst.order, k.order)) > 0 {
			worst = k
		}
	}
	if worst == nil {
		return false
	}
	delete(b.known, worst.addr.Overlay)
	b.tried--
	return true
}

// Depth returns where the node's neighbourhood begins: with up to [NeighbourhoodSize] peers at 0, otherwise at the bin of
// the last of the nearest, or at the first bin without peers if that is less. Light peers do not count, since they keep
// nothing for others.
func (t *Table) Depth() int {
	total, empty := 0, Bins
	for i := range t.bins {
		total += t.bins[i].peers
		if t.bins[i].peers == 0 && empty == Bins {
			empty = i
		}
	}
	if total <= NeighbourhoodSize {
		return 0
	}
	nearest := 0
	for i := Bins - 1; i >= 0; i-- {
		if nearest += t.bins[i].peers; nearest >= NeighbourhoodSize {
			return min(i, empty)
		}
	}
	return 0
}

// Suggest returns an address worth connecting to: one of the least filled bin that wants more peers, shallow ones first.
// Bins outside of the neighbourhood want [MinBinSize] peers, those within it all there are. Each address is suggested at
// most once within its retry interval, which doubles each time.
func (t *Table) Suggest(now time.Time) (wire.PeerAddr, bool) {
	depth := t.Depth()
	var order []int
	for i := range t.bins {
		if i >= depth || t.bins[i].peers < MinBinSize {
			order = append(order, i)
		}
	}
	slices.SortStableFunc(order, func(x, y int) int { return cmp.Compare(t.bins[x].peers, t.bins[y].peers) })
	for _, i := range order {
		if k := t.callable(&t.bins[i], now); k != nil {
			// Between 0.85 and 1.15 of the interval, so that nodes do not go on trying each other at the same time.
			wait := float64(RetryInterval) * (0.85 + 0.3*rand.Float64())
			k.nextAt = now.Add(time.Duration(wait * float64(uint64(1)<<min(k.tries, 20))))
			if k.tries++; k.tries == 1 {
				t.bins[i].tried++
			}
			return k.addr, true
		}
	}
	return wire.PeerAddr{}, false
}

// callable returns the address of a bin that is due and has been tried least.
func (t *Table) callable(b *bin, now time.Time) *known {
	var best *known
	for a, k := range b.known {
		if _, connected := t.conns[a]; connected || now.Before(k.nextAt) || k.tries >= MaxRetries {
			continue
		}
		if best == nil || cmp.Or(cmp.Compare(k.tries, best.tries), cmp.Compare(k.order, best.order)) < 0 {
			best = k
		}
	}
	return best
}

// BinStats is the state of one bin.
type BinStats struct {
	Peers int `json:"peers"` // connected, light ones left out
	Known int `json:"known"` // addresses, those of peers among them
}

// Stats returns the state of the bins.
func (t *Table) Stats() (s [Bins]BinStats) {
	for i := range t.bins {
		s[i] = BinStats{Peers: t.bins[i].peers, Known: len(t.bins[i].known)}
	}
	return s
}
