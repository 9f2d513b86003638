package mpt

import (
	"fmt"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/rlp"
)

// Roots of the list of n strings "item 0", "item 1", ..., as go-ethereum's types.DeriveSha makes them with its StackTrie.
var lists = map[int]string{
	0:   "0x56e81f171bcc55a6ff8345e692c0f86e5b48e01b996cadc001622fb5e363b421",
	1:   "0xfb298432b1c73773f9f2a8eaa018f2e1b58d9924ad64acfd0639915e93ac5c5f",
	2:   "0xe0eb880f5266f6ddb42920478108f71fcab9576a530c0b0ff367fb82823ca819",
	16:  "0x76506a8e180660c0fda68a324ea962a5cd7052fa1667eda8ba39c468d3eb66a0",
	127: "0x901ee7abd9e214f9a2d5f8ed6bcf2203ee8031ae6c278c67dab2e886c4b2834a",
	128: "0xda331a6b8d50a4d4e014e6fec87e1c9134932982b459ae168c46eee8d04652a6",
	129: "0x188aa359dc8fc6f4be060e3eebfb78af159fd4750d35443577224573b9f79a9a",
	300: "0x61533e014bf206a4d72e538a1d36ecc44be5f31b0878a7758fbb7f8d2d7e81e1",
}

func TestRootsOfListsAreThoseOfGoEthereum(t *testing.T) {
	for n, want := range lists {
		var items []string
		for i := range n {
			items = append(items, fmt.Sprint("item ", i))
		}
		list, err := rlp.EncodeToBytes(items)
		if err != nil {
			t.Fatal(err)
		}
		content, _, err := rlp.SplitList(list)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := ListRoot(content); err != nil || got != common.HexToHash(want) {
			t.Errorf("%d items: %v, %v; want %s", n, got, err, want)
		}
	}
	if Root(nil) != types.EmptyRootHash {
		t.Error("the root of nothing is not the empty root")
	}
}

func TestAListThatIsNoneHasNoRoot(t *testing.T) {
	if root, err := ListRoot([]byte{0x83, 1}); err == nil {
		t.Errorf("it is %v", root)
	}
}
