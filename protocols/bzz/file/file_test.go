package file

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"testing/iotest"

	"github.com/sennit-net/sennit/protocols/bzz/chunk"
)

func mustOpen(t testing.TB, get GetFunc, ref Reference) *File {
	t.Helper()
	f, err := Open(t.Context(), get, ref)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// readAll reads a file to its end.
func readAll(t testing.TB, f *File) ([]byte, error) {
	t.Helper()
	r := f.NewReader(t.Context(), 0, -1)
	defer r.Close()
	return io.ReadAll(r)
}

func TestContentComesBackAsItWasSplit(t *testing.T) {
	for _, encrypt := range []bool{false, true} {
		t.Run(fmt.Sprintf("encrypted %v", encrypt), func(t *testing.T) {
			for _, size := range append(sizes(), 64*4096, 64*4096+4096, 64*64*4096, 64*64*4096+4096, 64*64*4096+64*4096) {
				content := pattern(size)
				var s chunks
				ref := mustSplit(t, bytes.NewReader(content), s.put, SplitOptions{Encrypt: encrypt})
				f := mustOpen(t, s.get, ref)
				got, err := readAll(t, f)
				if err != nil || f.Size() != int64(size) || !bytes.Equal(got, content) {
					t.Errorf("%d bytes: size %d, read %d, equal %v, %v", size, f.Size(), len(got), bytes.Equal(got, content), err)
				}
			}
		})
	}
}

func TestTheLaterFormIsReadToo(t *testing.T) {
	for _, size := range sizes() {
		content := pattern(size)
		o := oracle{later: true}
		root := o.build(t, content)
		got, err := readAll(t, mustOpen(t, o.get, Reference{Address: root}))
		if err != nil || !bytes.Equal(got, content) {
			t.Errorf("%d bytes: read %d, %v", size, len(got), err)
		}
	}
}

func TestAReaderReadsAsReadersDo(t *testing.T) {
	content := pattern(300000)
	var s chunks
	f := mustOpen(t, s.get, mustSplit(t, bytes.NewReader(content), s.put, SplitOptions{}))
	r := f.NewReader(t.Context(), 0, -1)
	defer r.Close()
	if err := iotest.TestReader(struct{ io.Reader }{r}, content); err != nil {
		t.Error(err)
	}
	if err := iotest.TestReader(io.NewSectionReader(f, 0, f.Size()), content); err != nil {
		t.Error(err)
	}
	var written bytes.Buffer
	whole := f.NewReader(t.Context(), 0, -1)
	defer whole.Close()
	if n, err := io.Copy(&written, whole); n != f.Size() || err != nil || !bytes.Equal(written.Bytes(), content) {
		t.Errorf("copied %d bytes, %v", n, err)
	}
}

func TestAnyPartCanBeRead(t *testing.T) {
	const size = 130*4096*2 + 777
	content := pattern(size)
	for _, encrypt := range []bool{false, true} {
		var s chunks
		f := mustOpen(t, s.get, mustSplit(t, bytes.NewReader(content), s.put, SplitOptions{Encrypt: encrypt}))
		r := rand.New(rand.NewPCG(1, 2))
		for range 300 {
			off := r.Int64N(size)
			p := make([]byte, r.IntN(20000))
			n, err := f.ReadAt(p, off)
			want := min(len(p), int(size-off))
			if n != want || (err == nil) != (n == len(p)) || err != nil && !errors.Is(err, io.EOF) {
				t.Fatalf("ReadAt of %d at %d: %d, %v", len(p), off, n, err)
			}
			if !bytes.Equal(p[:n], content[off:][:n]) {
				t.Fatalf("ReadAt of %d at %d: other content", len(p), off)
			}
		}
		for _, tt := range []struct{ off, length, from, to int64 }{
			{0, 0, 0, 0}, {size, 5, 0, 0}, {size + 9, -1, 0, 0}, {-3, 4, 0, 4}, {size - 3, 100, size - 3, size},
			{4095, 2, 4095, 4097}, {128 * 4096, 1, 128 * 4096, 128*4096 + 1}, {5, math.MaxInt64, 5, size},
		} {
			r := f.NewReader(t.Context(), tt.off, tt.length)
			got, err := io.ReadAll(r)
			if err != nil || !bytes.Equal(got, content[tt.from:tt.to]) {
				t.Errorf("reader of %d from %d: %d bytes, %v", tt.length, tt.off, len(got), err)
			}
			r.Close()
		}
		if _, err := f.ReadAt(make([]byte, 1), -1); err == nil {
			t.Error("a negative offset was accepted")
		}
		if n, err := f.ReadAt(make([]byte, 1), size); n != 0 || !errors.Is(err, io.EOF) {
			t.Errorf("ReadAt the end: %d, %v", n, err)
		}
	}
}

func TestReadingAPartGetsOnlyWhatItNeeds(t *testing.T) {
	var s chunks
	ref := mustSplit(t, &patternReader{end: 3 * 128 * 4096}, s.put, SplitOptions{})
	var n atomic.Int64
	get := func(ctx context.Context, addr chunk.Address) (chunk.Chunk, error) {
		n.Add(1)
		return s.get(ctx, addr)
	}
	f := mustOpen(t, get, ref)
	if _, err := f.ReadAt(make([]byte, 4096), 200*4096-1); err != nil {
		t.Fatal(err)
	}
	if got := n.Load(); got != 4 { // root, one node, two leaves
		t.Fatalf("%d chunks got, want 4", got)
	}
}

func TestEncryptedChunksTellNothing(t *testing.T) {
	content := bytes.Repeat([]byte("the same, and the same again; "), 20000)
	var first, second chunks
	a := mustSplit(t, bytes.NewReader(content), first.put, SplitOptions{Encrypt: true})
	b := mustSplit(t, bytes.NewReader(content), second.put, SplitOptions{Encrypt: true})
	if a == b {
		t.Error("the same content has the same reference twice")
	}
	for addr, c := range first.m {
		if len(c.Data()) != chunk.MaxDataSize || bytes.Contains(c.Data(), []byte("the same")) {
			t.Errorf("chunk %v of %d bytes can be told apart", addr, len(c.Data()))
		}
		if _, ok := second.m[addr]; ok {
			t.Errorf("chunk %v is in both trees", addr)
		}
	}
	// With another key there is nothing to see.
	a.Key[3] ^= 1
	if f, err := Open(t.Context(), first.get, a); err == nil {
		if _, err := readAll(t, f); !errors.Is(err, ErrMalformed) && !errors.Is(err, errMissing) {
			t.Errorf("with another key: %v", err)
		}
	}
}

// hostile makes a tree whose chunks say what they want, and returns its root.
func TestTreesThatLieFailWhereTheyDo(t *testing.T) {
	var s oracle
	leaf := s.node(t, 4096, pattern(4096))
	short := s.node(t, 100, pattern(100))
	refs := func(addrs ...chunk.Address) (b []byte) {
		for _, a := range addrs {
			b = append(b, a[:]...)
		}
		return b
	}
	two := s.node(t, 8192, refs(leaf, leaf))
	tests := []struct {
		name string
		root chunk.Address
		want error
	}{
		{"more than any file", s.node(t, math.MaxUint64, refs(leaf, leaf)), ErrMalformed},
		{"one byte more than any file", s.node(t, 1<<63, refs(leaf, leaf)), ErrMalformed},
		{"a leaf that is too short", s.node(t, 4096, pattern(4000)), ErrMalformed},
		{"a node without its second child", s.node(t, 8192, refs(leaf)), ErrMalformed},
		{"a node with half a child", s.node(t, 8192, refs(leaf, leaf)[:60]), ErrMalformed},
		{"a short leaf in the middle", s.node(t, 4096+100, refs(short, leaf)), ErrMalformed},
		{"a last leaf of another size", s.node(t, 4096+99, refs(leaf, short)), ErrMalformed},
		{"a node where a leaf should be", s.node(t, 8192, refs(leaf, two)), ErrMalformed},
		{"a leaf where a node should be", s.node(t, 128*4096+8192, refs(leaf, two)), ErrMalformed},
		{"a huge file of one leaf", s.node(t, math.MaxInt64, refs(leaf, leaf)), ErrMalformed},
		{"itself, as far as it can", s.node(t, math.MaxInt64, bytes.Repeat(refs(two), 128)), ErrMalformed},
		{"nothing below", s.node(t, 8192, refs(leaf, chunk.Address{9})), errMissing},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f, err := Open(t.Context(), s.get, Reference{Address: tt.root})
			if err == nil {
				_, err = readAll(t, f)
			}
			if !errors.Is(err, tt.want) {
				t.Fatalf("got %v, want %v", err, tt.want)
			}
		})
	}
}

