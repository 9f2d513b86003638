package store

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/maphash"
	"io/fs"
	"os"
	"runtime/debug"
	"syscall"
	"time"

	bolt "go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"

	"github.com/sennit-net/sennit/protocols/bzz/chunk"
)

// The index is a bbolt file with these buckets. Integers are big-endian, so that keys sort by them.
var (
	bucketMeta    = []byte("meta")    // "format" -> 1 byte; "base" -> the node's address; "chunks" -> capacity 8
	bucketChunks  = []byte("chunks")  // address -> place
	bucketOrder   = []byte("order")   // bin 1, ID 8 -> address
	bucketUsed    = []byte("used")    // use 8 -> address: least recently used first
	bucketCursors = []byte("cursors") // bin 1 -> last ID 8

	buckets = [][]byte{bucketMeta, bucketChunks, bucketOrder, bucketUsed, bucketCursors}
)

// errDamaged is an index that makes no sense, or is missing beside a file of chunks: it can be made anew.
var errDamaged = errors.New("index is damaged")

// reason is errDamaged, but says something else.
type reason string

const (
	errMissing reason = "index is missing"
	errOld     reason = "index is of an older format"
)

// Error says what is wrong with the index.
func (r reason) Error() string { return string(r) }

// Unwrap makes it errDamaged.
func (reason) Unwrap() error { return errDamaged }

const (
	format     = 2
	oldFormat  = 1 // with another number of bins; its slots are the same
	placeSize  = 4 + 2 + 8 + 8
	lockPeriod = time.Second // that another process has to let go of the index
)

// place is what the index says about a chunk.
type place struct {
	slot uint32
	size uint16 // of the data in bytes
	id   uint64 // within the bin
	use  uint64 // when it was used last, as a number that grows with every use
}

func (p place) append(b []byte) []byte {
	b = binary.BigEndian.AppendUint32(b, p.slot)
	b = binary.BigEndian.AppendUint16(b, p.size)
	b = binary.BigEndian.AppendUint64(b, p.id)
	return binary.BigEndian.AppendUint64(b, p.use)
}

func parsePlace(b []byte) (place, error) {
	if len(b) != placeSize {
		return place{}, fmt.Errorf("entry of %d bytes, want %d", len(b), placeSize)
	}
	return place{
		slot: binary.BigEndian.Uint32(b),
		size: binary.BigEndian.Uint16(b[4:]),
		id:   binary.BigEndian.Uint64(b[6:]),
		use:  binary.BigEndian.Uint64(b[14:]),
	}, nil
}

func orderKey(bin int, id uint64) []byte {
	return binary.BigEndian.AppendUint64([]byte{byte(bin)}, id)
}

func useKey(use uint64) []byte { return binary.BigEndian.AppendUint64(nil, use) }

// index wraps the database so that the damage which it notices is an error and not a panic. It is safe for concurrent use.
type index struct {
	db   *bolt.DB
	file os.FileInfo // what was opened, also if that did not succeed; nil if it could not be
}

// openIndex opens or makes the index of a store, and sets the capacity that the options leave open. chunks tells that there
// are chunks, so that there should be an index. The index is returned with an error as well, to tell which file it was.
func openIndex(path string, opts *Options, chunks bool) (*index, error) {
	x := new(index)
	if err := x.open(path); err != nil {
		return x, err
	}
	// Looked at before anything is written: a write goes by what the pages say.
	err := checkHeads(path, x.db.Info().PageSize)
	if err == nil {
		err = x.view(checkPages)
	}
	if err == nil {
		err = x.update(func(tx *bolt.Tx) error { return prepare(tx, opts, chunks) })
	}
	if err != nil {
		return x, errors.Join(err, x.db.Close())
	}
	return x, nil
}

