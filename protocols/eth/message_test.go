package eth

import (
	"encoding/hex"
	"errors"
	"math/big"
	"reflect"
	"strings"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/rlp"
	"github.com/google/go-cmp/cmp"
)

var (
	deadc0de = common.HexToHash("0xdeadc0de")
	feedbeef = common.HexToHash("0xfeedbeef")
	one      = common.HexToHash("0x01")
	mainnet  = mustNetwork("mainnet")
)

func mustNetwork(name string) *ChainConfig {
	c, err := Network(name)
	if err != nil {
		panic(err)
	}
	return c
}

func unhex(s string) []byte {
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		panic(err)
	}
	return b
}

// hexHash is the RLP of hash one.
const hexHash = "a00000000000000000000000000000000000000000000000000000000000000001"

// vectors are payloads from the fact sheet, which go-ethereum v1.17.10 encodes and decodes in the same way; those marked
// "own" are written out by hand from the layouts.
var vectors = []struct {
	name    string
	version uint
	m       Message
	payload string
}{
	{"status, mainnet", 68, &Status{Version: 68, NetworkID: 1, TD: new(big.Int), Head: one, Genesis: mainnet.Genesis, ForkID: ForkID{Hash: [4]byte{0x07, 0xc9, 0x46, 0x2e}}},
		"f84c440180" + hexHash + "a0d4e56740f876aef8c010b86a40d5f56745a118d0906a34e69aec8c0db1cb8fa3c68407c9462e80"},
	{"status, mainnet", 69, &Status{Version: 69, NetworkID: 1, Genesis: mainnet.Genesis, ForkID: ForkID{Hash: [4]byte{0x07, 0xc9, 0x46, 0x2e}}, Earliest: 15537394, Latest: 24000000, Head: one},
		"f8544501a0d4e56740f876aef8c010b86a40d5f56745a118d0906a34e69aec8c0db1cb8fa3c68407c9462e8083ed14f284016e3600" + hexHash},
	{"status without a fork id (own)", 63, &Status{Version: 63, NetworkID: 1, TD: big.NewInt(17179869184), Head: mainnet.Genesis, Genesis: mainnet.Genesis},
		"f84a3f01850400000000a0d4e56740f876aef8c010b86a40d5f56745a118d0906a34e69aec8c0db1cb8fa3a0d4e56740f876aef8c010b86a40d5f56745a118d0906a34e69aec8c0db1cb8fa3"},
	{"empty", 68, &GetByHash{For: CodeGetBlockBodies, ID: 1111, Hashes: []common.Hash{}}, "c4820457c0"},
	{"empty", 68, &GetByHash{For: CodeGetPooledTransactions, ID: 1111, Hashes: []common.Hash{}}, "c4820457c0"},
	{"empty", 69, &GetReceipts{ID: 1111, Query: ReceiptsQuery{Hashes: []common.Hash{}}}, "c4820457c0"},
	{"empty", 69, &Items{For: CodeBlockHeaders, ID: 1111, Items: []rlp.RawValue{}}, "c4820457c0"},
	{"empty", 69, &Items{For: CodeBlockBodies, ID: 1111, Items: []rlp.RawValue{}}, "c4820457c0"},
	{"empty", 69, &Receipts{ID: 1111, Lists: []rlp.RawValue{}}, "c4820457c0"},
	{"empty, no id (own)", 63, &Items{For: CodeBlockHeaders, Items: []rlp.RawValue{}}, "c0"},
	{"empty, no id (own)", 63, &Receipts{Lists: []rlp.RawValue{}}, "c0"},
	{"node data (own)", 63, &Items{For: CodeNodeData, Items: []rlp.RawValue{unhex("83aabbcc")}}, "c483aabbcc"},
	{"hash, no id (own)", 63, &GetByHash{For: CodeGetNodeData, Hashes: []common.Hash{one}}, "e1" + hexHash},
	{"hash, no id (own)", 63, &GetReceipts{Query: ReceiptsQuery{Hashes: []common.Hash{one}}}, "e1" + hexHash},
	{"by number", 68, &GetBlockHeaders{ID: 1111, Query: HeadersQuery{Start: Start{Number: 9999}, Amount: 5, Skip: 5}}, "ca820457c682270f050580"},
	{"by number, no id", 63, &GetBlockHeaders{Query: HeadersQuery{Start: Start{Number: 9999}, Amount: 5, Skip: 5}}, "c682270f050580"},
	{"by hash", 72, &GetBlockHeaders{ID: 1111, Query: HeadersQuery{Start: Start{Hash: deadc0de}, Amount: 5, Skip: 5}},
		"e8820457e4a000000000000000000000000000000000000000000000000000000000deadc0de050580"},
	{"two hashes", 71, &GetByHash{For: CodeGetBlockBodies, ID: 1111, Hashes: []common.Hash{deadc0de, feedbeef}},
		"f847820457f842a000000000000000000000000000000000000000000000000000000000deadc0dea000000000000000000000000000000000000000000000000000000000feedbeef"},
	{"two hashes", 69, &GetReceipts{ID: 1111, Query: ReceiptsQuery{Hashes: []common.Hash{deadc0de, feedbeef}}},
		"f847820457f842a000000000000000000000000000000000000000000000000000000000deadc0dea000000000000000000000000000000000000000000000000000000000feedbeef"},
	{"from the third receipt on", 70, &GetReceipts{ID: 1111, Query: ReceiptsQuery{First: 3, Hashes: []common.Hash{one}}}, "e682045703e1" + hexHash},
	{"incomplete and empty", 70, &Receipts{ID: 1111, LastIncomplete: true, Lists: []rlp.RawValue{}}, "c582045701c0"},
	{"range", 69, &BlockRange{1, 2, one}, "e30102" + hexHash},
	{"two", 71, &Announcement{Txs: []TxInfo{{one, 0, 100}, {one, 2, 200}}}, "f84b820002c36481c8f842" + hexHash + hexHash},
	{"a blob", 72, &Announcement{Txs: []TxInfo{{one, 3, 300}}, Mask: CellMask{1, 2, 15: 0x80}},
		"f83803c382012ce1" + hexHash + "9001020000000000000000000000000080"},
	{"cell 1", 72, &GetCells{ID: 1111, Query: CellsQuery{Hashes: []common.Hash{one}, Mask: CellMask{2}}},
		"f6820457e1" + hexHash + "9002000000000000000000000000000000"},
	{"no cells (own)", 72, &Cells{ID: 1111, Answer: CellsAnswer{Hashes: []common.Hash{one}, Cells: [][]rlp.RawValue{{}}, Mask: CellMask{2}}},
		"f838820457e1" + hexHash + "c1c09002000000000000000000000000000000"},
	{"hash (own)", 71, &GetByHash{For: CodeGetBlockAccessLists, ID: 1, Hashes: []common.Hash{one}}, "e301e1" + hexHash},
	{"one that is not there", 71, &Items{For: CodeBlockAccessLists, ID: 1111, Items: []rlp.RawValue{{0x80}}}, "c5820457c180"},
	{"one that is empty (own)", 71, &Items{For: CodeBlockAccessLists, ID: 1111, Items: []rlp.RawValue{{0xc0}}}, "c5820457c1c0"},
	{"one block (own)", 68, &NewBlockHashes{Blocks: []BlockInfo{{one, 258}}}, "e5e4" + hexHash + "820102"},
	{"block (own)", 63, &NewBlock{Block: unhex("c3c0c0c0"), TD: big.NewInt(256)}, "c7c3c0c0c0820100"},
	{"a legacy and a typed one (own)", 68, &Transactions{Txs: []rlp.RawValue{unhex("c101"), unhex("8202c0")}}, "c5c1018202c0"},
	{"a typed one (own)", 72, &Items{For: CodePooledTransactions, ID: 1111, Items: []rlp.RawValue{unhex("8202c0")}}, "c7820457c38202c0"},
}

