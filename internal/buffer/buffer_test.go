package buffer

import (
	"runtime"
	"sync"
	"testing"

	"github.com/sennit-net/sennit/internal/race"
)

func TestABufferIsAtLeastAsLargeAsAskedAndAtMostTwice(t *testing.T) {
	for _, n := range []int{0, 1, 640, 641, 1280, 1281, 1 << 16, 1<<20 + 1<<20/6 + 100, 1<<24 + 1<<24/6 + 100, MaxSize} {
		b := Get(n)
		if len(b.B) != n || cap(b.B) != ClassSize(n) {
			t.Fatalf("Get(%d): len %d cap %d, class %d", n, len(b.B), cap(b.B), ClassSize(n))
		}
		if n > smallest && cap(b.B) >= 2*n {
			t.Fatalf("Get(%d) took %d bytes", n, cap(b.B))
		}
		b.Free()
	}
}

func TestMisuseOfABufferPanics(t *testing.T) {
	for name, f := range map[string]func(){
		"freed twice":  func() { b := Get(1); b.Free(); b.Free() },
		"other memory": func() { b := Get(1); b.B = make([]byte, 3); b.Free() },
		"too large":    func() { Get(MaxSize + 1) },
		"negative":     func() { Get(-1) },
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Fatal("no panic")
				}
			}()
			f()
		})
	}
}

func TestEveryClassLendsBuffersThatHaveOneOwnerEach(t *testing.T) {
	var group sync.WaitGroup
	for w := range 4 {
		group.Go(func() {
			mark := byte(w + 1)
			for i := range 300 {
				n := smallest<<(i%8) - i%3
				b := Get(n)
				for j := range b.B {
					b.B[j] = mark
				}
				runtime.Gosched()
				for j := range b.B {
					if b.B[j] != mark {
						t.Errorf("byte %d of a buffer of %d was written by somebody else", j, n)
						return
					}
				}
				b.B = b.B[:i%2]
				b.Free()
			}
		})
	}
	group.Wait()
}

func TestABufferMayBeReslicedWithinItsCapacity(t *testing.T) {
	b := Get(100)
	b.B = append(b.B[:0], make([]byte, cap(b.B))...)
	b.Free()
	b = Get(50)
	if len(b.B) != 50 {
		t.Fatalf("Get(50) has %d bytes", len(b.B))
	}
	b.Free()
	(*Buffer)(nil).Free()
}

func TestPoolsAreEmptiedByTheGarbageCollector(t *testing.T) {
	var before, after runtime.MemStats
	collect := func(m *runtime.MemStats) {
		for range 3 {
			runtime.GC()
		}
		runtime.ReadMemStats(m)
	}
	collect(&before)
	var all []*Buffer
	for range 4 {
		all = append(all, Get(MaxSize))
	}
	for _, b := range all {
		b.Free()
	}
	all = nil
	collect(&after)
	if kept := int64(after.HeapAlloc) - int64(before.HeapAlloc); kept > 1<<20 {
		t.Errorf("%d bytes are kept", kept)
	}
}

func TestGetAndFreeAllocateNothingOnceWarm(t *testing.T) {
	if race.Enabled {
		t.Skip("under the race detector sync.Pool drops buffers at random")
	}
	Get(5000).Free()
	if n := testing.AllocsPerRun(1000, func() { Get(5000).Free() }); n > 0 {
		t.Fatalf("%v allocations", n)
	}
}

func BenchmarkGetFree(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		Get(1200).Free()
	}
}
