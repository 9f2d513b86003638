package swarmcmd

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/log"
	"github.com/ethereum/go-ethereum/p2p/enode"
	"go.uber.org/goleak"

	"github.com/sennit-net/sennit/cmd/sennit/internal/config"
	"github.com/sennit-net/sennit/cmd/sennit/internal/filelock"
	"github.com/sennit-net/sennit/p2p"
	"github.com/sennit-net/sennit/protocols/bzz"
	"github.com/sennit-net/sennit/protocols/bzz/chunk"
	"github.com/sennit-net/sennit/protocols/bzz/file"
	"github.com/sennit-net/sennit/protocols/bzz/store"
)

func TestMain(m *testing.M) {
	// goleveldb, in which servers remember nodes, gives this goroutine a second to notice that its database is closed.
	goleak.VerifyTestMain(m, goleak.IgnoreTopFunction("github.com/syndtr/goleveldb/leveldb.(*DB).mpoolDrain"))
}

func untold(int64, int64) {}

func testConfig(t *testing.T) *config.Config {
	c := config.Default()
	c.Node.DataDir = t.TempDir()
	return &c
}

func openTestStore(t *testing.T) Place {
	t.Helper()
	p, err := OpenLocal(testConfig(t), 0, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
	return p
}

func content(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i % 255)
	}
	return b
}

func mustPut(t *testing.T, p Place, b []byte) file.Reference {
	t.Helper()
	ref, n, err := Put(t.Context(), p, bytes.NewReader(b), int64(len(b)), false, untold, untold)
	if err != nil || n != int64(len(b)) {
		t.Fatalf("put %d bytes: %d, %v", len(b), n, err)
	}
	return ref
}

// flaky is a place that fails after a number of chunks.
type flaky struct {
	Place
	left atomic.Int64
}

var errFlaky = errors.New("interrupted")

func (f *flaky) Get(ctx context.Context, addr chunk.Address) (chunk.Chunk, error) {
	if f.left.Add(-1) < 0 {
		return chunk.Chunk{}, errFlaky
	}
	return f.Place.Get(ctx, addr)
}

func TestGettingAFileGoesOnWhereItWasInterrupted(t *testing.T) {
	p := openTestStore(t)
	want := content(3 << 20)
	ref := mustPut(t, p, want)
	path := filepath.Join(t.TempDir(), "file")

	f := &flaky{Place: p}
	f.left.Store(300)
	_, _, err := GetFile(t.Context(), f, ref, path, false, untold)
	if !errors.Is(err, errFlaky) || !strings.Contains(err.Error(), partialPath(path, ref)) {
		t.Fatalf("interrupted: %v", err)
	}
	if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the file is there although it is not complete: %v", err)
	}
	f.left.Store(1 << 20)
	size, resumed, err := GetFile(t.Context(), f, ref, path, false, untold)
	if err != nil || size != int64(len(want)) || resumed < 100*chunk.MaxPayload {
		t.Fatalf("size %d, resumed at %d, %v", size, resumed, err)
	}
	if used := 1<<20 - f.left.Load(); used > 800-resumed/chunk.MaxPayload {
		t.Errorf("%d chunks for the rest after %d bytes", used, resumed)
	}
	if got, err := os.ReadFile(path); err != nil || !bytes.Equal(got, want) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
	if _, _, err := GetFile(t.Context(), p, ref, path, false, untold); !errors.Is(err, os.ErrExist) {
		t.Errorf("over a file that is there: %v", err)
	}
	if _, _, err := GetFile(t.Context(), p, ref, path, true, untold); err != nil {
		t.Errorf("told to overwrite it: %v", err)
	}
}

