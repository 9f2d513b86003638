package file

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/iotest"

	"go.uber.org/goleak"

	"github.com/sennit-net/sennit/protocols/bzz/chunk"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// pattern returns content as in the fact sheet's vectors: byte i is i mod 255.
func pattern(n int) []byte {
	p := make([]byte, n)
	for i := range p {
		p[i] = byte(i % 255)
	}
	return p
}

// patternReader is pattern as a stream that is not in memory.
type patternReader struct{ at, end int64 }

func (r *patternReader) Read(p []byte) (int, error) {
	if r.at == r.end {
		return 0, io.EOF
	}
	n := int(min(int64(len(p)), r.end-r.at))
	for i := range p[:n] {
		p[i] = byte((r.at + int64(i)) % 255)
	}
	r.at += int64(n)
	return n, nil
}

// chunks is a place for chunks.
type chunks struct {
	mu sync.Mutex
	m  map[chunk.Address]chunk.Chunk
	n  int // calls of put
}

func (s *chunks) put(_ context.Context, c chunk.Chunk) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.m == nil {
		s.m = make(map[chunk.Address]chunk.Chunk)
	}
	s.m[c.Address()] = c
	s.n++
	return nil
}

var errMissing = errors.New("no such chunk")

func (s *chunks) get(_ context.Context, addr chunk.Address) (chunk.Chunk, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if c, ok := s.m[addr]; ok {
		return c, nil
	}
	return chunk.Chunk{}, errMissing
}

func drop(context.Context, chunk.Chunk) error { return nil }

func mustSplit(t testing.TB, r io.Reader, put PutFunc, opts SplitOptions) Reference {
	t.Helper()
	ref, _, err := Split(t.Context(), r, put, opts)
	if err != nil {
		t.Fatal(err)
	}
	return ref
}

// vectors are the roots of go-ethereum 1.8.27, section 7 of the fact sheet.
var vectors = []struct {
	size, chunks int // chunks 0: the fact sheet does not say
	root         string
}{
	{31, 1, "ece86edb20669cc60d142789d464d57bdf5e33cb789d443f608cbd81cfa5697d"},
	{32, 1, "0be77f0bb7abc9cd0abed640ee29849a3072ccfd1020019fe03658c38f087e02"},
	{33, 1, "3463b46d4f9d5bfcbf9a23224d635e51896c1daef7d225b86679db17c5fd868e"},
	{64, 1, "490072cc55b8ad381335ff882ac51303cc069cbcb8d8d3f7aa152d9c617829fe"},
	{65, 1, "541552bae05e9a63a6cb561f69edf36ffe073e441667dbf7a0e9a3864bb744ea"},
	{4095, 1, "eca8bbd38ce5d9af8f11f4428b2b4720c4c7c445759d000eb307bd3f19e8672c"},
	{4096, 1, "c10090961e7682a10890c334d759a28426647141213abda93b096b892824d2ef"},
	{4097, 3, "df49978d2da34a98ca14fdf5393a71bb4930357ef05adb2541d35fb1345106e4"},
	{4127, 3, "91699c83ed93a1f87e326a29ccd8cc775323f9e7260035a5f014c975c5f3cd28"},
	{8192, 3, "29a5fb121ce96194ba8b7b823a1f9c6af87e1791f824940a53b5a7efe3f790d9"},
	{8224, 4, "61416726988f77b874435bdd89a419edc3861111884fd60e8adf54e2f299efd6"},
	{524288, 129, "3047d841077898c26bbe6be652a2ec590a5d9bd7cd45d290ea42511b48753c09"},
	{524289, 131, "7b60895ec6007919b0a3a845ea2eedaf7c7cbd222071d1d2662f003973f021aa"},
	{524319, 131, "e5c76afa931e33ac94bce2e754b1bb6407d07f738f67856783d93934ca8fc576"},
	{528384, 132, "b7e298f61b1bf23e21d8f45bf545eb1d6c0c4eaaca7d2c2690fb86038404a6d6"},
	{532480, 133, "59de730bf6c67a941f3b2ffa2f920acfaa1713695ad5deea12b4a121e5f23fa1"},
	{67108864, 16384 + 128 + 1, "522194562123473dcfd7a457b18ee7dee8b7db70ed3cfa2b73f348a992fdfd3b"},
	{67108896, 16384 + 128 + 1 + 2, "ed0cc44c93b14fef2d91ab3a3674eeb6352a42ac2f0bbe524711824aae1e7bcc"},
}

func TestRootsAreThoseOfTheFactSheet(t *testing.T) {
	for _, tt := range vectors {
		t.Run(fmt.Sprint(tt.size), func(t *testing.T) {
			var mu sync.Mutex
			n := 0
			count := func(context.Context, chunk.Chunk) error {
				mu.Lock()
				defer mu.Unlock()
				n++
				return nil
			}
			ref, size, err := Split(t.Context(), &patternReader{end: int64(tt.size)}, count, SplitOptions{})
			if err != nil || size != int64(tt.size) {
				t.Fatalf("size %d, %v", size, err)
			}
			if ref.String() != tt.root {
				t.Errorf("root %v, want %s", ref, tt.root)
			}
			if tt.chunks > 0 && n != tt.chunks {
				t.Errorf("%d chunks, want %d", n, tt.chunks)
			}
		})
	}
}

