// Package store keeps Swarm chunks: [Store] on disk, [Memory] in memory, with the same behaviour.
//
// A store has a capacity in bytes. When it is exceeded, the chunks that have gone unused for longest leave; nothing is
// pinned. Chunks are numbered in the order of their arrival within their bin, which is the number of leading bits that
// their address shares with the node's (bzz fact sheet, section 4): pull syncing follows these numbers. A chunk that was
// evicted and comes again gets a new number.
//
// Stores do not verify what they are given; a chunk made by package chunk has been verified. What comes from disk is
// checked against what was put there.
package store

import (
	"errors"

	"github.com/sennit-net/sennit/protocols/bzz/chunk"
)

// Bins is how many bins there are. The last one takes every chunk that shares as many leading bits or more: nodes sync bins 0
// to 16, and a chunk in none of these would reach nobody.
const Bins = 17

// DefaultCapacity is how much a store holds unless told otherwise, in bytes: 5 GiB.
const DefaultCapacity = 5 << 30

var (
	// ErrNotFound is returned for a chunk that is not there.
	ErrNotFound = errors.New("store: chunk not found")

	// ErrClosed is returned by a store that has been closed.
	ErrClosed = errors.New("store: closed")

	// ErrInUse is returned for a store on disk that another process has open, or this one.
	ErrInUse = errors.New("in use by another process")

	// ErrRange is returned for a bin that does not exist.
	ErrRange = errors.New("store: no such bin")
)

// Options say how a store works. The zero value is a store with [DefaultCapacity] for the node at address zero.
type Options struct {
	// Base is the node's own address, from which bins are counted. A store on disk belongs to one node: opening it with
	// another base fails.
	Base chunk.Address

	// Capacity is how many bytes of chunks the store holds at most; 0 means [DefaultCapacity], or for a store on disk that
	// exists the capacity that it had, unless its index has to be made anew: then the size of its file of chunks, if that is
	// more than [DefaultCapacity]. Each chunk counts as [SlotSize] bytes, however short it is. There is always room
	// for one. A store on disk takes somewhat more than that, see [Store]; opened with less than it had, it shrinks.
	Capacity int64

	// Rebuilding, if not nil, is told when a store on disk has an index that is damaged, missing or of an older format, and
	// again while the index is made anew from the chunks, which Open waits for; and when the file of chunks is gone or empty,
	// with a Total of 0. It is called by Open.
	Rebuilding func(Rebuild)
}

// chunks returns how many chunks the store may hold.
func (o Options) chunks() int64 {
	if o.Capacity <= 0 {
		return DefaultCapacity / SlotSize
	}
	return max(1, o.Capacity/SlotSize)
}

// Entry is one chunk in the order of its bin.
type Entry struct {
	ID      uint64 // from 1 upwards in each bin, never used again
	Address chunk.Address
}

// Stats are counters of a store since it was opened, and its state.
type Stats struct {
	Chunks   int64 `json:"chunks"`   // held now
	Capacity int64 `json:"capacity"` // chunks that may be held
	Puts     int64 `json:"puts"`     // chunks that were new
	Evicted  int64 `json:"evicted"`  // chunks that left because of the capacity
	Corrupt  int64 `json:"corrupt"`  // chunks found damaged on disk, which have been removed
	Rebuilt  int64 `json:"rebuilt"`  // chunks found on the disk when the index had to be made anew, else 0
}

// binOf returns the bin of addr.
func binOf(base, addr chunk.Address) int { return min(base.PO(addr), Bins-1) }
