package store

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sennit-net/sennit/protocols/bzz/chunk"
)

const (
	// maxPending is how many chunks wait to be written at most, about 4 MiB; then Put waits as well.
	maxPending = 1024

	// maxTouched is how many uses of chunks are remembered until the next write; further ones do not count.
	maxTouched = 4096

	// maxEvicted is how many chunks leave with one write at most: a store that is opened with less capacity than it had
	// shrinks in steps.
	maxEvicted = 16384

	// gatherPeriod is how long a chunk waits for others to be written with.
	gatherPeriod = 100 * time.Millisecond

	// retryPeriod is how long the store waits after a write has failed.
	retryPeriod = time.Second
)

// Store keeps chunks in a directory: their data in slots of one size in one file, and an index of them beside it. On the
// disk it takes at most its capacity, a reserve of 4 MiB, and about a tenth of the capacity for the index.
//
// A chunk that was put is there at once for [Store.Get] and [Store.Has]; it is written together with others within about
// 100 ms, and from then on [Store.Range] lists it and nothing but damage to the disk can take it away. If the process is
// killed or the power fails, what was put since then is lost, and nothing else. [Store.Sync] waits for the write.
//
// A Store is safe for concurrent use. Only one process at a time can have a directory open.
type Store struct {
	// Static after construction.
	max     int64 // chunks
	base    chunk.Address
	index   *index
	slots   *slotFile // writing: owned by writeLoop
	changes *changes
	rebuilt int64         // chunks that were found when the index was made anew
	wake    chan struct{} // of 1, never closed: there is something to write, in a while
	hurry   chan struct{} // of 1, never closed: write now
	quit    chan struct{} // closed by Close
	done    chan struct{} // closed by writeLoop at its end

	// Written by writeLoop alone.
	cursors              [Bins]atomic.Uint64
	chunks, puts         atomic.Int64
	evicted, corruptions atomic.Int64

	// Guarded by mu.
	mu      sync.Mutex
	pending map[chunk.Address]*pendingChunk // not in the index yet
	queue   []*pendingChunk                 // those of pending that no write has begun for, in order
	touched map[chunk.Address]uint64        // uses since the last write, of chunks in the index
	damaged map[chunk.Address]uint64        // IDs of chunks whose slot does not hold them
	syncs   []chan error                    // of 1 each: who waits for the next write
	use     uint64                          // last use
	writes  uint64                          // that have ended
	room    chan struct{}                   // closed and replaced when a write has ended
	failed  error                           // why the last write failed, nil if it did not
	closed  bool
}

// pendingChunk is a chunk on its way to the disk.
type pendingChunk struct {
	c   chunk.Chunk
	use uint64 // guarded by Store.mu
}

// The files of a store in its directory.
const (
	indexName = "index"
	slotsName = "chunks"
)

// Open opens the store in dir, which is made if it does not exist. It fails with [ErrInUse] if another process has it open,
// and if it belongs to another base address. Opening reads the whole index, some 400 bytes for each chunk; if that is damaged
// or missing beside a file of chunks it is made anew, for which all chunks are read ([Options.Rebuilding]). The caller closes
// the store.
func Open(dir string, opts Options) (*Store, error) {
	s, err := open(dir, opts)
	if err != nil {
		return nil, fmt.Errorf("store: %s: %w", dir, err)
	}
	go s.writeLoop()
	s.signal(s.wake) // the capacity may be smaller than it was
	return s, nil
}

func open(dir string, opts Options) (*Store, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	s := &Store{
		base:    opts.Base,
		changes: newChanges(),
		wake:    make(chan struct{}, 1),
		hurry:   make(chan struct{}, 1),
		quit:    make(chan struct{}),
		done:    make(chan struct{}),
		pending: make(map[chunk.Address]*pendingChunk),
		touched: make(map[chunk.Address]uint64),
		damaged: make(map[chunk.Address]uint64),
		room:    make(chan struct{}),
	}
	old, err := s.openFiles(dir, opts)
	if errors.Is(err, errDamaged) && hasChunks(dir) {
		if s.rebuilt, err = rebuildIndex(dir, opts, old, err); err == nil {
			_, err = s.openFiles(dir, opts)
		}
	}
	if err != nil {
		return nil, err
	}
	return s, nil
}

// hasChunks reports whether there is a file of chunks in dir with something in it.
func hasChunks(dir string) bool {
	info, err := os.Stat(filepath.Join(dir, slotsName))
	return err == nil && info.Size() > 0
}