func TestTextsHaveTheRootsOfTheFactSheet(t *testing.T) {
	for text, want := range map[string]string{
		"hello world": "92672a471f4419b255d7cb0cf313474a6f5856fb347c5ece85fb706d644b630f",
		"foo":         "2387e8e7d8a48c2a9339c97c1dc3461a9a7aa07e994c5cb8b38fd7c1b3e6ea48",
		"\x00":        "fe60ba40b87599ddfb9e8947c1c872a4a1a5b56f7d1b80f0a646005b38db52a5",
	} {
		if ref := mustSplit(t, strings.NewReader(text), drop, SplitOptions{}); ref.String() != want {
			t.Errorf("%q: %v, want %s", text, ref, want)
		}
	}
}

// oracle builds the tree of content recursively, from the rules as section 7 states them: the first form, or the later
// one. It knows the size beforehand and does one thing after the other.
type oracle struct {
	chunks
	later bool
}

func (o *oracle) node(t testing.TB, span uint64, payload []byte) chunk.Address {
	t.Helper()
	c, err := chunk.New(span, payload)
	if err != nil {
		t.Fatal(err)
	}
	o.put(t.Context(), c)
	return c.Address()
}

func (o *oracle) build(t testing.TB, content []byte) chunk.Address {
	capacity := chunk.MaxPayload
	for capacity < len(content) {
		capacity *= chunk.Segments
	}
	return o.tree(t, content, capacity)
}

func (o *oracle) tree(t testing.TB, content []byte, capacity int) chunk.Address {
	for capacity > chunk.MaxPayload {
		below := capacity / chunk.Segments
		if len(content) < below || o.later && len(content) == below {
			capacity = below
			continue
		}
		break
	}
	if capacity == chunk.MaxPayload {
		return o.node(t, uint64(len(content)), content)
	}
	var refs []byte
	for rest := content; len(rest) > 0; {
		n := min(len(rest), capacity/chunk.Segments)
		addr := o.tree(t, rest[:n], capacity/chunk.Segments)
		refs = append(refs, addr[:]...)
		rest = rest[n:]
	}
	return o.node(t, uint64(len(content)), refs)
}

// sizes are around what matters in trees of two and three levels.
func sizes() []int {
	s := []int{1, 4095, 4096, 4097, 8191, 8192, 3*4096 + 1}
	for _, edge := range []int{128 * 4096, 2 * 128 * 4096, 5 * 128 * 4096} {
		s = append(s, edge-4096, edge-1, edge, edge+1, edge+4095, edge+4096, edge+4097, edge+8192)
	}
	return s
}

func TestSplittingAStreamGivesTheTreeOfTheDefinition(t *testing.T) {
	for _, size := range sizes() {
		content := pattern(size)
		var o oracle
		want := o.build(t, content)
		var got chunks
		ref := mustSplit(t, iotest.HalfReader(bytes.NewReader(content)), got.put, SplitOptions{Workers: 3})
		if ref.Address != want || len(got.m) != len(o.m) || got.n != o.n {
			t.Errorf("%d bytes: root %v of %d chunks, want %v of %d", size, ref, got.n, want, o.n)
		}
	}
}

func TestTheLaterFormOfTheDefinitionIsThatOfTheFactSheet(t *testing.T) {
	o := oracle{later: true}
	if got, want := o.build(t, pattern(528384)).String(), "b8e1804e37a064d28d161ab5f256cc482b1423d5cd0a6b30fde7b0f51ece9199"; got != want {
		t.Fatalf("root %s, want %s", got, want)
	}
}

func TestATreeOfThreeLevelsIsThatOfTheDefinition(t *testing.T) {
	if testing.Short() {
		t.Skip("-short: hashes 130 MiB twice")
	}
	for _, size := range []int{64<<20 + 4096, 64<<20 + 512<<10} {
		content := pattern(size)
		for _, later := range []bool{false, true} {
			o := oracle{later: later}
			root := o.build(t, content)
			if !later {
				if ref := mustSplit(t, bytes.NewReader(content), drop, SplitOptions{}); ref.Address != root {
					t.Errorf("%d bytes: root %v, want %v", size, ref, root)
				}
			}
			f, err := Open(t.Context(), o.get, Reference{Address: root})
			if err != nil {
				t.Fatal(err)
			}
			tail := make([]byte, 600<<10)
			if n, err := f.ReadAt(tail, int64(size-len(tail))); n != len(tail) || err != nil {
				t.Fatalf("%d bytes, later %v: read %d, %v", size, later, n, err)
			}
			if !bytes.Equal(tail, content[size-len(tail):]) {
				t.Errorf("%d bytes, later %v: the end comes back changed", size, later)
			}
		}
	}
}

