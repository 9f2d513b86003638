package eth

import (
	"bytes"
	lists "container/list"
	"errors"
	"math/big"
	"sync"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/rlp"
)

// TxPoolConfig is what a [TxPool] is made of.
type TxPoolConfig struct {
	// Chain says for which chain transactions have to be signed. It must be set, with Params.
	Chain *ChainConfig

	// MaxBytes is how many bytes the transactions may take, each with 1 KiB for what is known of it. When there are more,
	// those that came first go. 0 means 64 MiB.
	MaxBytes int64

	// Lifetime is how long a transaction is kept. 0 means 3 hours.
	Lifetime time.Duration
}

const (
	defaultPoolBytes    = 64 << 20
	defaultPoolLifetime = 3 * time.Hour

	// poolOverhead is what a transaction in the pool is taken to need beside its bytes.
	poolOverhead = 1 << 10
	// maxRefused is how many hashes of refused transactions are remembered.
	maxRefused = 8192
)

// TxPool is a [Pool] for a node without state. What a transaction shows by itself is checked: its form, its size, its
// signature and chain id, its gas limit and fees, the proofs of its blobs. Nonces and balances are not known here: a
// transaction that a node with state would refuse for these is kept and relayed. There is one transaction for each sender and
// nonce; another one takes its place if it pays at least a tenth more, or twice as much if it has blobs.
//
// All methods are safe for concurrent use. Checking a signature takes about 0.1 ms, a blob about 20 ms, in the goroutine that
// calls Add and without a lock.
type TxPool struct {
	// Static after construction.
	maxBytes int64
	lifetime time.Duration
	rules    txRules

	// Guarded by mu.
	mu       sync.RWMutex
	txs      map[common.Hash]*pooledTx
	bySender map[senderNonce]*pooledTx
	order    lists.List // of *pooledTx, the oldest first
	bytes    int64
	refused  map[common.Hash]struct{}
	ring     []common.Hash // the keys of refused, in the order they came; at next the oldest once there are maxRefused
	next     int
}

// pooledTx is a transaction in the pool. It is not changed once it is there.
type pooledTx struct {
	Transaction
	senderNonce
	tip, fee, blobFee *big.Int
	added             time.Time
	place             *lists.Element
}

// senderNonce is what there is one transaction of.
type senderNonce struct {
	sender common.Address
	nonce  uint64
}

func (tx *pooledTx) size() int64 { return int64(len(tx.Raw)) + poolOverhead }

// NewTxPool returns an empty pool. The error is about the configuration.
func NewTxPool(cfg TxPoolConfig) (*TxPool, error) {
	if cfg.Chain == nil || cfg.Chain.Params == nil || cfg.Chain.Params.ChainID == nil {
		return nil, errors.New("eth: a pool needs to know the chain id that transactions are signed for")
	}
	if cfg.MaxBytes < 0 || cfg.Lifetime < 0 {
		return nil, errors.New("eth: a pool's bytes and lifetime are 0 or more")
	}
	p := &TxPool{
		maxBytes: cfg.MaxBytes, lifetime: cfg.Lifetime, rules: txRules{types.LatestSigner(cfg.Chain.Params)},
		txs: make(map[common.Hash]*pooledTx), bySender: make(map[senderNonce]*pooledTx), refused: make(map[common.Hash]struct{}),
	}
	if p.maxBytes == 0 {
		p.maxBytes = defaultPoolBytes
	}
	if p.lifetime == 0 {
		p.lifetime = defaultPoolLifetime
	}
	return p, nil
}

// Has reports whether the transaction is in the pool or was refused not long ago.
func (p *TxPool) Has(hash common.Hash) bool {
	p.mu.RLock()
	defer p.mu.RUnlock()
	_, refused := p.refused[hash]
	return refused || p.txs[hash] != nil
}

// Add checks transactions and keeps those that are good and new. A transaction whose sidecar is wrong is refused, but not
// remembered as such: somebody else may have the right one. Invalid are those that no fork makes good, when they are checked;
// what the pool remembers as refused is refused.
func (p *TxPool) Add(txs []Transaction) []Verdict {
	verdicts := make([]Verdict, len(txs))
	for i := range txs {
		if p.Has(txs[i].Hash) {
			continue
		}
		tx, err := p.rules.check(&txs[i])
		now := time.Now()
		p.mu.Lock()
		switch {
		case err == nil:
			verdicts[i] = p.insertLocked(tx, now)
		case !errors.Is(err, ErrSidecar):
			p.refuseLocked(txs[i].Hash)
		}
		p.mu.Unlock()
		if err != nil && !dependsOnFork(err) {
			verdicts[i] = TxInvalid
		}
	}
	return verdicts
}