func TestWhatFollowsThePayloadMeansNothing(t *testing.T) {
	var s oracle
	leaf, rest := s.node(t, 4096, pattern(4096)), s.node(t, 10, append(pattern(10), "noise"...))
	root := s.node(t, 4106, append(append(leaf[:], rest[:]...), "noise"...))
	got, err := readAll(t, mustOpen(t, s.get, Reference{Address: root}))
	if err != nil || !bytes.Equal(got, append(pattern(4096), pattern(10)...)) {
		t.Fatalf("%d bytes, %v", len(got), err)
	}
}

func TestAChunkUnderAnotherAddressIsNoticed(t *testing.T) {
	var s chunks
	ref := mustSplit(t, strings.NewReader("foo"), s.put, SplitOptions{})
	other, err := chunk.New(3, []byte("bar"))
	if err != nil {
		t.Fatal(err)
	}
	get := func(context.Context, chunk.Address) (chunk.Chunk, error) { return other, nil }
	if _, err := Open(t.Context(), get, ref); err == nil || !strings.Contains(err.Error(), "instead") {
		t.Fatalf("got %v", err)
	}
}

func TestReadingEndsWithItsContextAndItsReader(t *testing.T) {
	var s chunks
	ref := mustSplit(t, &patternReader{end: 4 << 20}, s.put, SplitOptions{})
	cause := errors.New("enough")
	block := func(ctx context.Context, addr chunk.Address) (chunk.Chunk, error) {
		if c, err := s.get(ctx, addr); err == nil && c.Span() != 4096 {
			return c, nil // nodes come, leaves do not
		}
		<-ctx.Done()
		return chunk.Chunk{}, context.Cause(ctx)
	}
	t.Run("context", func(t *testing.T) {
		ctx, cancel := context.WithCancelCause(t.Context())
		r := mustOpen(t, block, ref).NewReader(ctx, 0, -1)
		defer r.Close()
		cancel(cause)
		if n, err := io.Copy(io.Discard, r); n != 0 || !errors.Is(err, cause) {
			t.Fatalf("read %d, %v", n, err)
		}
	})
	t.Run("reader", func(t *testing.T) {
		r := mustOpen(t, s.get, ref).NewReader(t.Context(), 0, -1)
		if _, err := io.ReadFull(r, make([]byte, 10000)); err != nil {
			t.Fatal(err)
		}
		r.Close()
		if n, err := io.Copy(io.Discard, r); err == nil || n >= 4<<20-10000 {
			t.Fatalf("read %d after Close, %v", n, err)
		}
		r.Close()
	})
	t.Run("file", func(t *testing.T) {
		ctx, cancel := context.WithCancelCause(t.Context())
		f, err := Open(ctx, block, ref)
		if err != nil {
			t.Fatal(err)
		}
		cancel(cause)
		if _, err := f.ReadAt(make([]byte, 10), 0); !errors.Is(err, cause) {
			t.Fatalf("got %v", err)
		}
	})
}

