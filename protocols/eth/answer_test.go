package eth

import (
	"bytes"
	"fmt"
	"math"
	"math/big"
	"slices"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/rlp"
	"github.com/google/go-cmp/cmp"
)

// fakeChain is a canonical chain of headers, and one beside it. It answers for the blocks in its maps.
type fakeChain struct {
	Backend  // nil: what is not overridden is not asked
	hashes   []common.Hash
	side     map[common.Hash]uint64
	headers  map[common.Hash]rlp.RawValue
	bodies   map[common.Hash]rlp.RawValue
	receipts map[common.Hash][]*types.Receipt
	pooled   map[common.Hash]rlp.RawValue
	lists    map[common.Hash]rlp.RawValue
}

func (c *fakeChain) Number(hash common.Hash) (uint64, bool, bool) {
	if i := slices.Index(c.hashes, hash); i >= 0 {
		return uint64(i), true, true
	}
	n, ok := c.side[hash]
	return n, false, ok
}

func (c *fakeChain) Hash(number uint64) (common.Hash, bool) {
	if number >= uint64(len(c.hashes)) {
		return common.Hash{}, false
	}
	return c.hashes[number], true
}

func (c *fakeChain) Header(hash common.Hash) rlp.RawValue            { return c.headers[hash] }
func (c *fakeChain) Body(hash common.Hash) rlp.RawValue              { return c.bodies[hash] }
func (c *fakeChain) Receipts(hash common.Hash) []*types.Receipt      { return c.receipts[hash] }
func (c *fakeChain) PooledTransaction(hash common.Hash) rlp.RawValue { return c.pooled[hash] }
func (c *fakeChain) AccessList(hash common.Hash) rlp.RawValue        { return c.lists[hash] }

// lister is a fakeChain that keeps receipts in the form of version 69.
type lister struct{ *fakeChain }

func (l lister) ReceiptList(hash common.Hash) rlp.RawValue {
	receipts := l.fakeChain.Receipts(hash)
	if receipts == nil {
		return nil
	}
	return encodeReceiptList(69, receipts)
}

// newFakeChain makes n canonical blocks, and a branch of m blocks that leaves after block fork.
func newFakeChain(n, fork, m int) *fakeChain {
	c := &fakeChain{side: map[common.Hash]uint64{}, headers: map[common.Hash]rlp.RawValue{}}
	add := func(number int, parent common.Hash, extra byte) common.Hash {
		raw, err := rlp.EncodeToBytes(&types.Header{ParentHash: parent, Number: big.NewInt(int64(number)), Difficulty: new(big.Int), Extra: []byte{extra}})
		if err != nil {
			panic(err)
		}
		hash := hashOf(raw)
		c.headers[hash] = raw
		return hash
	}
	parent := common.Hash{}
	for i := range n {
		parent = add(i, parent, 0)
		c.hashes = append(c.hashes, parent)
	}
	if m > 0 {
		parent = c.hashes[fork]
		for i := range m {
			parent = add(fork+1+i, parent, 1)
			c.side[parent] = uint64(fork + 1 + i)
		}
	}
	return c
}

// on is the hash of a block on the branch.
func (c *fakeChain) on(number uint64) common.Hash {
	for hash, n := range c.side {
		if n == number {
			return hash
		}
	}
	panic(fmt.Sprint("no block ", number, " on the branch"))
}

// names are the headers by number, those on the branch with a prime.
func (c *fakeChain) names(t *testing.T, headers []rlp.RawValue) []string {
	t.Helper()
	var names []string
	for _, raw := range headers {
		n, canonical, ok := c.Number(hashOf(raw))
		if !ok {
			t.Fatalf("a header that is not of the chain: %x", raw)
		}
		name := fmt.Sprint(n)
		if !canonical {
			name += "'"
		}
		names = append(names, name)
	}
	return names
}

