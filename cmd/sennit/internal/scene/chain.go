package scene

import (
	"math/big"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/params"
	"github.com/ethereum/go-ethereum/rlp"

	"github.com/sennit-net/sennit/protocols/eth"
)

// chain is a chain of empty blocks, made up: an [eth.Backend] that never changes.
type chain struct {
	config  *eth.ChainConfig
	hashes  []common.Hash
	headers []rlp.RawValue
	numbers map[common.Hash]uint64
	head    eth.Head
}

// blockTime is the time between two blocks, in seconds.
const blockTime = 12

func newChain(n int) *chain {
	c := &chain{numbers: make(map[common.Hash]uint64, n)}
	h := types.Header{
		UncleHash: types.EmptyUncleHash, TxHash: types.EmptyTxsHash, ReceiptHash: types.EmptyReceiptsHash,
		Difficulty: big.NewInt(1), Number: new(big.Int), GasLimit: 30_000_000, Extra: []byte("sennit demo"),
	}
	for i := range uint64(n) {
		h.Number.SetUint64(i)
		h.Time = i * blockTime
		raw, err := rlp.EncodeToBytes(&h)
		if err != nil {
			panic(err) // there is nothing in it that cannot be encoded
		}
		hash := h.Hash()
		c.hashes, c.headers, c.numbers[hash] = append(c.hashes, hash), append(c.headers, raw), i
		h.ParentHash = hash
	}
	c.config = eth.NewChainConfig("sennit-demo", 0x5e11, c.hashes[0], 0, &params.ChainConfig{ChainID: big.NewInt(0x5e11)})
	c.head = eth.Head{Number: uint64(n - 1), Time: h.Time, Hash: h.ParentHash, TD: big.NewInt(int64(n))}
	return c
}

func (c *chain) Chain() *eth.ChainConfig { return c.config }

func (c *chain) Head() eth.Head { return c.head }

func (c *chain) Earliest() uint64 { return 0 }

func (c *chain) Number(hash common.Hash) (number uint64, canonical, ok bool) {
	number, ok = c.numbers[hash]
	return number, ok, ok
}

func (c *chain) Hash(number uint64) (common.Hash, bool) {
	if number >= uint64(len(c.hashes)) {
		return common.Hash{}, false
	}
	return c.hashes[number], true
}

func (c *chain) Header(hash common.Hash) rlp.RawValue {
	if number, ok := c.numbers[hash]; ok {
		return c.headers[number]
	}
	return nil
}

// emptyBody is [transactions, ommers] without any.
var emptyBody = rlp.RawValue{0xc2, 0xc0, 0xc0}

func (c *chain) Body(hash common.Hash) rlp.RawValue {
	if _, ok := c.numbers[hash]; ok {
		return emptyBody
	}
	return nil
}

func (c *chain) Receipts(hash common.Hash) []*types.Receipt {
	if _, ok := c.numbers[hash]; ok {
		return []*types.Receipt{}
	}
	return nil
}

func (c *chain) PooledTransaction(common.Hash) rlp.RawValue { return nil }

func (c *chain) AccessList(common.Hash) rlp.RawValue { return nil }
