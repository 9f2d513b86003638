package eth

import (
	"errors"
	"fmt"

	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/rlp"
)

// Transactions is a message with transactions in full.
type Transactions struct {
	Txs []rlp.RawValue // lists for legacy transactions, strings for typed ones; [ReadTransaction] looks inside
}

// Code is [CodeTransactions].
func (*Transactions) Code() uint64 { return CodeTransactions }

func (m *Transactions) encode(w rlp.EncoderBuffer, _ uint) {
	for _, tx := range m.Txs {
		w.Write(tx)
	}
}

func (m *Transactions) decode(content []byte, _ uint) (err error) {
	m.Txs, err = items(content, MaxTransactions, isAny)
	return err
}

var (
	errNoTx  = errors.New("a typed transaction needs a type from 1 to 127 and fields")
	errBlobs = errors.New("a blob transaction may only be announced")
)

// ReadTransaction finds hash, type and size of a transaction as it is in Transactions or PooledTransactions. Of its fields
// it looks at no more than it needs for that; [Transaction.Decode] reads all of them. The result refers to raw.
func ReadTransaction(raw rlp.RawValue) (Transaction, error) {
	kind, content, rest, err := rlp.Split(raw)
	if err == nil {
		err = end(rest)
	}
	switch {
	case err != nil:
		return Transaction{}, in("transaction", err)
	case kind == rlp.List:
		return Transaction{TxInfo: TxInfo{Hash: hashOf(raw), Size: uint64(len(raw))}, Raw: raw}, nil
	case len(content) < 2 || content[0] == 0 || content[0] > 0x7f:
		return Transaction{}, in("transaction", errNoTx)
	}
	tx := Transaction{TxInfo: TxInfo{Type: content[0], Size: uint64(len(content))}, Raw: raw}
	if fields, ok := insideSidecar(content); ok {
		tx.Hash = hashOf(content[:1], fields)
	} else {
		tx.Hash = hashOf(content)
	}
	return tx, nil
}

// insideSidecar returns the list of the fields of a blob transaction that comes with its sidecar; false for any other.
func insideSidecar(typed []byte) (fields []byte, ok bool) {
	if typed[0] != types.BlobTxType {
		return nil, false
	}
	outer, err := wholeList(typed[1:])
	if err != nil {
		return nil, false
	}
	kind, _, rest, err := rlp.Split(outer)
	if err != nil || kind != rlp.List {
		return nil, false // the first field of one without a sidecar is the chain id
	}
	return outer[:len(outer)-len(rest)], true
}

// NewTransaction makes of a transaction what crosses the link. A blob transaction keeps its sidecar.
func NewTransaction(tx *types.Transaction) (Transaction, error) {
	raw, err := rlp.EncodeToBytes(tx)
	if err != nil {
		return Transaction{}, fmt.Errorf("transaction %x: %w", tx.Hash(), err)
	}
	return ReadTransaction(raw)
}

// Decode reads all fields of the transaction. It does not check signature or chain.
func (t *Transaction) Decode() (*types.Transaction, error) {
	tx := new(types.Transaction)
	if err := rlp.DecodeBytes(t.Raw, tx); err != nil {
		return nil, fmt.Errorf("transaction %x: %w", t.Hash, err)
	}
	return tx, nil
}