// openFiles opens the files of the store and reads the index. It returns which file that is, if it could be opened, also with
// an error. Then nothing is open.
func (s *Store) openFiles(dir string, opts Options) (_ os.FileInfo, err error) {
	// The index comes first: whoever has it locked owns the slots as well.
	x, err := openIndex(filepath.Join(dir, indexName), &opts, hasChunks(dir))
	if err != nil {
		return x.file, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, x.db.Close())
		}
	}()
	slots, err := openSlots(filepath.Join(dir, slotsName))
	if err != nil {
		return x.file, err
	}
	state, err := x.load(opts.Base, slots.claim)
	if err == nil && state.chunks > 0 && slots.most == 0 {
		if opts.Rebuilding != nil {
			opts.Rebuilding(Rebuild{Cause: fmt.Errorf("%d chunks are lost: their file is gone or empty", state.chunks)})
		}
		slots.used, state.chunks = nil, 0
		err = x.forget()
	}
	if err == nil {
		err = slots.trim()
	}
	if err != nil {
		return x.file, errors.Join(err, slots.file.Close())
	}
	s.index, s.slots, s.max, s.use = x, slots, opts.chunks(), state.lastUse
	s.chunks.Store(state.chunks)
	for bin, id := range state.cursors {
		s.cursors[bin].Store(id)
	}
	return x.file, nil
}

// Put stores c, unless it is there already, which counts as a use of it. That is looked up on the disk: a chunk that the disk
// has lost is stored anew. It waits while too much waits to be written.
// Errors are [ErrClosed], that of ctx, [chunk.ErrInvalid] for the zero chunk, and those of the disk, which may have
// befallen chunks that were put before. The disk is tried again, so a later Put may succeed.
func (s *Store) Put(ctx context.Context, c chunk.Chunk) (existed bool, err error) {
	if c.IsZero() {
		return false, fmt.Errorf("%w: no chunk", chunk.ErrInvalid)
	}
	for {
		writes, existed, err := s.lookup(c.Address())
		if err != nil {
			return false, err
		}
		var wait <-chan struct{}
		if existed {
			if _, err = s.Get(ctx, c.Address()); !errors.Is(err, ErrNotFound) {
				return err == nil, err
			}
			wait = s.roomForDamage()
		} else if existed, wait, err = s.enqueue(c, writes); err != nil || existed || wait == nil {
			return existed, err
		}
		select {
		case <-wait:
		case <-ctx.Done():
			return false, context.Cause(ctx)
		}
	}
}

// closedChan is what enqueue returns if there is nothing to wait for.
var closedChan = func() chan struct{} { c := make(chan struct{}); close(c); return c }()

// enqueue adds c to the chunks that wait. If it cannot, because a write ended since the caller looked c up, or because
// there are too many, it returns a channel to wait for.
func (s *Store) enqueue(c chunk.Chunk, writes uint64) (existed bool, wait <-chan struct{}, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.pending[c.Address()]
	switch {
	case s.closed:
		return false, nil, ErrClosed
	case p != nil:
		s.use++
		p.use = s.use
		return true, nil, nil
	case s.writes != writes:
		return false, closedChan, nil
	case len(s.pending) >= maxPending && s.failed != nil:
		return false, nil, s.failed
	case len(s.pending) >= maxPending:
		s.signal(s.hurry)
		return false, s.room, nil
	}
	s.use++
	p = &pendingChunk{c: c, use: s.use}
	s.pending[c.Address()] = p
	s.queue = append(s.queue, p)
	s.signal(s.wake)
	if len(s.pending) >= maxPending/2 {
		s.signal(s.hurry)
	}
	return false, nil, nil
}

// lookup reports whether the index has a chunk that is not known to be damaged, and how many writes had ended before it looked.
func (s *Store) lookup(addr chunk.Address) (writes uint64, existed bool, err error) {
	s.mu.Lock()
	writes = s.writes
	p, closed := s.pending[addr], s.closed
	s.mu.Unlock()
	if closed || p != nil {
		return writes, false, nil // enqueue finds out
	}
	at, err := s.index.place(addr)
	if errors.Is(err, ErrNotFound) {
		return writes, false, nil
	} else if err != nil {
		return 0, false, err
	}
	s.mu.Lock()
	id, lost := s.damaged[addr]
	s.mu.Unlock()
	if lost && id == at.id {
		return writes, false, nil // the write that stores it takes the damaged one out first
	}
	return writes, true, nil
}

// Get returns a chunk, which counts as a use of it. Errors are [ErrNotFound], also for a chunk that turns out to be
// damaged on the disk, [ErrClosed], and those of the disk.
func (s *Store) Get(_ context.Context, addr chunk.Address) (chunk.Chunk, error) {
	for {
		if c, err := s.getPending(addr); err != nil || !c.IsZero() {
			return c, err
		}
		p, err := s.index.place(addr)
		if err != nil {
			return chunk.Chunk{}, err
		}
		c, err := s.slots.read(p.slot, int(p.size), addr)
		if err == nil {
			s.touch(addr)
			return c, nil
		}
		if !errors.Is(err, errRecord) {
			return chunk.Chunk{}, closedFile(err)
		}
		// Either the chunk was evicted meanwhile and its slot used again, or the slot is damaged.
		if again, err := s.index.place(addr); err != nil {
			return chunk.Chunk{}, err
		} else if again.id == p.id && again.slot == p.slot {
			s.reportDamage(addr, p.id)
			return chunk.Chunk{}, fmt.Errorf("%w: damaged on the disk", ErrNotFound)
		}
	}
}

