package eth

import (
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/rlp"
)

// Limits of answers (section 5 of the protocol): an answer ends before the item that would make it larger than SoftAnswer,
// but has at least one item.
const (
	SoftAnswer      = 2 << 20  // bytes
	MaxHeaders      = 1024     // headers per answer
	MaxBodies       = 1024     // bodies per answer
	MaxReceipts     = 1024     // blocks' receipts per answer
	MaxAccessLists  = 1024     // block access lists per answer
	MaxPooled       = 4096     // transactions looked up per answer
	MaxCells        = 1024     // cells per answer
	MaxCellHashes   = 4096     // transactions looked up per answer with cells
	MaxReceipts70   = 10 << 20 // bytes in an answer of receipts from version 70 on
	MaxMessage      = 10 << 20 // bytes in a message of any kind
	MaxTransactions = 5000     // transactions per Transactions message
	MaxAnnounced    = 4096     // hashes per announcement that this package sends
)

// Start is the block that a request for headers starts at: the one with Hash, or if Hash is zero, the canonical one with
// Number.
type Start struct {
	Hash   common.Hash
	Number uint64
}

// HeadersQuery is what GetBlockHeaders asks for: Amount headers from Start on, every (Skip+1)th, towards the genesis block
// if Reverse.
type HeadersQuery struct {
	Start   Start
	Amount  uint64
	Skip    uint64
	Reverse bool
}

// ReceiptsQuery is what GetReceipts asks for: the receipts of the blocks with Hashes, without the first First receipts of
// the first block. First is 0 before version 70.
type ReceiptsQuery struct {
	First  uint64
	Hashes []common.Hash
}

// CellMask says which of the 128 cells of a blob are meant: cell i is bit i%8, counted from the least significant, of byte
// i/8 (EIP-8070).
type CellMask [16]byte

// CellsQuery is what GetCells asks for: the cells in Mask of the blobs of the transactions with Hashes.
type CellsQuery struct {
	Hashes []common.Hash
	Mask   CellMask
}

// CellsAnswer is what Cells says: for each of the transactions with Hashes the cells it has, those of one index after
// those of another, and among those of one index by blob.
type CellsAnswer struct {
	Hashes []common.Hash
	Cells  [][]rlp.RawValue
	Mask   CellMask
}

// TxInfo is what an announcement says about a transaction.
type TxInfo struct {
	Hash common.Hash
	Type byte   // type byte; 0 for a legacy transaction. Versions up to 67 do not tell it: 0.
	Size uint64 // bytes of its consensus encoding; 0 if not told
}

// Transaction is a transaction as it crossed the link.
type Transaction struct {
	TxInfo
	// Raw is the item in the message: an RLP list for a legacy transaction, an RLP string for a typed one.
	Raw rlp.RawValue

	proven bool // the proofs of the blobs in Raw have been checked
}
