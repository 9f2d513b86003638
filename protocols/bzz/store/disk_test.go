package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/sennit-net/sennit/protocols/bzz/chunk"
)

func TestAStoreThatIsOpenedAgainHasEverything(t *testing.T) {
	dir := t.TempDir()
	opts := Options{Base: chunk.Address{0xaa}, Capacity: 100 * SlotSize}
	s := mustOpen(t, dir, opts)
	for i := range 120 {
		mustPut(t, s, i)
	}
	mustSync(t, s)
	if _, err := s.Get(t.Context(), numbered(50).Address()); err != nil {
		t.Fatal(err)
	}
	mustPut(t, s, 120) // written by Close
	before := s.Cursor(0)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = mustOpen(t, dir, opts)
	defer s.Close()
	if s.Cursor(0) < before {
		t.Fatalf("cursor %d, was %d", s.Cursor(0), before)
	}
	held := 0
	for i := range 121 {
		c, err := s.Get(t.Context(), numbered(i).Address())
		switch {
		case errors.Is(err, ErrNotFound):
			continue
		case err != nil || !c.Valid():
			t.Fatalf("chunk %d: %v", i, err)
		}
		held++
	}
	if st := s.Stats(); held != 100 || st.Chunks != 100 || st.Corrupt != 0 {
		t.Fatalf("%d chunks held, want 100; %+v", held, st)
	}
	// The use of 50 was remembered: it is not among those that leave next.
	want(t, s, 25, func(i int) bool { return i > 20 })
	if has, err := s.Has(t.Context(), numbered(50).Address()); !has {
		t.Fatalf("chunk 50 left although it was used (%v)", err)
	}
}