func TestAnErrorComesAfterWhatIsBeforeIt(t *testing.T) {
	content := pattern(2 << 20)
	var s chunks
	ref := mustSplit(t, bytes.NewReader(content), s.put, SplitOptions{})
	last, err := chunk.New(4096, content[100*4096:101*4096])
	if err != nil {
		t.Fatal(err)
	}
	delete(s.m, last.Address())
	got, err := readAll(t, mustOpen(t, s.get, ref))
	if !errors.Is(err, errMissing) || !bytes.Equal(got, content[:100*4096]) {
		t.Fatalf("%d bytes before the error, want %d: %v", len(got), 100*4096, err)
	}
}

// TestReadingNeedsLittleMemory lets a reader wait in front of a tree that claims to be as large as there can be, and has
// everything it is asked for.
func TestReadingNeedsLittleMemory(t *testing.T) {
	// Every chunk of a level is the same chunk.
	var s oracle
	addr := s.node(t, 4096, pattern(4096))
	size := uint64(4096)
	for size < 1<<54 {
		size *= 128
		addr = s.node(t, size, bytes.Repeat(addr[:], 128))
	}
	fresh := func(ctx context.Context, addr chunk.Address) (chunk.Chunk, error) {
		c, err := s.get(ctx, addr)
		if err != nil {
			return c, err
		}
		return chunk.Trusted(addr, bytes.Clone(c.Data()))
	}
	heap := func() uint64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before := heap()
	f := mustOpen(t, fresh, Reference{Address: addr})
	r := f.NewReader(t.Context(), 0, -1)
	defer r.Close()
	if _, err := io.CopyN(io.Discard, r, 64<<20); err != nil {
		t.Fatal(err)
	}
	if used, limit := heap()-before, uint64(Ahead*chunk.MaxDataSize*5/4+300<<10); used > limit {
		t.Errorf("%d bytes of heap, more than %d", used, limit)
	}
}