func TestMessagesHaveTheBytesOfTheSpecification(t *testing.T) {
	for _, v := range vectors {
		payload, err := Encode(v.version, v.m)
		if err != nil || hex.EncodeToString(payload) != v.payload {
			t.Errorf("eth/%d %s, %s: %x, %v\nwant %s", v.version, CodeName(v.m.Code()), v.name, payload, err, v.payload)
		}
		m, err := Decode(v.version, v.m.Code(), unhex(v.payload))
		if err != nil {
			t.Errorf("%s: %v", v.name, err)
			continue
		}
		if d := cmp.Diff(v.m, m, cmp.Comparer(func(a, b *big.Int) bool { return a.Cmp(b) == 0 })); d != "" {
			t.Errorf("eth/%d %s, %s (-want +got):\n%s", v.version, CodeName(v.m.Code()), v.name, d)
		}
	}
}

func TestEveryMessageOfEveryVersionHasAVector(t *testing.T) {
	seen := make(map[uint64]bool)
	for _, v := range vectors {
		seen[v.m.Code()] = true
	}
	for code := range uint64(len(codes)) {
		if codes[code].from != 0 && !seen[code] {
			t.Errorf("%s has none", CodeName(code))
		}
	}
}

func TestAMessageWithOneItemMoreIsRefused(t *testing.T) {
	for _, v := range vectors {
		switch m := v.m.(type) {
		case *NewBlockHashes, *Transactions:
			continue // any number of items
		case *GetByHash, *Items, *Receipts, *GetReceipts:
			if v.version == 63 {
				continue
			}
			_ = m
		}
		content, err := wholeList(unhex(v.payload))
		if err != nil {
			t.Fatal(err)
		}
		more, err := rlp.EncodeToBytes([]rlp.RawValue{append(append([]byte{}, content...), 0x01)})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := Decode(v.version, v.m.Code(), more); err == nil {
			t.Errorf("eth/%d %s, %s: an item too many passed", v.version, CodeName(v.m.Code()), v.name)
		}
		if _, err := Decode(v.version, v.m.Code(), append(unhex(v.payload), 0xc0)); !errors.Is(err, errTrailing) {
			t.Errorf("eth/%d %s, %s: bytes after the message: %v", v.version, CodeName(v.m.Code()), v.name, err)
		}
	}
}

