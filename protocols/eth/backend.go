package eth

import (
	"math/big"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/params"
	"github.com/ethereum/go-ethereum/rlp"
)

// Backend is the chain that a node serves. All methods are safe for concurrent use, give data of the canonical chain unless
// they say otherwise, and never block for long: they are called from the goroutines that carry the traffic of a link. What
// they return is not changed by anybody afterwards.
type Backend interface {
	// Chain says which chain it is: what Status and fork ids need. It never changes.
	Chain() *ChainConfig
	// Head is the last block of the canonical chain.
	Head() Head
	// Earliest is the number of the first block whose body and receipts can be served.
	Earliest() uint64
	// Number finds a block by hash. It is ok if the block is known, and canonical if it is part of the canonical chain.
	Number(hash common.Hash) (number uint64, canonical, ok bool)
	// Hash is the hash of the canonical block with a number; false if there is none.
	Hash(number uint64) (common.Hash, bool)
	// Header is the RLP of a header, canonical or not; nil if it is unknown.
	Header(hash common.Hash) rlp.RawValue
	// Body is the RLP of a block's [transactions, ommers] or [transactions, ommers, withdrawals]; nil if it is unknown.
	Body(hash common.Hash) rlp.RawValue
	// Receipts are a block's receipts, nil if they are unknown. A block without transactions has an empty list, not nil.
	Receipts(hash common.Hash) []*types.Receipt
	// PooledTransaction is the form of a transaction in PooledTransactions: an RLP list for a legacy transaction, an RLP
	// string for a typed one, with its sidecar if it has one; nil if it is unknown.
	PooledTransaction(hash common.Hash) rlp.RawValue
	// AccessList is the RLP of a block access list; nil if it is unknown.
	AccessList(hash common.Hash) rlp.RawValue
}

// Pool keeps transactions that peers send or announce. It is an optional part of a node; what it keeps is served by
// [Backend.PooledTransaction]. All methods are safe for concurrent use and never block for long.
type Pool interface {
	// Has reports whether the pool has a transaction, or has refused it and does not want it again.
	Has(hash common.Hash) bool
	// Add offers transactions and says what becomes of each: the Handler relays those that are kept, and drops a peer that
	// sends many invalid ones. The result has the length of txs. Pool keeps no reference to txs, but may keep their Raw bytes.
	Add(txs []Transaction) []Verdict
	// Pending lists transactions to announce to a new peer, at most max. Those with blobs are left out of what is announced.
	// The caller may change the result.
	Pending(max int) []TxInfo
}

// Verdict is what a [Pool] says of a transaction.
type Verdict uint8

const (
	TxRefused Verdict = iota // it is there already or not wanted, which may be nobody's fault
	TxKept                   // it is new and kept
	TxInvalid                // no node may relay it, whatever it knows
)

// Head is a block at the end of a chain.
type Head struct {
	Number uint64
	Time   uint64      // seconds since 1970
	Hash   common.Hash // never zero
	TD     *big.Int    // total difficulty up to and with this block; nil counts as 0. Only versions up to 68 tell it.
}

// ChainConfig is what tells one chain from another: the contents of Status, and the forks that fork ids are made of
// (EIP-2124, EIP-6122). It is not changed once in use.
type ChainConfig struct {
	Name        string // for people; may be empty
	NetworkID   uint64
	Genesis     common.Hash
	GenesisTime uint64 // seconds since 1970
	// BlockForks are the numbers of the blocks that forks start at, ascending, each once and without block 0.
	BlockForks []uint64
	// TimeForks are the times that forks start at, in seconds since 1970, ascending, each once and after GenesisTime.
	TimeForks []uint64
	// Params is the configuration that go-ethereum's packages want of the chain; nil if it is not known.
	Params *params.ChainConfig
}