func FuzzOpenAndRead(f *testing.F) {
	// The input is a list of chunks: two bytes of length each. The first is the root; references are resolved by number,
	// the first byte of an address, so that the fuzzer can make trees of any form.
	seed := func(parts ...[]byte) {
		var b []byte
		for _, p := range parts {
			b = binary.LittleEndian.AppendUint16(b, uint16(len(p)))
			b = append(b, p...)
		}
		f.Add(b)
	}
	data := func(span uint64, payload ...byte) []byte {
		return append(binary.LittleEndian.AppendUint64(nil, span), payload...)
	}
	ref := func(n byte) []byte { return append([]byte{n}, make([]byte, 31)...) }
	seed(data(3, 'f', 'o', 'o'))
	seed(data(4099, append(ref(1), ref(2)...)...), data(4096, pattern(4096)...), data(3, 1, 2, 3))
	seed(data(128*4096+4096, append(ref(1), ref(2)...)...), data(128*4096, bytes.Repeat(ref(2), 128)...), data(4096, pattern(4096)...))
	seed(data(8192, append(ref(0), ref(0)...)...))
	seed(data(math.MaxInt64, bytes.Repeat(ref(0), 128)...))
	f.Fuzz(func(t *testing.T, b []byte) {
		var parts []chunk.Chunk
		for len(b) >= 2 && len(parts) < 256 {
			n := min(int(binary.LittleEndian.Uint16(b)), len(b)-2)
			addr := chunk.Address{byte(len(parts))}
			c, err := chunk.Trusted(addr, b[2:][:n])
			if err != nil {
				return
			}
			parts, b = append(parts, c), b[2+n:]
		}
		get := func(_ context.Context, addr chunk.Address) (chunk.Chunk, error) {
			if int(addr[0]) >= len(parts) || addr != (chunk.Address{addr[0]}) {
				return chunk.Chunk{}, errMissing
			}
			return parts[addr[0]], nil
		}
		for _, encrypted := range []bool{false, true} {
			file, err := Open(t.Context(), get, Reference{Encrypted: encrypted})
			if err != nil {
				continue
			}
			const most = 1 << 20
			r := file.NewReader(t.Context(), 0, most)
			n, err := io.Copy(io.Discard, r)
			r.Close()
			if err == nil && n != min(most, file.Size()) {
				t.Fatalf("%d bytes of %d, and no error", n, file.Size())
			}
			p := make([]byte, 5000)
			for _, off := range []int64{0, 4090, file.Size() / 2, file.Size() - 5, math.MaxInt64 - 3} {
				if n, err := file.ReadAt(p, off); n < 0 || n > len(p) || err == nil && n != len(p) {
					t.Fatalf("ReadAt %d: %d, %v", off, n, err)
				}
			}
		}
	})
}

func ExampleSplit() {
	ctx := context.Background()
	var s chunks // a place for chunks, such as a store.Store
	ref, size, err := Split(ctx, strings.NewReader("hello world"), s.put, SplitOptions{})
	if err != nil {
		panic(err)
	}
	f, err := Open(ctx, s.get, ref)
	if err != nil {
		panic(err)
	}
	r := f.NewReader(ctx, 6, -1)
	defer r.Close()
	tail, err := io.ReadAll(r)
	fmt.Printf("%.8s… %d %s %v\n", ref, size, tail, err)
	// Output: 92672a47… 11 world <nil>
}

func BenchmarkRead(b *testing.B) {
	for _, encrypt := range []bool{false, true} {
		b.Run(fmt.Sprintf("encrypted %v", encrypt), func(b *testing.B) {
			var s chunks
			f := mustOpen(b, s.get, mustSplit(b, &patternReader{end: 64 << 20}, s.put, SplitOptions{Encrypt: encrypt}))
			b.SetBytes(f.Size())
			for b.Loop() {
				r := f.NewReader(b.Context(), 0, -1)
				if _, err := io.Copy(io.Discard, r); err != nil {
					b.Fatal(err)
				}
				r.Close()
			}
		})
	}
}
