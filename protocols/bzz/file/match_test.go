package file

import (
	"bytes"
	"context"
	"errors"
	"testing"

	"github.com/sennit-net/sennit/protocols/bzz/chunk"
)

func TestMatchFindsTheFirstLeafThatIsDifferent(t *testing.T) {
	const size = 3<<19 + 5000 // several nodes below the root, and a last leaf that is not full
	want := make([]byte, size)
	for i := range want {
		want[i] = byte(i%251 + i>>12)
	}
	damaged := func(at int) []byte {
		b := bytes.Clone(want)
		b[at] ^= 1
		return b
	}
	tests := []struct {
		name  string
		have  []byte
		limit int64
		want  int64
	}{
		{"nothing", nil, 1 << 30, 0},
		{"all", want, 1 << 30, size / 4096 * 4096},
		{"a part", want[:100_000], 1 << 30, 100_000 / 4096 * 4096},
		{"as much as is asked for", want, 40_960, 40_960},
		{"a limit below 0", want, -1, 0},
		{"a wrong first byte", damaged(0), 1 << 30, 0},
		{"a wrong byte in the middle", damaged(1<<19 + 4097), 1 << 30, 1<<19 + 4096},
		{"zeros after the beginning", append(bytes.Clone(want[:8192]), make([]byte, 1<<20)...), 1 << 30, 8192},
	}
	for _, encrypted := range []bool{false, true} {
		chunks := make(map[chunk.Address]chunk.Chunk)
		put := func(_ context.Context, c chunk.Chunk) error { chunks[c.Address()] = c; return nil }
		ref, _, err := Split(t.Context(), bytes.NewReader(want), serial(put), SplitOptions{Encrypt: encrypted})
		if err != nil {
			t.Fatal(err)
		}
		got := 0
		get := func(_ context.Context, a chunk.Address) (chunk.Chunk, error) { got++; return chunks[a], nil }
		f, err := Open(t.Context(), get, ref)
		if err != nil {
			t.Fatal(err)
		}
		for _, tt := range tests {
			got = 0
			n, err := f.Match(t.Context(), bytes.NewReader(tt.have), tt.limit, nil)
			if err != nil || n != tt.want {
				t.Errorf("%s, encrypted %v: %d match, %v, want %d", tt.name, encrypted, n, err, tt.want)
			}
			if got > 8 {
				t.Errorf("%s, encrypted %v: %d chunks were got", tt.name, encrypted, got)
			}
		}
	}
}

func TestMatchEndsWithTheErrorOfANodeThatIsMissing(t *testing.T) {
	chunks := make(map[chunk.Address]chunk.Chunk)
	put := func(_ context.Context, c chunk.Chunk) error { chunks[c.Address()] = c; return nil }
	content := make([]byte, 1<<20)
	ref, _, err := Split(t.Context(), bytes.NewReader(content), serial(put), SplitOptions{})
	if err != nil {
		t.Fatal(err)
	}
	missing, asked := errors.New("missing"), 0
	f, err := Open(t.Context(), func(_ context.Context, a chunk.Address) (chunk.Chunk, error) {
		if asked++; asked > 1 {
			return chunk.Chunk{}, missing
		}
		return chunks[a], nil
	}, ref)
	if err != nil {
		t.Fatal(err)
	}
	if n, err := f.Match(t.Context(), bytes.NewReader(content), 1<<20, nil); n != 0 || !errors.Is(err, missing) {
		t.Errorf("%d match, %v", n, err)
	}
}

// serial has calls of a PutFunc come one after the other.
func serial(put PutFunc) PutFunc {
	turn := make(chan struct{}, 1)
	return func(ctx context.Context, c chunk.Chunk) error {
		turn <- struct{}{}
		defer func() { <-turn }()
		return put(ctx, c)
	}
}
