package buffer

import "testing"

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

func TestGetAndFreeAllocateNothingOnceWarm(t *testing.T) {
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