// getPending returns a chunk that is not in the index yet, or the zero chunk.
func (s *Store) getPending(addr chunk.Address) (chunk.Chunk, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return chunk.Chunk{}, ErrClosed
	}
	p := s.pending[addr]
	if p == nil {
		return chunk.Chunk{}, nil
	}
	s.use++
	p.use = s.use
	return p.c, nil
}

// Touch counts as a use of a chunk, if it is there: it is not among those that leave next. Once 4,096 uses wait to be written,
// which is every 100 ms, further ones do not count.
func (s *Store) Touch(addr chunk.Address) {
	if c, err := s.getPending(addr); err == nil && c.IsZero() {
		s.touch(addr)
	}
}

func (s *Store) touch(addr chunk.Address) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.use++
	if _, ok := s.touched[addr]; ok || len(s.touched) < maxTouched {
		s.touched[addr] = s.use
	}
	if len(s.touched) == maxTouched/2 {
		s.signal(s.wake)
	}
}

func (s *Store) reportDamage(addr chunk.Address, id uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.damaged) < maxTouched {
		s.damaged[addr] = id
	}
	s.signal(s.wake)
}

// roomForDamage returns what to wait for before a damaged chunk that was found is sure to be known as such.
func (s *Store) roomForDamage() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.damaged) < maxTouched {
		return closedChan
	}
	s.signal(s.hurry)
	return s.room
}

// Has reports whether the store has a chunk. That is no use of it.
func (s *Store) Has(_ context.Context, addr chunk.Address) (bool, error) {
	s.mu.Lock()
	p, closed := s.pending[addr], s.closed
	s.mu.Unlock()
	switch {
	case closed:
		return false, ErrClosed
	case p != nil:
		return true, nil
	}
	_, err := s.index.place(addr)
	if errors.Is(err, ErrNotFound) {
		return false, nil
	}
	return err == nil, err
}

// Cursor returns the ID that was given last in a bin, 0 if none was. IDs are given in the order of arrival, when a chunk
// has been written. A bin that does not exist has cursor 0.
func (s *Store) Cursor(bin int) uint64 {
	if bin < 0 || bin >= Bins {
		return 0
	}
	return s.cursors[bin].Load()
}

// Range returns what the store has of a bin with IDs between from and to, both included, in order, at most limit entries.
// Chunks that have left leave gaps. Errors are [ErrRange], [ErrClosed], and those of the disk.
func (s *Store) Range(bin int, from, to uint64, limit int) ([]Entry, error) {
	if bin < 0 || bin >= Bins {
		return nil, fmt.Errorf("%w: %d", ErrRange, bin)
	}
	return s.index.entries(bin, from, to, limit)
}

// Changed returns a channel that is closed when the next chunk of the bin has got its ID, or when the store is closed. To
// miss nothing, ask for the channel first and look at the cursor then.
func (s *Store) Changed(bin int) <-chan struct{} { return s.changes.of(bin) }

// Stats returns the counters. Chunks that wait to be written are not in them yet.
func (s *Store) Stats() Stats {
	return Stats{
		Chunks:   s.chunks.Load(),
		Capacity: s.max,
		Puts:     s.puts.Load(),
		Evicted:  s.evicted.Load(),
		Corrupt:  s.corruptions.Load(),
		Rebuilt:  s.rebuilt,
	}
}

// Sync waits until everything that was put before is on the disk, safe from a loss of power. It returns why it could not
// be written, [ErrClosed], or the error of ctx.
func (s *Store) Sync(ctx context.Context) error {
	wait := make(chan error, 1)
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return ErrClosed
	}
	s.syncs = append(s.syncs, wait)
	s.mu.Unlock()
	s.signal(s.hurry)
	select {
	case err := <-wait:
		return err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// Close writes what waits and closes the store; it returns why that failed. Calls that are under way fail with
// [ErrClosed]. Further calls of Close return nil.
func (s *Store) Close() error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		<-s.done
		return nil
	}
	s.closed = true
	s.mu.Unlock()
	close(s.quit)
	<-s.done
	s.changes.close()
	s.mu.Lock()
	err := s.failed
	s.mu.Unlock()
	return errors.Join(err, s.index.db.Close(), s.slots.file.Close())
}

// signal wakes writeLoop. c is wake or hurry.
func (s *Store) signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

func closedFile(err error) error {
	if errors.Is(err, os.ErrClosed) {
		return ErrClosed
	}
	return err
}
