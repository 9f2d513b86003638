package chainfile

import (
	"errors"
	"fmt"
	"io"
	"math/big"
	"time"

	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/log"
	"github.com/ethereum/go-ethereum/rlp"

	"github.com/sennit-net/sennit/protocols/eth"
	"github.com/sennit-net/sennit/protocols/eth/internal/mpt"
)

// scan reads block files and makes an index of them. Every block is checked against its header, and every header against the
// one before.
func scan(g *Genesis, files []*source, logger log.Logger) (*index, error) {
	x := &index{headTime: g.Header.Time, td: new(big.Int).Set(g.Header.Difficulty), head: g.Hash}
	began, told := time.Now(), time.Now()
	for i, f := range files {
		s, err := newStream(f.file)
		if err != nil {
			return nil, err
		}
		for first := true; ; first = false {
			block, at, err := s.next()
			if err == io.EOF {
				break
			}
			if err == nil {
				err = x.add(g, block, position(i, at), i == 0 && first)
			}
			if err != nil {
				return nil, fmt.Errorf("%s: block %d at offset %d: %w", f.path, len(x.blocks)+1, at, err)
			}
			if time.Since(told) > 8*time.Second {
				told = time.Now()
				logger.Info("indexing the chain", "file", f.path, "block", len(x.blocks), "percent", 100*s.off/max(s.size, 1), "elapsed", time.Since(began))
			}
		}
	}
	x.sort()
	return x, nil
}

// add checks a block that begins at a position and adds it. The very first block of all files may be the genesis block.
func (x *index) add(g *Genesis, block []byte, at uint64, first bool) error {
	b, err := split(block)
	if err != nil {
		return err
	}
	var h types.Header
	if err := rlp.DecodeBytes(b.header, &h); err != nil {
		return fmt.Errorf("header: %w", err)
	}
	hash := crypto.Keccak256Hash(b.header)
	if first && h.Number.Sign() == 0 {
		if hash != g.Hash {
			return fmt.Errorf("is the genesis block %v, but the genesis file makes %v", hash, g.Hash)
		}
		return nil
	}
	if want := uint64(len(x.blocks)) + 1; !h.Number.IsUint64() || h.Number.Uint64() != want {
		return fmt.Errorf("has number %v, want %d", h.Number, want)
	}
	if h.ParentHash != x.head {
		if len(x.blocks) == 0 {
			return fmt.Errorf("has parent %v, but the genesis file makes %v", h.ParentHash, x.head)
		}
		return fmt.Errorf("has parent %v, but the block before is %v", h.ParentHash, x.head)
	}
	if err := b.check(&h); err != nil {
		return err
	}
	x.blocks = append(x.blocks, entry{
		hash: hash, at: at + uint64(len(block)-len(b.header)-len(b.body)), header: uint32(len(b.header)), body: uint32(len(b.body)),
	})
	x.head, x.headTime = hash, h.Time
	x.td.Add(x.td, h.Difficulty)
	return nil
}

// parts are a block in its parts. The lists are without their heads, but for header and body.
type parts struct {
	header          []byte // with its head
	body            []byte // all that follows it
	txs, withdrawn  []byte // contents of lists
	ommers          []byte // with its head
	withWithdrawals bool
}

// split takes a block apart.
func split(block []byte) (parts, error) {
	var p parts
	content, _, err := rlp.SplitList(block)
	if err != nil {
		return p, err
	}
	_, rest, err := rlp.SplitList(content)
	if err != nil {
		return p, fmt.Errorf("header: %w", err)
	}
	p.header, p.body = content[:len(content)-len(rest)], rest
	if p.txs, rest, err = rlp.SplitList(rest); err != nil {
		return p, fmt.Errorf("transactions: %w", err)
	}
	before := rest
	if _, rest, err = rlp.SplitList(rest); err != nil {
		return p, fmt.Errorf("ommers: %w", err)
	}
	p.ommers = before[:len(before)-len(rest)]
	if p.withWithdrawals = len(rest) > 0; p.withWithdrawals {
		if p.withdrawn, rest, err = rlp.SplitList(rest); err != nil {
			return p, fmt.Errorf("withdrawals: %w", err)
		}
	}
	if len(rest) > 0 {
		return p, errors.New("has more than header, transactions, ommers and withdrawals")
	}
	return p, nil
}

// check holds the body against what the header says of it.
func (p *parts) check(h *types.Header) error {
	root, err := mpt.ListRoot(p.txs)
	switch {
	case err != nil:
		return fmt.Errorf("transactions: %w", err)
	case root != h.TxHash:
		return errors.New("transactions: not those of the header")
	case crypto.Keccak256Hash(p.ommers) != h.UncleHash:
		return errors.New("ommers: not those of the header")
	case p.withWithdrawals != (h.WithdrawalsHash != nil):
		return errors.New("withdrawals: either the header or the body has none")
	case !p.withWithdrawals:
		return nil
	}
	if root, err = mpt.ListRoot(p.withdrawn); err != nil {
		return fmt.Errorf("withdrawals: %w", err)
	}
	if root != *h.WithdrawalsHash {
		return errors.New("withdrawals: not those of the header")
	}
	return nil
}

// scanReceipts reads a receipts file into the index. Every list is checked against the header of its block.
func (c *Chain) scanReceipts() error {
	f := c.receipts
	s, err := newStream(f.file)
	if err != nil {
		return err
	}
	for number := uint64(1); ; number++ {
		list, at, err := s.next()
		if err == io.EOF {
			return nil
		}
		if err == nil {
			err = c.checkReceipts(number, list)
		}
		if err != nil {
			return fmt.Errorf("%s: receipts of block %d at offset %d: %w", f.path, number, at, err)
		}
		c.index.receipts = append(c.index.receipts, span{at: uint64(at), size: uint32(len(list))})
	}
}

func (c *Chain) checkReceipts(number uint64, list []byte) error {
	hash, ok := c.Hash(number)
	if !ok {
		return errors.New("there is no such block")
	}
	var h types.Header
	if err := rlp.DecodeBytes(c.Header(hash), &h); err != nil {
		return fmt.Errorf("header: %w", err)
	}
	receipts, err := eth.DecodeReceipts(receiptsForm, list)
	if err != nil {
		return err
	}
	pairs := make([]mpt.Pair, len(receipts))
	for i, r := range receipts {
		value, err := r.MarshalBinary()
		if err != nil {
			return fmt.Errorf("receipt %d: %w", i, err)
		}
		pairs[i] = mpt.Pair{Key: rlp.AppendUint64(nil, uint64(i)), Value: value}
	}
	if mpt.Root(pairs) != h.ReceiptHash {
		return errors.New("not those of the header")
	}
	return nil
}
