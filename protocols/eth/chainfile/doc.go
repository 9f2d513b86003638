// Package chainfile serves a chain that stands in files: a backend of package eth for a node that executes nothing and holds
// no state. It needs the genesis.json of the chain and the blocks that `geth export` writes; receipts may be added.
//
// # Files
//
// The genesis file is what `geth init` takes: a JSON object with the chain's configuration, the fields of the first header
// and the accounts to begin with. Its block hash is computed as go-ethereum computes it.
//
// A block file holds RLP blocks one after another, with nothing between them: [header, transactions, ommers] or [header,
// transactions, ommers, withdrawals], in the order of the chain, without a gap. The first one is block 0, which must be the
// genesis block, or block 1. Several files follow one another. A file whose first bytes are those of gzip is unpacked before
// it is used.
//
// A receipts file holds one RLP list for each block from block 1 on, one after another, for as many blocks as there are: a
// list of the block's receipts, each [type, status or state root, cumulative gas, logs] with logs [[address, [topic, ...],
// data], ...]. That is what crosses the link from eth/69 on. It may be packed with gzip as well.
//
// # Index
//
// Opening a chain for the first time reads all of it once and checks everything that a header commits to but the state: the
// hash of the parent, the number, the roots of transactions, withdrawals and receipts, the hash of the ommers. What is found
// goes into an index: 52 bytes in memory for each block, with receipts 68. Blocks stay in their file and are read when
// somebody asks for them. With [Options.Dir] the index is kept on disk, and the next start reads it and nothing else, as
// long as size and time of change of the files are the same.
package chainfile
