package eth

import (
	"fmt"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/rlp"
)

// GetBlockHeaders asks for headers.
type GetBlockHeaders struct {
	ID    uint64 // repeated by the answer; 0 in version 63, which has none
	Query HeadersQuery
}

// Code is [CodeGetBlockHeaders].
func (*GetBlockHeaders) Code() uint64 { return CodeGetBlockHeaders }

func (m *GetBlockHeaders) encode(w rlp.EncoderBuffer, version uint) {
	if hasIDs(version) {
		w.WriteUint64(m.ID)
		defer w.ListEnd(w.List())
	}
	if q := &m.Query; q.Start.Hash != (common.Hash{}) {
		w.WriteBytes(q.Start.Hash[:])
	} else {
		w.WriteUint64(q.Start.Number)
	}
	w.WriteUint64(m.Query.Amount)
	w.WriteUint64(m.Query.Skip)
	w.WriteBool(m.Query.Reverse)
}

func (m *GetBlockHeaders) decode(content []byte, version uint) (err error) {
	id, b, err := splitIDAndList(content, version)
	if err != nil {
		return err
	}
	m.ID = id
	if m.Query.Start, b, err = splitStart(b); err != nil {
		return err
	}
	if m.Query.Amount, b, err = splitUint(b, "amount"); err != nil {
		return err
	}
	if m.Query.Skip, b, err = splitUint(b, "skip"); err != nil {
		return err
	}
	if m.Query.Reverse, b, err = splitBool(b, "reverse"); err != nil {
		return err
	}
	return end(b)
}

// splitStart takes a hash or a number: which, its length tells.
func splitStart(b []byte) (start Start, rest []byte, err error) {
	kind, s, rest, err := rlp.Split(b)
	switch {
	case err != nil:
	case kind == rlp.List:
		err = rlp.ErrExpectedString
	case len(s) == common.HashLength:
		return Start{Hash: common.Hash(s)}, rest, nil
	case len(s) > 8:
		err = fmt.Errorf("%d bytes, neither a hash nor a number", len(s))
	default:
		start.Number, rest, err = rlp.SplitUint64(b)
	}
	return start, rest, in("start", err)
}

// GetByHash is any of the requests that are a list of hashes: GetBlockBodies, GetPooledTransactions, GetNodeData and
// GetBlockAccessLists.
type GetByHash struct {
	For    uint64 // the code
	ID     uint64 // repeated by the answer; 0 in version 63, which has none
	Hashes []common.Hash
}

// Code is m.For.
func (m *GetByHash) Code() uint64 { return m.For }

func (m *GetByHash) encode(w rlp.EncoderBuffer, version uint) {
	if hasIDs(version) {
		w.WriteUint64(m.ID)
		defer w.ListEnd(w.List())
	}
	for i := range m.Hashes {
		w.WriteBytes(m.Hashes[i][:])
	}
}

func (m *GetByHash) decode(content []byte, version uint) error {
	id, inner, err := splitIDAndList(content, version)
	if err != nil {
		return err
	}
	m.ID = id
	m.Hashes, err = hashes(inner)
	return err
}

// GetReceipts asks for the receipts of blocks.
type GetReceipts struct {
	ID    uint64 // repeated by the answer; 0 in version 63, which has none
	Query ReceiptsQuery
}

// Code is [CodeGetReceipts].
func (*GetReceipts) Code() uint64 { return CodeGetReceipts }

func (m *GetReceipts) encode(w rlp.EncoderBuffer, version uint) {
	if !hasIDs(version) {
		for i := range m.Query.Hashes {
			w.WriteBytes(m.Query.Hashes[i][:])
		}
		return
	}
	w.WriteUint64(m.ID)
	if version >= 70 {
		w.WriteUint64(m.Query.First)
	}
	writeHashes(w, m.Query.Hashes)
}

func (m *GetReceipts) decode(content []byte, version uint) (err error) {
	id, rest, err := splitID(content, version)
	if err != nil {
		return err
	}
	m.ID = id
	if version >= 70 {
		if m.Query.First, rest, err = splitUint(rest, "first receipt"); err != nil {
			return err
		}
	}
	if hasIDs(version) {
		if rest, err = wholeList(rest); err != nil {
			return err
		}
	}
	m.Query.Hashes, err = hashes(rest)
	return err
}

// GetCells asks for cells of blobs (EIP-8070).
type GetCells struct {
	ID    uint64
	Query CellsQuery
}

// Code is [CodeGetCells].
func (*GetCells) Code() uint64 { return CodeGetCells }

func (m *GetCells) encode(w rlp.EncoderBuffer, _ uint) {
	w.WriteUint64(m.ID)
	writeHashes(w, m.Query.Hashes)
	w.WriteBytes(m.Query.Mask[:])
}

func (m *GetCells) decode(b []byte, _ uint) (err error) {
	if m.ID, b, err = splitUint(b, "request id"); err != nil {
		return err
	}
	inner, b, err := rlp.SplitList(b)
	if err != nil {
		return in("hashes", err)
	}
	if m.Query.Hashes, err = hashes(inner); err != nil {
		return err
	}
	if m.Query.Mask, b, err = splitMask(b); err != nil {
		return err
	}
	return end(b)
}

// splitMask takes a cell mask from b. One of no bytes is an error too, as it is for go-ethereum.
func splitMask(b []byte) (CellMask, []byte, error) {
	s, rest, err := rlp.SplitString(b)
	if err == nil && len(s) != len(CellMask{}) {
		err = fmt.Errorf("%d bytes, not %d", len(s), len(CellMask{}))
	}
	if err != nil {
		return CellMask{}, b, in("cell mask", err)
	}
	return CellMask(s), rest, nil
}
