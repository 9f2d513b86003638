package chainfile

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"os"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/common/math"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/params"
	"github.com/ethereum/go-ethereum/rlp"

	"github.com/sennit-net/sennit/protocols/eth"
	"github.com/sennit-net/sennit/protocols/eth/internal/mpt"
)

// Genesis is the beginning of a chain. It is not changed once made; the zero value is of no use.
type Genesis struct {
	Config *params.ChainConfig // what the file says of the chain: its id and forks; never nil
	Header *types.Header
	Hash   common.Hash
}

// genesisJSON is a genesis file, as go-ethereum reads it.
type genesisJSON struct {
	Config        *params.ChainConfig   `json:"config"`
	Nonce         math.HexOrDecimal64   `json:"nonce"`
	Timestamp     math.HexOrDecimal64   `json:"timestamp"`
	ExtraData     hexutil.Bytes         `json:"extraData"`
	GasLimit      *math.HexOrDecimal64  `json:"gasLimit"`
	Difficulty    *math.HexOrDecimal256 `json:"difficulty"`
	MixHash       common.Hash           `json:"mixHash"`
	Coinbase      common.Address        `json:"coinbase"`
	Alloc         *types.GenesisAlloc   `json:"alloc"`
	Number        math.HexOrDecimal64   `json:"number"`
	GasUsed       math.HexOrDecimal64   `json:"gasUsed"`
	ParentHash    common.Hash           `json:"parentHash"`
	BaseFee       *math.HexOrDecimal256 `json:"baseFeePerGas"`
	ExcessBlobGas *math.HexOrDecimal64  `json:"excessBlobGas"`
	BlobGasUsed   *math.HexOrDecimal64  `json:"blobGasUsed"`
	SlotNumber    *math.HexOrDecimal64  `json:"slotNumber"`
}

// Chain is what Status and fork ids need to know. The id of the network is the chain id if networkID is 0.
func (g *Genesis) Chain(networkID uint64) *eth.ChainConfig {
	if networkID == 0 {
		networkID = g.Config.ChainID.Uint64()
	}
	return eth.NewChainConfig("", networkID, g.Hash, g.Header.Time, g.Config)
}

// ReadGenesis reads a genesis file. An error names the file and what is wrong with it.
func ReadGenesis(file string) (*Genesis, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	g, err := ParseGenesis(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return g, nil
}

// ParseGenesis reads the contents of a genesis file.
func ParseGenesis(data []byte) (*Genesis, error) {
	var j genesisJSON
	if err := json.Unmarshal(data, &j); err != nil {
		return nil, fmt.Errorf("genesis: %w", err)
	}
	switch {
	case j.Config == nil:
		return nil, errors.New("genesis: no config")
	case j.GasLimit == nil:
		return nil, errors.New("genesis: no gasLimit")
	case j.Difficulty == nil:
		return nil, errors.New("genesis: no difficulty")
	case j.Alloc == nil:
		return nil, errors.New("genesis: no alloc")
	case j.Config.ChainID == nil || !j.Config.ChainID.IsUint64():
		return nil, errors.New("genesis: no chainId of up to 64 bits")
	case j.Number != 0:
		return nil, fmt.Errorf("genesis: number is %d, want 0", j.Number)
	case j.Config.IsUBTGenesis():
		return nil, errors.New("genesis: a binary tree for the state is not supported")
	}
	root, err := stateRoot(*j.Alloc)
	if err != nil {
		return nil, err
	}
	h := j.header(root)
	return &Genesis{Config: j.Config, Header: h, Hash: h.Hash()}, nil
}

// header makes the header, with the fields that the forks which are active in the first block bring along.
func (j *genesisJSON) header(root common.Hash) *types.Header {
	h := &types.Header{
		ParentHash:  j.ParentHash,
		UncleHash:   types.EmptyUncleHash,
		Coinbase:    j.Coinbase,
		Root:        root,
		TxHash:      types.EmptyTxsHash,
		ReceiptHash: types.EmptyReceiptsHash,
		Difficulty:  (*big.Int)(j.Difficulty),
		Number:      new(big.Int),
		GasLimit:    uint64(*j.GasLimit),
		GasUsed:     uint64(j.GasUsed),
		Time:        uint64(j.Timestamp),
		Extra:       j.ExtraData,
		MixDigest:   j.MixHash,
		Nonce:       types.EncodeNonce(uint64(j.Nonce)),
		BaseFee:     (*big.Int)(j.BaseFee),
	}
	if h.GasLimit == 0 {
		h.GasLimit = params.GenesisGasLimit
	}
	c, zero, t := j.Config, new(big.Int), h.Time
	if c.IsLondon(zero) && h.BaseFee == nil {
		h.BaseFee = big.NewInt(params.InitialBaseFee)
	}
	if c.IsShanghai(zero, t) {
		h.WithdrawalsHash = &types.EmptyWithdrawalsHash
	}
	h.ExcessBlobGas = (*uint64)(j.ExcessBlobGas)
	if c.IsCancun(zero, t) {
		h.ParentBeaconRoot = new(common.Hash)
		h.ExcessBlobGas = orZero(j.ExcessBlobGas)
		h.BlobGasUsed = orZero(j.BlobGasUsed)
	}
	if c.IsPrague(zero, t) {
		h.RequestsHash = &types.EmptyRequestsHash
	}
	if c.IsAmsterdam(zero, t) {
		h.BlockAccessListHash = &types.EmptyBlockAccessListHash
		h.SlotNumber = orZero(j.SlotNumber)
	}
	return h
}

func orZero(n *math.HexOrDecimal64) *uint64 {
	if n == nil {
		return new(uint64)
	}
	return (*uint64)(n)
}

// account is what the trie of accounts has for one of them.
type account struct {
	Nonce    uint64
	Balance  *big.Int
	Root     common.Hash // of its storage
	CodeHash common.Hash
}

// stateRoot is the root of the trie of accounts.
func stateRoot(alloc types.GenesisAlloc) (common.Hash, error) {
	pairs := make([]mpt.Pair, 0, len(alloc))
	for address, a := range alloc {
		if a.Balance.Sign() < 0 || a.Balance.BitLen() > 256 {
			return common.Hash{}, fmt.Errorf("genesis: the balance of %v is not a number of up to 256 bits", address)
		}
		value, err := rlp.EncodeToBytes(&account{a.Nonce, a.Balance, storageRoot(a.Storage), crypto.Keccak256Hash(a.Code)})
		if err != nil {
			return common.Hash{}, err
		}
		pairs = append(pairs, mpt.Pair{Key: crypto.Keccak256(address[:]), Value: value})
	}
	return mpt.Root(pairs), nil
}

// storageRoot is the root of the trie of an account's storage. A slot with zero is none.
func storageRoot(storage map[common.Hash]common.Hash) common.Hash {
	pairs := make([]mpt.Pair, 0, len(storage))
	for slot, value := range storage {
		if value != (common.Hash{}) {
			item, _ := rlp.EncodeToBytes(common.TrimLeftZeroes(value[:])) // bytes always encode
			pairs = append(pairs, mpt.Pair{Key: crypto.Keccak256(slot[:]), Value: item})
		}
	}
	return mpt.Root(pairs)
}
