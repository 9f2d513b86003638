package eth

import (
	"fmt"

	"github.com/ethereum/go-ethereum/rlp"
)

// Items is any of the answers that are a list of things: BlockHeaders, BlockBodies, PooledTransactions, NodeData and
// BlockAccessLists.
type Items struct {
	For   uint64 // the code
	ID    uint64 // of the request; 0 in version 63, which has none
	Items []rlp.RawValue
}

// maxItems is how many things an answer may hold, whatever was asked for.
func maxItems(code uint64) int {
	if code == CodePooledTransactions {
		return MaxPooled
	}
	return MaxHeaders // and bodies, receipts, access lists and node data
}

// itemKind says which kind the things in an answer are.
func itemKind(code uint64) func(rlp.Kind) bool {
	switch code {
	case CodeNodeData:
		return isString
	case CodePooledTransactions, CodeBlockAccessLists:
		return isAny
	}
	return isList
}

func isAny(rlp.Kind) bool { return true }

// Code is m.For.
func (m *Items) Code() uint64 { return m.For }

func (m *Items) encode(w rlp.EncoderBuffer, version uint) {
	if hasIDs(version) {
		w.WriteUint64(m.ID)
		defer w.ListEnd(w.List())
	}
	for _, item := range m.Items {
		w.Write(item)
	}
}

func (m *Items) decode(content []byte, version uint) error {
	id, inner, err := splitIDAndList(content, version)
	if err != nil {
		return err
	}
	m.ID = id
	if m.Items, err = items(inner, maxItems(m.For), itemKind(m.For)); err != nil || m.For != CodeBlockAccessLists {
		return err
	}
	for i, item := range m.Items {
		if item[0] < 0xc0 && (len(item) > 1 || item[0] != 0x80) {
			return fmt.Errorf("item %d is neither an access list nor the empty string", i)
		}
	}
	return nil
}

// Receipts answers GetReceipts: for each block a list of receipts, in the layout of the version; [DecodeReceipts] reads it.
type Receipts struct {
	ID uint64 // of the request; 0 in version 63, which has none
	// LastIncomplete says, from version 70 on, that receipts are missing at the end of the last list.
	LastIncomplete bool
	Lists          []rlp.RawValue
}

// Code is [CodeReceipts].
func (*Receipts) Code() uint64 { return CodeReceipts }

func (m *Receipts) encode(w rlp.EncoderBuffer, version uint) {
	if !hasIDs(version) {
		for _, list := range m.Lists {
			w.Write(list)
		}
		return
	}
	w.WriteUint64(m.ID)
	if version >= 70 {
		w.WriteBool(m.LastIncomplete)
	}
	writeList(w, m.Lists)
}

func (m *Receipts) decode(content []byte, version uint) (err error) {
	id, rest, err := splitID(content, version)
	if err != nil {
		return err
	}
	m.ID = id
	if version >= 70 {
		if m.LastIncomplete, rest, err = splitBool(rest, "last incomplete"); err != nil {
			return err
		}
	}
	if hasIDs(version) {
		if rest, err = wholeList(rest); err != nil {
			return err
		}
	}
	m.Lists, err = items(rest, MaxReceipts, isList)
	return err
}

// Cells answers GetCells (EIP-8070).
type Cells struct {
	ID     uint64
	Answer CellsAnswer
}

// cellSize is the size of a cell in bytes.
const cellSize = 2048

// Code is [CodeCells].
func (*Cells) Code() uint64 { return CodeCells }

func (m *Cells) encode(w rlp.EncoderBuffer, _ uint) {
	w.WriteUint64(m.ID)
	writeHashes(w, m.Answer.Hashes)
	list := w.List()
	for _, cells := range m.Answer.Cells {
		writeList(w, cells)
	}
	w.ListEnd(list)
	w.WriteBytes(m.Answer.Mask[:])
}

func (m *Cells) decode(b []byte, _ uint) (err error) {
	if m.ID, b, err = splitUint(b, "request id"); err != nil {
		return err
	}
	inner, b, err := rlp.SplitList(b)
	if err != nil {
		return in("hashes", err)
	}
	if m.Answer.Hashes, err = hashes(inner); err != nil {
		return err
	}
	if len(m.Answer.Hashes) > MaxCellHashes {
		return fmt.Errorf("%d hashes, more than %d", len(m.Answer.Hashes), MaxCellHashes)
	}
	inner, b, err = rlp.SplitList(b)
	if err != nil {
		return in("cells", err)
	}
	if m.Answer.Cells, err = splitCells(inner, len(m.Answer.Hashes)); err != nil {
		return err
	}
	if m.Answer.Mask, b, err = splitMask(b); err != nil {
		return err
	}
	return end(b)
}

// splitCells reads the content of the list that has a list of cells for each of n transactions.
func splitCells(content []byte, n int) ([][]rlp.RawValue, error) {
	lists, err := items(content, n, isList)
	if err != nil {
		return nil, in("cells", err)
	}
	if len(lists) != n {
		return nil, fmt.Errorf("cells of %d transactions, hashes of %d", len(lists), n)
	}
	left := MaxCells
	cells := make([][]rlp.RawValue, n)
	for i, list := range lists {
		inner, err := wholeList(list)
		if err != nil {
			return nil, in("cells", err)
		}
		if cells[i], err = items(inner, left, isString); err != nil {
			return nil, in(fmt.Sprintf("cells of transaction %d", i), err)
		}
		left -= len(cells[i])
		for _, cell := range cells[i] {
			if s, _, err := rlp.SplitString(cell); err != nil || len(s) != cellSize {
				return nil, fmt.Errorf("cells of transaction %d: a cell of %d bytes, not %d", i, len(s), cellSize)
			}
		}
	}
	return cells, nil
}