func TestNothingHasNoReference(t *testing.T) {
	if _, _, err := Split(t.Context(), strings.NewReader(""), drop, SplitOptions{}); !errors.Is(err, ErrEmpty) {
		t.Fatalf("got %v", err)
	}
}

func TestSplittingEndsWithTheFirstError(t *testing.T) {
	broken := errors.New("broken")
	big := func() io.Reader { return &patternReader{end: 20 << 20} }
	t.Run("of the stream", func(t *testing.T) {
		r := io.MultiReader(io.LimitReader(big(), 3<<20), iotest.ErrReader(broken))
		if _, _, err := Split(t.Context(), r, drop, SplitOptions{}); !errors.Is(err, broken) {
			t.Fatalf("got %v", err)
		}
	})
	t.Run("of put", func(t *testing.T) {
		var mu sync.Mutex
		n := 0
		put := func(context.Context, chunk.Chunk) error {
			mu.Lock()
			defer mu.Unlock()
			if n++; n == 700 {
				return broken
			}
			return nil
		}
		if _, _, err := Split(t.Context(), big(), put, SplitOptions{}); !errors.Is(err, broken) {
			t.Fatalf("got %v", err)
		}
	})
	t.Run("of the context", func(t *testing.T) {
		ctx, cancel := context.WithCancelCause(t.Context())
		put := func(context.Context, chunk.Chunk) error { cancel(broken); return nil }
		if _, _, err := Split(ctx, big(), put, SplitOptions{}); !errors.Is(err, broken) {
			t.Fatalf("got %v", err)
		}
	})
}

func TestSplittingNeedsLittleMemoryHoweverLongTheStream(t *testing.T) {
	const workers = 2
	var peak uint64
	var mu sync.Mutex
	n := 0
	measure := func(context.Context, chunk.Chunk) error {
		mu.Lock()
		defer mu.Unlock()
		if n++; n%2000 == 0 {
			runtime.GC()
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			peak = max(peak, m.HeapAlloc)
		}
		return nil
	}
	runtime.GC()
	var before runtime.MemStats
	runtime.ReadMemStats(&before)
	mustSplit(t, &patternReader{end: 100 << 20}, measure, SplitOptions{Workers: workers})
	if limit := uint64((workers+2)*512<<10 + 1<<20); peak > before.HeapAlloc+limit {
		t.Errorf("%d bytes of heap, more than %d", peak-before.HeapAlloc, limit)
	}
}

func TestTheKeyStreamIsThatOfTheFactSheet(t *testing.T) {
	var key Key
	for i := range key {
		key[i] = byte(i)
	}
	var c crypter
	stream := make([]byte, 40)
	c.xor(stream, stream, key, payloadStream)
	if got, want := fmt.Sprintf("%x", stream), "cc3166d87898a5a75fa097eddc8dba214e7393ed22fa16d6a811a6c94ee107134e1da2eeb5f8fc1a"; got != want {
		t.Errorf("key stream %s, want %s", got, want)
	}
	span := make([]byte, 8)
	binary.LittleEndian.PutUint64(span, 11)
	c.xor(span, span, key, spanStream)
	if got, want := fmt.Sprintf("%x", span), "18c65eecf93d39e3"; got != want {
		t.Errorf("span %s, want %s", got, want)
	}
}

func TestReferencesAreReadAsTheyAreWritten(t *testing.T) {
	plain := Reference{Address: chunk.Address{1, 2, 3}}
	secret := Reference{Address: chunk.Address{1, 2, 3}, Key: Key{4, 5}, Encrypted: true}
	for _, want := range []Reference{plain, secret} {
		for _, s := range []string{want.String(), "0x" + strings.ToUpper(want.String())} {
			if got, err := ParseReference(s); err != nil || got != want {
				t.Errorf("%s: %v, %v", s, got, err)
			}
		}
		text, err := want.MarshalText()
		var back Reference
		if err := errors.Join(err, back.UnmarshalText(text)); err != nil || back != want {
			t.Errorf("%s: %v, %v", text, back, err)
		}
	}
	for _, s := range []string{"", "0x", strings.Repeat("0", 63), strings.Repeat("0", 96), strings.Repeat("x", 64)} {
		if _, err := ParseReference(s); err == nil {
			t.Errorf("%q was accepted", s)
		}
	}
}

func BenchmarkSplit(b *testing.B) {
	for _, bb := range []struct {
		name    string
		encrypt bool
	}{{"plain", false}, {"encrypted", true}} {
		b.Run(bb.name, func(b *testing.B) {
			content := pattern(64 << 20)
			b.SetBytes(int64(len(content)))
			for b.Loop() {
				mustSplit(b, bytes.NewReader(content), drop, SplitOptions{Encrypt: bb.encrypt})
			}
		})
	}
}