func TestTheRestOfAnotherFileIsNotContinued(t *testing.T) {
	p := openTestStore(t)
	first, second := mustPut(t, p, content(100000)), mustPut(t, p, content(200000))
	path := filepath.Join(t.TempDir(), "file")
	for _, left := range []struct {
		path string
		size int
	}{{partialPath(path, first), 8192}, {partialPath(path, second), 300000}} { // the second is longer than it can be
		if err := os.WriteFile(left.path, content(left.size), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	_, resumed, err := GetFile(t.Context(), p, second, path, false, untold)
	if err != nil || resumed != 200000/4096*4096 {
		t.Fatalf("resumed at %d, %v", resumed, err)
	}
	if got, err := os.ReadFile(path); err != nil || !bytes.Equal(got, content(200000)) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
}

func TestAPartThatIsDamagedIsGotAgain(t *testing.T) {
	p := openTestStore(t)
	want := content(3<<19 + 77)
	for _, encrypt := range []bool{false, true} {
		ref, _, err := Put(t.Context(), p, bytes.NewReader(want), 0, encrypt, untold, untold)
		if err != nil {
			t.Fatal(err)
		}
		for _, tt := range []struct {
			name    string
			damage  func([]byte)
			resumed int64
		}{
			{"nothing", func([]byte) {}, 1 << 20},
			{"one bit", func(b []byte) { b[700_000] ^= 1 }, 700_000 / 4096 * 4096},
			{"a gap from the beginning on", func(b []byte) { clear(b[:8192]) }, 0},
		} {
			path := filepath.Join(t.TempDir(), "file")
			part := bytes.Clone(want[:1<<20+1000])
			tt.damage(part)
			if err := os.WriteFile(partialPath(path, ref), part, 0o600); err != nil {
				t.Fatal(err)
			}
			_, resumed, err := GetFile(t.Context(), p, ref, path, false, untold)
			if err != nil || resumed != tt.resumed {
				t.Errorf("damaged is %s, encrypted %v: resumed at %d, %v, want %d", tt.name, encrypt, resumed, err, tt.resumed)
			}
			if got, err := os.ReadFile(path); err != nil || !bytes.Equal(got, want) {
				t.Errorf("damaged is %s, encrypted %v: %d bytes that are not the file, %v", tt.name, encrypt, len(got), err)
			}
		}
	}
}

func TestTwoDoNotGetAFileToTheSamePlace(t *testing.T) {
	p := openTestStore(t)
	ref, path := mustPut(t, p, content(100_000)), filepath.Join(t.TempDir(), "file")
	first, err := openPartial(partialPath(path, ref))
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := GetFile(t.Context(), p, ref, path, false, untold); !errors.Is(err, filelock.ErrInUse) || !strings.Contains(err.Error(), "same file") {
		t.Errorf("while another gets it: %v", err)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	if _, _, err := GetFile(t.Context(), p, ref, path, false, untold); err != nil {
		t.Errorf("after that: %v", err)
	}
}

func TestAFileLargerThanTheStoreIsNoSuccess(t *testing.T) {
	p, err := OpenLocal(testConfig(t), 20*store.SlotSize, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	_, _, err = Put(t.Context(), p, bytes.NewReader(content(200000)), 0, false, untold, untold)
	if err == nil || !strings.Contains(err.Error(), "room for 20 chunks") || !strings.Contains(err.Error(), "--capacity") {
		t.Fatalf("got %v", err)
	}
}

func TestProgressIsToldToTheEnd(t *testing.T) {
	p := openTestStore(t)
	var put, got int64
	b := content(1000000)
	ref, _, err := Put(t.Context(), p, bytes.NewReader(b), int64(len(b)), true, func(done, total int64) { put = done * 10 / total }, untold)
	if err != nil || put != 10 {
		t.Errorf("put: told %d, %v", put, err)
	}
	if _, err := Get(t.Context(), p, ref, 0, io.Discard, func(done, total int64) { got = done * 10 / total }); err != nil || got != 10 {
		t.Errorf("get: told %d, %v", got, err)
	}
}

// startNode starts a node that speaks Swarm and listens.
func startNode(t *testing.T, c bzz.Config) (*bzz.Node, *enode.Node) {
	t.Helper()
	return startNodeWith(t, c, func(m *store.Memory) bzz.Store { return m })
}

// startNodeWith starts a node with a store made of one in memory.
func startNodeWith(t *testing.T, c bzz.Config, chunks func(*store.Memory) bzz.Store) (*bzz.Node, *enode.Node) {
	t.Helper()
	key, err := crypto.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	c.Overlay = bzz.OverlayOf(&key.PublicKey)
	c.Store = chunks(store.NewMemory(store.Options{Base: c.Overlay}))
	n, err := bzz.New(c)
	if err != nil {
		t.Fatal(err)
	}
	server := &p2p.Server{Config: p2p.Config{
		PrivateKey: key, MaxPeers: 10, ListenAddr: "127.0.0.1:0", NoDiscovery: true, Protocols: n.Protocols(), Logger: log.NewLogger(log.DiscardHandler()),
	}}
	if err := errors.Join(server.Start(), n.Start(server)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		n.Stop()
		server.Stop()
	})
	return n, server.Self()
}

func TestSeveralNodesTakeAFile(t *testing.T) {
	a, nodeA := startNode(t, bzz.Config{NoDial: true})
	b, nodeB := startNode(t, bzz.Config{NoDial: true})
	p, err := Dial(t.Context(), testConfig(t), 0, ToPut, []*enode.Node{nodeA, nodeB}, 0, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	want := content(500000)
	ref := mustPut(t, p, want)
	for i, n := range []*bzz.Node{a, b} {
		f, err := file.Open(t.Context(), n.Get, ref)
		if err != nil {
			t.Fatal(err)
		}
		r := f.NewReader(t.Context(), 0, -1)
		got, err := io.ReadAll(r)
		r.Close()
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("node %d has %d bytes, %v", i, len(got), err)
		}
	}
}

func TestANodeOfEitherDialectTakesAFileAndGivesIt(t *testing.T) {
	for name, dialect := range map[string]bzz.Dialects{"early": bzz.Early, "later": bzz.Later} {
		t.Run(name, func(t *testing.T) {
			_, node := startNode(t, bzz.Config{NoDial: true, Dialects: dialect, SyncDelay: syncDelay})
			p, err := Dial(t.Context(), testConfig(t), 0, ToPut, []*enode.Node{node}, 0, nil)
			if err != nil {
				t.Fatal(err)
			}
			want := content(100000)
			ref := mustPut(t, p, want)
			if err := p.Close(); err != nil {
				t.Fatal(err)
			}
			if p, err = Dial(t.Context(), testConfig(t), 0, ToGet, []*enode.Node{node}, 0, nil); err != nil {
				t.Fatal(err)
			}
			defer p.Close()
			var got bytes.Buffer
			if _, err := Get(t.Context(), p, ref, 0, &got, untold); err != nil || !bytes.Equal(got.Bytes(), want) {
				t.Errorf("%d bytes, %v", got.Len(), err)
			}
		})
	}
}

func TestManyNodesTakeAFileTogether(t *testing.T) {
	var nodes []*enode.Node
	var takers []*bzz.Node
	for range 5 {
		n, self := startNode(t, bzz.Config{NoDial: true, SearchTimeout: time.Second})
		takers, nodes = append(takers, n), append(nodes, self)
	}
	c := testConfig(t)
	p, err := Dial(t.Context(), c, 0, ToPut, nodes, 0, nil)
	if err != nil {
		t.Fatal(err)
	}
	want := content(200000)
	ref := mustPut(t, p, want)
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	get := func(ctx context.Context, addr chunk.Address) (c chunk.Chunk, err error) { // with the links gone, of what they hold
		for _, n := range takers {
			if c, err = n.Get(ctx, addr); err == nil {
				break
			}
		}
		return c, err
	}
	var got bytes.Buffer
	f, err := file.Open(t.Context(), get, ref)
	if err != nil {
		t.Fatal(err)
	}
	r := f.NewReader(t.Context(), 0, -1)
	defer r.Close()
	if _, err := io.Copy(&got, r); err != nil || !bytes.Equal(got.Bytes(), want) {
		t.Errorf("they hold %d bytes, %v", got.Len(), err)
	}
}

// slow is a store that does not say what it has before it may.
type slow struct {
	*store.Memory
	may <-chan struct{}
}

func (s slow) Has(ctx context.Context, addr chunk.Address) (bool, error) {
	<-s.may
	return s.Memory.Has(ctx, addr)
}

func TestAPutWaitsForANodeThatIsSlowToAnswer(t *testing.T) {
	defer func(d time.Duration) { quiet = d }(quiet)
	quiet = 4 * tick
	may := make(chan struct{})
	answer := sync.OnceFunc(func() { close(may) })
	defer answer()
	defer time.AfterFunc(5*quiet, answer).Stop()
	n, node := startNodeWith(t, bzz.Config{NoDial: true, SearchTimeout: time.Second}, func(m *store.Memory) bzz.Store { return slow{m, may} })
	p, err := Dial(t.Context(), testConfig(t), 0, ToPut, []*enode.Node{node}, 0, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	ref := mustPut(t, p, []byte("hello world"))
	if n.Stats().Received == 0 {
		t.Errorf("the node does not have %v yet", ref)
	}
}

func TestANodeThatDoesNotSyncIsNamedAsTheReason(t *testing.T) {
	defer func(d time.Duration) { stall = d }(stall)
	stall = 500 * time.Millisecond
	_, node := startNode(t, bzz.Config{NoDial: true, NoSync: true})
	p, err := Dial(t.Context(), testConfig(t), 0, ToPut, []*enode.Node{node}, 0, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	ref, _, err := Put(t.Context(), p, strings.NewReader("hello world"), 0, false, untold, untold)
	if err == nil || !strings.Contains(err.Error(), "does not sync") || ref == (file.Reference{}) {
		t.Fatalf("%v, %v", ref, err)
	}
}

func TestAStoreWhoseIndexIsLostIsToldOfAndHasItsFiles(t *testing.T) {
	c := testConfig(t)
	p, err := OpenLocal(c, 0, nil)
	if err != nil {
		t.Fatal(err)
	}
	want := content(100000)
	ref := mustPut(t, p, want)
	dir, err := c.ChunkDir()
	if err := errors.Join(err, p.Close(), os.Remove(filepath.Join(dir, "index"))); err != nil {
		t.Fatal(err)
	}
	var said []string
	if p, err = OpenLocal(c, 0, func(text string) { said = append(said, text) }); err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	var got bytes.Buffer
	if _, err := Get(t.Context(), p, ref, 0, &got, untold); err != nil || !bytes.Equal(got.Bytes(), want) {
		t.Errorf("%d bytes, %v", got.Len(), err)
	}
	if len(said) != 2 || !strings.Contains(said[0], "index is missing; it is made anew") || !strings.Contains(said[1], "26 chunks were found; from now on it may hold 5119 MiB") {
		t.Errorf("told %q", said)
	}
}

func TestAShelfShowsOnlyWhatIsOnIt(t *testing.T) {
	s := newShelf(chunk.Address{}, nil)
	changed := s.Changed(0)
	add := chunk.Address{0: 0x80, 31: 2}
	for _, a := range []chunk.Address{add, {0: 0x80, 31: 1}, add, {0: 1}, {2: 0x40}, {31: 1}} {
		s.add(a)
	}
	if entries, err := s.Range(0, 0, 10, 10); len(entries) > 0 || err != nil || s.size(0) != 0 {
		t.Errorf("before it is offered: %v, %v", entries, err)
	}
	if n := s.offer(); n != 5 || s.offer() != 5 {
		t.Errorf("%d chunks on it, want 5", n)
	}
	<-changed
	if s.size(0) != 2 || s.size(7) != 1 || s.size(8) != 0 {
		t.Errorf("sizes %d, %d, %d", s.size(0), s.size(7), s.size(8))
	}
	if n := s.size(store.Bins - 1); n != 2 {
		t.Errorf("%d chunks that share many bits with the node are offered, want 2", n)
	}
	if n := s.Cursor(0); n != 0 {
		t.Errorf("%d chunks are history, of which a node may have had the numbers", n)
	}
	if entries, err := s.Range(store.Bins, 0, 9, 9); err != nil || len(entries) > 0 {
		t.Errorf("%v, %v in a bin that nobody syncs", entries, err)
	}
	entries, err := s.Range(0, 2, 9, 9)
	if err != nil || len(entries) != 1 || entries[0] != (store.Entry{ID: 2, Address: add}) {
		t.Errorf("%v, %v", entries, err)
	}
	if entries, err := s.Range(0, 0, 9, 1); err != nil || len(entries) != 1 || entries[0].ID != 1 {
		t.Errorf("with a limit: %v, %v", entries, err)
	}
}

func TestABarShowsHowFarItIs(t *testing.T) {
	var out bytes.Buffer
	now := time.Unix(1, 0)
	b := &Bar{out: &out, now: func() time.Time { return now }, name: "getting"}
	b.Tell(1000, 4000)
	now = now.Add(time.Millisecond)
	b.Tell(1100, 4000) // too early to be drawn
	now = now.Add(2 * time.Second)
	b.Tell(2000, 4000)
	b.Tell(4000, 4000)
	b.End()
	b.End()
	want := "\r\x1b[Kgetting      [=======                       ]  25 %  1 kB of 4 kB" +
		"\r\x1b[Kgetting      [===============               ]  50 %  2 kB of 4 kB  499 B/s  4s left" +
		"\r\x1b[Kgetting      [==============================] 100 %  4 kB of 4 kB  1.5 kB/s\n"
	if out.String() != want {
		t.Errorf("drawn:\n%q\nwant:\n%q", out.String(), want)
	}
	NewBar(&out, "x").Tell(1, 2) // no terminal: nil
	for n, want := range map[int64]string{0: "0 B", 999: "999 B", 1000: "1 kB", 12345: "12.3 kB", 999999: "1 MB", 5e9: "5 GB"} {
		if got := Bytes(n); got != want {
			t.Errorf("%d: %s, want %s", n, got, want)
		}
	}
}

func TestLinesAndABarTakeTurns(t *testing.T) {
	var out bytes.Buffer // which the race detector watches
	b, say := &Bar{out: &out, now: time.Now, name: "getting"}, Lines(&out, "sennit")
	var both sync.WaitGroup
	for range 2 {
		both.Go(func() {
			b.Tell(1, 1)
			say.tell("a line")
		})
	}
	both.Wait()
	if n := strings.Count(out.String(), "sennit: a line\n"); n != 2 {
		t.Errorf("%d lines in %q", n, out.String())
	}
}