// open opens the file. Its errors are [ErrInUse], errDamaged, and those of the disk.
func (x *index) open(path string) (err error) {
	var file *os.File
	defer func() {
		if err != nil && file != nil {
			_ = file.Close() // a panic leaves it open, and locked
		}
		var system syscall.Errno
		var named *fs.PathError
		switch {
		case err == nil, errors.Is(err, errDamaged):
		case errors.As(err, &system), errors.As(err, &named): // a full disk, say, is no damage
			err = fmt.Errorf("index: %w", err)
		case errors.Is(err, berrors.ErrTimeout):
			err = ErrInUse
		case errors.Is(err, berrors.ErrInvalid), errors.Is(err, berrors.ErrVersionMismatch), errors.Is(err, berrors.ErrChecksum),
			x.file != nil && x.file.Size() < 2*int64(os.Getpagesize()): // there is no error of its own for what has no two heads
			err = fmt.Errorf("%w: %w", errDamaged, err)
		default:
			err = fmt.Errorf("index: %w", err)
		}
	}()
	defer guard(&err)()
	open := func(name string, flag int, mode os.FileMode) (f *os.File, err error) {
		if f, err = os.OpenFile(name, flag, mode); err == nil {
			file = f
			x.file, err = f.Stat()
		}
		return f, err
	}
	x.db, err = bolt.Open(path, 0o600, &bolt.Options{Timeout: lockPeriod, FreelistType: bolt.FreelistMapType, OpenFile: open})
	return err
}

// prepare makes the buckets of a new index, or checks that an old one is of this format and of this node.
func prepare(tx *bolt.Tx, opts *Options, chunks bool) error {
	for _, name := range buckets {
		if _, err := tx.CreateBucketIfNotExists(name); err != nil {
			return err
		}
	}
	meta := tx.Bucket(bucketMeta)
	if old := meta.Get([]byte("format")); old == nil && chunks {
		return errMissing
	} else if old != nil {
		if len(old) != 1 || old[0] != format && old[0] != oldFormat {
			return fmt.Errorf("index of format %x, this program knows %d and %d", old, oldFormat, format)
		}
		if owner := meta.Get([]byte("base")); string(owner) != string(opts.Base[:]) {
			return fmt.Errorf("index of the node at %x, not of %v; without the file index its chunks become those of this node", owner, opts.Base)
		}
		if old[0] == oldFormat && chunks {
			return errOld // and without chunks there is nothing in it
		}
	}
	if old := meta.Get([]byte("chunks")); opts.Capacity <= 0 && len(old) == 8 {
		opts.Capacity = int64(binary.BigEndian.Uint64(old)) * SlotSize
	}
	return errors.Join(
		meta.Put([]byte("format"), []byte{format}),
		meta.Put([]byte("base"), opts.Base[:]),
		meta.Put([]byte("chunks"), binary.BigEndian.AppendUint64(nil, uint64(opts.chunks()))),
	)
}

func (x *index) view(f func(tx *bolt.Tx) error) (err error) {
	defer guard(&err)()
	return closedAs(x.db.View(f))
}

func (x *index) update(f func(tx *bolt.Tx) error) (err error) {
	defer guard(&err)()
	return closedAs(x.db.Update(f))
}

// guard returns what has to be deferred around calls of the database. It turns a panic, which is how the database reports
// pages that make no sense, into an error, and so it does with reads that such pages lead out of the mapped file.
func guard(err *error) func() {
	old := debug.SetPanicOnFault(true)
	return func() {
		debug.SetPanicOnFault(old)
		if p := recover(); p != nil {
			*err = fmt.Errorf("%w: %v", errDamaged, p)
		}
	}
}

func closedAs(err error) error {
	if errors.Is(err, berrors.ErrDatabaseNotOpen) {
		return ErrClosed
	}
	return err
}

// place returns where a chunk is, or [ErrNotFound].
func (x *index) place(addr chunk.Address) (p place, err error) {
	err = x.view(func(tx *bolt.Tx) error {
		v := tx.Bucket(bucketChunks).Get(addr[:])
		if v == nil {
			return ErrNotFound
		}
		var err error
		p, err = parsePlace(v)
		return err
	})
	return p, err
}

