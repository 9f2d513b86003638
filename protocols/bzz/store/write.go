package store

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	bolt "go.etcd.io/bbolt"

	"github.com/sennit-net/sennit/protocols/bzz/chunk"
)

// A write has these steps, all of them in writeLoop:
//
//  1. data of new chunks goes into free slots, and to the disk;
//  2. one transaction takes damaged chunks out of the index, notes uses, takes out those that were used least recently if
//     there are too many, and adds the new ones;
//  3. slots that became free may be used, from the next write on.
//
// So no slot that the index on the disk names is ever overwritten, whenever the process may end.

// work is what one write does.
type work struct {
	chunks  []newChunk
	touched map[chunk.Address]uint64
	damaged map[chunk.Address]uint64
}

// newChunk is a chunk on its way into the index.
type newChunk struct {
	p    *pendingChunk
	addr chunk.Address
	bin  int
	at   place
}

// outcome is what a transaction did, to be believed when it is committed.
type outcome struct {
	freed            []uint32
	evicted, damaged int64
}

func (s *Store) writeLoop() {
	defer close(s.done)
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-s.wake:
			timer.Reset(gatherPeriod)
			select {
			case <-timer.C:
			case <-s.hurry:
			case <-s.quit:
			}
		case <-s.hurry:
		case <-s.quit:
		}
		err := s.writeAll()
		select {
		case <-s.quit:
			s.writeAll() // what came while the last write was under way
			return
		default:
		}
		if err != nil {
			timer.Reset(retryPeriod)
			select {
			case <-timer.C:
				s.signal(s.wake)
			case <-s.quit:
			}
		}
	}
}

// writeAll writes everything that waits, and answers those who wait for that.
func (s *Store) writeAll() error {
	s.mu.Lock()
	syncs := s.syncs
	s.syncs = nil
	waiting := len(s.queue)
	s.mu.Unlock()
	var err error
	for more := true; err == nil && more; {
		w := s.takeWork()
		waiting -= len(w.chunks)
		before := s.chunks.Load()
		if err = s.write(w); err != nil {
			err = fmt.Errorf("store: writing failed: %w", err)
		}
		s.finish(w, err)
		now := s.chunks.Load()
		more = waiting > 0 || now > s.max && now < before // still shrinking
	}
	for _, c := range syncs {
		c <- err
	}
	if err != nil {
		s.mu.Lock()
		syncs, s.syncs = s.syncs, nil
		s.mu.Unlock()
		for _, c := range syncs {
			c <- err
		}
	}
	return err
}

// takeWork takes what the next write does from what waits.
func (s *Store) takeWork() work {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := min(len(s.queue), maxPending, int(min(s.max, maxPending)))
	w := work{chunks: make([]newChunk, n), touched: s.touched, damaged: s.damaged}
	for i, p := range s.queue[:n] {
		w.chunks[i] = newChunk{
			p: p, addr: p.c.Address(), bin: binOf(s.base, p.c.Address()),
			at: place{size: uint16(len(p.c.Data())), use: p.use},
		}
	}
	s.queue = slices.Delete(s.queue, 0, n)
	s.touched = make(map[chunk.Address]uint64)
	s.damaged = make(map[chunk.Address]uint64)
	return w
}

// write does w, and all of it or nothing.
func (s *Store) write(w work) (err error) {
	cursors := make(map[int]uint64)
	for i := range w.chunks {
		n := &w.chunks[i]
		if _, ok := cursors[n.bin]; !ok {
			cursors[n.bin] = s.cursors[n.bin].Load()
		}
		cursors[n.bin]++
		n.at.id = cursors[n.bin]
		n.at.slot = s.slots.take()
	}
	defer func() {
		if err != nil {
			for _, n := range w.chunks {
				s.slots.release(n.at.slot)
			}
		}
	}()
	if err := s.writeSlots(w.chunks); err != nil {
		return err
	}
	excess := s.chunks.Load() + int64(len(w.chunks)) - s.max
	if len(w.chunks)+len(w.touched)+len(w.damaged) == 0 && excess <= 0 {
		return nil
	}
	var out outcome
	err = s.index.update(func(tx *bolt.Tx) error {
		out = outcome{}
		return s.change(tx, w, cursors, excess, &out)
	})
	if err != nil {
		return err
	}
	for _, slot := range out.freed {
		s.slots.release(slot)
	}
	s.chunks.Add(int64(len(w.chunks)) - int64(len(out.freed)))
	s.puts.Add(int64(len(w.chunks)))
	s.evicted.Add(out.evicted)
	s.corruptions.Add(out.damaged)
	for bin, id := range cursors {
		s.cursors[bin].Store(id)
	}
	return nil
}

func (s *Store) writeSlots(chunks []newChunk) error {
	if len(chunks) == 0 {
		return nil
	}
	for _, n := range chunks {
		if err := s.slots.write(n.at.slot, n.p.c); err != nil {
			return err
		}
	}
	if err := s.slots.flush(); err != nil {
		return err
	}
	return s.slots.file.Sync()
}