func TestMalformedMessagesAreRefusedWithTheReason(t *testing.T) {
	long := func(n int, item string) string { // a list of n items with an id of 0 before it
		b, err := rlp.EncodeToBytes([]any{uint64(0), rlp.RawValue(listOf(n, item))})
		if err != nil {
			panic(err)
		}
		return hex.EncodeToString(b)
	}
	tests := []struct {
		version uint
		code    uint64
		payload string
		want    string // part of the error
	}{
		{69, CodeStatus, "80", "eth/69 Status: rlp: expected List"},
		{69, CodeStatus, "c0", "version: "},
		{68, CodeStatus, "c144", "network id: "},
		{69, CodeNewBlockHashes, "c0", "no message of this version has this code"},
		{69, CodeNewBlock, "c0", "no message of this version"},
		{63, CodeAnnouncement, "c0", "no message of this version"},
		{68, 0x0b, "c0", "eth/68 0x0b: no message"},
		{72, 0x16, "c0", "eth/72 0x16: no message"},
		{68, CodeGetBlockHeaders, "c4820457c0", "start: "},
		{68, CodeGetBlockHeaders, list("820457", list("89000000000000000001", "05", "05", "80")), "start: "},
		{68, CodeGetBlockHeaders, "c7820457c301058000", "more items"},
		{68, CodeGetBlockHeaders, "c8820457c401050502", "reverse: 2 is neither 0 nor 1"},
		{68, CodeGetBlockHeaders, "ca820457c682000f050580", "start: rlp: non-canonical integer"},
		{68, CodeGetBlockBodies, "c6820457c281ff", "not a list of 32-byte hashes"},
		{68, CodeBlockHeaders, "c5820457c101", "item 0 is a byte"},
		{68, CodeBlockBodies, "c5820457c180", "item 0 is a string"},
		{68, CodeBlockHeaders, long(1025, "c0"), "1025 items, more than 1024"},
		{69, CodeReceipts, long(1025, "c0"), "1025 items, more than 1024"},
		{69, CodePooledTransactions, long(4097, "c0"), "4097 items, more than 4096"},
		{69, CodeTransactions, hex.EncodeToString(listOf(5001, "c0")), "5001 items, more than 5000"},
		{71, CodeBlockAccessLists, "c5820457c101", "item 0 is neither an access list nor the empty string"},
		{70, CodeReceipts, "c582045702c0", "last incomplete: 2 is neither 0 nor 1"},
		{71, CodeAnnouncement, list("820002", "c36481c8", "e1"+hexHash), "as many types as sizes and hashes"},
		{71, CodeAnnouncement, list("820002", "c164", "e1"+hexHash), "as many types as sizes and hashes"},
		{71, CodeAnnouncement, list("00", "c26464", "e1"+hexHash), "as many types as sizes and hashes"},
		{72, CodeAnnouncement, list("03", "c382012c", "e1"+hexHash, "80"), "cell mask: 0 bytes, not 16"},
		{69, CodeBlockRangeUpdate, "c20102", "latest hash: "},
		{68, CodeNewBlock, "c7c2c0c0820100", "rlp"},
		{68, CodeNewBlock, "c4c2c0c001", "block of 2 parts, not 3"},
		{68, CodeNewBlock, "d2c3c0c0c08dffffffffffffffffffffffffff", "total difficulty: 104 bits, more than 100"},
		{72, CodeCells, list("820457", "e1"+hexHash, "c0", "9002000000000000000000000000000000"), "cells of 0 transactions, hashes of 1"},
		{72, CodeCells, list("820457", "e1"+hexHash, "c2c101", "9002000000000000000000000000000000"), "a cell of 1 bytes, not 2048"},
	}
	for _, tt := range tests {
		_, err := Decode(tt.version, tt.code, unhex(tt.payload))
		var d *DecodeError
		if !errors.As(err, &d) || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("eth/%d %s %.80s: %v, want %q", tt.version, CodeName(tt.code), tt.payload, err, tt.want)
		}
	}
}