// insertLocked puts a transaction where it belongs, unless there is one that pays as much already.
func (p *TxPool) insertLocked(tx *pooledTx, now time.Time) Verdict {
	if p.txs[tx.Hash] != nil {
		return TxRefused
	}
	if tx.size() > p.maxBytes {
		p.refuseLocked(tx.Hash)
		return TxRefused
	}
	if old := p.bySender[tx.senderNonce]; old != nil {
		if !tx.replaces(old) {
			p.refuseLocked(tx.Hash)
			return TxRefused
		}
		p.removeLocked(old)
	}
	tx.Raw = bytes.Clone(tx.Raw) // not the whole message that it came in
	tx.added = now
	tx.place = p.order.PushBack(tx)
	p.txs[tx.Hash], p.bySender[tx.senderNonce] = tx, tx
	p.bytes += tx.size()
	for e := p.order.Front(); e != nil; e = p.order.Front() {
		oldest := e.Value.(*pooledTx)
		if p.bytes <= p.maxBytes && now.Sub(oldest.added) < p.lifetime {
			break
		}
		p.removeLocked(oldest)
	}
	return TxKept
}

func (p *TxPool) removeLocked(tx *pooledTx) {
	p.order.Remove(tx.place)
	delete(p.txs, tx.Hash)
	delete(p.bySender, tx.senderNonce)
	p.bytes -= tx.size()
}

// refuseLocked remembers the hash of a transaction that is not wanted, in the place of the oldest.
func (p *TxPool) refuseLocked(hash common.Hash) {
	if _, ok := p.refused[hash]; ok {
		return
	}
	p.refused[hash] = struct{}{}
	if len(p.ring) < maxRefused {
		p.ring = append(p.ring, hash)
		return
	}
	delete(p.refused, p.ring[p.next])
	p.ring[p.next] = hash
	p.next = (p.next + 1) % maxRefused
}

// replaces reports whether a transaction pays so much more than another that it may take its place.
func (tx *pooledTx) replaces(old *pooledTx) bool {
	percent := int64(10)
	if tx.blobFee != nil || old.blobFee != nil {
		percent = 100
	}
	more := func(fee, old *big.Int) bool {
		if fee == nil || old == nil {
			return fee == nil && old == nil
		}
		least := new(big.Int).Mul(old, big.NewInt(100+percent))
		return new(big.Int).Mul(fee, big.NewInt(100)).Cmp(least) >= 0 && fee.Cmp(old) > 0
	}
	return more(tx.tip, old.tip) && more(tx.fee, old.fee) && more(tx.blobFee, old.blobFee)
}

// Pending lists the transactions without blobs that came last, at most max, the oldest first.
func (p *TxPool) Pending(max int) []TxInfo {
	p.mu.RLock()
	defer p.mu.RUnlock()
	infos := make([]TxInfo, 0, min(max, len(p.txs)))
	for e := p.order.Back(); e != nil && len(infos) < max; e = e.Prev() {
		if tx := e.Value.(*pooledTx); tx.blobFee == nil {
			infos = append(infos, tx.TxInfo)
		}
	}
	for i, j := 0, len(infos)-1; i < j; i, j = i+1, j-1 {
		infos[i], infos[j] = infos[j], infos[i]
	}
	return infos
}

// PooledTransaction is a transaction as PooledTransactions has it, with its blobs; nil if it is not in the pool.
func (p *TxPool) PooledTransaction(hash common.Hash) rlp.RawValue {
	p.mu.RLock()
	defer p.mu.RUnlock()
	if tx := p.txs[hash]; tx != nil {
		return tx.Raw
	}
	return nil
}

// Stats says how many transactions the pool has, and how many bytes they take.
func (p *TxPool) Stats() (txs int, bytes int64) {
	p.mu.RLock()
	defer p.mu.RUnlock()
	return len(p.txs), p.bytes
}