func TestHeadersAreAnsweredByTheRules(t *testing.T) {
	c := newFakeChain(20, 10, 5) // 0 to 19, and 11' to 15'
	number := func(n uint64) Start { return Start{Number: n} }
	hash := func(n int) Start { return Start{Hash: c.hashes[n]} }
	branch := func(n uint64) Start { return Start{Hash: c.on(n)} }
	for _, tt := range []struct {
		name  string
		query HeadersQuery
		want  []string
	}{
		{"none", HeadersQuery{number(3), 0, 0, false}, nil},
		{"one by number", HeadersQuery{number(3), 1, 0, false}, []string{"3"}},
		{"the genesis block", HeadersQuery{number(0), 1, 0, true}, []string{"0"}},
		{"one by hash", HeadersQuery{hash(3), 1, 0, false}, []string{"3"}},
		{"several", HeadersQuery{number(3), 3, 0, false}, []string{"3", "4", "5"}},
		{"several by hash", HeadersQuery{hash(3), 3, 0, false}, []string{"3", "4", "5"}},
		{"towards the genesis block", HeadersQuery{number(3), 3, 0, true}, []string{"3", "2", "1"}},
		{"up to the genesis block", HeadersQuery{number(3), 9, 0, true}, []string{"3", "2", "1", "0"}},
		{"up to the head", HeadersQuery{number(18), 9, 0, false}, []string{"18", "19"}},
		{"every third", HeadersQuery{number(3), 3, 2, false}, []string{"3", "6", "9"}},
		{"every third by hash", HeadersQuery{hash(3), 3, 2, false}, []string{"3", "6", "9"}},
		{"every third towards the genesis block", HeadersQuery{number(10), 9, 2, true}, []string{"10", "7", "4", "1"}},
		{"every third up to the gap after the head", HeadersQuery{number(14), 9, 2, false}, []string{"14", "17"}},
		{"a number beyond the head", HeadersQuery{number(20), 3, 0, false}, nil},
		{"a number beyond the head, backwards", HeadersQuery{number(20), 3, 0, true}, nil},
		{"the largest number", HeadersQuery{number(math.MaxUint64), 3, 0, false}, nil},
		{"an unknown hash", HeadersQuery{Start{Hash: common.Hash{1}}, 3, 0, false}, nil},
		{"the largest skip", HeadersQuery{number(3), 3, math.MaxUint64, false}, []string{"3"}},
		{"the largest skip, backwards", HeadersQuery{number(3), 3, math.MaxUint64, true}, []string{"3"}},
		{"a skip that overflows", HeadersQuery{number(3), 3, math.MaxUint64 - 3, false}, []string{"3"}},
		{"a skip that overflows onto the start", HeadersQuery{hash(3), 3, math.MaxUint64 - 1, false}, []string{"3"}},
		{"on a branch, towards the head", HeadersQuery{branch(12), 3, 0, false}, []string{"12'"}},
		{"on a branch, towards the head with gaps", HeadersQuery{branch(12), 3, 1, false}, []string{"12'"}},
		{"on a branch, towards the genesis block", HeadersQuery{branch(12), 4, 0, true}, []string{"12'", "11'", "10", "9"}},
		{"on a branch, every third", HeadersQuery{branch(15), 9, 2, true}, []string{"15'", "12'", "9", "6", "3", "0"}},
		{"on a branch, further than the genesis block", HeadersQuery{branch(12), 4, 12, true}, []string{"12'"}},
	} {
		if diff := cmp.Diff(tt.want, c.names(t, answerHeaders(c, tt.query))); diff != "" {
			t.Errorf("%s:\n%s", tt.name, diff)
		}
	}
}

func TestAnAnswerHas1024HeadersAtMost(t *testing.T) {
	c := newFakeChain(1100, 0, 0)
	for _, amount := range []uint64{1023, 1024, 1025, math.MaxUint64} {
		if got := len(answerHeaders(c, HeadersQuery{Amount: amount})); got != int(min(amount, MaxHeaders)) {
			t.Errorf("%d asked for, %d sent", amount, got)
		}
	}
}

