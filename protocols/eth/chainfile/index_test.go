package chainfile

import (
	"bytes"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/ethereum/go-ethereum/log"
)

// damages are what may be wrong with an index although its checksum is right, and what is said of it.
var damages = map[string]struct {
	do   func(*index)
	want string
}{
	"a file that is not there":      {func(x *index) { x.blocks[3].at = position(1, 0) }, "block 4 is not where it may be"},
	"a block beyond its file":       {func(x *index) { x.blocks[7].at += 1 << 40 }, "block 8 is not where it may be"},
	"a body that is too long":       {func(x *index) { x.blocks[7].body++ }, "block 8 is not where it may be"},
	"a body of 4 GiB":               {func(x *index) { x.blocks[2].body = 1<<32 - 1 }, "block 3 is not where it may be"},
	"a header of 4 GiB":             {func(x *index) { x.blocks[2].header = 1<<32 - 1 }, "block 3 is not where it may be"},
	"a block that begins too early": {func(x *index) { x.blocks[5].at = x.blocks[4].at + 1 }, "block 6 is not where it may be"},
	"hashes out of order":           {func(x *index) { slices.Reverse(x.byHash) }, "not in the order of their hashes"},
	"a block twice in the order":    {func(x *index) { x.byHash[1] = x.byHash[0] }, "not in the order of their hashes"},
	"receipts beyond their file":    {func(x *index) { x.receipts[4].at = 1 << 63 }, "receipts of block 5 are not where they may be"},
	"receipts that are too long":    {func(x *index) { x.receipts[7].size++ }, "receipts of block 8 are not where they may be"},
	"receipts of 4 GiB":             {func(x *index) { x.receipts[1].size = 1<<32 - 1 }, "receipts of block 2 are not where they may be"},
	"receipts that begin too early": {func(x *index) { x.receipts[3].at = 0 }, "receipts of block 4 are not where they may be"},
}

func TestAnIndexThatDoesNotFitTheFilesIsNamedAndMadeAgain(t *testing.T) {
	m := makeChain(t, 8)
	o := m.options()
	o.Dir = t.TempDir()
	first := open(t, o)
	file := filepath.Join(o.Dir, indexFile)
	good := read(t, file)
	id := [32]byte(good[len(indexMagic):])
	contents := map[string][]byte{"more bytes than the chain": append(bytes.Clone(good), make([]byte, 1<<20)...)}
	want := map[string]string{"more bytes than the chain": "more than the chain"}
	for name, damage := range damages {
		x := *first.index
		x.blocks, x.byHash, x.receipts = slices.Clone(x.blocks), slices.Clone(x.byHash), slices.Clone(x.receipts)
		damage.do(&x)
		contents[name], want[name] = x.encode(id), damage.want
	}
	for name, bad := range contents {
		t.Run(name, func(t *testing.T) {
			if err := os.WriteFile(file, bad, 0o600); err != nil {
				t.Fatal(err)
			}
			var said bytes.Buffer
			o := o
			o.Logger = log.NewLogger(slog.NewTextHandler(&said, nil))
			checkServes(t, open(t, o), m, true)
			if text := said.String(); !strings.Contains(text, file+": is damaged: ") || !strings.Contains(text, want[name]) {
				t.Errorf("the log has %s, want %s", text, want[name])
			}
			if !bytes.Equal(read(t, file), good) {
				t.Error("the index is not the same again")
			}
		})
	}
}

func TestWhatAnInterruptedStartHasLeftIsRemoved(t *testing.T) {
	m := makeChain(t, 3)
	o := m.options()
	o.Dir = t.TempDir()
	open(t, o)
	mine := []string{"notes.tmp", "index", "blocks-0-0123456789abcdef.rlp"}
	for _, name := range slices.Concat(mine, []string{"index.123.tmp", "blocks-0-0123456789abcdef.rlp.9.tmp", "receipts-0123456789abcdef.rlp.77.tmp"}) {
		if name == "index" {
			continue
		}
		if err := os.WriteFile(filepath.Join(o.Dir, name), []byte{1}, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	checkServes(t, open(t, o), m, true)
	entries, err := os.ReadDir(o.Dir)
	if err != nil {
		t.Fatal(err)
	}
	var left []string
	for _, e := range entries {
		left = append(left, e.Name())
	}
	slices.Sort(mine)
	if !slices.Equal(left, mine) {
		t.Errorf("%v are left, want %v", left, mine)
	}
}

func TestTheNameOfADirectoryIsNoPattern(t *testing.T) {
	m := makeChain(t, 3)
	o := m.options()
	o.Blocks = []string{filepath.Join(m.dir, "packed.gz")}
	gz(t, m.blocks, o.Blocks[0])
	root := t.TempDir()
	o.Dir = filepath.Join(root, "chain[1]")
	files := map[string]bool{ // which of them stay
		"chain1/index.123.tmp":                   true,
		"chain1/blocks-0-0123456789abcdef.rlp":   true,
		"chain[1]/index.123.tmp":                 false,
		"chain[1]/blocks-0-0123456789abcdef.rlp": false,
	}
	for name := range files {
		file := filepath.Join(root, filepath.FromSlash(name))
		err := os.MkdirAll(filepath.Dir(file), 0o700)
		if err == nil {
			err = os.WriteFile(file, []byte{1}, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	checkServes(t, open(t, o), m, true)
	for name, stays := range files {
		if _, err := os.Stat(filepath.Join(root, filepath.FromSlash(name))); (err == nil) != stays {
			t.Errorf("%s: %v, to stay: %v", name, err, stays)
		}
	}
}
