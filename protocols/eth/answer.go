package eth

import (
	"math"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/rlp"
)

// Answers to what peers ask, as section 6 of the protocol has them. They are functions of the Backend and the request alone:
// no link, no state. An answer is what goes into the message's list; it may be empty, and is sent nevertheless.

// maxStray is how many blocks off the canonical chain are followed from child to parent for one answer.
const maxStray = 1024

// maxAnswerItem is the largest item that a message has room for. Whoever gets a larger message ends the link.
const maxAnswerItem = MaxMessage - 64

// answer collects the items of an answer up to [SoftAnswer].
type answer struct {
	items []rlp.RawValue
	bytes int
}

// add takes an item, or says that the answer is full without it.
func (a *answer) add(item rlp.RawValue) bool {
	if len(item) > maxAnswerItem || len(a.items) > 0 && a.bytes+len(item) > SoftAnswer {
		return false
	}
	a.items, a.bytes = append(a.items, item), a.bytes+len(item)
	return true
}

// answerHeaders is the answer to GetBlockHeaders: nothing if the start is unknown; it ends at the first gap and where the
// numbers end.
func answerHeaders(b Backend, q HeadersQuery) []rlp.RawValue {
	count := min(q.Amount, MaxHeaders)
	if count == 0 {
		return nil
	}
	number := q.Start.Number
	if q.Start.Hash != (common.Hash{}) {
		n, canonical, ok := b.Number(q.Start.Hash)
		switch {
		case !ok:
			return nil
		case !canonical:
			return answerStray(b, q, n, count)
		}
		number = n
	}
	var a answer
	for uint64(len(a.items)) < count {
		hash, ok := b.Hash(number)
		if !ok {
			break
		}
		header := b.Header(hash)
		if header == nil || !a.add(header) {
			break
		}
		if number, ok = q.next(number); !ok {
			break
		}
	}
	return a.items
}

// next is the number of the header after the one with a number; false if there is no such number.
func (q HeadersQuery) next(number uint64) (uint64, bool) {
	if q.Skip == math.MaxUint64 {
		return 0, false
	}
	step := q.Skip + 1
	if q.Reverse {
		return number - step, number >= step
	}
	return number + step, number <= math.MaxUint64-step
}

// answerStray is the answer to a request that starts at a known block off the canonical chain: that header alone towards the
// head, since nothing says which of its children are meant, and its ancestors towards the genesis block.
func answerStray(b Backend, q HeadersQuery, number, count uint64) []rlp.RawValue {
	var a answer
	s := stray{backend: b, hash: q.Start.Hash, number: number, left: maxStray}
	for {
		header := b.Header(s.hash)
		if header == nil || !a.add(header) || !q.Reverse || uint64(len(a.items)) == count {
			return a.items
		}
		if next, ok := q.next(s.number); !ok || !s.descend(next) {
			return a.items
		}
	}
}

// stray is a block that may be off the canonical chain.
type stray struct {
	backend Backend
	hash    common.Hash
	number  uint64
	left    int // steps from child to parent that it may still take
}

// descend goes to the ancestor with a number, from child to parent until it meets the canonical chain. It is false if there
// is a gap or the way is too long.
func (s *stray) descend(number uint64) bool {
	for s.number > number {
		if _, canonical, ok := s.backend.Number(s.hash); ok && canonical {
			s.number = number
			s.hash, ok = s.backend.Hash(number)
			return ok
		}
		if s.left == 0 {
			return false
		}
		s.left--
		var ok bool
		if s.hash, ok = parentOf(s.backend.Header(s.hash)); !ok {
			return false
		}
		s.number--
	}
	return true
}

// parentOf reads the parent's hash, the first item of a header; false if this is no header.
func parentOf(header rlp.RawValue) (common.Hash, bool) {
	content, _, err := rlp.SplitList(header)
	if err != nil {
		return common.Hash{}, false
	}
	parent, _, err := rlp.SplitString(content)
	if err != nil || len(parent) != common.HashLength {
		return common.Hash{}, false
	}
	return common.Hash(parent), true
}

// answerBodies is the answer to GetBlockBodies: in the order of the request, up to the first block that is unknown.
func answerBodies(b Backend, hashes []common.Hash) []rlp.RawValue {
	var a answer
	for _, hash := range hashes[:min(len(hashes), MaxBodies)] {
		if body := b.Body(hash); body == nil || !a.add(body) {
			break
		}
	}
	return a.items
}

// answerPooled is the answer to GetPooledTransactions: in the order of the request, without those that are unknown.
func answerPooled(b Backend, hashes []common.Hash) []rlp.RawValue {
	return answerPooledAs(b, hashes, func(raw rlp.RawValue) rlp.RawValue { return raw })
}

// answerPooled72 is the same from version 72 on, where blob transactions go without their blobs. Those that cannot, because
// their sidecar has no proofs of cells, count as unknown: whoever sends blobs there is disconnected.
func answerPooled72(b Backend, hashes []common.Hash) []rlp.RawValue {
	return answerPooledAs(b, hashes, withoutBlobs)
}

func answerPooledAs(b Backend, hashes []common.Hash, form func(rlp.RawValue) rlp.RawValue) []rlp.RawValue {
	var a answer
	for _, hash := range hashes[:min(len(hashes), MaxPooled)] {
		raw := b.PooledTransaction(hash)
		if raw == nil {
			continue
		}
		if raw = form(raw); raw != nil && !a.add(raw) {
			break
		}
	}
	return a.items
}

// maxCellBlobs is of how many blobs the cells are computed for one answer. A blob transaction without blobs counts as one.
const maxCellBlobs = 32

// answerCells is the answer to GetCells: the cells asked for, of those transactions whose blobs are known, as far as they all
// fit.
func answerCells(b Backend, q CellsQuery) CellsAnswer {
	a := CellsAnswer{Mask: q.Mask}
	each, left, blobs := q.Mask.Count(), MaxCells, maxCellBlobs
	for _, hash := range q.Hashes[:min(len(q.Hashes), MaxCellHashes)] {
		raw := b.PooledTransaction(hash)
		if raw == nil || each == 0 || !isBlobTx(raw) {
			continue
		}
		tx, err := ReadTransaction(raw)
		if err != nil {
			continue
		}
		n := int(tx.Size / blobBytes)
		if blobs -= max(n, 1); left < each*n || blobs < 0 {
			break
		}
		cells, err := tx.Cells(q.Mask)
		if err != nil {
			continue // it has no blobs with it
		}
		a.Hashes, a.Cells = append(a.Hashes, hash), append(a.Cells, cells)
		left -= len(cells)
	}
	return a
}

// answerAccessLists is the answer to GetBlockAccessLists: in the order of the request, with an empty string in the place of
// one that is unknown.
func answerAccessLists(b Backend, hashes []common.Hash) []rlp.RawValue {
	var a answer
	for _, hash := range hashes[:min(len(hashes), MaxAccessLists)] {
		list := b.AccessList(hash)
		if list == nil {
			list = rlp.EmptyString
		}
		if !a.add(list) {
			break
		}
	}
	return a.items
}
