package interop

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/sennit-net/sennit/interop/counterparts"
	"github.com/sennit-net/sennit/protocols/bzz/chunk"
	"github.com/sennit-net/sennit/protocols/bzz/file"
)

// original is the file code of go-ethereum 1.8.27 in a process of its own.
type original struct{ *counterparts.Process }

func startOriginal(t testing.TB) original {
	o := original{counterparts.Start(t, "swarmbench", ".")}
	o.Await("^READY$", 10*patience)
	return o
}

// chunkDir keeps chunks as files, as the original does.
type chunkDir string

func (d chunkDir) put(_ context.Context, c chunk.Chunk) error {
	return os.WriteFile(filepath.Join(string(d), c.Address().String()), c.Data(), 0o600)
}

func (d chunkDir) get(_ context.Context, addr chunk.Address) (chunk.Chunk, error) {
	data, err := os.ReadFile(filepath.Join(string(d), addr.String()))
	if err != nil {
		return chunk.Chunk{}, err
	}
	return chunk.Verify(addr, data)
}

// swarmContent is the content that the original makes: byte i is i mod 255.
func swarmContent(size int) []byte {
	b := make([]byte, size)
	for i := range b {
		b[i] = byte(i % 255)
	}
	return b
}

// swarmSizes are on both sides of what changes the form of a tree, plain or encrypted. Not among them are the sizes at which
// the original's splitter loses all but the last full subtree: 64 MiB and 512 KiB, 16 MiB and 256 KiB if it encrypts.
var swarmSizes = []int{
	1, 31, 64, 4095, 4096, 4097, 8192, 64*4096 - 1, 64 * 4096, 64*4096 + 1, 65 * 4096, 128 * 4096, 128*4096 + 1, 129 * 4096,
	129*4096 + 7, 2 * 128 * 4096, 1000000, 64*64*4096 + 1, 64*64*4096 + 4096,
}

// originalCannotRead reports whether the original takes an encrypted file of that size for one with chunks missing, also if
// it has made it itself: when the rest below some node is exactly one full subtree. In the node above that, it takes the
// random bytes behind the only reference for references as well.
func originalCannotRead(size int) bool {
	capacity := 64 * 64 * 64 * 4096
	for capacity > 4096 && size > 0 {
		capacity /= 64
		if rest := size % capacity; size > capacity && (rest == capacity/64 || rest == capacity/64/64 && rest >= 4096) {
			return true
		} else if size > capacity {
			size = rest
		}
	}
	return false
}

func TestSwarmFilesArePlainOnBothSides(t *testing.T) {
	o := startOriginal(t)
	for _, size := range swarmSizes {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			content := swarmContent(size)
			ours, theirs := chunkDir(t.TempDir()), chunkDir(t.TempDir())
			ref, _, err := file.Split(t.Context(), bytes.NewReader(content), ours.put, file.SplitOptions{})
			if err != nil {
				t.Fatal(err)
			}
			o.Say("write %s %d", theirs, size)
			if root := o.Await("^TOOK .* ROOT (.*)|^FAILED.*", patience)[1]; root != ref.String() {
				t.Fatalf("the original's root is %s, ours %v", root, ref)
			}
			weRead(t, theirs, ref, content)
			theyRead(t, o, ours, ref, content)
		})
	}
}

func TestSwarmFilesAreEncryptedOnBothSides(t *testing.T) {
	o := startOriginal(t)
	for _, size := range swarmSizes {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			content := swarmContent(size)
			ours, theirs := chunkDir(t.TempDir()), chunkDir(t.TempDir())
			ref, _, err := file.Split(t.Context(), bytes.NewReader(content), ours.put, file.SplitOptions{Encrypt: true})
			if err != nil {
				t.Fatal(err)
			}
			weRead(t, ours, ref, content)

			o.Say("encrypt %s %d", theirs, size)
			root, err := file.ParseReference(o.Await("^TOOK .* ROOT (.*)|^FAILED.*", patience)[1])
			if err != nil {
				t.Fatal(err)
			}
			weRead(t, theirs, root, content)
			if !originalCannotRead(size) {
				theyRead(t, o, ours, ref, content)
				return
			}
			for _, f := range []struct {
				dir chunkDir
				ref file.Reference
			}{{theirs, root}, {ours, ref}} { // so it is not our file that is wrong
				o.Say("read %s %v", f.dir, f.ref)
				o.Await("^FAILED chunk .* not found", patience)
			}
		})
	}
}

func weRead(t *testing.T, from chunkDir, ref file.Reference, content []byte) {
	t.Helper()
	f, err := file.Open(t.Context(), from.get, ref)
	if err != nil {
		t.Fatal(err)
	}
	r := f.NewReader(t.Context(), 0, -1)
	defer r.Close()
	if got, err := io.ReadAll(r); err != nil || !bytes.Equal(got, content) {
		t.Errorf("we read %d bytes of the original's %d, %v", len(got), len(content), err)
	}
}

func theyRead(t *testing.T, o original, from chunkDir, ref file.Reference, content []byte) {
	t.Helper()
	o.Say("read %s %v", from, ref)
	if got, want := o.Await("^READ.*|^FAILED.*", patience)[0], fmt.Sprintf("READ %d %x", len(content), sha256.Sum256(content)); got != want {
		t.Errorf("the original says of our file: %s, not %s", got, want)
	}
}

// BenchmarkSwarmBesideTheOriginal measures both by turns, and reports the medians of five rounds and how many times faster
// ours is: one hasher over 64 MiB, and 64 MiB split for a place that keeps nothing.
func BenchmarkSwarmBesideTheOriginal(b *testing.B) {
	const size, rounds = 64 << 20, 5
	content := swarmContent(size)
	o := startOriginal(b)
	for _, bb := range []struct {
		name string
		ours func() error
	}{
		{"hash", func() error { hashChunks(content); return nil }},
		{"split", func() error {
			drop := func(context.Context, chunk.Chunk) error { return nil }
			_, _, err := file.Split(b.Context(), bytes.NewReader(content), drop, file.SplitOptions{})
			return err
		}},
	} {
		b.Run(bb.name, func(b *testing.B) {
			var ours, theirs []float64
			for range b.N {
				ours, theirs = nil, nil
				for range rounds {
					o.Say("%s %d", bb.name, size)
					ns, err := strconv.ParseFloat(strings.Fields(o.Await("^TOOK ([0-9]+).*|^FAILED.*", patience)[1])[0], 64)
					if err != nil {
						b.Fatal(err)
					}
					theirs = append(theirs, ns)
					begin := time.Now()
					if err := bb.ours(); err != nil {
						b.Fatal(err)
					}
					ours = append(ours, float64(time.Since(begin)))
				}
			}
			slices.Sort(ours)
			slices.Sort(theirs)
			b.ReportMetric(size*1e3/theirs[rounds/2], "original-MB/s")
			b.ReportMetric(size*1e3/ours[rounds/2], "ours-MB/s")
			b.ReportMetric(theirs[rounds/2]/ours[rounds/2], "times")
		})
	}
}

// hashChunks hashes content in pieces of 4096 bytes with one hasher, as the original's hash does.
func hashChunks(content []byte) {
	var h chunk.Hasher
	data := make([]byte, chunk.MaxDataSize)
	for len(content) > 0 {
		n := copy(data[chunk.SpanSize:], content)
		binary.LittleEndian.PutUint64(data, uint64(n))
		h.HashData(data[:chunk.SpanSize+n])
		content = content[n:]
	}
}
