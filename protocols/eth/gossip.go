package eth

import (
	"errors"
	"fmt"
	"math/big"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/rlp"
)

// BlockInfo is what NewBlockHashes says about a block.
type BlockInfo struct {
	Hash   common.Hash
	Number uint64
}

// NewBlockHashes announces blocks; up to version 68.
type NewBlockHashes struct {
	Blocks []BlockInfo
}

// Code is [CodeNewBlockHashes].
func (*NewBlockHashes) Code() uint64 { return CodeNewBlockHashes }

func (m *NewBlockHashes) encode(w rlp.EncoderBuffer, _ uint) {
	for i := range m.Blocks {
		list := w.List()
		w.WriteBytes(m.Blocks[i].Hash[:])
		w.WriteUint64(m.Blocks[i].Number)
		w.ListEnd(list)
	}
}

func (m *NewBlockHashes) decode(b []byte, _ uint) error {
	// Each takes at least 35 bytes on the wire and 40 here.
	m.Blocks = make([]BlockInfo, 0, len(b)/(2+1+common.HashLength))
	for len(b) > 0 {
		item, rest, err := rlp.SplitList(b)
		if err != nil {
			return err
		}
		var block BlockInfo
		if block.Hash, item, err = splitHash(item, "hash"); err != nil {
			return err
		}
		if block.Number, item, err = splitUint(item, "number"); err != nil {
			return err
		}
		if err := end(item); err != nil {
			return err
		}
		m.Blocks, b = append(m.Blocks, block), rest
	}
	return nil
}

// NewBlock is a block in full; up to version 68.
type NewBlock struct {
	Block rlp.RawValue // [header, transactions, ommers]
	TD    *big.Int     // total difficulty up to and with it; nil counts as 0
}

// maxBlockTD is how many bits the total difficulty in NewBlock may have.
const maxBlockTD = 100

// Code is [CodeNewBlock].
func (*NewBlock) Code() uint64 { return CodeNewBlock }

func (m *NewBlock) encode(w rlp.EncoderBuffer, _ uint) {
	w.Write(m.Block)
	writeBig(w, m.TD)
}

func (m *NewBlock) decode(b []byte, _ uint) error {
	inner, rest, err := rlp.SplitList(b)
	if err != nil {
		return in("block", err)
	}
	parts, err := items(inner, 3, isList)
	if err != nil {
		return in("block", err)
	}
	if len(parts) != 3 {
		return fmt.Errorf("block of %d parts, not 3", len(parts))
	}
	m.Block = b[: len(b)-len(rest) : len(b)-len(rest)]
	if m.TD, rest, err = splitBig(rest, "total difficulty", maxBlockTD); err != nil {
		return err
	}
	return end(rest)
}

// Header decodes the block's header.
func (m *NewBlock) Header() (*types.Header, error) {
	inner, err := wholeList(m.Block)
	if err != nil {
		return nil, in("block", err)
	}
	header := new(types.Header)
	_, _, rest, err := rlp.Split(inner)
	if err == nil {
		err = rlp.DecodeBytes(inner[:len(inner)-len(rest)], header)
	}
	return header, in("header", err)
}

// Announcement is the message NewPooledTransactionHashes: transactions that can be asked for.
type Announcement struct {
	Txs  []TxInfo
	Mask CellMask // from version 72 on: which cells of blobs the sender has; zero if there is no blob transaction
}

// Code is [CodeAnnouncement].
func (*Announcement) Code() uint64 { return CodeAnnouncement }

func (m *Announcement) encode(w rlp.EncoderBuffer, version uint) {
	kinds := make([]byte, len(m.Txs))
	for i := range m.Txs {
		kinds[i] = m.Txs[i].Type
	}
	w.WriteBytes(kinds)
	list := w.List()
	for i := range m.Txs {
		w.WriteUint64(m.Txs[i].Size)
	}
	w.ListEnd(list)
	list = w.List()
	for i := range m.Txs {
		w.WriteBytes(m.Txs[i].Hash[:])
	}
	w.ListEnd(list)
	if version >= 72 {
		w.WriteBytes(m.Mask[:])
	}
}

var errUneven = errors.New("as many types as sizes and hashes are needed")

// decode fills m.Txs, whose memory it uses again.
func (m *Announcement) decode(b []byte, version uint) error {
	kinds, b, err := rlp.SplitString(b)
	if err != nil {
		return in("types", err)
	}
	sizes, b, err := rlp.SplitList(b)
	if err != nil {
		return in("sizes", err)
	}
	list, b, err := rlp.SplitList(b)
	if err != nil {
		return in("hashes", err)
	}
	if version >= 72 {
		if m.Mask, b, err = splitMask(b); err != nil {
			return err
		}
	}
	if err := end(b); err != nil {
		return err
	}
	return m.fill(kinds, sizes, list)
}

// fill reads the three lists.
func (m *Announcement) fill(kinds, sizes, list []byte) (err error) {
	const item = 1 + common.HashLength
	n := len(kinds)
	if len(list)%item != 0 {
		return errHashes
	}
	if n != len(list)/item {
		return errUneven
	}
	if cap(m.Txs) < n {
		m.Txs = make([]TxInfo, n)
	}
	m.Txs = m.Txs[:n]
	for i := range m.Txs {
		tx := &m.Txs[i]
		if len(sizes) == 0 {
			return errUneven
		}
		if tx.Size, sizes, err = splitUint(sizes, "size"); err != nil {
			return err
		}
		if list[i*item] != 0x80+common.HashLength {
			return errHashes
		}
		tx.Type = kinds[i]
		copy(tx.Hash[:], list[i*item+1:])
	}
	if len(sizes) > 0 {
		return errUneven
	}
	return nil
}

// hashOf is the hash of a transaction or header by its bytes.
func hashOf(b ...[]byte) common.Hash { return crypto.Keccak256Hash(b...) }
