package store

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"

	bolt "go.etcd.io/bbolt"

	"github.com/sennit-net/sennit/protocols/bzz/chunk"
)

// An index that is damaged or missing is made anew from the file of chunks, whose records name their addresses. That is done
// beside the old one, which is replaced when the new one is whole and on the disk: a process that is killed meanwhile leaves
// what was there, and the next one begins again. Which slots were free is not known, so chunks that had left come back until
// their slots are needed; the order in which chunks were used is lost, and the numbers in the bins begin anew.

// rebuildBatch is how many chunks are put into the new index with one transaction, about 4 MiB of memory.
const rebuildBatch = 1 << 14

// Rebuild is how far the making of a new index is.
type Rebuild struct {
	Cause  error // what is wrong with the old one
	Done   int64 // slots that were looked at
	Total  int64 // slots that there are
	Chunks int64 // found in them
}

// errNothingWhole is the error for a file of chunks that is not overwritten by a program that cannot read it.
var errNothingWhole = errors.New("no chunk in the file of chunks is whole; without its files the store begins anew")

// rebuilder makes a new index.
type rebuilder struct {
	base    chunk.Address
	slots   *os.File
	index   *index
	told    func(Rebuild) // may be nil
	state   Rebuild
	cursors [Bins]uint64
	batch   []newChunk
}

// rebuildIndex makes a new index for the store in dir in place of one that is damaged, which was opened as the file that was
// describes. If somebody else has done so meanwhile, or is about to, the error is [ErrInUse].
func rebuildIndex(dir string, opts Options, was os.FileInfo, cause error) (chunks int64, err error) {
	slots, err := os.Open(filepath.Join(dir, slotsName))
	if err != nil {
		return 0, err
	}
	defer slots.Close()
	info, err := slots.Stat()
	if err != nil {
		return 0, err
	}
	if opts.Capacity <= 0 {
		opts.Capacity = max(DefaultCapacity, info.Size()) // what it was is not known; nothing has to leave
	}
	scratch, path := filepath.Join(dir, indexName+".new"), filepath.Join(dir, indexName)
	x, err := openScratch(scratch, &opts)
	if err != nil {
		return 0, err
	}
	r := rebuilder{
		base: opts.Base, slots: slots, index: x, told: opts.Rebuilding,
		state: Rebuild{Cause: cause, Total: (info.Size() + SlotSize - 1) / SlotSize},
	}
	if now, gone := os.Stat(path); gone != nil || !os.SameFile(was, now) {
		err = ErrInUse
	} else {
		err = r.run()
	}
	if err == nil && runtime.GOOS != "windows" {
		err = os.Rename(scratch, path) // while it is locked
	}
	if err != nil {
		return 0, errors.Join(fmt.Errorf("making a new index: %w", err), x.discard(scratch))
	}
	if err = x.db.Close(); err == nil && runtime.GOOS == "windows" {
		err = os.Rename(scratch, path) // there, not while it is open
	}
	return r.state.Chunks, err
}

// openScratch opens an empty index that is not synced before the end. What a process that was killed has left is dropped.
func openScratch(path string, opts *Options) (x *index, err error) {
	for range 2 {
		x = new(index)
		if err = x.open(path); err == nil {
			err = x.view(checkEmpty)
		}
		if err == nil || errors.Is(err, ErrInUse) {
			break
		}
		if err = errors.Join(err, x.discard(path)); !errors.Is(err, errDamaged) {
			break
		}
	}
	if err != nil {
		return nil, err
	}
	if now, gone := os.Stat(path); gone != nil || !os.SameFile(x.file, now) {
		// Whoever had it locked until now has dropped it, or has made it the index.
		return nil, errors.Join(ErrInUse, x.db.Close())
	}
	x.db.NoSync = true
	if err = x.update(func(tx *bolt.Tx) error { return prepare(tx, opts, false) }); err != nil {
		return nil, errors.Join(err, x.discard(path))
	}
	return x, nil
}

func checkEmpty(tx *bolt.Tx) error {
	if k, _ := tx.Cursor().First(); k != nil {
		return fmt.Errorf("%w: it is not empty", errDamaged)
	}
	return nil
}

// discard closes an index, if it could be opened, and removes its file, if it still has this name. Where the system lets that
// be it does so while the index is locked, so that nobody takes it up.
func (x *index) discard(path string) (err error) {
	if x.db != nil && runtime.GOOS == "windows" {
		err = x.db.Close()
	}
	if now, gone := os.Stat(path); gone == nil && x.file != nil && os.SameFile(x.file, now) {
		err = errors.Join(err, os.Remove(path))
	}
	if x.db != nil && runtime.GOOS != "windows" {
		err = x.db.Close()
	}
	return err
}

// run looks at all slots, and writes the index to the disk.
func (r *rebuilder) run() error {
	buf := make([]byte, runSlots*SlotSize)
	for r.tell(); r.state.Done < r.state.Total; r.tell() {
		n, err := r.slots.ReadAt(buf, r.state.Done*SlotSize)
		if err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		for at := 0; at < n; at += SlotSize {
			r.look(uint32(r.state.Done)+uint32(at/SlotSize), buf[at:min(at+SlotSize, n)])
		}
		r.state.Done = min(r.state.Done+runSlots, r.state.Total)
		if len(r.batch) >= rebuildBatch || r.state.Done == r.state.Total {
			if err := r.commit(); err != nil {
				return err
			}
		}
	}
	if r.state.Chunks == 0 {
		return errNothingWhole
	}
	return r.index.db.Sync()
}

func (r *rebuilder) tell() {
	if r.told != nil {
		r.told(r.state)
	}
}

// look notes the chunk in a slot, if there is one and it is whole.
func (r *rebuilder) look(slot uint32, b []byte) {
	if len(b) < recordHead {
		return
	}
	size := binary.LittleEndian.Uint16(b[4:])
	if recordHead+int(size) > len(b) {
		return
	}
	addr := chunk.Address(b[6:])
	if _, err := parseRecord(b[:recordHead+int(size)], addr); err != nil {
		return
	}
	r.batch = append(r.batch, newChunk{addr: addr, bin: binOf(r.base, addr), at: place{slot: slot, size: size}})
}

// commit puts what was found into the index. Of chunks that are in two slots, because they had left and come again, one stays.
func (r *rebuilder) commit() error {
	slices.SortFunc(r.batch, func(a, b newChunk) int {
		return cmp.Or(slices.Compare(a.addr[:], b.addr[:]), cmp.Compare(a.at.slot, b.at.slot))
	})
	err := r.index.update(func(tx *bolt.Tx) error {
		t := tableOf(tx, r.base, nil)
		for _, n := range r.batch {
			if t.chunks.Get(n.addr[:]) != nil {
				continue
			}
			r.state.Chunks++
			r.cursors[n.bin]++
			n.at.id, n.at.use = r.cursors[n.bin], uint64(r.state.Chunks)
			if err := t.add(n); err != nil {
				return err
			}
		}
		for bin, id := range r.cursors {
			if err := tx.Bucket(bucketCursors).Put([]byte{byte(bin)}, useKey(id)); err != nil {
				return err
			}
		}
		return nil
	})
	r.batch = r.batch[:0]
	return err
}