func TestAWalkThroughABranchHasAnEnd(t *testing.T) {
	c := newFakeChain(2, 0, maxStray+50)
	got := answerHeaders(c, HeadersQuery{Start: Start{Hash: c.on(maxStray + 50)}, Amount: 2, Skip: maxStray + 20, Reverse: true})
	if len(got) != 1 {
		t.Errorf("%d headers, want the first alone", len(got))
	}
	if got = answerHeaders(c, HeadersQuery{Start: Start{Hash: c.on(maxStray + 50)}, Amount: 2, Skip: maxStray - 2, Reverse: true}); len(got) != 2 {
		t.Errorf("%d headers, want 2", len(got))
	}
}

func TestAHeaderThatIsNoneEndsTheWalk(t *testing.T) {
	for _, raw := range []rlp.RawValue{{0x80}, {0xc0}, {0xc1, 0xc0}, {0xc1, 0x80}, nil} {
		c := newFakeChain(3, 1, 2)
		c.headers[c.on(2)] = raw
		got := answerHeaders(c, HeadersQuery{Start: Start{Hash: c.on(3)}, Amount: 9, Reverse: true})
		if want := 2; len(got) != want && (raw != nil || len(got) != 1) {
			t.Errorf("%x: %d headers", raw, len(got))
		}
	}
}

// blob is an RLP string of n bytes in all.
func blob(n int) rlp.RawValue {
	return append(rlp.RawValue{0xba, byte((n - 4) >> 16), byte((n - 4) >> 8), byte(n - 4)}, make([]byte, n-4)...)
}

func TestListsByHashAreAnsweredByTheRules(t *testing.T) {
	const half = SoftAnswer / 2
	h := func(b ...byte) (list []common.Hash) {
		for _, x := range b {
			list = append(list, common.Hash{x})
		}
		return list
	}
	items := map[common.Hash]rlp.RawValue{
		{1}: {1}, {2}: {2}, {3}: {3}, {10}: blob(half), {11}: blob(half), {12}: blob(half), {20}: blob(SoftAnswer + 100),
		{21}: blob(MaxMessage - 20),
	}
	c := &fakeChain{bodies: items, pooled: items, lists: items}
	stop := map[string]func(Backend, []common.Hash) []rlp.RawValue{"bodies": answerBodies}
	skip := map[string]func(Backend, []common.Hash) []rlp.RawValue{"pooled": answerPooled}
	hold := map[string]func(Backend, []common.Hash) []rlp.RawValue{"access lists": answerAccessLists}
	for _, tt := range []struct {
		name  string
		asked []common.Hash
		funcs map[string]func(Backend, []common.Hash) []rlp.RawValue
		want  []rlp.RawValue
	}{
		{"unknown ones end bodies", h(1, 2, 9, 3), stop, []rlp.RawValue{{1}, {2}}},
		{"unknown transactions are left out", h(9, 3, 9, 2, 1, 9), skip, []rlp.RawValue{{3}, {2}, {1}}},
		{"unknown access lists have a place", h(9, 3, 9, 2, 2), hold, []rlp.RawValue{{0x80}, {3}, {0x80}, {2}, {2}}},
	} {
		for name, f := range tt.funcs {
			if diff := cmp.Diff(tt.want, f(c, tt.asked)); diff != "" {
				t.Errorf("%s, %s:\n%s", name, tt.name, diff)
			}
		}
	}
	for name, f := range map[string]func(Backend, []common.Hash) []rlp.RawValue{"bodies": answerBodies, "pooled": answerPooled, "access lists": answerAccessLists} {
		for _, tt := range []struct {
			name  string
			asked []common.Hash
			want  int
		}{
			{"nothing", nil, 0},
			{"the same again", h(1, 1, 1), 3},
			{"up to 2 MiB", h(10, 11, 12), 2},
			{"not beyond 2 MiB", h(10, 1, 11), 2},
			{"one larger than 2 MiB", h(20, 1), 1},
			{"one larger than 2 MiB after another", h(1, 20, 1), 1},
			{"one larger than a message", h(21, 1), 0},
		} {
			if got := len(f(c, tt.asked)); got != tt.want {
				t.Errorf("%s, %s: %d items, want %d", name, tt.name, got, tt.want)
			}
		}
		limit := map[string]int{"bodies": MaxBodies, "pooled": MaxPooled, "access lists": MaxAccessLists}[name]
		if got := len(f(c, slices.Repeat(h(1), limit+1))); got != limit {
			t.Errorf("%s: %d items, want %d", name, got, limit)
		}
	}
	if got := answerPooled(c, append(slices.Repeat(h(9), MaxPooled), common.Hash{1})); len(got) != 0 {
		t.Error("a transaction beyond the 4096th hash was looked up")
	}
}

