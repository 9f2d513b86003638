package eth

import (
	"math/big"
	"sync"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/params"
	"github.com/ethereum/go-ethereum/rlp"
)

// memChain is a Backend and a Pool with everything in memory.
type memChain struct {
	config   *ChainConfig
	hashes   []common.Hash
	numbers  map[common.Hash]uint64
	headers  map[common.Hash]rlp.RawValue
	bodies   map[common.Hash]rlp.RawValue
	receipts map[common.Hash][]*types.Receipt

	mu   sync.Mutex
	pool map[common.Hash]Transaction
}

var (
	testKey, _ = crypto.HexToECDSA("45a915e4d060149eb4365960e6a7a45f334393093061116b197e3240065ff2d8")
	testSigner = types.LatestSignerForChainID(big.NewInt(1337))
)

// testTx is a signed transaction; large ones have data.
func testTx(nonce uint64, data int) *types.Transaction {
	return types.MustSignNewTx(testKey, testSigner, &types.DynamicFeeTx{
		ChainID: big.NewInt(1337), Nonce: nonce, GasTipCap: big.NewInt(1), GasFeeCap: big.NewInt(2), Gas: 21000, Value: big.NewInt(3), Data: make([]byte, data),
	})
}

func legacyTx(nonce uint64) *types.Transaction {
	return types.MustSignNewTx(testKey, testSigner, &types.LegacyTx{Nonce: nonce, GasPrice: big.NewInt(1), Gas: 21000, Value: big.NewInt(3)})
}

// newMemChain has n blocks after the genesis block; every other one has transactions.
func newMemChain(tb testing.TB, n int) *memChain {
	tb.Helper()
	c := &memChain{
		numbers: make(map[common.Hash]uint64), headers: make(map[common.Hash]rlp.RawValue), bodies: make(map[common.Hash]rlp.RawValue),
		receipts: make(map[common.Hash][]*types.Receipt), pool: make(map[common.Hash]Transaction),
	}
	var parent common.Hash
	for i := range n + 1 {
		header := &types.Header{
			ParentHash: parent, Number: big.NewInt(int64(i)), Time: uint64(1000 + i), Difficulty: big.NewInt(1), GasLimit: 30e6, Extra: []byte("test"),
			UncleHash: types.EmptyUncleHash, ReceiptHash: types.EmptyReceiptsHash, Root: types.EmptyRootHash,
		}
		body := types.Body{Transactions: []*types.Transaction{}, Uncles: []*types.Header{}}
		list := []*types.Receipt{}
		if i%2 == 1 {
			body.Transactions = append(body.Transactions, testTx(uint64(i), 10))
			r := &types.Receipt{Type: 2, Status: 1, CumulativeGasUsed: 21000, Logs: []*types.Log{{Topics: []common.Hash{one}, Data: []byte{1}}}}
			r.Bloom = types.CreateBloom(r)
			list = append(list, r)
		}
		header.TxHash = rootOf(body.Transactions)
		hash := header.Hash()
		c.hashes = append(c.hashes, hash)
		c.numbers[hash] = uint64(i)
		c.headers[hash] = encode(tb, header)
		c.bodies[hash] = encode(tb, &body)
		c.receipts[hash] = list
		parent = hash
	}
	c.config = NewChainConfig("test", 1337, c.hashes[0], 1000, params.AllEthashProtocolChanges)
	return c
}

func encode(tb testing.TB, v any) rlp.RawValue {
	tb.Helper()
	b, err := rlp.EncodeToBytes(v)
	if err != nil {
		tb.Fatal(err)
	}
	return b
}

func (c *memChain) Chain() *ChainConfig { return c.config }
func (c *memChain) Head() Head {
	n := uint64(len(c.hashes) - 1)
	return Head{Number: n, Time: 1000 + n, Hash: c.hashes[n], TD: big.NewInt(int64(n) + 1)}
}
func (c *memChain) Earliest() uint64 { return 0 }
func (c *memChain) Number(hash common.Hash) (uint64, bool, bool) {
	n, ok := c.numbers[hash]
	return n, ok, ok
}
func (c *memChain) Hash(n uint64) (common.Hash, bool) {
	if n >= uint64(len(c.hashes)) {
		return common.Hash{}, false
	}
	return c.hashes[n], true
}
func (c *memChain) Header(hash common.Hash) rlp.RawValue       { return c.headers[hash] }
func (c *memChain) Body(hash common.Hash) rlp.RawValue         { return c.bodies[hash] }
func (c *memChain) Receipts(hash common.Hash) []*types.Receipt { return c.receipts[hash] }
func (c *memChain) AccessList(hash common.Hash) rlp.RawValue {
	if c.numbers[hash]%2 == 1 {
		return rlp.RawValue{0xc0}
	}
	return nil
}
func (c *memChain) PooledTransaction(hash common.Hash) rlp.RawValue {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.pool[hash].Raw
}

func (c *memChain) Has(hash common.Hash) bool { return c.PooledTransaction(hash) != nil }
func (c *memChain) Add(txs []Transaction) []Verdict {
	verdicts := make([]Verdict, len(txs))
	c.mu.Lock()
	defer c.mu.Unlock()
	for i, tx := range txs {
		if _, ok := c.pool[tx.Hash]; !ok {
			c.pool[tx.Hash], verdicts[i] = tx, TxKept
		}
	}
	return verdicts
}
func (c *memChain) Pending(max int) (list []TxInfo) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, tx := range c.pool {
		if len(list) < max {
			list = append(list, tx.TxInfo)
		}
	}
	return list
}
