package mpt

import (
	"fmt"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/rlp"
)

// Roots of the list of n strings "item 0", "item 1", ..., as go-ethereum's types.DeriveSha makes them with its StackTrie.
var lists = map[int]string{}

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