// someReceipts are n receipts that take about size bytes each.
func someReceipts(n, size int) []*types.Receipt {
	list := make([]*types.Receipt, n)
	for i := range list {
		list[i] = &types.Receipt{Type: 2, Status: 1, CumulativeGasUsed: uint64(i + 1), Logs: []*types.Log{{Data: make([]byte, size)}}}
		list[i].Bloom = types.CreateBloom(list[i])
	}
	return list
}

// shape is the number of receipts in each list, and their cumulative gas if all follow one another from first on.
func shape(t *testing.T, lists []rlp.RawValue, version uint, first uint64) []int {
	t.Helper()
	var counts []int
	for i, list := range lists {
		receipts, err := DecodeReceipts(version, list)
		if err != nil {
			t.Fatal(err)
		}
		for j, r := range receipts {
			want := uint64(j + 1)
			if i == 0 {
				want += first
			}
			if r.CumulativeGasUsed != want {
				t.Fatalf("list %d: receipt %d is number %d", i, j, r.CumulativeGasUsed-1)
			}
		}
		counts = append(counts, len(receipts))
	}
	return counts
}

func TestReceiptsAreAnsweredByTheRules(t *testing.T) {
	const (
		kib = 1 << 10
		mib = 1 << 20
	)
	c := &fakeChain{receipts: map[common.Hash][]*types.Receipt{
		{0}: {}, {1}: someReceipts(3, 10), {2}: someReceipts(2, mib-2*kib), {3}: someReceipts(30, mib), {4}: someReceipts(1, 11*mib), {5}: someReceipts(4, mib),
	}}
	h := func(b ...byte) (list []common.Hash) {
		for _, x := range b {
			list = append(list, common.Hash{x})
		}
		return list
	}
	for _, tt := range []struct {
		name     string
		versions []uint
		query    ReceiptsQuery
		want     []int
		cut      bool
	}{
		{"nothing", []uint{63, 69, 70}, ReceiptsQuery{0, nil}, nil, false},
		{"in order, up to the unknown one", []uint{63, 68, 69, 70, 72}, ReceiptsQuery{0, h(1, 0, 1, 9, 1)}, []int{3, 0, 3}, false},
		{"up to 2 MiB", []uint{68, 69}, ReceiptsQuery{0, h(1, 2, 1, 2, 1)}, []int{3, 2, 3}, false},
		{"one beyond 2 MiB", []uint{69}, ReceiptsQuery{0, h(5, 1)}, []int{4}, false},
		{"one beyond 10 MiB", []uint{68, 69}, ReceiptsQuery{0, h(3, 1)}, nil, false},
		{"one beyond 10 MiB after another", []uint{68, 69}, ReceiptsQuery{0, h(1, 3, 1)}, []int{3}, false},
		{"no further block after 2 MiB", []uint{70}, ReceiptsQuery{0, h(2, 2, 1)}, []int{2, 2}, false},
		{"from a receipt on", []uint{70}, ReceiptsQuery{1, h(1, 1)}, []int{2, 3}, false},
		{"from the end of a block on", []uint{70}, ReceiptsQuery{3, h(1, 1)}, []int{0, 3}, false},
		{"from beyond a block on", []uint{70}, ReceiptsQuery{4, h(1, 1)}, nil, false},
		{"from beyond a block without receipts on", []uint{70}, ReceiptsQuery{1, h(0, 1)}, nil, false},
		{"from the largest number on", []uint{70}, ReceiptsQuery{math.MaxUint64, h(1, 1)}, nil, false},
		{"a block of 30 MiB is cut", []uint{70}, ReceiptsQuery{0, h(3, 1)}, []int{9}, true},
		{"a block of 30 MiB after another is cut", []uint{70}, ReceiptsQuery{0, h(1, 3, 1)}, []int{3, 9}, true},
		{"the rest of a block of 30 MiB is cut", []uint{70}, ReceiptsQuery{9, h(3, 1)}, []int{9}, true},
		{"the end of a block of 30 MiB", []uint{70}, ReceiptsQuery{25, h(3, 1)}, []int{5}, false},
		{"a receipt that never fits", []uint{70}, ReceiptsQuery{0, h(4, 1)}, nil, false},
		{"a receipt that never fits after another", []uint{70}, ReceiptsQuery{0, h(1, 4, 1)}, []int{3}, false},
	} {
		for _, version := range tt.versions {
			for name, b := range map[string]Backend{"plain": c, "lister": lister{c}} {
				lists, cut := answerReceipts(b, version, tt.query)
				if diff := cmp.Diff(tt.want, shape(t, lists, version, tt.query.First)); diff != "" || cut != tt.cut {
					t.Errorf("%s, version %d, %s: cut %v\n%s", tt.name, version, name, cut, diff)
				}
				if m, err := Encode(version, &Receipts{ID: math.MaxUint64, LastIncomplete: cut, Lists: lists}); err != nil || len(m) > MaxMessage {
					t.Errorf("%s, version %d: a message of %d bytes: %v", tt.name, version, len(m), err)
				}
			}
		}
	}
	if lists, _ := answerReceipts(c, 70, ReceiptsQuery{0, slices.Repeat(h(0), MaxReceipts+1)}); len(lists) != MaxReceipts {
		t.Errorf("%d lists, want %d", len(lists), MaxReceipts)
	}
}

