// The program executes a chain with go-ethereum and writes the receipts of its blocks into a file of the form that package
// chainfile reads: one list for each block from block 1 on. With EXPORT it also writes the blocks, as `geth export` does into a
// file whose name ends in .gz.
//
//	receipts GENESIS BLOCKS RECEIPTS [EXPORT]
//
// The module also pins go-ethereum's cmd/devp2p, the program with the conformance suite: `go build -o FILE
// github.com/ethereum/go-ethereum/cmd/devp2p` in this directory builds it.
package main

import (
	"bufio"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/ethereum/go-ethereum/consensus/beacon"
	"github.com/ethereum/go-ethereum/consensus/ethash"
	"github.com/ethereum/go-ethereum/core"
	"github.com/ethereum/go-ethereum/core/rawdb"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/rlp"
)

func main() {
	if len(os.Args) != 4 && len(os.Args) != 5 {
		fmt.Fprintln(os.Stderr, "usage: receipts GENESIS BLOCKS RECEIPTS [EXPORT]")
		os.Exit(2)
	}
	if err := run(os.Args[1], os.Args[2], os.Args[3], os.Args[4:]); err != nil {
		fmt.Fprintln(os.Stderr, "receipts:", err)
		os.Exit(1)
	}
}

func run(genesisFile, blocksFile, receiptsFile string, exports []string) error {
	var genesis core.Genesis
	data, err := os.ReadFile(genesisFile)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(data, &genesis); err != nil {
		return err
	}
	blocks, err := readBlocks(blocksFile)
	if err != nil {
		return err
	}
	options := core.DefaultConfig().WithArchive(true)
	chain, err := core.NewBlockChain(rawdb.NewMemoryDatabase(), &genesis, beacon.New(ethash.NewFaker()), options)
	if err != nil {
		return err
	}
	defer chain.Stop()
	if n, err := chain.InsertChain(blocks); err != nil {
		return fmt.Errorf("block %d: %w", n+1, err)
	}
	var out []byte
	for _, b := range blocks {
		if out, err = appendReceipts(out, chain.GetReceiptsByHash(b.Hash())); err != nil {
			return fmt.Errorf("block %d: %w", b.NumberU64(), err)
		}
	}
	for _, file := range exports {
		if err := export(chain, file); err != nil {
			return err
		}
	}
	return os.WriteFile(receiptsFile, out, 0o600)
}

func export(chain *core.BlockChain, file string) error {
	f, err := os.Create(file)
	if err != nil {
		return err
	}
	w := gzip.NewWriter(f)
	return errors.Join(chain.Export(w), w.Close(), f.Close())
}

func readBlocks(file string) (types.Blocks, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var blocks types.Blocks
	for s := rlp.NewStream(bufio.NewReader(f), 0); ; {
		var b types.Block
		switch err := s.Decode(&b); {
		case errors.Is(err, io.EOF):
			return blocks, nil
		case err != nil:
			return nil, fmt.Errorf("%s: after block %d: %w", file, len(blocks), err)
		}
		blocks = append(blocks, &b)
	}
}

// slim is a receipt as it crosses the link from eth/69 on.
type slim struct {
	Type         uint8
	StatusOrRoot []byte
	Gas          uint64
	Logs         []*types.Log
}

func appendReceipts(dst []byte, receipts types.Receipts) ([]byte, error) {
	list := make([]slim, len(receipts))
	for i, r := range receipts {
		list[i] = slim{r.Type, r.PostState, r.CumulativeGasUsed, r.Logs}
		if len(r.PostState) == 0 && r.Status == types.ReceiptStatusSuccessful {
			list[i].StatusOrRoot = []byte{1}
		}
	}
	b, err := rlp.EncodeToBytes(list)
	return append(dst, b...), err
}
