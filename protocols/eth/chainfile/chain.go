package chainfile

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/log"
	"github.com/ethereum/go-ethereum/rlp"

	"github.com/sennit-net/sennit/protocols/eth"
)

// Options say what a chain is made of. See the package comment for the files.
type Options struct {
	Genesis  string   // genesis file; required
	Blocks   []string // block files in the order of the chain; with none the chain is the genesis block alone
	Receipts string   // receipts file; empty: only the receipts of blocks without transactions are known

	// Dir is a directory for the index and for what is unpacked, of this chain alone and for one Open at a time. It is made if
	// it is not there, and rid of what an Open that was interrupted has left. Empty: the chain is scanned at each start, and
	// what has to be unpacked goes into temporary files.
	Dir string

	// NetworkID is the id of the network in Status. 0: the chain id of the genesis file.
	NetworkID uint64

	// Pooled finds transactions that are in no block, as [eth.Backend] has them. Nil: there are none.
	Pooled func(common.Hash) rlp.RawValue

	// Logger hears about progress, and of files that cannot be read any more. Nil: nobody does.
	Logger log.Logger
}

// Chain is a chain in files. It implements [eth.Backend] and [eth.ReceiptLister]; it has no block access lists. All methods but Close are safe for concurrent use. The zero value is of no use.
type Chain struct {
	// Static after Open.
	genesis       *Genesis
	genesisHeader rlp.RawValue
	genesisBody   rlp.RawValue
	config        *eth.ChainConfig
	head          eth.Head
	index         *index
	blocks        []*source
	receipts      *source                        // nil: none
	pooled        func(common.Hash) rlp.RawValue // nil: none
	log           log.Logger

	complain sync.Once // about a file that cannot be read
}

// receiptsForm is the version of the protocol whose receipts a receipts file holds.
const receiptsForm = 69

// indexFile is the name of the index in Options.Dir.
const indexFile = "index"

// Open opens a chain: from its index if there is one, else by reading and checking all of its files. An error about a file
// names it, and the block and the offset in the unpacked file if it is about one block. The chain must be closed in the end.
func Open(o Options) (*Chain, error) {
	g, err := ReadGenesis(o.Genesis)
	if err != nil {
		return nil, err
	}
	c := &Chain{genesis: g, log: o.Logger}
	if c.log == nil {
		c.log = log.NewLogger(log.DiscardHandler())
	}
	if c.genesisHeader, err = rlp.EncodeToBytes(g.Header); err != nil {
		return nil, fmt.Errorf("%s: %w", o.Genesis, err)
	}
	c.genesisBody = rlp.RawValue{0xc2, 0xc0, 0xc0}
	if g.Header.WithdrawalsHash != nil {
		c.genesisBody = rlp.RawValue{0xc3, 0xc0, 0xc0, 0xc0}
	}
	if err := c.open(o); err != nil {
		return nil, errors.Join(err, c.Close())
	}
	x := c.index
	c.head = eth.Head{Number: uint64(len(x.blocks)), Time: x.headTime, Hash: x.head, TD: x.td}
	c.config, c.pooled = g.Chain(o.NetworkID), o.Pooled
	return c, nil
}

// open opens the files and gets the index.
func (c *Chain) open(o Options) error {
	if o.Dir != "" {
		if err := os.MkdirAll(o.Dir, 0o700); err != nil {
			return err
		}
		removed, err := removeTemporaries(o.Dir)
		if len(removed) > 0 || err != nil {
			c.log.Info("removed what a start that was interrupted had left", "files", removed, "err", err)
		}
	}
	for i, file := range o.Blocks {
		s, err := openSource(file, o.Dir, fmt.Sprintf("blocks-%d", i))
		if err != nil {
			return err
		}
		c.blocks = append(c.blocks, s)
	}
	if o.Receipts != "" {
		s, err := openSource(o.Receipts, o.Dir, "receipts")
		if err != nil {
			return err
		}
		c.receipts = s
	}
	return c.getIndex(o.Dir)
}

// getIndex reads the index from dir, or makes it and writes it there.
func (c *Chain) getIndex(dir string) error {
	began := time.Now()
	file, id := filepath.Join(dir, indexFile), fingerprint(c.genesis.Hash, append([]*source{c.receipts}, c.blocks...)...)
	if dir != "" {
		e, err := c.extent()
		if err != nil {
			return err
		}
		x, err := readIndex(file, id, c.genesis.Hash, e)
		if err == nil {
			c.index = x
			return nil
		}
		if !errors.Is(err, fs.ErrNotExist) {
			c.log.Info("the index of the chain is not used", "file", file, "err", err)
		}
	}
	x, err := scan(c.genesis, c.blocks, c.log)
	if err != nil {
		return err
	}
	c.index = x
	if c.receipts != nil {
		if err := c.scanReceipts(); err != nil {
			return err
		}
	}
	x.blocks, x.receipts = slices.Clone(x.blocks), slices.Clone(x.receipts) // without the room they grew by
	c.log.Info("indexed the chain", "blocks", len(x.blocks), "receipts", len(x.receipts), "elapsed", time.Since(began))
	if dir == "" {
		return nil
	}
	return writeFile(file, func(f *os.File) error {
		_, err := f.Write(x.encode(id))
		return err
	})
}

