package store

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"github.com/sennit-net/sennit/protocols/bzz/chunk"
)

func TestMain(m *testing.M) {
	if runChild() {
		return
	}
	goleak.VerifyTestMain(m)
}

// either is what both stores can do.
type either interface {
	Put(ctx context.Context, c chunk.Chunk) (bool, error)
	Get(ctx context.Context, addr chunk.Address) (chunk.Chunk, error)
	Has(ctx context.Context, addr chunk.Address) (bool, error)
	Touch(addr chunk.Address)
	Cursor(bin int) uint64
	Range(bin int, from, to uint64, limit int) ([]Entry, error)
	Changed(bin int) <-chan struct{}
	Stats() Stats
	Sync(ctx context.Context) error
	Close() error
}

// forEach runs a test on a store of either kind that has room for n chunks.
func forEach(t *testing.T, n int64, test func(t *testing.T, s either)) {
	opts := Options{Capacity: n * SlotSize}
	t.Run("memory", func(t *testing.T) {
		s := NewMemory(opts)
		defer s.Close()
		test(t, s)
	})
	t.Run("disk", func(t *testing.T) {
		s := mustOpen(t, t.TempDir(), opts)
		defer s.Close()
		test(t, s)
	})
}

func mustOpen(t testing.TB, dir string, opts Options) *Store {
	t.Helper()
	s, err := Open(dir, opts)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// numbered returns a chunk of its own for each i, of different lengths.
func numbered(i int) chunk.Chunk {
	payload := make([]byte, 8+(i*37)%4000)
	binary.LittleEndian.PutUint64(payload, uint64(i))
	c, err := chunk.New(uint64(len(payload)), payload)
	if err != nil {
		panic(err)
	}
	return c
}

func mustPut(t testing.TB, s either, numbers ...int) {
	t.Helper()
	for _, i := range numbers {
		if existed, err := s.Put(t.Context(), numbered(i)); err != nil || existed {
			t.Fatalf("putting chunk %d: existed %v, %v", i, existed, err)
		}
	}
}

func mustSync(t testing.TB, s either) {
	t.Helper()
	if err := s.Sync(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// want checks that s holds exactly those of the first n chunks that keep says.
func want(t *testing.T, s either, n int, keep func(i int) bool) {
	t.Helper()
	for i := range n {
		has, err := s.Has(t.Context(), numbered(i).Address())
		if err != nil || has != keep(i) {
			t.Errorf("chunk %d: held %v, want %v (%v)", i, has, keep(i), err)
		}
	}
}

func TestWhatWasPutComesBackUnchanged(t *testing.T) {
	forEach(t, 1000, func(t *testing.T, s either) {
		for round := range 2 { // before and after it was written
			for i := range 300 {
				c := numbered(i)
				if round == 0 {
					mustPut(t, s, i)
				}
				got, err := s.Get(t.Context(), c.Address())
				if err != nil || string(got.Data()) != string(c.Data()) || got.Address() != c.Address() {
					t.Fatalf("chunk %d, round %d: %v", i, round, err)
				}
				if existed, err := s.Put(t.Context(), c); err != nil || !existed {
					t.Fatalf("chunk %d again: existed %v, %v", i, existed, err)
				}
			}
			mustSync(t, s)
		}
		if st := s.Stats(); st.Chunks != 300 || st.Puts != 300 || st.Capacity != 1000 || st.Evicted != 0 {
			t.Fatalf("stats %+v", st)
		}
	})
}

func TestAnUnknownChunkIsNotFound(t *testing.T) {
	forEach(t, 10, func(t *testing.T, s either) {
		if _, err := s.Get(t.Context(), chunk.Address{1}); !errors.Is(err, ErrNotFound) {
			t.Fatalf("got %v", err)
		}
		if has, err := s.Has(t.Context(), chunk.Address{1}); has || err != nil {
			t.Fatalf("has %v, %v", has, err)
		}
		if _, err := s.Put(t.Context(), chunk.Chunk{}); !errors.Is(err, chunk.ErrInvalid) {
			t.Fatalf("the zero chunk: %v", err)
		}
	})
}

func TestTheChunkUsedLeastRecentlyLeavesFirst(t *testing.T) {
	forEach(t, 10, func(t *testing.T, s either) {
		for i := range 10 {
			mustPut(t, s, i)
		}
		mustSync(t, s)
		// 0 is used by Get, 1 by Put, 2 is only looked for.
		if _, err := s.Get(t.Context(), numbered(0).Address()); err != nil {
			t.Fatal(err)
		}
		if existed, err := s.Put(t.Context(), numbered(1)); err != nil || !existed {
			t.Fatal(existed, err)
		}
		if _, err := s.Has(t.Context(), numbered(2).Address()); err != nil {
			t.Fatal(err)
		}
		mustPut(t, s, 10, 11, 12)
		mustSync(t, s)
		want(t, s, 13, func(i int) bool { return i < 2 || i > 4 })
		if st := s.Stats(); st.Evicted != 3 || st.Chunks != 10 {
			t.Fatalf("stats %+v", st)
		}
	})
}

func TestAUseWhileAChunkIsBeingWrittenCounts(t *testing.T) {
	forEach(t, 3, func(t *testing.T, s either) {
		mustPut(t, s, 0, 1, 2)
		if _, err := s.Get(t.Context(), numbered(0).Address()); err != nil {
			t.Fatal(err)
		}
		mustSync(t, s)
		mustPut(t, s, 3)
		mustSync(t, s)
		want(t, s, 4, func(i int) bool { return i != 1 })
	})
}

func TestAChunkThatIsTouchedIsNotTheNextToLeave(t *testing.T) {
	forEach(t, 4, func(t *testing.T, s either) {
		mustPut(t, s, 0, 1)
		mustSync(t, s)
		mustPut(t, s, 2, 3)
		s.Touch(numbered(2).Address()) // which may not be written yet
		s.Touch(numbered(0).Address())
		s.Touch(numbered(9).Address()) // which is not there
		mustSync(t, s)
		mustPut(t, s, 4, 5)
		mustSync(t, s)
		want(t, s, 6, func(i int) bool { return i != 1 && i != 3 })
	})
}

func TestThereIsAlwaysRoomForOneChunk(t *testing.T) {
	for name, s := range map[string]either{
		"memory": NewMemory(Options{Capacity: 1}),
		"disk":   mustOpen(t, t.TempDir(), Options{Capacity: 1}),
	} {
		t.Run(name, func(t *testing.T) {
			defer s.Close()
			mustPut(t, s, 0)
			mustSync(t, s)
			mustPut(t, s, 1, 2)
			mustSync(t, s)
			want(t, s, 3, func(i int) bool { return i == 2 })
		})
	}
}

func TestBinsKeepTheOrderOfArrival(t *testing.T) {
	forEach(t, 1000, func(t *testing.T, s either) {
		order := make(map[int][]chunk.Address)
		for i := range 200 {
			mustPut(t, s, i)
			bin := chunk.Address{}.PO(numbered(i).Address())
			order[bin] = append(order[bin], numbered(i).Address())
		}
		mustSync(t, s)
		for bin, addrs := range order {
			if got := s.Cursor(bin); got != uint64(len(addrs)) {
				t.Fatalf("cursor of bin %d is %d, want %d", bin, got, len(addrs))
			}
			got, err := s.Range(bin, 0, s.Cursor(bin), 1000)
			if err != nil || len(got) != len(addrs) {
				t.Fatalf("bin %d: %d entries, want %d (%v)", bin, len(got), len(addrs), err)
			}
			for i, e := range got {
				if e.ID != uint64(i+1) || e.Address != addrs[i] {
					t.Fatalf("bin %d: entry %d is %v, want %v", bin, i, e, addrs[i])
				}
			}
		}
		got, err := s.Range(0, 5, 14, 4)
		if err != nil || len(got) != 4 || got[0].ID != 5 || got[3].ID != 8 {
			t.Fatalf("with a limit: %v, %v", got, err)
		}
		if got, err := s.Range(0, 5, 7, 100); err != nil || len(got) != 3 {
			t.Fatalf("with an end: %v, %v", got, err)
		}
		if got, err := s.Range(Bins-2, 0, 100, 100); err != nil || len(got) != 0 || s.Cursor(Bins-2) != 0 {
			t.Fatalf("an empty bin: %v, %v", got, err)
		}
		for _, bin := range []int{-1, Bins} {
			if _, err := s.Range(bin, 0, 1, 1); !errors.Is(err, ErrRange) || s.Cursor(bin) != 0 {
				t.Fatalf("bin %d: %v", bin, err)
			}
		}
	})
}

func TestTheLastBinHasAllThatShareMoreBits(t *testing.T) {
	for shared, want := range map[int]int{0: 0, 7: 7, 15: 15, 16: 16, 17: 16, 200: 16} {
		addr := numbered(0).Address()
		addr[shared/8] ^= 0x80 >> (shared % 8)
		s := NewMemory(Options{Base: addr})
		mustPut(t, s, 0)
		if s.Cursor(want) != 1 {
			t.Errorf("a chunk that shares %d bits is not in bin %d", shared, want)
		}
	}
}

func TestChunksThatLeaveAndComeAgainHaveNewNumbers(t *testing.T) {
	forEach(t, 4, func(t *testing.T, s either) {
		for round := range 5 {
			for i := range 8 {
				mustPut(t, s, i)
				mustSync(t, s)
			}
			if total := int(s.Cursor(0) + s.Cursor(1) + s.Cursor(2) + s.Cursor(3) + s.Cursor(4)); total != 8*(round+1) {
				t.Fatalf("round %d: %d numbers given, want %d", round, total, 8*(round+1))
			}
			held := 0
			for bin := range 5 {
				entries, err := s.Range(bin, 1, s.Cursor(bin), 100)
				if err != nil {
					t.Fatal(err)
				}
				held += len(entries)
				for _, e := range entries {
					if has, err := s.Has(t.Context(), e.Address); !has || err != nil {
						t.Fatalf("bin %d lists %v, which is not held (%v)", bin, e, err)
					}
				}
			}
			if held != 4 {
				t.Fatalf("round %d: bins list %d chunks, want 4", round, held)
			}
		}
	})
}

func TestWhoWaitsForABinIsToldOfItsNextChunk(t *testing.T) {
	forEach(t, 100, func(t *testing.T, s either) {
		bin := chunk.Address{}.PO(numbered(0).Address())
		changed, other := s.Changed(bin), s.Changed(99)
		select {
		case <-changed:
			t.Fatal("told before there was anything")
		default:
		}
		mustPut(t, s, 0)
		<-changed
		if s.Cursor(bin) != 1 {
			t.Fatalf("cursor %d, want 1", s.Cursor(bin))
		}
		changed = s.Changed(bin)
		if existed, err := s.Put(t.Context(), numbered(0)); err != nil || !existed {
			t.Fatal(existed, err)
		}
		mustSync(t, s)
		select {
		case <-changed:
			t.Fatal("told of a chunk that was there")
		case <-other:
			t.Fatal("told of another bin's chunk")
		default:
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		<-changed
		<-s.Changed(bin)
	})
}

func TestAClosedStoreSaysSo(t *testing.T) {
	forEach(t, 100, func(t *testing.T, s either) {
		mustPut(t, s, 0)
		mustSync(t, s)
		if err := errors.Join(s.Close(), s.Close()); err != nil {
			t.Fatal(err)
		}
		_, putErr := s.Put(t.Context(), numbered(1))
		_, getErr := s.Get(t.Context(), numbered(0).Address())
		_, hasErr := s.Has(t.Context(), numbered(0).Address())
		_, rangeErr := s.Range(0, 0, 1, 1)
		for i, err := range []error{putErr, getErr, hasErr, rangeErr, s.Sync(t.Context())} {
			if !errors.Is(err, ErrClosed) {
				t.Errorf("call %d: %v, want %v", i, err, ErrClosed)
			}
		}
	})
}

func TestManyUsersAtOnceFindWhatTheyPut(t *testing.T) {
	forEach(t, 3000, func(t *testing.T, s either) {
		const users, each = 8, 250
		var wg sync.WaitGroup
		news := make([]int, users)
		for u := range users {
			wg.Go(func() {
				for k := range each {
					i := (u/2)*each + k // each chunk is put by two
					existed, err := s.Put(t.Context(), numbered(i))
					if err != nil {
						t.Error(err)
						return
					}
					if !existed {
						news[u]++
					}
					if c, err := s.Get(t.Context(), numbered(i/2).Address()); err == nil && !c.Valid() {
						t.Errorf("chunk %d came back as another", i/2)
					}
				}
			})
		}
		wg.Wait()
		mustSync(t, s)
		total := 0
		for _, n := range news {
			total += n
		}
		if st := s.Stats(); total != users/2*each || st.Chunks != int64(total) {
			t.Fatalf("%d puts were of new chunks, want %d; %+v", total, users/2*each, st)
		}
		want(t, s, total, func(int) bool { return true })
	})
}

func ExampleStore() {
	s := NewMemory(Options{}) // or Open, for one on disk
	defer s.Close()
	ctx := context.Background()
	c, err := chunk.New(3, []byte("foo"))
	if err != nil {
		panic(err)
	}
	if _, err := s.Put(ctx, c); err != nil {
		panic(err)
	}
	back, err := s.Get(ctx, c.Address())
	fmt.Printf("%s %v\n", back.Payload(), err)
	// Output: foo <nil>
}
