package swarmcmd

import (
	"bytes"
	"context"
	"slices"
	"sync"

	"github.com/sennit-net/sennit/protocols/bzz/chunk"
	"github.com/sennit-net/sennit/protocols/bzz/store"
)

// shelf is a store that shows to other nodes the chunks of the files that are being put, and nothing else of the local
// store. It takes nothing. It needs 32 bytes for each chunk, less than a hundredth of the files.
type shelf struct {
	base   chunk.Address
	chunks *store.Store

	mu      sync.Mutex // guards what follows
	bins    [store.Bins][]chunk.Address
	offered bool
	changed chan struct{} // closed by offer
}

func newShelf(base chunk.Address, chunks *store.Store) *shelf {
	return &shelf{base: base, chunks: chunks, changed: make(chan struct{})}
}

// add puts a chunk on the shelf. It must not be called after offer.
func (s *shelf) add(addr chunk.Address) {
	bin := min(s.base.PO(addr), store.Bins-1)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.bins[bin] = append(s.bins[bin], addr)
}

// offer lets others see the shelf, and returns how many chunks are on it.
func (s *shelf) offer() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	total := 0
	for i, addrs := range s.bins {
		slices.SortFunc(addrs, func(a, b chunk.Address) int { return bytes.Compare(a[:], b[:]) })
		s.bins[i] = slices.Compact(addrs)
		total += len(s.bins[i])
	}
	if !s.offered {
		s.offered = true
		close(s.changed)
	}
	return int64(total)
}

// Get returns a chunk of the store.
func (s *shelf) Get(ctx context.Context, addr chunk.Address) (chunk.Chunk, error) {
	return s.chunks.Get(ctx, addr)
}

// Put takes nothing, and says that it is there already.
func (s *shelf) Put(context.Context, chunk.Chunk) (existed bool, err error) { return true, nil }

// Has says that everything is there, so that nothing is wanted of what other nodes offer.
func (s *shelf) Has(context.Context, chunk.Address) (bool, error) { return true, nil }

// Cursor returns 0: nothing on the shelf counts as there before a link, and all of it comes in. Of what was there before, nodes take
// only the numbers that they have not had, on an earlier link or in an earlier run, when these meant other chunks.
func (s *shelf) Cursor(int) uint64 { return 0 }

// size returns how many chunks of a bin are offered.
func (s *shelf) size(bin int) uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.offered {
		return 0
	}
	return uint64(len(s.bins[bin]))
}

// Range returns chunks of a bin.
func (s *shelf) Range(bin int, from, to uint64, limit int) (found []store.Entry, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.offered || bin >= len(s.bins) {
		return nil, nil
	}
	addrs := s.bins[bin]
	for id := max(1, from); id <= min(to, uint64(len(addrs))) && len(found) < limit; id++ {
		found = append(found, store.Entry{ID: id, Address: addrs[id-1]})
	}
	return found, nil
}

// Changed returns a channel that is closed when the shelf is offered. Nothing changes after that.
func (s *shelf) Changed(int) <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.offered {
		return nil
	}
	return s.changed
}