func TestAStoreOpenedWithLessCapacityShrinks(t *testing.T) {
	dir := t.TempDir()
	s := mustOpen(t, dir, Options{Capacity: 500 * SlotSize})
	for i := range 500 {
		mustPut(t, s, i)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = mustOpen(t, dir, Options{Capacity: 20 * SlotSize})
	mustSync(t, s)
	if st := s.Stats(); st.Chunks > 20 {
		t.Fatalf("%+v", st)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = mustOpen(t, dir, Options{Capacity: 20 * SlotSize})
	for i := range 20 {
		mustPut(t, s, 1000+i)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := mustOpen(t, dir, Options{Capacity: 20 * SlotSize}).Close(); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(filepath.Join(dir, "chunks"))
	if err != nil || info.Size() > 64*SlotSize {
		t.Fatalf("the file of chunks has %d bytes (%v)", info.Size(), err)
	}
}

func TestAChunkThatTheDiskHasLostIsPutAnew(t *testing.T) {
	dir := t.TempDir()
	s := mustOpen(t, dir, Options{})
	defer s.Close()
	for i := range 40 {
		mustPut(t, s, i)
	}
	mustSync(t, s)
	if err := os.Truncate(filepath.Join(dir, slotsName), 10*SlotSize); err != nil {
		t.Fatal(err)
	}
	for i := range 40 {
		if existed, err := s.Put(t.Context(), numbered(i)); err != nil || existed != (i < 10) {
			t.Errorf("chunk %d: existed %v, %v", i, existed, err)
		}
	}
	mustSync(t, s)
	want(t, s, 40, func(int) bool { return true })
	if st := s.Stats(); st.Chunks != 40 || st.Corrupt != 30 {
		t.Errorf("%+v", st)
	}
}

func TestAStoreWhoseFileOfChunksIsGoneSaysSoAndIsEmpty(t *testing.T) {
	for name, lose := range map[string]func(string) error{
		"removed": os.Remove,
		"emptied": func(path string) error { return os.Truncate(path, 0) },
	} {
		dir := t.TempDir()
		s := mustOpen(t, dir, Options{})
		for i := range 40 {
			mustPut(t, s, i)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		if err := lose(filepath.Join(dir, slotsName)); err != nil {
			t.Fatal(err)
		}
		var told []Rebuild
		s = mustOpen(t, dir, Options{Rebuilding: func(r Rebuild) { told = append(told, r) }})
		if len(told) != 1 || told[0].Cause == nil || !strings.Contains(told[0].Cause.Error(), "40 chunks are lost") {
			t.Errorf("%s: told %v", name, told)
		}
		if st := s.Stats(); st.Chunks != 0 {
			t.Errorf("%s: %+v", name, st)
		}
		for i := range 40 {
			mustPut(t, s, i)
		}
		mustSync(t, s)
		want(t, s, 40, func(int) bool { return true })
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestAStoreRemembersItsCapacity(t *testing.T) {
	dir := t.TempDir()
	for _, tt := range []struct{ opened, want int64 }{{0, DefaultCapacity / SlotSize}, {7 * SlotSize, 7}, {0, 7}, {9 * SlotSize, 9}, {0, 9}} {
		s := mustOpen(t, dir, Options{Capacity: tt.opened})
		if got := s.Stats().Capacity; got != tt.want {
			t.Errorf("opened with %d: capacity of %d chunks, want %d", tt.opened, got, tt.want)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestTheDiskSpaceStaysWithinWhatIsPromised(t *testing.T) {
	const capacity = 2000 * SlotSize
	dir := t.TempDir()
	s := mustOpen(t, dir, Options{Capacity: capacity})
	defer s.Close()
	for i := range 12000 {
		payload := fmt.Appendf(nil, "a short one, number %d", i)
		c, err := chunk.New(uint64(len(payload)), payload)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Put(t.Context(), c); err != nil {
			t.Fatal(err)
		}
	}
	mustSync(t, s)
	slots, err := os.Stat(filepath.Join(dir, "chunks"))
	if err != nil {
		t.Fatal(err)
	}
	if limit := int64(capacity + maxPending*SlotSize); slots.Size() > limit {
		t.Errorf("the file of chunks has %d bytes, more than %d", slots.Size(), limit)
	}
	index, err := os.Stat(filepath.Join(dir, "index"))
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("slots %d, index %d bytes for %d of capacity", slots.Size(), index.Size(), capacity)
	if limit := int64(capacity/10 + 2<<20); index.Size() > limit {
		t.Errorf("the index has %d bytes, more than %d", index.Size(), limit)
	}
}

func TestAStoreBelongsToOneNodeAndOneProcess(t *testing.T) {
	dir := t.TempDir()
	s := mustOpen(t, dir, Options{Base: chunk.Address{1}})
	if _, err := Open(dir, Options{Base: chunk.Address{1}}); !errors.Is(err, ErrInUse) {
		t.Errorf("opened twice: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(dir, Options{Base: chunk.Address{2}}); err == nil || !strings.Contains(err.Error(), "index of the node at 01") {
		t.Errorf("opened by another node: %v", err)
	}
}

func TestDamagedChunksAreNotServedAndLeave(t *testing.T) {
	dir := t.TempDir()
	s := mustOpen(t, dir, Options{})
	defer s.Close()
	for i := range 40 {
		mustPut(t, s, i)
	}
	mustSync(t, s)
	f, err := os.OpenFile(filepath.Join(dir, "chunks"), os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for slot := range int64(20) { // one byte each, in different places of the record
		b := make([]byte, 1)
		at := slot*SlotSize + slot*2
		if _, err := f.ReadAt(b, at); err != nil {
			t.Fatal(err)
		}
		b[0] ^= 0x40
		if _, err := f.WriteAt(b, at); err != nil {
			t.Fatal(err)
		}
	}
	if err := f.Truncate(39 * SlotSize); err != nil {
		t.Fatal(err)
	}
	damaged := func(i int) bool { return i < 20 || i == 39 }
	for i := range 40 {
		c, err := s.Get(t.Context(), numbered(i).Address())
		if damaged(i) != errors.Is(err, ErrNotFound) || err == nil && !c.Valid() {
			t.Errorf("chunk %d: %v", i, err)
		}
	}
	mustSync(t, s)
	want(t, s, 40, func(i int) bool { return !damaged(i) })
	if st := s.Stats(); st.Corrupt != 21 || st.Chunks != 19 {
		t.Fatalf("%+v", st)
	}
	for i := range 40 {
		if existed, err := s.Put(t.Context(), numbered(i)); err != nil || existed == damaged(i) {
			t.Errorf("chunk %d again: existed %v, %v", i, existed, err)
		}
	}
	mustSync(t, s)
	want(t, s, 40, func(int) bool { return true })
}

func TestADamagedIndexIsAnErrorAndNoPanic(t *testing.T) {
	dir := t.TempDir()
	s := mustOpen(t, dir, Options{})
	for i := range 2000 {
		mustPut(t, s, i)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(filepath.Join(dir, "index"))
	if err != nil {
		t.Fatal(err)
	}
	page := os.Getpagesize()
	for name, damage := range map[string]func([]byte) []byte{
		"cut off":           func(b []byte) []byte { return b[:6*page] },
		"cut off early":     func(b []byte) []byte { return b[:page] },
		"zeros":             func(b []byte) []byte { return make([]byte, len(b)) },
		"zeros after heads": func(b []byte) []byte { clear(b[2*page:]); return b },
		"another file":      func([]byte) []byte { return []byte(strings.Repeat("no index\n", 1<<14)) },
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			if err := os.WriteFile(filepath.Join(dir, "index"), damage(bytes.Clone(whole)), 0o600); err != nil {
				t.Fatal(err)
			}
			s, err := Open(dir, Options{})
			if err == nil {
				s.Close()
				t.Fatal("the store was opened")
			}
			t.Log(err)
		})
	}
}

func TestPutWaitsForRoomAndGivesUpWithItsContext(t *testing.T) {
	s, err := open(t.TempDir(), Options{}) // nobody writes
	if err != nil {
		t.Fatal(err)
	}
	for i := range maxPending {
		mustPut(t, s, i)
	}
	cause := errors.New("enough")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(cause)
	if _, err := s.Put(ctx, numbered(maxPending)); !errors.Is(err, cause) {
		t.Fatalf("with a full queue: %v", err)
	}
	if err := s.Sync(ctx); !errors.Is(err, cause) {
		t.Fatalf("Sync: %v", err)
	}
	if existed, err := s.Put(ctx, numbered(5)); err != nil || !existed {
		t.Fatalf("a chunk that waits: %v, %v", existed, err)
	}
	go s.writeLoop()
	mustPut(t, s, maxPending)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestAWriteThatFailsIsReportedAndTriedAgain(t *testing.T) {
	dir := t.TempDir()
	s, err := open(dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	file := s.slots.file
	broken, err := os.Open(filepath.Join(dir, "chunks")) // cannot be written to
	if err != nil {
		t.Fatal(err)
	}
	defer broken.Close()
	s.slots.file = broken
	mustPut(t, s, 0, 1)
	if err := s.writeAll(); err == nil || !strings.Contains(err.Error(), "writing failed") {
		t.Fatalf("got %v", err)
	}
	for i := 2; i < maxPending; i++ {
		mustPut(t, s, i)
	}
	if _, err := s.Put(t.Context(), numbered(maxPending)); err == nil || !strings.Contains(err.Error(), "writing failed") {
		t.Fatalf("with a full queue: %v", err)
	}
	s.slots.file = file
	s.signal(s.wake)
	go s.writeLoop()
	mustSync(t, s)
	want(t, s, maxPending, func(int) bool { return true })
	if got := s.Stats().Chunks; got != maxPending {
		t.Fatalf("%d chunks, want %d", got, maxPending)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestAStoreTakesLittleMemory(t *testing.T) {
	s := mustOpen(t, t.TempDir(), Options{Capacity: 4000 * SlotSize})
	defer s.Close()
	heap := func() uint64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before := heap()
	for i := range 8000 {
		mustPut(t, s, i)
	}
	full := heap()
	if limit := uint64(2 * maxPending * SlotSize); full > before+limit {
		t.Errorf("%d bytes of heap while chunks are written, more than %d", full-before, limit)
	}
	mustSync(t, s)
	if after := heap(); after > before+2<<20 {
		t.Errorf("%d bytes of heap with 4000 chunks on disk, more than 2 MiB", after-before)
	}
}

func FuzzParseRecord(f *testing.F) {
	c := numbered(3)
	whole := appendRecord(nil, c)
	f.Add(whole)
	f.Add(whole[:recordHead])
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		got, err := parseRecord(b, c.Address())
		if err == nil && string(appendRecord(nil, got)) != string(b) {
			t.Fatal("accepted a record that is not what is written")
		}
	})
}
