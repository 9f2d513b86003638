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
	"syscall"
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

// rootOf returns the number of the page at the root of a bucket.
func rootOf(t *testing.T, path string, bucket []byte) (root int) {
	t.Helper()
	db, err := bolt.Open(path, 0o600, nil)
	if err == nil {
		err = db.View(func(tx *bolt.Tx) error {
			root = int(tx.Bucket(bucket).Root())
			return nil
		})
		err = errors.Join(err, db.Close())
	}
	if err != nil || root == 0 {
		t.Fatalf("root page %d, %v", root, err)
	}
	return root
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
		"the first head":  bytewise(func(b []byte) []byte { b[16+40] ^= 1; return b }),
		"the second head": bytewise(func(b []byte) []byte { b[page+16+40] ^= 1; return b }),
		"noise in the first head": bytewise(func(b []byte) []byte {
			r := rand.NewChaCha8([32]byte{8})
			r.Read(b[:64])
			return b
		}),
		"another file":        bytewise(func([]byte) []byte { return []byte(strings.Repeat("no index\n", 1<<14)) }),
		"a slot used twice":   entry(bucketChunks, first[:], place{slot: 1}.append(nil)),
		"a slot far away":     entry(bucketChunks, first[:], place{slot: 1<<32 - 1}.append(nil)),
		"half a place":        entry(bucketChunks, first[:], []byte("half")),
		"a chunk in two bins": entry(bucketOrder, orderKey(3, 1<<40), first[:]),
		"a use of nothing":    entry(bucketUsed, useKey(1<<40), []byte("nothing")),
		"a chunk in a wrong bin": func(t *testing.T, dir string) {
			inIndex(t, dir, func(tx *bolt.Tx) error {
				order := tx.Bucket(bucketOrder)
				k, v := order.Cursor().First()
				return errors.Join(order.Put(append([]byte{k[0] + 1, 0x7f}, k[2:]...), v), order.Delete(k))
			})
		},
		"another address": func(t *testing.T, dir string) {
			inIndex(t, dir, func(tx *bolt.Tx) error {
				chunks := tx.Bucket(bucketChunks)
				k, v := chunks.Cursor().First()
				return errors.Join(chunks.Put(append([]byte{k[0] ^ 1}, k[1:]...), v), chunks.Delete(k))
			})
		},
		"a cursor before its chunks": entry(bucketCursors, []byte{0}, useKey(1)),
		"a page with more after it": func(t *testing.T, dir string) {
			root := rootOf(t, filepath.Join(dir, indexName), bucketChunks)
			rewrite(t, filepath.Join(dir, indexName), func(b []byte) []byte {
				binary.LittleEndian.PutUint32(b[root*page+12:], 1<<31) // the page's count of those that belong to it
				return b
			})
		},
		"a branch to the wrong page": func(t *testing.T, dir string) {
			root := rootOf(t, filepath.Join(dir, indexName), bucketChunks)
			rewrite(t, filepath.Join(dir, indexName), func(b []byte) []byte {
				at := root*page + 16 + 2*16 // its third entry: where the key is 4, its length 4, page 8
				b[at+int(binary.LittleEndian.Uint32(b[at:]))] += 3
				return b
			})
		},
		"of the older format": entry(bucketMeta, []byte("format"), []byte{oldFormat}),
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
			if left, err := filepath.Glob(filepath.Join(dir, "*.new")); len(left) > 0 || err != nil {
				t.Errorf("%q are left, %v", left, err)
			}
		})
	}
}

func TestWhatAnInterruptedRebuildHasLeftIsDroppedHoweverDamaged(t *testing.T) {
	const n = 600
	for name, damage := range map[string]func(page []byte){
		"no page":                func(page []byte) { clear(page) },
		"a page of another kind": func(page []byte) { page[8] ^= 0xff },
		"more pages":             func(page []byte) { binary.LittleEndian.PutUint32(page[12:], 1<<31) },
		"sound":                  func([]byte) {},
	} {
		t.Run(name, func(t *testing.T) {
			dir := filledDir(t, n, Options{})
			path, scratch := filepath.Join(dir, indexName), filepath.Join(dir, indexName+".new")
			if err := os.Rename(path, scratch); err != nil {
				t.Fatal(err)
			}
			root, size := rootOf(t, scratch, bucketChunks), os.Getpagesize()
			rewrite(t, scratch, func(b []byte) []byte {
				damage(b[root*size : (root+1)*size])
				return b
			})
			s := mustOpen(t, dir, Options{})
			defer s.Close()
			want(t, s, n, func(int) bool { return true })
			checkOrder(t, s)
		})
	}
}

func TestAnOlderIndexWithoutChunksBeginsAnew(t *testing.T) {
	dir := filledDir(t, 0, Options{})
	inIndex(t, dir, func(tx *bolt.Tx) error { return tx.Bucket(bucketMeta).Put([]byte("format"), []byte{oldFormat}) })
	for i := range 2 { // and is of the present format then
		s := mustOpen(t, dir, Options{})
		mustPut(t, s, i)
		if err := s.Close(); err != nil || s.Stats().Rebuilt != 0 {
			t.Fatalf("%v, %+v", err, s.Stats())
		}
	}
}

func TestErrorsOfTheSystemAreNoDamage(t *testing.T) {
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, indexName), 0o700); err != nil { // which no program can open as a file
		t.Fatal(err)
	}
	_, err := openIndex(filepath.Join(dir, indexName), &Options{}, true)
	if err == nil || errors.Is(err, errDamaged) || !strings.HasPrefix(err.Error(), "index: ") {
		t.Error(err)
	}
	if _, err := os.Stat("/dev/full"); err != nil {
		t.Skip("/dev/full, a disk without room, is of Linux")
	}
	if err := os.Symlink("/dev/full", filepath.Join(dir, "full")); err != nil {
		t.Fatal(err)
	}
	_, err = openIndex(filepath.Join(dir, "full"), &Options{}, true)
	if !errors.Is(err, syscall.ENOSPC) || errors.Is(err, errDamaged) {
		t.Error(err)
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