// change is the transaction of a write.
func (s *Store) change(tx *bolt.Tx, w work, cursors map[int]uint64, excess int64, out *outcome) error {
	t := tableOf(tx, s.base, &out.freed)
	for addr, id := range w.damaged {
		p, err := t.place(addr)
		if err != nil || p.id != id {
			continue // it has left already
		}
		if err := t.remove(addr, p); err != nil {
			return err
		}
		out.damaged++
	}
	for _, addr := range slices.SortedFunc(maps.Keys(w.touched), func(a, b chunk.Address) int { return cmp.Compare(w.touched[a], w.touched[b]) }) {
		if err := t.touch(addr, w.touched[addr]); err != nil {
			return err
		}
	}
	if excess -= out.damaged; excess > 0 {
		// A few more than needed, so that not every write has to do this.
		n, err := t.evict(min(excess+min(maxPending/8, s.max/256), maxEvicted))
		if err != nil {
			return err
		}
		out.evicted = n
	}
	// In order of address, because neighbours share pages.
	slices.SortFunc(w.chunks, func(a, b newChunk) int { return slices.Compare(a.addr[:], b.addr[:]) })
	for _, n := range w.chunks {
		if err := t.add(n); err != nil {
			return err
		}
	}
	for bin, id := range cursors {
		if err := tx.Bucket(bucketCursors).Put([]byte{byte(bin)}, useKey(id)); err != nil {
			return err
		}
	}
	return nil
}

// finish takes what was written from the chunks that wait, or puts it back, and says so to those who wait for room.
func (s *Store) finish(w work, err error) {
	s.mu.Lock()
	s.failed = err
	if err != nil {
		again := make([]*pendingChunk, 0, len(w.chunks)+len(s.queue))
		for _, n := range w.chunks {
			again = append(again, n.p)
		}
		s.queue = append(again, s.queue...)
	} else {
		for _, n := range w.chunks {
			delete(s.pending, n.addr)
			if n.p.use != n.at.use {
				s.touched[n.addr] = n.p.use
			}
		}
	}
	s.writes++
	close(s.room)
	s.room = make(chan struct{})
	s.mu.Unlock()
	if err != nil {
		return
	}
	bins := make(map[int]bool)
	for _, n := range w.chunks {
		bins[n.bin] = true
	}
	for bin := range bins {
		s.changes.notify(bin)
	}
}

// table is the index within a transaction.
type table struct {
	chunks, order, used *bolt.Bucket
	base                chunk.Address
	freed               *[]uint32 // slots of chunks that were removed
}

func tableOf(tx *bolt.Tx, base chunk.Address, freed *[]uint32) table {
	return table{
		chunks: tx.Bucket(bucketChunks), order: tx.Bucket(bucketOrder), used: tx.Bucket(bucketUsed), base: base, freed: freed,
	}
}

func (t table) place(addr chunk.Address) (place, error) {
	v := t.chunks.Get(addr[:])
	if v == nil {
		return place{}, ErrNotFound
	}
	return parsePlace(v)
}

func (t table) add(n newChunk) error {
	return errors.Join(
		t.chunks.Put(n.addr[:], n.at.append(nil)),
		t.order.Put(orderKey(n.bin, n.at.id), n.addr[:]),
		t.used.Put(useKey(n.at.use), n.addr[:]),
	)
}

func (t table) remove(addr chunk.Address, p place) error {
	*t.freed = append(*t.freed, p.slot)
	return errors.Join(
		t.chunks.Delete(addr[:]),
		t.order.Delete(orderKey(binOf(t.base, addr), p.id)),
		t.used.Delete(useKey(p.use)),
	)
}

// touch notes a use of a chunk, if it is still there.
func (t table) touch(addr chunk.Address, use uint64) error {
	p, err := t.place(addr)
	if errors.Is(err, ErrNotFound) || err == nil && p.use >= use {
		return nil
	} else if err != nil {
		return err
	}
	if err := t.used.Delete(useKey(p.use)); err != nil {
		return err
	}
	p.use = use
	return errors.Join(t.chunks.Put(addr[:], p.append(nil)), t.used.Put(useKey(use), addr[:]))
}

// evict removes the n chunks that were used least recently, or all there are, and returns how many.
func (t table) evict(n int64) (int64, error) {
	var addrs []chunk.Address
	c := t.used.Cursor()
	for k, v := c.First(); k != nil && int64(len(addrs)) < n; k, v = c.Next() {
		if len(v) != chunk.AddressSize {
			return 0, fmt.Errorf("%w: address of %d bytes", errDamaged, len(v))
		}
		addrs = append(addrs, chunk.Address(v))
	}
	for _, addr := range addrs {
		p, err := t.place(addr)
		if err == nil {
			err = t.remove(addr, p)
		}
		if err != nil {
			return 0, fmt.Errorf("evicting %v: %w", addr, err)
		}
	}
	return int64(len(addrs)), nil
}