// entries returns the chunks of a bin with IDs between from and to, both included, at most limit of them.
func (x *index) entries(bin int, from, to uint64, limit int) (found []Entry, err error) {
	err = x.view(func(tx *bolt.Tx) error {
		c := tx.Bucket(bucketOrder).Cursor()
		for k, v := c.Seek(orderKey(bin, from)); len(k) == 9 && k[0] == byte(bin) && len(found) < limit; k, v = c.Next() {
			id := binary.BigEndian.Uint64(k[1:])
			if id > to {
				break
			}
			if len(v) != chunk.AddressSize {
				return fmt.Errorf("%w: address of %d bytes", errDamaged, len(v))
			}
			found = append(found, Entry{id, chunk.Address(v)})
		}
		return nil
	})
	return found, err
}

// state is what a store has to know when it is opened, besides the slots that each place uses.
type state struct {
	chunks  int64
	lastUse uint64
	cursors [Bins]uint64
}

// forget takes all chunks out of the index. Their numbers are not used again.
func (x *index) forget() error {
	return x.update(func(tx *bolt.Tx) error {
		for _, name := range [][]byte{bucketChunks, bucketOrder, bucketUsed} {
			if err := tx.DeleteBucket(name); err != nil {
				return err
			}
			if _, err := tx.CreateBucket(name); err != nil {
				return err
			}
		}
		return nil
	})
}

// load reads the state, calls claim for the slot of each chunk, and looks whether all of the index can be read and agrees.
func (x *index) load(base chunk.Address, claim func(slot uint32) error) (s state, err error) {
	err = x.view(func(tx *bolt.Tx) error { return s.load(tx, base, claim) })
	if err != nil && !errors.Is(err, errDamaged) && !errors.Is(err, ErrClosed) {
		err = fmt.Errorf("%w: %w", errDamaged, err)
	}
	return s, err
}

func (s *state) load(tx *bolt.Tx, base chunk.Address, claim func(slot uint32) error) error {
	// What the other buckets should have is what follows from the chunks, in any order: sums of hashes tell.
	var order, used, got sum
	order.seed = maphash.MakeSeed()
	used.seed, got.seed = order.seed, order.seed
	err := each(tx, bucketCursors, 1, 8, func(k, v []byte) error {
		if k[0] >= Bins {
			return fmt.Errorf("cursor of bin %d", k[0])
		}
		s.cursors[k[0]] = binary.BigEndian.Uint64(v)
		return nil
	})
	if err != nil {
		return err
	}
	chunks := tx.Bucket(bucketChunks)
	err = each(tx, bucketChunks, chunk.AddressSize, placeSize, func(k, _ []byte) error {
		p, err := parsePlace(chunks.Get(k)) // not v: it is there, but is it found?
		if err != nil {
			return err
		}
		addr := chunk.Address(k)
		bin := binOf(base, addr)
		if p.id > s.cursors[bin] {
			return fmt.Errorf("chunk %d of bin %d, the last one is %d", p.id, bin, s.cursors[bin])
		}
		order.add(orderKey(bin, p.id), k)
		used.add(useKey(p.use), k)
		s.chunks++
		s.lastUse = max(s.lastUse, p.use)
		return claim(p.slot)
	})
	for _, b := range []struct {
		name []byte
		key  int
		want sum
	}{{bucketOrder, 9, order}, {bucketUsed, 8, used}} {
		if got.n, got.hash = 0, 0; err == nil {
			err = each(tx, b.name, b.key, chunk.AddressSize, func(k, v []byte) error { got.add(k, v); return nil })
		}
		if err == nil && got != b.want {
			err = fmt.Errorf("%d chunks, and bucket %s has %d that are not the same", s.chunks, b.name, got.n)
		}
	}
	return err
}
