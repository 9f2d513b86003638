package main

import (
	"crypto/ecdsa"
	"math/big"
	"sync"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/consensus/ethash"
	"github.com/ethereum/go-ethereum/core"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/eth"
	"github.com/ethereum/go-ethereum/eth/downloader"
	"github.com/ethereum/go-ethereum/node"
	"github.com/ethereum/go-ethereum/params"

	"github.com/sennit-net/sennit/interop/counterparts/swarm/kit"
)

// chain is an Ethereum node whose blocks are made by this program.
type chain struct {
	eth  *eth.Ethereum
	bank *ecdsa.PrivateKey
	mu   sync.Mutex // of those who extend the chain
}

// open makes the node with nothing but the genesis block. That is made the start of a chain with a trusted checkpoint, as the
// public ones had: each peer is asked for block 32767, and one that does not answer within 15 s is dropped.
func (c *chain) open(ctx *node.ServiceContext) (err error) {
	c.bank, err = crypto.HexToECDSA("b71c71a67e1177ad4e901695e1b4b9ee17ae16c6668d313eac2f96dbcda3f291")
	if err != nil {
		return err
	}
	cfg := eth.DefaultConfig
	cfg.Genesis = &core.Genesis{
		Config: params.TestChainConfig, Difficulty: big.NewInt(131072), GasLimit: 8000000,
		Alloc: core.GenesisAlloc{c.address(): {Balance: new(big.Int).Lsh(big.NewInt(1), 100)}},
	}
	params.TrustedCheckpoints[cfg.Genesis.ToBlock(nil).Hash()] = &params.TrustedCheckpoint{Name: "none", SectionHead: common.Hash{1}}
	cfg.NetworkId, cfg.SyncMode = 1337, downloader.FullSync
	cfg.Ethash.PowMode = ethash.ModeFake
	cfg.NoPruning = true // extend needs the state of downloaded blocks as well, and looks for it in the database only
	cfg.DatabaseCache, cfg.TrieCleanCache, cfg.TrieDirtyCache = 16, 16, 16
	cfg.TxPool.Journal = ""
	c.eth, err = eth.New(ctx, &cfg)
	return err
}

func (c *chain) address() common.Address { return crypto.PubkeyToAddress(c.bank.PublicKey) }

// extend makes n blocks; every fourth has a transaction.
func (c *chain) extend(n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	parent := c.eth.BlockChain().CurrentBlock()
	blocks, _ := core.GenerateChain(params.TestChainConfig, parent, ethash.NewFaker(), c.eth.ChainDb(), n, func(_ int, g *core.BlockGen) {
		g.SetCoinbase(common.Address{1})
		if g.Number().Uint64()%4 == 1 {
			g.AddTx(c.sign(types.NewTransaction(g.TxNonce(c.address()), common.Address{2}, big.NewInt(1), 21000, big.NewInt(1), nil)))
		}
	})
	_, err := c.eth.BlockChain().InsertChain(blocks)
	kit.Die("insert", err)
}

func (c *chain) sign(tx *types.Transaction) *types.Transaction {
	tx, err := types.SignTx(tx, types.HomesteadSigner{}, c.bank)
	kit.Die("sign", err)
	return tx
}

// say prints the head.
func (c *chain) say() {
	h := c.eth.BlockChain().CurrentBlock()
	td := c.eth.BlockChain().GetTdByHash(h.Hash())
	kit.Say("HEAD %d %x %v %x", h.NumberU64(), h.Hash(), td, c.eth.BlockChain().Genesis().Hash())
}

func (c *chain) commands() map[string]func(string) {
	return map[string]func(string){
		"head": func(string) { c.say() },
		"mine": func(string) {
			c.extend(1)
			c.say()
			c.eth.EventMux().Post(core.NewMinedBlockEvent{Block: c.eth.BlockChain().CurrentBlock()})
		},
		"tx": func(string) {
			nonce := c.eth.TxPool().State().GetNonce(c.address())
			tx := c.sign(types.NewTransaction(nonce, common.Address{3}, big.NewInt(1), 21000, big.NewInt(params.GWei), nil))
			kit.Say("TX %x %v", tx.Hash(), c.eth.TxPool().AddLocal(tx))
		},
	}
}