func TestReceiptsThatAreAskedForInPartsMakeTheWhole(t *testing.T) {
	c := lister{&fakeChain{receipts: map[common.Hash][]*types.Receipt{{1}: someReceipts(25, 1<<20)}}}
	want := c.ReceiptList(common.Hash{1})
	content, _, err := rlp.SplitList(want)
	if err != nil {
		t.Fatal(err)
	}
	var got []byte
	parts := 0
	for first := uint64(0); ; parts++ {
		lists, cut := answerReceipts(c, 70, ReceiptsQuery{first, []common.Hash{{1}}})
		if len(lists) != 1 {
			t.Fatalf("from %d on: %d lists", first, len(lists))
		}
		part, _, err := rlp.SplitList(lists[0])
		if err != nil {
			t.Fatal(err)
		}
		n, err := rlp.CountValues(part)
		if err != nil || n == 0 {
			t.Fatalf("from %d on: %d receipts, %v", first, n, err)
		}
		got, first = append(got, part...), first+uint64(n)
		if !cut {
			break
		}
	}
	if !bytes.Equal(got, content) || parts != 2 {
		t.Errorf("%d parts make %d bytes, want 3 parts and %d bytes", parts+1, len(got), len(content))
	}
}

// FuzzAnswerHeaders looks for requests that are answered with more than was asked for, or do not end.
func FuzzAnswerHeaders(f *testing.F) {
	c := newFakeChain(40, 20, 10)
	f.Add(uint64(3), uint8(0), uint64(5), uint64(1), false)
	f.Add(uint64(0), uint8(25), uint64(50), uint64(2), true)
	f.Add(uint64(math.MaxUint64), uint8(0), uint64(math.MaxUint64), uint64(math.MaxUint64), true)
	f.Fuzz(func(t *testing.T, number uint64, branch uint8, amount, skip uint64, reverse bool) {
		q := HeadersQuery{Start{Number: number}, amount, skip, reverse}
		if branch > 20 && branch <= 30 {
			q.Start.Hash = c.on(uint64(branch))
		}
		got := c.names(t, answerHeaders(c, q))
		if uint64(len(got)) > min(amount, MaxHeaders) {
			t.Errorf("%d headers of %d", len(got), amount)
		}
		if slices.Sort(got); len(slices.Compact(slices.Clone(got))) != len(got) {
			t.Errorf("a header twice: %v", got)
		}
	})
}