// extent asks how large the files are, as they are read.
func (c *Chain) extent() (e extent, err error) {
	for _, s := range c.blocks {
		info, err := s.file.Stat()
		if err != nil {
			return e, err
		}
		e.blocks = append(e.blocks, info.Size())
	}
	if c.receipts != nil {
		info, err := c.receipts.file.Stat()
		if err != nil {
			return e, err
		}
		e.receipts = info.Size()
	}
	return e, nil
}

// Close closes the files. Whatever is asked afterwards is unknown, but for what the index knows.
func (c *Chain) Close() error {
	var errs []error
	for _, s := range c.blocks {
		errs = append(errs, s.close())
	}
	if c.receipts != nil {
		errs = append(errs, c.receipts.close())
	}
	return errors.Join(errs...)
}

// Genesis is the chain's beginning.
func (c *Chain) Genesis() *Genesis { return c.genesis }

// Chain says which chain it is.
func (c *Chain) Chain() *eth.ChainConfig { return c.config }

// Head is the last block. It never changes.
func (c *Chain) Head() eth.Head { return c.head }

// Earliest is 0: there are bodies for all blocks. That there may be no receipts, the protocol has no word for.
func (c *Chain) Earliest() uint64 { return 0 }

// Number finds a block by hash; all of them are canonical.
func (c *Chain) Number(hash common.Hash) (number uint64, canonical, ok bool) {
	if hash == c.genesis.Hash {
		return 0, true, true
	}
	i, ok := c.index.find(hash)
	if !ok {
		return 0, false, false
	}
	return uint64(i) + 1, true, true
}

// Hash is the hash of the block with a number.
func (c *Chain) Hash(number uint64) (common.Hash, bool) {
	switch {
	case number == 0:
		return c.genesis.Hash, true
	case number > uint64(len(c.index.blocks)):
		return common.Hash{}, false
	}
	return c.index.blocks[number-1].hash, true
}

// Header is the RLP of a header; nil if it is unknown or its file cannot be read any more.
func (c *Chain) Header(hash common.Hash) rlp.RawValue {
	if hash == c.genesis.Hash {
		return c.genesisHeader
	}
	i, ok := c.index.find(hash)
	if !ok {
		return nil
	}
	e := &c.index.blocks[i]
	b := make([]byte, e.header)
	if !c.read(c.blocks[fileOf(e.at)], b, offsetOf(e.at)) {
		return nil
	}
	return b
}

// Body is the RLP of the parts of a block that follow its header; nil if it is unknown or its file cannot be read any more.
func (c *Chain) Body(hash common.Hash) rlp.RawValue {
	if hash == c.genesis.Hash {
		return c.genesisBody
	}
	i, ok := c.index.find(hash)
	if !ok {
		return nil
	}
	e := &c.index.blocks[i]
	b := appendListHead(make([]byte, 0, 9+e.body), e.body)
	head := len(b)
	b = b[:head+int(e.body)]
	if !c.read(c.blocks[fileOf(e.at)], b[head:], offsetOf(e.at)+int64(e.header)) {
		return nil
	}
	return b
}

// appendListHead appends what stands before size bytes of content of an RLP list.
func appendListHead(dst []byte, size uint32) []byte {
	if size < 56 {
		return append(dst, 0xc0+byte(size))
	}
	digits := bytes.TrimLeft(binary.BigEndian.AppendUint32(nil, size), "\x00")
	return append(append(dst, 0xf7+byte(len(digits))), digits...)
}

// ReceiptList is the list of a block's receipts as it stands in the receipts file; nil if they are unknown.
func (c *Chain) ReceiptList(hash common.Hash) rlp.RawValue {
	number, _, ok := c.Number(hash)
	switch {
	case !ok:
		return nil
	case number == 0:
		return rlp.EmptyList
	case number <= uint64(len(c.index.receipts)):
		s := c.index.receipts[number-1]
		b := make([]byte, s.size)
		if !c.read(c.receipts, b, int64(s.at)) {
			return nil
		}
		return b
	}
	// Nobody needs a file to know the receipts of a block without transactions, which begins with an empty list.
	var first [1]byte
	e := &c.index.blocks[number-1]
	if c.read(c.blocks[fileOf(e.at)], first[:], offsetOf(e.at)+int64(e.header)) && first[0] == 0xc0 {
		return rlp.EmptyList
	}
	return nil
}

// Receipts are a block's receipts; nil if they are unknown.
func (c *Chain) Receipts(hash common.Hash) []*types.Receipt {
	list := c.ReceiptList(hash)
	if list == nil {
		return nil
	}
	receipts, err := eth.DecodeReceipts(receiptsForm, list)
	if err != nil {
		c.fail(c.receipts, err)
		return nil
	}
	return receipts
}

// PooledTransaction is what [Options.Pooled] finds.
func (c *Chain) PooledTransaction(hash common.Hash) rlp.RawValue {
	if c.pooled == nil {
		return nil
	}
	return c.pooled(hash)
}

// AccessList is nil.
func (c *Chain) AccessList(common.Hash) rlp.RawValue { return nil }

// read reads a piece of a file.
func (c *Chain) read(s *source, b []byte, at int64) bool {
	if _, err := s.file.ReadAt(b, at); err != nil {
		if err == io.EOF {
			err = errTruncated
		}
		c.fail(s, err)
		return false
	}
	return true
}

// fail tells once that a file has become useless, unless that is our doing.
func (c *Chain) fail(s *source, err error) {
	if errors.Is(err, os.ErrClosed) {
		return
	}
	c.complain.Do(func() {
		c.log.Error("a file of the chain cannot be read any more; what it held is served as unknown", "file", s.path, "err", err)
	})
}
