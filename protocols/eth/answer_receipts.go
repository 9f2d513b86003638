package eth

import (
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/rlp"
)

// ReceiptLister is what a [Backend] may have in addition: receipts as they cross the link from version 69 on, for those that
// keep them so. The method is under the same rules as those of Backend.
type ReceiptLister interface {
	// ReceiptList is the RLP list of a block's receipts, each [type, status or state root, cumulative gas, logs]; nil if they
	// are unknown.
	ReceiptList(hash common.Hash) rlp.RawValue
}

// receiptsRoom is how many bytes the lists of an answer may have from version 70 on: the message around them, with a request
// id, the flag and the list headers, is to stay within [MaxReceipts70].
const receiptsRoom = min(MaxReceipts70, maxAnswerItem)

// answerReceipts is the answer to GetReceipts: the lists of the blocks' receipts in the order of the request, in the form
// that a version has, up to the first block whose receipts are unknown. From version 70 on the last list may be cut, which
// incomplete says, and the first one begins with receipt q.First.
func answerReceipts(b Backend, version uint, q ReceiptsQuery) (lists []rlp.RawValue, incomplete bool) {
	var a answer
	for i, hash := range q.Hashes[:min(len(q.Hashes), MaxReceipts)] {
		list := receiptList(b, version, hash)
		if list == nil {
			break
		}
		if version < 70 {
			if !a.add(list) {
				break
			}
			continue
		}
		first := uint64(0)
		if i == 0 {
			first = q.First
		}
		if a.bytes >= SoftAnswer {
			break
		}
		part, cut := receiptPart(list, first, receiptsRoom-a.bytes)
		if part == nil {
			break
		}
		a.items, a.bytes = append(a.items, part), a.bytes+len(part)
		if cut {
			return a.items, true
		}
	}
	return a.items, false
}

// receiptPart is the list from receipt first on, cut if it has more than room bytes. It is nil if the list has fewer than
// first receipts, or not even one of those left has room.
func receiptPart(list rlp.RawValue, first uint64, room int) (part rlp.RawValue, cut bool) {
	if first == 0 && len(list) <= room {
		return list, false
	}
	content, _, err := rlp.SplitList(list)
	if err != nil {
		return nil, false
	}
	for ; first > 0; first-- {
		if _, _, content, err = rlp.Split(content); err != nil || first > 1 && len(content) == 0 {
			return nil, false
		}
	}
	const head = 4 // bytes before the content of a list below 16 MiB
	end := 0
	for rest := content; len(rest) > 0; {
		_, _, after, err := rlp.Split(rest)
		if err != nil {
			return nil, false
		}
		if head+len(content)-len(after) > room {
			cut = true
			break
		}
		rest, end = after, len(content)-len(after)
	}
	if cut && end == 0 {
		return nil, false
	}
	return inList(content[:end]), cut
}

// receiptList is a block's list of receipts in the form of a version, nil if the receipts are unknown.
func receiptList(b Backend, version uint, hash common.Hash) rlp.RawValue {
	if r, ok := b.(ReceiptLister); ok && version >= 69 {
		return r.ReceiptList(hash)
	}
	receipts := b.Receipts(hash)
	if receipts == nil {
		return nil
	}
	return encodeReceiptList(version, receipts)
}

// encodeReceiptList encodes a block's receipts in the form of a version.
func encodeReceiptList(version uint, receipts []*types.Receipt) rlp.RawValue {
	var content []byte
	for _, r := range receipts {
		raw, err := EncodeReceipt(version, r)
		if err != nil {
			return nil // not a receipt that the version has a form for
		}
		content = append(content, raw...)
	}
	return inList(content)
}

// inList is the RLP list with a content.
func inList(content []byte) rlp.RawValue {
	w := rlp.NewEncoderBuffer(nil)
	list := w.List()
	w.Write(content)
	w.ListEnd(list)
	return w.ToBytes()
}
