package eth

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/rlp"

	"github.com/sennit-net/sennit/p2p"
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

// keep offers transactions to the pool and relays those that are new. Those that come from a peer it does not look at any
// further once the peer has sent too many invalid ones. It is called from the goroutine that reads from the peer.
func (h *Handler) keep(txs []Transaction, from *Peer) {
	if h.cfg.Pool == nil || len(txs) == 0 {
		return
	}
	var fresh []Transaction
	invalid := 0
	for some := range slices.Chunk(txs, keepBatch) {
		bad := 0
		for i, verdict := range h.cfg.Pool.Add(some) {
			switch verdict {
			case TxKept:
				fresh = append(fresh, some[i])
			case TxInvalid:
				bad++
			}
		}
		if invalid += bad; from != nil && bad > 0 && !from.excused(bad) {
			break
		}
	}
	if from != nil && invalid >= minInvalid && invalid > len(txs)/invalidShare {
		from.pauseFetching()
	}
	h.relay(fresh, from)
}

// An honest node relays what it has checked: invalid transactions are next to none of what it sends.
const (
	keepBatch       = 64               // transactions that the pool checks before the invalid ones among them are counted
	maxInvalid      = 256              // invalid transactions a peer may send at once
	invalidLifetime = time.Second      // after which one of them is forgotten
	minInvalid      = 4                // a delivery with so many invalid transactions at least,
	invalidShare    = 4                // and more than one in so many,
	invalidPause    = 10 * time.Second // has the peer not be asked for announced ones for so long
)

var errInvalidTxs = fmt.Errorf("more than %d invalid transactions", maxInvalid)

// invalids counts invalid transactions. It is owned by the goroutine that reads.
type invalids struct {
	n     int
	since time.Time // when the next is forgotten, less invalidLifetime
}

// add reports whether it is not too many with n more.
func (v *invalids) add(n int, now time.Time) bool {
	past := now.Sub(v.since) / invalidLifetime
	if v.since = v.since.Add(past * invalidLifetime); int64(past) >= int64(v.n) {
		v.n, v.since = 0, now
	} else {
		v.n -= int(past)
	}
	v.n += n
	return v.n <= maxInvalid
}

// excused counts invalid transactions of the peer, and drops it if they are too many.
func (p *Peer) excused(n int) bool {
	p.h.counters.invalidTxs.Add(uint64(n))
	if p.invalid.add(n, time.Now()) {
		return true
	}
	p.drop(p2p.DiscUselessPeer, errInvalidTxs)
	return false
}

// pauseFetching has the peer not be asked for what it announces for a while.
func (p *Peer) pauseFetching() {
	p.mu.Lock()
	p.wants.paused = time.Now().Add(invalidPause)
	p.mu.Unlock()
}
