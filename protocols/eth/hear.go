package eth

import (
	"errors"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/rlp"
)

var errTwice = errors.New("the same transaction twice")

// heardOf takes note of announced transactions. The message is valid during the call only.
func (p *Peer) heardOf(m *Announcement, at time.Time) {
	txs := m.Txs
	if len(txs) == 0 {
		return
	}
	p.known.addAll(txs)
	p.h.feed.sendTxs(p, at, false, txs)
	if p.h.cfg.Pool == nil {
		return
	}
	if p.version >= 72 {
		txs = fetchable(txs, m.Mask)
	}
	p.want(txs, at)
}

// heardInFull takes the transactions of a message of that name. Without anybody who wants them they are not looked at.
func (p *Peer) heardInFull(raw []rlp.RawValue, at time.Time) error {
	if len(raw) == 0 || p.h.cfg.Pool == nil && !p.h.feed.wanted() {
		return nil
	}
	txs := make([]Transaction, len(raw))
	infos := make([]TxInfo, len(raw))
	seen := make(map[common.Hash]struct{}, len(raw))
	for i := range raw {
		tx, err := ReadTransaction(raw[i])
		if err == nil && tx.Type == types.BlobTxType {
			err = errBlobs
		}
		if _, twice := seen[tx.Hash]; err == nil && twice {
			err = errTwice
		}
		if err != nil {
			return &DecodeError{p.version, CodeTransactions, err}
		}
		seen[tx.Hash] = struct{}{}
		txs[i], infos[i] = tx, tx.TxInfo
	}
	p.known.addAll(infos)
	p.h.feed.sendTxs(p, at, true, infos)
	p.h.keep(txs, p)
	return nil
}

// keep offers transactions to the pool and relays those that are new.
func (h *Handler) keep(txs []Transaction, from *Peer) {
	if h.cfg.Pool == nil || len(txs) == 0 {
		return
	}
	var fresh []Transaction
	for i, kept := range h.cfg.Pool.Add(txs) {
		if kept {
			fresh = append(fresh, txs[i])
		}
	}
	h.relay(fresh, from)
}
