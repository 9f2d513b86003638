package chainfile

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/google/go-cmp/cmp"

	"github.com/sennit-net/sennit/protocols/eth"
)

var (
	_ eth.Backend       = (*Chain)(nil)
	_ eth.ReceiptLister = (*Chain)(nil)
)

// checkServes compares all that a chain serves with what was made.
func checkServes(t *testing.T, c *Chain, m *made, receipts bool) {
	t.Helper()
	last := len(m.hashes) - 1
	if head := c.Head(); head.Number != uint64(last) || head.Hash != m.hashes[last] || head.Time != uint64(last) || head.TD.Sign() != 0 {
		t.Errorf("the head is %+v", head)
	}
	for n, hash := range m.hashes {
		number, canonical, ok := c.Number(hash)
		if number != uint64(n) || !canonical || !ok {
			t.Fatalf("block %d: Number says %d, %v, %v", n, number, canonical, ok)
		}
		if got, ok := c.Hash(uint64(n)); got != hash || !ok {
			t.Fatalf("block %d: Hash says %v, %v", n, got, ok)
		}
		if !bytes.Equal(c.Header(hash), m.headers[n]) {
			t.Fatalf("block %d: the header is %x", n, c.Header(hash))
		}
		if !bytes.Equal(c.Body(hash), m.bodies[n]) {
			t.Fatalf("block %d: the body is %x", n, c.Body(hash))
		}
		want := m.slim[n]
		if !receipts && n%4 != 0 {
			want = nil
		}
		if got := c.ReceiptList(hash); !bytes.Equal(got, want) || (got == nil) != (want == nil) {
			t.Fatalf("block %d: the receipts are %x", n, got)
		}
		if got := c.Receipts(hash); want == nil && got != nil || want != nil && (got == nil || len(got) != n%4) {
			t.Fatalf("block %d: the receipts are %v", n, got)
		}
	}
	unknown := common.Hash{1}
	if _, _, ok := c.Number(unknown); ok || c.Header(unknown) != nil || c.Body(unknown) != nil || c.Receipts(unknown) != nil || c.AccessList(unknown) != nil || c.PooledTransaction(unknown) != nil {
		t.Error("an unknown block is known")
	}
	if _, ok := c.Hash(uint64(last) + 1); ok {
		t.Error("there is a block after the head")
	}
}

func TestAChainServesWhatIsInItsFiles(t *testing.T) {
	m := makeChain(t, 25)
	packed := filepath.Join(m.dir, "packed")
	gz(t, m.blocks, packed)
	data := read(t, m.blocks)
	half := m.blockOffsets[11]
	parts := []string{write(t, m, "first", data[:half]), write(t, m, "second", data[half:])}
	withGenesis := write(t, m, "with-genesis", append(appendList(nil, append(bytes.Clone(m.headers[0]), 0xc0, 0xc0, 0xc0)), data...))
	for name, o := range map[string]Options{
		"one file, receipts":           {Blocks: []string{m.blocks}, Receipts: m.receipts},
		"one file, no receipts":        {Blocks: []string{m.blocks}},
		"packed":                       {Blocks: []string{packed}},
		"two files":                    {Blocks: parts},
		"from block 0 on":              {Blocks: []string{withGenesis}},
		"from block 0 on, receipts":    {Blocks: []string{withGenesis}, Receipts: m.receipts},
		"an empty file after the last": {Blocks: []string{m.blocks, write(t, m, "empty", nil)}},
	} {
		t.Run(name, func(t *testing.T) {
			o.Genesis = m.genesis
			checkServes(t, open(t, o), m, o.Receipts != "")
			o.Dir = t.TempDir()
			checkServes(t, open(t, o), m, o.Receipts != "") // makes the index
			checkServes(t, open(t, o), m, o.Receipts != "") // reads it
		})
	}
}

func TestWithoutBlockFilesTheChainIsTheGenesisBlock(t *testing.T) {
	m := makeChain(t, 0)
	checkServes(t, open(t, Options{Genesis: m.genesis}), m, true)
}

func TestReceiptsMayEndBeforeTheChain(t *testing.T) {
	m := makeChain(t, 12)
	o := m.options()
	o.Receipts = write(t, m, "short", read(t, m.receipts)[:m.listsOffsets[6]])
	c := open(t, o)
	for n, hash := range m.hashes {
		if got, want := c.ReceiptList(hash) != nil, n < 6 || n%4 == 0; got != want {
			t.Errorf("the receipts of block %d are known: %v, want %v", n, got, want)
		}
	}
}

func TestStatusComesFromTheGenesisFile(t *testing.T) {
	m := makeChain(t, 1)
	c := open(t, m.options())
	want := &eth.ChainConfig{NetworkID: 1337, Genesis: m.hashes[0], TimeForks: []uint64{500}, Params: c.Genesis().Config}
	if diff := cmp.Diff(want, c.Chain(), cmp.Comparer(func(a, b *eth.ChainConfig) bool { return a.Params == b.Params })); diff != "" {
		t.Error(diff)
	}
	o := m.options()
	o.NetworkID = 9
	if got := open(t, o).Chain().NetworkID; got != 9 {
		t.Errorf("the network id is %d, not the one of the options", got)
	}
}

