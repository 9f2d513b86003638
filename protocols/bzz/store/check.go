package store

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"hash/maphash"
	"os"

	bolt "go.etcd.io/bbolt"
)

// checkHeads looks whether both heads of an index are whole, as they are unless the disk has lost something. With one of them the
// database goes by the other, which is one transaction older, and the chunks that this had stored would be taken for
// none.
func checkHeads(path string, pageSize int) error {
	const (
		start = 16 // of the head in its page
		sum   = 56 // of the head's bytes, which stands behind them in the machine's order
	)
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	for i := range 2 {
		var head [sum + 8]byte
		if _, err := f.ReadAt(head[:], int64(i*pageSize+start)); err != nil {
			return err
		}
		h := fnv.New64a()
		h.Write(head[:sum])
		if binary.NativeEndian.Uint64(head[sum:]) != h.Sum64() {
			return fmt.Errorf("%w: its head %d of 2 is not whole", errDamaged, i+1)
		}
	}
	return nil
}

// checkPages looks whether the pages of an index can be what they say they are: each that is not free is a node of a tree or
// of the list of free pages, and there are as many of them as the trees have. The database believes what a page says about
// how many pages after it belong to it, and would free them.
func checkPages(tx *bolt.Tx) error {
	end, used := int(tx.Size()/int64(tx.DB().Info().PageSize)), 0
	for id := 2; id < end; id++ { // after the two heads
		p, err := tx.Page(id)
		switch {
		case err != nil:
			return err
		case p == nil:
			return fmt.Errorf("%w: page %d of %d is not there", errDamaged, id, end)
		case p.Type == "free":
		case p.Type == "freelist" && p.OverflowCount < end-id:
			id += p.OverflowCount
		case (p.Type == "leaf" || p.Type == "branch") && p.OverflowCount == 0: // nothing that we keep takes more
			used++
		default:
			return fmt.Errorf("%w: page %d of %d is a %s and has %d more", errDamaged, id, end, p.Type, p.OverflowCount)
		}
	}
	if s := tx.Cursor().Bucket().Stats(); s.BranchPageN+s.LeafPageN != used {
		return fmt.Errorf("%w: %d pages, %d of them in trees", errDamaged, used, s.BranchPageN+s.LeafPageN)
	}
	return nil
}

// each calls f for the entries of a bucket, which are to have keys and values of these lengths, in ascending order.
func each(tx *bolt.Tx, bucket []byte, key, value int, f func(k, v []byte) error) error {
	var last []byte
	return tx.Bucket(bucket).ForEach(func(k, v []byte) error {
		switch {
		case len(k) != key || len(v) != value:
			return fmt.Errorf("bucket %s: key of %d bytes with %d bytes, want %d and %d", bucket, len(k), len(v), key, value)
		case bytes.Compare(last, k) >= 0:
			return fmt.Errorf("bucket %s: key %x after %x", bucket, k, last)
		}
		last = k
		return f(k, v)
	})
}

// sum is the same for the same entries, in whatever order they are added.
type sum struct {
	seed maphash.Seed
	hash uint64
	n    int64
}

func (s *sum) add(key, value []byte) {
	var b [64]byte
	s.hash += maphash.Bytes(s.seed, append(append(b[:0], key...), value...))
	s.n++
}
