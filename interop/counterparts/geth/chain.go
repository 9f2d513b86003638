package main

import (
	"maps"
	"math/big"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/consensus/beacon"
	"github.com/ethereum/go-ethereum/consensus/ethash"
	"github.com/ethereum/go-ethereum/core"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/crypto/kzg4844"
	"github.com/ethereum/go-ethereum/params"
	"github.com/holiman/uint256"
)

// The accounts that have money: the first sends what is in the blocks, the others, whose nonces begin at 0, what is not.
var (
	miner, _   = crypto.HexToECDSA("b71c71a67e1177ad4e901695e1b4b9ee17ae16c6668d313eac2f96dbcda3f291")
	blobber, _ = crypto.HexToECDSA("8a1f9a8f95be41cd7ccb6168179afb4504aefe388d1e14474d32c45c72ce7b7a")
	funded, _  = crypto.HexToECDSA("45a915e4d060149eb4365960e6a7a45f334393093061116b197e3240065ff2d8")
)

// emitLog is code that emits a log of one topic: PUSH1 1, PUSH1 0, PUSH1 0, LOG1.
var emitLog = []byte{0x60, 1, 0x60, 0, 0x60, 0, 0xa1}

// newGenesis is a chain with everything up to Osaka from the start.
func newGenesis() *core.Genesis {
	config := *params.MergedTestChainConfig
	config.ChainID = big.NewInt(1337)
	money := types.Account{Balance: new(big.Int).Lsh(big.NewInt(1), 80)}
	alloc := types.GenesisAlloc{
		crypto.PubkeyToAddress(miner.PublicKey):   money,
		crypto.PubkeyToAddress(funded.PublicKey):  money,
		crypto.PubkeyToAddress(blobber.PublicKey): money,
	}
	maps.Copy(alloc, core.SystemContractAllocs())
	return &core.Genesis{
		Config: &config, Timestamp: 1_600_000_000, GasLimit: 30_000_000, Difficulty: new(big.Int), BaseFee: big.NewInt(params.InitialBaseFee), Alloc: alloc,
	}
}

// newBlobTx is a signed transaction with a blob, and its proofs for cells.
func newBlobTx(chainID *big.Int, nonce uint64) (*types.Transaction, error) {
	var blob kzg4844.Blob
	for i := range 64 {
		blob[32*i+1] = byte(nonce) + byte(i)
	}
	commitment, err := kzg4844.BlobToCommitment(&blob)
	if err != nil {
		return nil, err
	}
	proofs, err := kzg4844.ComputeCellProofs(&blob)
	if err != nil {
		return nil, err
	}
	sidecar := types.NewBlobTxSidecar(types.BlobSidecarVersion1, []kzg4844.Blob{blob}, []kzg4844.Commitment{commitment}, proofs)
	chain := uint256.MustFromBig(chainID)
	return types.SignNewTx(blobber, types.LatestSignerForChainID(chainID), &types.BlobTx{
		ChainID: chain, Nonce: nonce, GasTipCap: uint256.NewInt(1e9), GasFeeCap: uint256.NewInt(1e11), Gas: 21000, To: common.Address{0xbb},
		BlobFeeCap: uint256.NewInt(1e9), BlobHashes: sidecar.BlobHashes(), Sidecar: sidecar,
	})
}

// makeChain makes n blocks with one to three transactions, every third of which emits a log.
func makeChain(genesis *core.Genesis, n int) []*types.Block {
	nonce := uint64(0)
	_, blocks, _ := core.GenerateChainWithGenesis(genesis, beacon.New(ethash.NewFaker()), n, func(i int, b *core.BlockGen) {
		b.SetPoS()
		for j := range i%3 + 1 {
			size := 10 * j
			if nonce%3 == 2 {
				size = -1
			}
			b.AddTx(newTx(genesis.Config.ChainID, miner, nonce, nil, size))
			nonce++
		}
	})
	return blocks
}