func TestAnIndexOfOtherFilesIsNotUsed(t *testing.T) {
	m := makeChain(t, 8)
	o := m.options()
	o.Dir = t.TempDir()
	open(t, o)
	data := read(t, m.blocks)
	if err := os.WriteFile(m.blocks, data[:m.blockOffsets[5]], 0o600); err != nil {
		t.Fatal(err)
	}
	o.Receipts = ""
	if head := open(t, o).Head(); head.Number != 4 {
		t.Errorf("after the file became shorter the head is %d", head.Number)
	}
	// The same size, but another time of change: what was good is no longer known to be.
	broken := read(t, m.blocks)
	broken[len(broken)-1] ^= 1
	if err := os.WriteFile(m.blocks, broken, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(m.blocks, time.Time{}, time.Unix(1_000_000_000, 0)); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(o); err == nil || !strings.Contains(err.Error(), "block 4 at offset") {
		t.Errorf("a file changed after it was indexed: %v", err)
	}
}

func TestADamagedIndexIsMadeAgain(t *testing.T) {
	m := makeChain(t, 8)
	o := m.options()
	o.Dir = t.TempDir()
	open(t, o)
	file := filepath.Join(o.Dir, indexFile)
	good := read(t, file)
	for name, bad := range map[string][]byte{
		"cut":   good[:len(good)-1],
		"short": good[:10],
		"empty": {},
		"wrong": append(bytes.Clone(good[:len(good)-9]), 0, 0, 0, 0, 0, 0, 0, 0, 0),
	} {
		if err := os.WriteFile(file, bad, 0o600); err != nil {
			t.Fatal(err)
		}
		checkServes(t, open(t, o), m, true)
		if !bytes.Equal(read(t, file), good) {
			t.Errorf("%s: the index is not the same again", name)
		}
	}
}

func TestWhatIsPackedIsUnpackedOnceIntoTheDirectory(t *testing.T) {
	m := makeChain(t, 8)
	packed := filepath.Join(m.dir, "packed.gz")
	gz(t, m.blocks, packed)
	o := Options{Genesis: m.genesis, Blocks: []string{packed}, Dir: t.TempDir()}
	list := func() []string {
		t.Helper()
		files, err := filepath.Glob(filepath.Join(o.Dir, "*"))
		if err != nil {
			t.Fatal(err)
		}
		return files
	}
	open(t, o)
	first := list()
	open(t, o)
	if diff := cmp.Diff(first, list()); diff != "" || len(first) != 2 {
		t.Errorf("the second time there is something else: %v, %s", first, diff)
	}
	gz(t, write(t, m, "fewer", read(t, m.blocks)[:m.blockOffsets[3]]), packed)
	if head := open(t, o).Head().Number; head != 2 {
		t.Errorf("after the packed file has changed the head is %d", head)
	}
	if second := list(); len(second) != 2 || cmp.Equal(first, second) {
		t.Errorf("what was unpacked before is still there: %v", second)
	}
}

func TestAFileThatBecomesUnreadableIsServedAsUnknown(t *testing.T) {
	m := makeChain(t, 3)
	c, err := Open(m.options())
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	if h := m.hashes[3]; c.Header(h) != nil || c.Body(h) != nil || c.Receipts(h) != nil {
		t.Error("a closed file can be read")
	}
}

func TestMemoryIsBoundedByTheIndex(t *testing.T) {
	const blocks = 20_000
	m := makeChain(t, blocks)
	o := m.options()
	m.headers, m.bodies, m.slim, m.hashes = nil, nil, nil, nil
	used := heap(t)
	c := open(t, o)
	if per := float64(heap(t)-used) / blocks; per > 72 {
		t.Errorf("%.1f bytes for each block, want at most 68", per)
	}
	if c.Head().Number != blocks {
		t.Error("not the whole chain")
	}
}

func TestABlockCostsTwoAllocationsAtMost(t *testing.T) {
	m := makeChain(t, 50)
	c := open(t, m.options())
	hash := m.hashes[42]
	for name, f := range map[string]func(){
		"header":   func() { c.Header(hash) },
		"body":     func() { c.Body(hash) },
		"receipts": func() { c.ReceiptList(hash) },
	} {
		if n := testing.AllocsPerRun(100, f); n > 2 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}

func TestReceiptsAreWhatTheFileSays(t *testing.T) {
	m := makeChain(t, 7)
	c := open(t, m.options())
	want := []*types.Receipt{testReceipt(7, 0), testReceipt(7, 1), testReceipt(7, 2)}
	if diff := cmp.Diff(fmt.Sprintf("%+v", deref(want)), fmt.Sprintf("%+v", deref(c.Receipts(m.hashes[7])))); diff != "" {
		t.Error(diff)
	}
}

// deref makes receipts comparable as text.
func deref(list []*types.Receipt) (out []string) {
	for _, r := range list {
		b, err := r.MarshalBinary()
		out = append(out, fmt.Sprintf("%d %x %v", r.Type, b, err))
	}
	return out
}

func read(t testing.TB, file string) []byte {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// write makes a file beside those of m.
func write(t testing.TB, m *made, name string, data []byte) string {
	t.Helper()
	file := filepath.Join(m.dir, name)
	if err := os.WriteFile(file, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func gz(t testing.TB, from, to string) {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := w.Write(read(t, from)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(to, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
}
