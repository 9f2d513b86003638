package eth

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/rlp"

	"github.com/sennit-net/sennit/p2p"
)

// How announced transactions are fetched (section 7): after a moment in which they may come by themselves, from one
// announcer at a time, one request at a time from each.
const (
	maxWants      = 4096                   // announced transactions that wait, per peer; more are not noted
	wantDelay     = 500 * time.Millisecond // in which a transaction may come in full
	fetchTimeout  = 5 * time.Second        // until another announcer is asked
	fetchHashes   = 256                    // in one request
	fetchBytes    = 128 << 10              // by announced size, in one request
	sizeTolerance = 8                      // bytes that an announced size may be off
)

// want is an announced transaction that we do not have.
type want struct {
	TxInfo
	due time.Time // when it may be asked for
}

// wants are what a peer has announced and we do not have, in order of time. It is guarded by the peer's mu.
type wants struct {
	list   []want
	round  *round    // a request that has not been answered; nil if there is none
	paused time.Time // nothing is asked for before
}

// round is one request for announced transactions.
type round struct {
	infos []TxInfo  // in the order asked for
	until time.Time // when others may be asked for them
	over  bool      // others may be
}

// stop forgets everything, and returns what was claimed.
func (w *wants) stop() []TxInfo {
	w.list = nil
	if w.round == nil || w.round.over {
		return nil
	}
	w.round.over = true
	return w.round.infos
}

// fetching are the transactions that some peer has been asked for. Safe for concurrent use.
type fetching struct {
	mu sync.Mutex
	m  map[common.Hash]claim
}

// claim says who has been asked for a transaction, and when others may be. It ends with that moment even if the peer's own
// goroutine cannot say so, because it waits for the remote to read.
type claim struct {
	by    *Peer
	until time.Time
}

// claim reports whether nobody has been asked for a transaction, and notes that a peer is now.
func (f *fetching) claim(hash common.Hash, by *Peer, now time.Time) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if c, claimed := f.m[hash]; claimed && now.Before(c.until) {
		return false
	}
	if f.m == nil {
		f.m = make(map[common.Hash]claim)
	}
	f.m[hash] = claim{by, now.Add(fetchTimeout)}
	return true
}

// release ends the claims of a peer.
func (f *fetching) release(infos []TxInfo, by *Peer) {
	f.mu.Lock()
	for i := range infos {
		if f.m[infos[i].Hash].by == by {
			delete(f.m, infos[i].Hash)
		}
	}
	f.mu.Unlock()
}

// want notes announced transactions; the goroutine that sends asks for them when it is time. txs is not kept.
func (p *Peer) want(txs []TxInfo, at time.Time) {
	due := at.Add(wantDelay)
	p.mu.Lock()
	if p.ended {
		txs = nil
	}
	for i := range txs {
		if len(p.wants.list) == maxWants {
			break
		}
		w := want{txs[i], due}
		if w.Type == types.BlobTxType {
			w.due = at // it never comes in full
		}
		p.wants.list = append(p.wants.list, w)
	}
	p.mu.Unlock()
	signal(p.wake)
}

// fetch asks for what is due and says when to look again.
func (p *Peer) fetch(now time.Time) time.Duration {
	if p.h.cfg.Pool == nil {
		return time.Hour
	}
	p.mu.Lock()
	if r := p.wants.round; r != nil {
		defer p.mu.Unlock()
		return p.fetchOverLocked(r, now)
	}
	if wait := p.wants.paused.Sub(now); wait > 0 {
		p.mu.Unlock()
		return wait
	}
	due, next := p.wants.take(now)
	p.mu.Unlock()
	if len(due) == 0 {
		return next
	}
	r := &round{until: now.Add(fetchTimeout)}
	var left []want
	bytes := uint64(0)
	for _, w := range due {
		switch {
		case p.h.cfg.Pool.Has(w.Hash):
		case len(r.infos) == fetchHashes || len(r.infos) > 0 && (w.Size > fetchBytes || bytes+w.Size > fetchBytes):
			left = append(left, w) // for the next request
		case p.h.fetching.claim(w.Hash, p, now):
			r.infos, bytes = append(r.infos, w.TxInfo), bytes+min(w.Size, fetchBytes)
		default:
			left = append(left, want{w.TxInfo, now.Add(wantDelay)}) // until it has come, or its turn
		}
	}
	return p.startRound(r, left, min(next, wantDelay))
}

// take takes what is due, and says when the next is.
func (w *wants) take(now time.Time) (due []want, next time.Duration) {
	next = time.Hour
	n := 0
	for i := range w.list {
		if wait := w.list[i].due.Sub(now); wait > 0 {
			next = min(next, wait)
		} else {
			n++
		}
	}
	if n == 0 {
		return nil, next // nothing is moved or allocated: a remote can have us look as often as it sends anything
	}
	due = make([]want, 0, n)
	w.list = slices.DeleteFunc(w.list, func(x want) bool {
		if x.due.After(now) {
			return false
		}
		due = append(due, x)
		return true
	})
	if len(w.list) == 0 {
		w.list = nil
	}
	return due, next
}

