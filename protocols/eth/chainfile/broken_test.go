package chainfile

import (
	"bytes"
	"fmt"
	"math/big"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/rlp"
)

// heap is how many bytes are in use after a garbage collection.
func heap(t testing.TB) int64 {
	t.Helper()
	runtime.GC()
	runtime.GC()
	var s runtime.MemStats
	runtime.ReadMemStats(&s)
	return int64(s.HeapAlloc)
}

func TestABrokenFileIsRefusedWithBlockAndOffset(t *testing.T) {
	m := makeChain(t, 9)
	good := read(t, m.blocks)
	at := func(n int) int64 { return m.blockOffsets[n] }
	// with is the file with one block replaced.
	with := func(n int, block []byte) []byte { return slices.Concat(good[:at(n)], block, good[at(n+1):]) }
	block := func(n int) []byte { return bytes.Clone(good[at(n):at(n+1)]) }
	flipped := func(n int, i int) []byte {
		b := block(n)
		b[(i+len(b))%len(b)] ^= 1
		return with(n, b)
	}
	for _, tt := range []struct {
		name  string
		data  []byte
		block int
		text  string
	}{
		{"cut within a block", good[:at(6)+100], 6, "truncated: the list has"},
		{"cut within the head of a block", good[:at(6)+1], 6, "truncated"},
		{"garbage after a block", with(5, append(block(5), 0x80)), 6, "not an RLP list"},
		{"a size that is not the shortest", with(5, []byte{0xf8, 10, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}), 5, "not in its shortest form"},
		{"a size with leading zeros", with(5, []byte{0xf9, 0, 200}), 5, "not in its shortest form"},
		{"a size beyond all files", with(5, append([]byte{0xff}, bytes.Repeat([]byte{0xff}, 8)...)), 5, "truncated"},
		{"a block left out", with(5, nil), 5, "has number 6, want 5"},
		{"a block twice", with(5, append(block(5), block(5)...)), 6, "has number 5, want 6"},
		{"a bit of the header flipped", flipped(5, 80), 6, "but the block before is"},
		{"a bit of the parent's hash flipped", flipped(5, 10), 5, "but the block before is"},
		{"a bit of a transaction flipped", flipped(5, -12), 5, "transactions: not those of the header"},
		{"a block that is an empty list", with(5, []byte{0xc0}), 5, "header: "},
		{"a block that is a header alone", with(5, appendList(nil, m.headers[5])), 5, "transactions: "},
		{"a block without ommers", with(5, appendList(nil, slices.Concat(m.headers[5], rlp.EmptyList))), 5, "ommers: "},
		{"ommers that are not those of the header", with(4, appendList(nil, slices.Concat(m.headers[4], []byte{0xc0, 0xc1, 0xc0, 0xc0}))), 4, "ommers: not those"},
		{"a block without withdrawals", with(4, appendList(nil, slices.Concat(m.headers[4], []byte{0xc0, 0xc0}))), 4, "either the header or the body"},
		{"withdrawals that are not those of the header", with(4, appendList(nil, slices.Concat(m.headers[4], []byte{0xc0, 0xc0, 0xc1, 0xc0}))), 4, "withdrawals: not those"},
		{"withdrawals that are no list", with(4, appendList(nil, slices.Concat(m.headers[4], []byte{0xc0, 0xc0, 0x80}))), 4, "withdrawals: "},
		{"a fifth part", with(4, appendList(nil, slices.Concat(m.headers[4], []byte{0xc0, 0xc0, 0xc0, 0xc0}))), 4, "has more than"},
		{"a header that is none", with(4, appendList(nil, []byte{0xc1, 0x80, 0xc0, 0xc0, 0xc0})), 4, "header: "},
		{"a number beyond 64 bits", with(4, numbered(t, m, new(big.Int).Lsh(common.Big1, 64))), 4, "has number 18446744073709551616, want 4"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			o := m.options()
			o.Blocks, o.Receipts = []string{write(t, m, "broken.rlp", tt.data)}, ""
			_, err := Open(o)
			offset := at(tt.block)
			if tt.name == "garbage after a block" {
				offset = at(6)
			} else if tt.name == "a block twice" || tt.name == "a bit of the header flipped" {
				offset = at(6)
			}
			want := fmt.Sprintf("broken.rlp: block %d at offset %d: ", tt.block, offset)
			if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), tt.text) {
				t.Errorf("the error is %v, want %s...%s", err, want, tt.text)
			}
		})
	}
}

// numbered is block 4 under another number.
func numbered(t *testing.T, m *made, n *big.Int) []byte {
	t.Helper()
	var h types.Header
	if err := rlp.DecodeBytes(m.headers[4], &h); err != nil {
		t.Fatal(err)
	}
	h.Number = n
	return appendList(nil, slices.Concat(encode(t, &h), []byte{0xc0, 0xc0, 0xc0}))
}

