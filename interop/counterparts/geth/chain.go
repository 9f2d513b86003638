package main

import (
	"math"
	"math/big"

	"github.com/ethereum/go-ethereum/consensus/beacon"
	"github.com/ethereum/go-ethereum/consensus/ethash"
	"github.com/ethereum/go-ethereum/core"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/params"
)

// The accounts that have money: one sends what is in the blocks, the other, whose nonces begin at 0, what is not.
var (
	miner, _  = crypto.HexToECDSA("b71c71a67e1177ad4e901695e1b4b9ee17ae16c6668d313eac2f96dbcda3f291")
	funded, _ = crypto.HexToECDSA("45a915e4d060149eb4365960e6a7a45f334393093061116b197e3240065ff2d8")
)

// emitLog is code that emits a log of one topic: PUSH1 1, PUSH1 0, PUSH1 0, LOG1.
var emitLog = []byte{0x60, 1, 0x60, 0, 0x60, 0, 0xa1}

// newGenesis is a chain with everything up to Cancun from the start, and Prague to come.
func newGenesis() *core.Genesis {
	config := *params.MergedTestChainConfig
	prague := uint64(math.MaxUint32)
	config.ChainID, config.PragueTime, config.OsakaTime = big.NewInt(1337), &prague, nil
	money := types.Account{Balance: new(big.Int).Lsh(big.NewInt(1), 80)}
	return &core.Genesis{
		Config: &config, Timestamp: 1_600_000_000, GasLimit: 30_000_000, Difficulty: new(big.Int), BaseFee: big.NewInt(params.InitialBaseFee),
		Alloc: types.GenesisAlloc{crypto.PubkeyToAddress(miner.PublicKey): money, crypto.PubkeyToAddress(funded.PublicKey): money},
	}
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
