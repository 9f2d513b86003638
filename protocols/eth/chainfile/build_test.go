package chainfile

import (
	"bytes"
	"encoding/binary"
	"math/big"
	"os"
	"path/filepath"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/rlp"

	"github.com/sennit-net/sennit/protocols/eth"
	"github.com/sennit-net/sennit/protocols/eth/internal/mpt"
)

// genesisText is a chain that has all forks up to Cancun from the beginning.
const genesisText = `{
	"config": {"chainId": 1337, "homesteadBlock": 0, "eip150Block": 0, "eip155Block": 0, "eip158Block": 0, "byzantiumBlock": 0,
		"constantinopleBlock": 0, "petersburgBlock": 0, "istanbulBlock": 0, "berlinBlock": 0, "londonBlock": 0,
		"terminalTotalDifficulty": 0, "shanghaiTime": 0, "cancunTime": 0, "pragueTime": 500,
		"blobSchedule": {"cancun": {"target": 3, "max": 6, "baseFeeUpdateFraction": 3338477}, "prague": {"target": 6, "max": 9, "baseFeeUpdateFraction": 5007716}}},
	"timestamp": "0x0", "extraData": "0x5e", "gasLimit": "0x1c9c380", "difficulty": "0x0",
	"alloc": {
		"71562b71999873DB5b286dF957af199Ec94617F7": {"balance": "0xde0b6b3a7640000", "nonce": "3"},
		"0x0000000000000000000000000000000000001000": {"balance": "0", "code": "0x6001", "storage": {"0x00": "0x01", "0x02": "0x00", "0x03": "0x0100"}}
	}
}`

// made is a chain that a test has made.
type made struct {
	dir                        string
	genesis, blocks, receipts  string // files
	hashes                     []common.Hash
	headers, bodies, slim      []rlp.RawValue // by number; slim are the lists of receipts
	blockOffsets, listsOffsets []int64        // by number; 0 for the genesis block
}

func (m *made) options() Options {
	return Options{Genesis: m.genesis, Blocks: []string{m.blocks}, Receipts: m.receipts}
}

// makeChain makes a chain of n blocks after the genesis block, number i with i%4 transactions, and its files.
func makeChain(t testing.TB, n int) *made {
	t.Helper()
	g, err := ParseGenesis([]byte(genesisText))
	if err != nil {
		t.Fatal(err)
	}
	m := &made{dir: t.TempDir()}
	m.genesis, m.blocks, m.receipts = filepath.Join(m.dir, "genesis.json"), filepath.Join(m.dir, "chain.rlp"), filepath.Join(m.dir, "receipts.rlp")
	header := encode(t, g.Header)
	m.hashes, m.headers = []common.Hash{g.Hash}, []rlp.RawValue{header}
	m.bodies, m.slim = []rlp.RawValue{{0xc3, 0xc0, 0xc0, 0xc0}}, []rlp.RawValue{rlp.EmptyList}
	m.blockOffsets, m.listsOffsets = []int64{0}, []int64{0}
	var blocks, receipts bytes.Buffer
	parent := g.Header
	for i := 1; i <= n; i++ {
		h, body, slim := nextBlock(t, parent, m.hashes[i-1], i)
		m.blockOffsets, m.listsOffsets = append(m.blockOffsets, int64(blocks.Len())), append(m.listsOffsets, int64(receipts.Len()))
		header = encode(t, h)
		content, _, err := rlp.SplitList(body)
		if err != nil {
			t.Fatal(err)
		}
		blocks.Write(appendList(nil, append(bytes.Clone(header), content...)))
		receipts.Write(slim)
		m.hashes, m.headers = append(m.hashes, crypto.Keccak256Hash(header)), append(m.headers, header)
		m.bodies, m.slim = append(m.bodies, body), append(m.slim, slim)
		parent = h
	}
	for file, data := range map[string][]byte{m.genesis: []byte(genesisText), m.blocks: blocks.Bytes(), m.receipts: receipts.Bytes()} {
		if err := os.WriteFile(file, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return m
}

// nextBlock makes block number i.
func nextBlock(t testing.TB, parent *types.Header, parentHash common.Hash, i int) (h *types.Header, body, slim rlp.RawValue) {
	t.Helper()
	var txs, lists []byte
	var full []mpt.Pair
	for j := range i % 4 {
		tx := encode(t, types.NewTx(&types.LegacyTx{
			Nonce: uint64(4*i + j), GasPrice: big.NewInt(1e9), Gas: 21000, To: &common.Address{1}, Value: new(big.Int),
			V: big.NewInt(2709), R: big.NewInt(1), S: big.NewInt(2),
		}))
		txs = append(txs, tx...)
		r := testReceipt(i, j)
		slim, err := eth.EncodeReceipt(receiptsForm, r)
		if err != nil {
			t.Fatal(err)
		}
		lists = append(lists, slim...)
		consensus, err := r.MarshalBinary()
		if err != nil {
			t.Fatal(err)
		}
		full = append(full, mpt.Pair{Key: rlp.AppendUint64(nil, uint64(j)), Value: consensus})
	}
	root, err := mpt.ListRoot(txs)
	if err != nil {
		t.Fatal(err)
	}
	h = &types.Header{
		ParentHash: parentHash, UncleHash: types.EmptyUncleHash, Root: parent.Root, TxHash: root, ReceiptHash: mpt.Root(full),
		Difficulty: new(big.Int), Number: big.NewInt(int64(i)), GasLimit: parent.GasLimit, GasUsed: 21000, Time: uint64(i),
		Extra: binary.BigEndian.AppendUint32(nil, uint32(i)), BaseFee: big.NewInt(1e9), WithdrawalsHash: &types.EmptyWithdrawalsHash,
		BlobGasUsed: new(uint64), ExcessBlobGas: new(uint64), ParentBeaconRoot: new(common.Hash),
	}
	return h, appendList(nil, append(appendList(nil, txs), 0xc0, 0xc0)), appendList(nil, lists)
}

// testReceipt is the receipt of transaction j of block i, of the type j.
func testReceipt(i, j int) *types.Receipt {
	r := &types.Receipt{Type: uint8(j), Status: uint64(i+j) % 2, CumulativeGasUsed: uint64(21000 * (j + 1)), Logs: []*types.Log{}}
	for k := range j {
		r.Logs = append(r.Logs, &types.Log{Address: common.Address{byte(i)}, Topics: []common.Hash{{byte(k)}}, Data: []byte{1, 2, 3}})
	}
	r.Bloom = types.CreateBloom(r)
	return r
}

func encode(t testing.TB, v any) rlp.RawValue {
	t.Helper()
	b, err := rlp.EncodeToBytes(v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// open opens a chain, which the test's end closes.
func open(t testing.TB, o Options) *Chain {
	t.Helper()
	c, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	return c
}

// appendList appends the RLP list with a content.
func appendList(dst, content []byte) []byte {
	return append(appendListHead(dst, uint32(len(content))), content...)
}
