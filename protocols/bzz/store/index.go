package store

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"runtime/debug"
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

// errMissing is the error for a missing one; it is errDamaged, but says something else.
var errMissing error = missing{}

type missing struct{}

// Error says that the index is missing.
func (missing) Error() string { return "index is missing" }

// Unwrap makes it errDamaged.
func (missing) Unwrap() error { return errDamaged }

const (
	format     = 2
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
	if err := x.update(func(tx *bolt.Tx) error { return prepare(tx, opts, chunks) }); err != nil {
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
		switch {
		case err == nil, errors.Is(err, errDamaged):
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
	old := meta.Get([]byte("format"))
	switch {
	case old == nil && chunks:
		return errMissing
	case old != nil:
		if len(old) != 1 || old[0] != format {
			return fmt.Errorf("index of format %x, this program knows %d", old, format)
		}
		if owner := meta.Get([]byte("base")); string(owner) != string(opts.Base[:]) {
			return fmt.Errorf("index of the node at %x, not of %v", owner, opts.Base)
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

// load reads the state, calls claim for the slot of each chunk, and looks whether all of the index can be read.
func (x *index) load(claim func(slot uint32) error) (s state, err error) {
	err = x.view(func(tx *bolt.Tx) error {
		err := tx.Bucket(bucketChunks).ForEach(func(_, v []byte) error {
			p, err := parsePlace(v)
			if err != nil {
				return err
			}
			s.chunks++
			return claim(p.slot)
		})
		if err != nil {
			return err
		}
		for _, b := range []struct {
			name []byte
			key  int
		}{{bucketOrder, 9}, {bucketUsed, 8}} {
			if n, err := countAddresses(tx.Bucket(b.name), b.key); err != nil || n != s.chunks {
				return errors.Join(err, fmt.Errorf("%d chunks, %d of them in bucket %s", s.chunks, n, b.name))
			}
		}
		if k, _ := tx.Bucket(bucketUsed).Cursor().Last(); len(k) == 8 {
			s.lastUse = binary.BigEndian.Uint64(k)
		}
		return tx.Bucket(bucketCursors).ForEach(func(k, v []byte) error {
			if len(k) != 1 || k[0] >= Bins || len(v) != 8 {
				return fmt.Errorf("cursor of bin %x with %d bytes", k, len(v))
			}
			s.cursors[k[0]] = binary.BigEndian.Uint64(v)
			return nil
		})
	})
	if err != nil && !errors.Is(err, errDamaged) && !errors.Is(err, ErrClosed) {
		err = fmt.Errorf("%w: %w", errDamaged, err)
	}
	return s, err
}

// countAddresses returns how many entries a bucket has, all of which are to be an address under a key of that length.
func countAddresses(b *bolt.Bucket, key int) (n int64, err error) {
	err = b.ForEach(func(k, v []byte) error {
		if len(k) != key || len(v) != chunk.AddressSize {
			return fmt.Errorf("key of %d bytes with %d bytes", len(k), len(v))
		}
		n++
		return nil
	})
	return n, err
}
