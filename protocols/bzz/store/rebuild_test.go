package store

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	bolt "go.etcd.io/bbolt"

	"github.com/sennit-net/sennit/protocols/bzz/chunk"
)

// filledDir returns the directory of a closed store that holds the first n numbered chunks.
func filledDir(t *testing.T, n int, opts Options) string {
	t.Helper()
	dir := t.TempDir()
	s := mustOpen(t, dir, opts)
	for i := range n {
		mustPut(t, s, i)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return dir
}

// rewrite changes a file.
func rewrite(t *testing.T, path string, change func([]byte) []byte) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err == nil {
		err = os.WriteFile(path, change(b), 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// inIndex changes an index by a transaction.
func inIndex(t *testing.T, dir string, change func(tx *bolt.Tx) error) {
	t.Helper()
	db, err := bolt.Open(filepath.Join(dir, indexName), 0o600, nil)
	if err == nil {
		err = errors.Join(db.Update(change), db.Close())
	}
	if err != nil {
		t.Fatal(err)
	}
}

func TestAnIndexThatIsDamagedOrMissingIsMadeAnew(t *testing.T) {
	const n = 600
	page := os.Getpagesize()
	bytewise := func(change func([]byte) []byte) func(*testing.T, string) {
		return func(t *testing.T, dir string) { rewrite(t, filepath.Join(dir, indexName), change) }
	}
	entry := func(bucket []byte, key, value []byte) func(*testing.T, string) {
		return func(t *testing.T, dir string) {
			inIndex(t, dir, func(tx *bolt.Tx) error { return tx.Bucket(bucket).Put(key, value) })
		}
	}
	first := numbered(0).Address()
	for name, damage := range map[string]func(t *testing.T, dir string){
		"missing": func(t *testing.T, dir string) {
			if err := os.Remove(filepath.Join(dir, indexName)); err != nil {
				t.Fatal(err)
			}
		},
		"empty":             bytewise(func(b []byte) []byte { return nil }),
		"cut off":           bytewise(func(b []byte) []byte { return b[:6*page] }),
		"cut off early":     bytewise(func(b []byte) []byte { return b[:page] }),
		"zeros":             bytewise(func(b []byte) []byte { clear(b); return b }),
		"zeros after heads": bytewise(func(b []byte) []byte { clear(b[2*page:]); return b }),
		"noise after heads": bytewise(func(b []byte) []byte {
			r := rand.NewChaCha8([32]byte{7})
			r.Read(b[2*page:])
			return b
		}),
		"another file":        bytewise(func([]byte) []byte { return []byte(strings.Repeat("no index\n", 1<<14)) }),
		"a slot used twice":   entry(bucketChunks, first[:], place{slot: 1}.append(nil)),
		"a slot far away":     entry(bucketChunks, first[:], place{slot: 1<<32 - 1}.append(nil)),
		"half a place":        entry(bucketChunks, first[:], []byte("half")),
		"a chunk in two bins": entry(bucketOrder, orderKey(3, 1<<40), first[:]),
		"a use of nothing":    entry(bucketUsed, useKey(1<<40), []byte("nothing")),
		"a cursor of no bin":  entry(bucketCursors, []byte{Bins}, useKey(1)),
	} {
		t.Run(name, func(t *testing.T) {
			dir := filledDir(t, n, Options{})
			damage(t, dir)
			var told []Rebuild
			s := mustOpen(t, dir, Options{Rebuilding: func(r Rebuild) { told = append(told, r) }})
			want(t, s, n, func(int) bool { return true })
			checkOrder(t, s)
			if st := s.Stats(); st.Chunks != n || st.Rebuilt != n {
				t.Errorf("%+v", st)
			}
			last := told[len(told)-1]
			if !errors.Is(told[0].Cause, errDamaged) || told[0].Done != 0 || last.Done != last.Total || last.Chunks != n {
				t.Errorf("told %+v at first, %+v at last", told[0], last)
			}
			mustPut(t, s, n)
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			s = mustOpen(t, dir, Options{Rebuilding: func(r Rebuild) { t.Errorf("made anew once more: %v", r.Cause) }})
			defer s.Close()
			want(t, s, n+1, func(int) bool { return true })
			if left, err := filepath.Glob(filepath.Join(dir, "*.new")); len(left) > 0 || err != nil {
				t.Errorf("%q are left, %v", left, err)
			}
		})
	}
}

func TestANewIndexHasWhatIsWholeOnceAndWithinTheCapacity(t *testing.T) {
	const n = 600
	dir := filledDir(t, n, Options{})
	rewrite(t, filepath.Join(dir, slotsName), func(b []byte) []byte {
		copy(b[5*SlotSize:6*SlotSize], b[9*SlotSize:]) // one chunk twice, another gone
		b[20*SlotSize+recordHead+3] ^= 1
		binary.LittleEndian.PutUint16(b[30*SlotSize+4:], 0xffff)
		clear(b[40*SlotSize : 41*SlotSize])
		return b[:(n-1)*SlotSize+recordHead+1] // the last one is cut off
	})
	if err := os.Remove(filepath.Join(dir, indexName)); err != nil {
		t.Fatal(err)
	}
	s := mustOpen(t, dir, Options{})
	checkOrder(t, s)
	gone := 0
	for i := range n {
		if has, err := s.Has(t.Context(), numbered(i).Address()); err != nil || !has {
			gone++
		}
	}
	if st := s.Stats(); gone != 5 || st.Rebuilt != n-5 || st.Chunks != n-5 {
		t.Errorf("%d are gone; %+v", gone, st)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(dir, indexName)); err != nil {
		t.Fatal(err)
	}
	s = mustOpen(t, dir, Options{Capacity: 50 * SlotSize})
	defer s.Close()
	mustSync(t, s)
	if st := s.Stats(); st.Chunks > 50 || st.Rebuilt != n-5 {
		t.Errorf("%+v", st)
	}
	checkOrder(t, s)
}

func TestAnIndexIsNotMadeAnewForAnotherReason(t *testing.T) {
	for name, tt := range map[string]struct {
		opts   Options
		change func(t *testing.T, dir string)
		want   string
	}{
		"another node": {Options{Base: chunk.Address{1}}, func(*testing.T, string) {}, "not of"},
		"another format": {Options{}, func(t *testing.T, dir string) {
			inIndex(t, dir, func(tx *bolt.Tx) error { return tx.Bucket(bucketMeta).Put([]byte("format"), []byte{9}) })
		}, "format 09"},
		"chunks of another format": {Options{}, func(t *testing.T, dir string) {
			rewrite(t, filepath.Join(dir, indexName), func([]byte) []byte { return nil })
			rewrite(t, filepath.Join(dir, slotsName), func(b []byte) []byte {
				for i := range b {
					b[i] ^= 0x55
				}
				return b
			})
		}, "no chunk in the file of chunks is whole"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := filledDir(t, 100, Options{})
			tt.change(t, dir)
			before, err := os.ReadFile(filepath.Join(dir, slotsName))
			if err != nil {
				t.Fatal(err)
			}
			if s, err := Open(dir, tt.opts); err == nil {
				s.Close()
				t.Error("the store was opened")
			} else if !strings.Contains(err.Error(), tt.want) {
				t.Error(err)
			}
			if after, err := os.ReadFile(filepath.Join(dir, slotsName)); err != nil || !bytes.Equal(before, after) {
				t.Errorf("the file of chunks was changed, %v", err)
			}
		})
	}
}

func TestWhoComesSecondLeavesTheNewIndexToTheFirst(t *testing.T) {
	dir := filledDir(t, 100, Options{})
	rewrite(t, filepath.Join(dir, indexName), func([]byte) []byte { return nil })
	var second error
	s := mustOpen(t, dir, Options{Rebuilding: func(r Rebuild) {
		if r.Done == 0 {
			_, second = Open(dir, Options{})
		}
	}})
	defer s.Close()
	if !errors.Is(second, ErrInUse) {
		t.Errorf("while another makes it: %v", second)
	}
	// And one that has seen the damaged file before it was replaced:
	if _, err := rebuildIndex(dir, Options{}, mustStat(t, filepath.Join(dir, slotsName)), errDamaged); !errors.Is(err, ErrInUse) {
		t.Errorf("after another has made it: %v", err)
	}
	want(t, s, 100, func(int) bool { return true })
}

func mustStat(t *testing.T, path string) os.FileInfo {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return info
}

func TestAProcessThatIsKilledWhileItMakesAnIndexLosesNothing(t *testing.T) {
	const n = 3000
	dir := filledDir(t, n, Options{})
	rewrite(t, filepath.Join(dir, indexName), func(b []byte) []byte { return b[:len(b)/2] })
	for _, after := range []int{1, n / runSlots / 2, n / runSlots} {
		if _, err := os.Stat(filepath.Join(dir, indexName)); err != nil {
			t.Fatal(err)
		}
		runAndKill(t, dir, -1, after)
	}
	if damage := []byte("cut off by a loss of power"); os.WriteFile(filepath.Join(dir, indexName+".new"), damage, 0o600) != nil {
		t.Fatal("the rest of an index cannot be written")
	}
	s := mustOpen(t, dir, Options{})
	defer s.Close()
	want(t, s, n, func(int) bool { return true })
	if st := s.Stats(); st.Rebuilt != n {
		t.Errorf("%+v", st)
	}
}

func BenchmarkRebuild(b *testing.B) {
	const n = 100_000
	dir := b.TempDir()
	s := mustOpen(b, dir, Options{})
	for i := range n {
		if _, err := s.Put(b.Context(), random(i)); err != nil {
			b.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		b.Fatal(err)
	}
	b.SetBytes(n * SlotSize)
	for b.Loop() {
		if err := os.Remove(filepath.Join(dir, indexName)); err != nil {
			b.Fatal(err)
		}
		s := mustOpen(b, dir, Options{})
		if got := s.Stats().Rebuilt; got != n {
			b.Fatal(fmt.Errorf("%d chunks", got))
		}
		if err := s.Close(); err != nil {
			b.Fatal(err)
		}
	}
}