// list is the RLP list of items, all of it in hexadecimal.
func list(items ...string) string {
	content := unhex(strings.Join(items, ""))
	var whole []rlp.RawValue
	for len(content) > 0 {
		_, _, rest, err := rlp.Split(content)
		if err != nil { // broken on purpose: it cannot be told where it ends
			rest = nil
		}
		whole, content = append(whole, content[:len(content)-len(rest)]), rest
	}
	b, err := rlp.EncodeToBytes(whole)
	if err != nil {
		panic(err)
	}
	return hex.EncodeToString(b)
}

// listOf is a list of n times the same item.
func listOf(n int, item string) []byte {
	raw := make([]rlp.RawValue, n)
	for i := range raw {
		raw[i] = unhex(item)
	}
	b, err := rlp.EncodeToBytes(raw)
	if err != nil {
		panic(err)
	}
	return b
}

func TestAPayloadOfMoreThanTenMebibytesIsRefused(t *testing.T) {
	_, err := Decode(69, CodeBlockHeaders, make([]byte, MaxMessage+1))
	if !errors.Is(err, errTooLarge) {
		t.Error(err)
	}
}

func TestLengthsAreThoseOfTheVersions(t *testing.T) {
	want := map[uint]uint64{62: 0, 63: 17, 64: 0, 67: 0, 68: 17, 69: 18, 70: 18, 71: 20, 72: 22, 73: 0}
	for version, length := range want {
		if got := Length(version); got != length {
			t.Errorf("version %d: %d, want %d", version, got, length)
		}
		for code := range uint64(40) {
			if Knows(version, code) && code >= length {
				t.Errorf("version %d knows code %#x, beyond its length", version, code)
			}
		}
	}
	if !reflect.DeepEqual(Versions(), []uint{63, 68, 69, 70, 71, 72}) {
		t.Error(Versions())
	}
}
