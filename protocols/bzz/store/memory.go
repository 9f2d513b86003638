package store

import (
	"container/list"
	"context"
	"fmt"
	"sort"
	"sync"

	"github.com/sennit-net/sennit/protocols/bzz/chunk"
)

// Memory is a store without a disk. Its methods are those of [Store]; contexts are not looked at because nothing takes
// long. It is safe for concurrent use. Besides the chunk data it takes about 300 bytes for each chunk.
type Memory struct {
	// Static after construction.
	base    chunk.Address
	max     int64 // chunks
	changes *changes

	// Guarded by mu.
	mu     sync.Mutex
	chunks map[chunk.Address]*list.Element // of *held; nil once closed
	used   list.List                       // of *held, last used in front
	bins   map[int]*memoryBin
	stats  Stats
}

// held is one chunk of a Memory.
type held struct {
	c   chunk.Chunk
	bin int
	id  uint64
}

// memoryBin is the order of one bin. Chunks that have left are taken out of it when they are half of it.
type memoryBin struct {
	cursor  uint64
	entries []Entry // by ID, chunks that have left among them
	gone    int
}

// NewMemory makes an empty store.
func NewMemory(opts Options) *Memory {
	return &Memory{
		base:    opts.Base,
		max:     opts.chunks(),
		changes: newChanges(),
		chunks:  make(map[chunk.Address]*list.Element),
		bins:    make(map[int]*memoryBin),
	}
}

// Put is [Store.Put].
func (m *Memory) Put(_ context.Context, c chunk.Chunk) (existed bool, err error) {
	bin, existed, err := m.put(c)
	if err == nil && !existed {
		m.changes.notify(bin)
	}
	return existed, err
}

func (m *Memory) put(c chunk.Chunk) (bin int, existed bool, err error) {
	if c.IsZero() {
		return 0, false, fmt.Errorf("%w: no chunk", chunk.ErrInvalid)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.chunks == nil {
		return 0, false, ErrClosed
	}
	if e, ok := m.chunks[c.Address()]; ok {
		m.used.MoveToFront(e)
		return 0, true, nil
	}
	h := &held{c: c, bin: binOf(m.base, c.Address())}
	b := m.bins[h.bin]
	if b == nil {
		b = new(memoryBin)
		m.bins[h.bin] = b
	}
	b.cursor++
	h.id = b.cursor
	b.entries = append(b.entries, Entry{h.id, c.Address()})
	m.chunks[c.Address()] = m.used.PushFront(h)
	m.stats.Puts++
	m.stats.Chunks++
	if m.stats.Chunks > m.max {
		m.evictLocked(m.used.Back())
	}
	return h.bin, false, nil
}

func (m *Memory) evictLocked(e *list.Element) {
	h := m.used.Remove(e).(*held)
	delete(m.chunks, h.c.Address())
	m.stats.Evicted++
	m.stats.Chunks--
	b := m.bins[h.bin]
	if b.gone++; b.gone*2 <= len(b.entries) {
		return
	}
	kept := b.entries[:0]
	for _, entry := range b.entries {
		if m.isLocked(entry) {
			kept = append(kept, entry)
		}
	}
	b.entries, b.gone = kept, 0
}

// isLocked reports whether entry is of a chunk that is held, and not of one that left and came again.
func (m *Memory) isLocked(entry Entry) bool {
	e, ok := m.chunks[entry.Address]
	return ok && e.Value.(*held).id == entry.ID
}

// Get is [Store.Get].
func (m *Memory) Get(_ context.Context, addr chunk.Address) (chunk.Chunk, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.chunks == nil {
		return chunk.Chunk{}, ErrClosed
	}
	e, ok := m.chunks[addr]
	if !ok {
		return chunk.Chunk{}, ErrNotFound
	}
	m.used.MoveToFront(e)
	return e.Value.(*held).c, nil
}

// Touch is [Store.Touch].
func (m *Memory) Touch(addr chunk.Address) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if e, ok := m.chunks[addr]; ok {
		m.used.MoveToFront(e)
	}
}

// Has is [Store.Has].
func (m *Memory) Has(_ context.Context, addr chunk.Address) (bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.chunks == nil {
		return false, ErrClosed
	}
	_, ok := m.chunks[addr]
	return ok, nil
}

// Cursor is [Store.Cursor].
func (m *Memory) Cursor(bin int) uint64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	if b := m.bins[bin]; b != nil {
		return b.cursor
	}
	return 0
}

// Range is [Store.Range].
func (m *Memory) Range(bin int, from, to uint64, limit int) ([]Entry, error) {
	if bin < 0 || bin >= Bins {
		return nil, fmt.Errorf("%w: %d", ErrRange, bin)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.chunks == nil {
		return nil, ErrClosed
	}
	b := m.bins[bin]
	if b == nil {
		return nil, nil
	}
	var found []Entry
	first := sort.Search(len(b.entries), func(i int) bool { return b.entries[i].ID >= from })
	for _, entry := range b.entries[first:] {
		if entry.ID > to || len(found) >= limit {
			break
		}
		if m.isLocked(entry) {
			found = append(found, entry)
		}
	}
	return found, nil
}

// Changed is [Store.Changed].
func (m *Memory) Changed(bin int) <-chan struct{} { return m.changes.of(bin) }

// Stats is [Store.Stats].
func (m *Memory) Stats() Stats {
	m.mu.Lock()
	defer m.mu.Unlock()
	s := m.stats
	s.Capacity = m.max
	return s
}

// Sync is [Store.Sync]; there is nothing to wait for.
func (m *Memory) Sync(context.Context) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.chunks == nil {
		return ErrClosed
	}
	return nil
}

// Close is [Store.Close]. What was in memory is gone.
func (m *Memory) Close() error {
	m.mu.Lock()
	m.chunks = nil
	m.used.Init()
	m.bins = make(map[int]*memoryBin)
	m.mu.Unlock()
	m.changes.close()
	return nil
}