// fetchOverLocked gives others the chance to be asked when a peer does not answer.
func (p *Peer) fetchOverLocked(r *round, now time.Time) time.Duration {
	switch wait := r.until.Sub(now); {
	case r.over:
		return time.Hour
	case wait > 0:
		return wait
	}
	r.over = true
	p.h.fetching.release(r.infos, p)
	return time.Hour
}

// startRound sends the request, if there is anything to ask for, and puts back what is left. What has been announced
// meanwhile goes before that if there is no room for both. It says when to look again, which is next if nothing is asked for.
func (p *Peer) startRound(r *round, left []want, next time.Duration) time.Duration {
	p.mu.Lock()
	p.wants.list = append(p.wants.list, left[:min(len(left), maxWants-len(p.wants.list))]...)
	if len(r.infos) > 0 {
		p.wants.round = r
	}
	p.mu.Unlock()
	if len(r.infos) == 0 {
		return next
	}
	m := &GetByHash{For: CodeGetPooledTransactions, Hashes: make([]common.Hash, len(r.infos))}
	for i := range r.infos {
		m.Hashes[i] = r.infos[i].Hash
	}
	if err := p.post(m, len(m.Hashes), func(m Message, err error) { p.fetched(r, m, err) }); err != nil {
		p.endRound(r)
		return fetchTimeout // the peer is gone, or busy
	}
	return fetchTimeout
}

// endRound lets the peer be asked again.
func (p *Peer) endRound(r *round) {
	p.mu.Lock()
	if p.wants.round == r {
		p.wants.round = nil
	}
	over := r.over
	r.over = true
	p.mu.Unlock()
	if !over {
		p.h.fetching.release(r.infos, p)
	}
	signal(p.wake)
}

// fetched takes the answer to a request for announced transactions.
func (p *Peer) fetched(r *round, m Message, err error) {
	var txs []Transaction
	if err == nil {
		if txs, err = readPooled(p.version, m.(*Items).Items, r.infos, true); err == nil && p.version < 72 {
			err = p.h.prove(txs)
		}
		if err != nil {
			p.drop(deliveryReason(err), err)
		}
	}
	if err != nil {
		p.endRound(r)
		return
	}
	var blobs []Transaction
	if p.version >= 72 {
		txs, blobs = splitBlobs(txs)
	}
	p.h.keep(txs, p)
	p.fetchCells(blobs, func() { p.endRound(r) })
}

// prove checks the proofs of blobs that are new to the pool.
func (h *Handler) prove(txs []Transaction) error {
	for i := range txs {
		tx := &txs[i]
		if tx.Type != types.BlobTxType || h.cfg.Pool.Has(tx.Hash) {
			continue
		}
		if err := tx.prove(); err != nil {
			return fmt.Errorf("transaction %x: %w (%w)", tx.Hash, err, ErrBadAnswer)
		}
	}
	return nil
}

// What is wrong with a delivered transaction so that its sender counts as useless (section 7).
var (
	errAnnounced = errors.New("not what was announced")
	errProofs    = errors.New("the proofs of the blobs do not hold")
)

// deliveryReason is what a peer is told that has delivered a transaction which is wrong.
func deliveryReason(err error) p2p.DiscReason {
	if errors.Is(err, errAnnounced) || errors.Is(err, errProofs) {
		return p2p.DiscUselessPeer
	}
	return p2p.DiscSubprotocolError
}

// readPooled reads the transactions in an answer to a request for those with certain hashes, of which some may be missing.
// If they had been announced, they are held against that.
func readPooled(version uint, list []rlp.RawValue, asked []TxInfo, announced bool) ([]Transaction, error) {
	txs := make([]Transaction, 0, len(list))
	for _, raw := range list {
		tx, err := ReadTransaction(raw)
		if err != nil {
			return nil, fmt.Errorf("%w (%w)", err, ErrBadAnswer)
		}
		for len(asked) > 0 && asked[0].Hash != tx.Hash {
			asked = asked[1:]
		}
		if len(asked) == 0 {
			return nil, fmt.Errorf("transaction %x was not asked for, or is out of order: %w", tx.Hash, ErrBadAnswer)
		}
		info := asked[0]
		asked = asked[1:]
		switch {
		case announced && info.Type != tx.Type:
			err = fmt.Errorf("of type %d, announced as %d: %w (%w)", tx.Type, info.Type, errAnnounced, ErrBadAnswer)
		case announced && max(info.Size, tx.Size)-min(info.Size, tx.Size) > sizeTolerance:
			err = fmt.Errorf("of %d bytes, announced as %d: %w (%w)", tx.Size, info.Size, errAnnounced, ErrBadAnswer)
		default:
			err = tx.checkDelivered(version)
		}
		if err != nil {
			return nil, fmt.Errorf("transaction %x: %w", tx.Hash, err)
		}
		txs = append(txs, tx)
	}
	return txs, nil
}