func TestBrokenReceiptsAreRefusedWithBlockAndOffset(t *testing.T) {
	m := makeChain(t, 9)
	good := read(t, m.receipts)
	at := func(n int) int64 { return m.listsOffsets[n] }
	for _, tt := range []struct {
		name  string
		data  []byte
		block int
		text  string
	}{
		{"cut", good[:at(6)+5], 6, "truncated"},
		{"a list left out", slices.Concat(good[:at(5)], good[at(6):]), 5, "not those of the header"},
		{"a list too many", slices.Concat(good, rlp.EmptyList), 10, "there is no such block"},
		{"a receipt that is none", slices.Concat(good[:at(5)], []byte{0xc1, 0xc0}, good[at(6):]), 5, "receipt 0: "},
	} {
		t.Run(tt.name, func(t *testing.T) {
			o := m.options()
			o.Receipts = write(t, m, "broken.rlp", tt.data)
			offset := int64(len(good))
			if tt.block < len(m.listsOffsets) {
				offset = at(tt.block)
			}
			want := fmt.Sprintf("broken.rlp: receipts of block %d at offset %d: ", tt.block, offset)
			if _, err := Open(o); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), tt.text) {
				t.Errorf("the error is %v, want %s...%s", err, want, tt.text)
			}
		})
	}
}

func TestAChainOfAnotherGenesisBlockIsRefused(t *testing.T) {
	m := makeChain(t, 2)
	o := m.options()
	o.Genesis = write(t, m, "other.json", []byte(strings.Replace(genesisText, "0x5e", "0x5f", 1)))
	if _, err := Open(o); err == nil || !strings.Contains(err.Error(), "block 1 at offset 0: has parent") || !strings.Contains(err.Error(), "but the genesis file makes") {
		t.Errorf("the error is %v", err)
	}
	o.Blocks = []string{write(t, m, "zero", appendList(nil, slices.Concat(m.headers[0], []byte{0xc0, 0xc0, 0xc0})))}
	if _, err := Open(o); err == nil || !strings.Contains(err.Error(), "is the genesis block") {
		t.Errorf("the error is %v", err)
	}
}

func TestAMissingOrBrokenFileIsNamed(t *testing.T) {
	m := makeChain(t, 2)
	for name, o := range map[string]Options{
		"nowhere.json": {Genesis: m.dir + "/nowhere.json"},
		"nowhere.rlp":  {Genesis: m.genesis, Blocks: []string{m.dir + "/nowhere.rlp"}},
		"nowhere.rec":  {Genesis: m.genesis, Blocks: []string{m.blocks}, Receipts: m.dir + "/nowhere.rec"},
		m.dir:          {Genesis: m.genesis, Blocks: []string{m.dir}},
		"broken.gz":    {Genesis: m.genesis, Blocks: []string{write(t, m, "broken.gz", []byte{0x1f, 0x8b, 8, 0, 1})}},
		"genesis.json": {Genesis: m.genesis, Dir: m.genesis},
	} {
		if _, err := Open(o); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: the error is %v", name, err)
		}
	}
}

// FuzzScan looks for files that crash the scan, and for chains that are not served as they stand.
func FuzzScan(f *testing.F) {
	m := makeChain(f, 6)
	g, err := ReadGenesis(m.genesis)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(read(f, m.blocks))
	f.Add(read(f, m.blocks)[:1000])
	f.Add([]byte{0xff, 0xff})
	f.Add(appendList(nil, slices.Concat(m.headers[1], []byte{0xc0, 0xc0, 0xc0})))
	f.Fuzz(func(t *testing.T, data []byte) {
		for len(data) > 0 {
			x := &index{head: g.Hash, td: new(big.Int)}
			kind, _, rest, err := rlp.Split(data)
			if err != nil || kind != rlp.List {
				return
			}
			block := data[:len(data)-len(rest)]
			if err := x.add(g, block, 0, true); err == nil && len(x.blocks) > 0 {
				e := x.blocks[0]
				if !bytes.HasSuffix(block, block[e.at+uint64(e.header):]) || int(e.at)+int(e.header)+int(e.body) != len(block) {
					t.Errorf("block of %d bytes: %+v", len(block), e)
				}
			}
			data = rest
		}
	})
}

// FuzzIndex looks for index files that crash the decoder.
func FuzzIndex(f *testing.F) {
	m := makeChain(f, 6)
	c, err := Open(m.options())
	if err != nil {
		f.Fatal(err)
	}
	if err := c.Close(); err != nil {
		f.Fatal(err)
	}
	good := c.index.encode([32]byte{1})
	f.Add(good)
	f.Add(good[:60])
	f.Fuzz(func(t *testing.T, data []byte) {
		x, err := decodeIndex(data, [32]byte{1}, m.hashes[0])
		if err == nil && !bytes.Equal(x.encode([32]byte{1}), data) {
			t.Errorf("%x is decoded, but encoded differently", data)
		}
		if err == nil {
			_ = x.check(extent{blocks: []int64{1000}, receipts: 1000})
		}
	})
}
