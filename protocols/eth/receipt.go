package eth

import (
	"errors"
	"fmt"

	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/rlp"
)

// EncodeReceipt returns a receipt in the layout of a version: up to 68 the consensus encoding with the bloom filter, as a
// string if it has a type; from 69 on a list with the type and without the filter.
func EncodeReceipt(version uint, r *types.Receipt) (rlp.RawValue, error) {
	if version < 69 {
		return rlp.EncodeToBytes(r)
	}
	w := rlp.NewEncoderBuffer(nil)
	list := w.List()
	w.WriteUint64(uint64(r.Type))
	switch {
	case len(r.PostState) > 0:
		w.WriteBytes(r.PostState)
	default:
		w.WriteUint64(r.Status)
	}
	w.WriteUint64(r.CumulativeGasUsed)
	logs := w.List()
	for _, log := range r.Logs {
		writeLog(w, log)
	}
	w.ListEnd(logs)
	w.ListEnd(list)
	raw := w.ToBytes()
	return raw, w.Flush()
}

// writeLog writes [address, topics, data].
func writeLog(w rlp.EncoderBuffer, log *types.Log) {
	list := w.List()
	w.WriteBytes(log.Address[:])
	writeHashes(w, log.Topics)
	w.WriteBytes(log.Data)
	w.ListEnd(list)
}

// DecodeReceipts reads the list of a block's receipts in the layout of a version. Type, status or state root, cumulative
// gas, bloom filter and logs are set; where the layout has no bloom filter it is computed.
func DecodeReceipts(version uint, list rlp.RawValue) ([]*types.Receipt, error) {
	content, err := wholeList(list)
	if err != nil {
		return nil, err
	}
	kind := isAny
	if version >= 69 {
		kind = isList
	}
	raw, err := items(content, maxBlockReceipts, kind)
	if err != nil {
		return nil, err
	}
	receipts := make([]*types.Receipt, len(raw))
	for i := range raw {
		if receipts[i], err = decodeReceipt(version, raw[i]); err != nil {
			return nil, fmt.Errorf("receipt %d: %w", i, err)
		}
	}
	return receipts, nil
}

// maxBlockReceipts is how many receipts a block may have: at 21,000 gas each they are far more than any gas limit allows.
// The smallest takes 5 bytes on the wire and about 450 here.
const maxBlockReceipts = 1 << 15

func decodeReceipt(version uint, raw rlp.RawValue) (*types.Receipt, error) {
	r := new(types.Receipt)
	if version < 69 {
		return r, rlp.DecodeBytes(raw, r)
	}
	b, err := wholeList(raw)
	if err != nil {
		return nil, err
	}
	kind, b, err := splitUint(b, "type")
	if err != nil {
		return nil, err
	}
	if kind > 0x7f {
		return nil, fmt.Errorf("type %d is above 127", kind)
	}
	r.Type = byte(kind)
	state, b, err := rlp.SplitString(b)
	if err == nil {
		err = setState(r, state)
	}
	if err != nil {
		return nil, in("status", err)
	}
	if r.CumulativeGasUsed, b, err = splitUint(b, "cumulative gas"); err != nil {
		return nil, err
	}
	if err := rlp.DecodeBytes(b, &r.Logs); err != nil {
		return nil, in("logs", err)
	}
	r.Bloom = types.CreateBloom(r)
	return r, nil
}

var errState = errors.New("neither 0 nor 1 nor a root of 32 bytes")

// setState reads what is a status since Byzantium and was a state root before.
func setState(r *types.Receipt, state []byte) error {
	switch {
	case len(state) == 0:
		r.Status = types.ReceiptStatusFailed
	case len(state) == 1 && state[0] == 1:
		r.Status = types.ReceiptStatusSuccessful
	case len(state) == 32:
		r.PostState = state[:32:32]
	default:
		return errState
	}
	return nil
}
