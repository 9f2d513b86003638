package eth

import (
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/p2p/enode"
)

// feed hands events to subscriptions. It is safe for concurrent use.
type feed struct {
	count     atomic.Int32 // subscriptions; tells those who make events whether anybody wants them
	sightings *sightings   // set by the handler before anything is sent

	// Guarded by mu.
	mu     sync.RWMutex
	subs   []*Subscription // replaced, never changed
	closed bool
}

func (f *feed) add(s *Subscription) {
	f.mu.Lock()
	closed := f.closed
	if !closed {
		f.subs = append(slices.Clip(f.subs), s)
		f.count.Store(int32(len(f.subs)))
	}
	f.mu.Unlock()
	if closed {
		s.shut()
	}
}

func (f *feed) remove(s *Subscription) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.subs = slices.DeleteFunc(slices.Clone(f.subs), func(x *Subscription) bool { return x == s })
	f.count.Store(int32(len(f.subs)))
}

// close ends all subscriptions, those to come as well.
func (f *feed) close() {
	f.mu.Lock()
	subs := f.subs
	f.subs, f.closed = nil, true
	f.count.Store(0)
	f.mu.Unlock()
	for _, s := range subs {
		s.shut()
	}
}

// wanted reports whether there is a subscription.
func (f *feed) wanted() bool { return f.count.Load() > 0 }

// send hands an event to all subscriptions. It does not wait for any.
func (f *feed) send(e Event) {
	if !f.wanted() {
		return
	}
	f.mu.RLock()
	subs := f.subs
	f.mu.RUnlock()
	for _, s := range subs {
		s.put(e)
	}
}

// sendTxs sends what a message says of transactions; txs is not kept.
func (f *feed) sendTxs(p *Peer, at time.Time, full bool, txs []TxInfo) {
	if !f.wanted() {
		return
	}
	for some := range slices.Chunk(txs, MaxAnnounced) {
		f.sendSomeTxs(p, at, full, some)
	}
}

// sendSomeTxs sends as much as an event holds.
func (f *feed) sendSomeTxs(p *Peer, at time.Time, full bool, txs []TxInfo) {
	e := &TransactionsSeen{Peer: p, At: at, Full: full, Txs: make([]TxSighting, len(txs))}
	id := p.ID()
	f.sightings.mu.Lock()
	for i := range txs {
		first, after := f.sightings.noteLocked(txs[i].Hash, at, id)
		e.Txs[i] = TxSighting{txs[i], first, after}
	}
	f.sightings.mu.Unlock()
	f.send(e)
}

// sendBlocks sends what a message says of blocks; header and m are nil for announced ones.
func (f *feed) sendBlocks(p *Peer, at time.Time, blocks []BlockInfo, header *types.Header, m *NewBlock) {
	if !f.wanted() {
		return
	}
	for some := range slices.Chunk(blocks, MaxAnnounced) {
		f.sendSomeBlocks(p, at, some, header, m)
	}
}

// sendSomeBlocks sends as much as an event holds.
func (f *feed) sendSomeBlocks(p *Peer, at time.Time, blocks []BlockInfo, header *types.Header, m *NewBlock) {
	e := &BlocksSeen{Peer: p, At: at, Header: header, Blocks: make([]BlockSighting, len(blocks))}
	if m != nil {
		e.TD = m.TD
	}
	id := p.ID()
	f.sightings.mu.Lock()
	for i, b := range blocks {
		first, after := f.sightings.noteLocked(b.Hash, at, id)
		e.Blocks[i] = BlockSighting{b, first, after}
	}
	f.sightings.mu.Unlock()
	f.send(e)
}

// maxSightings is how many hashes each of the two generations holds.
const maxSightings = 32768

// Sighting is who was the first to name a transaction or block, and when.
type Sighting struct {
	At   time.Time
	Peer enode.ID
}

// sightings remembers who was the first to name a hash, for the last maxSightings hashes and up to as many before them.
// Safe for concurrent use.
type sightings struct {
	// Guarded by mu.
	mu          sync.Mutex
	young, aged map[common.Hash]Sighting
}

// noteLocked reports whether a hash is new, and remembers who named it if it is. If it is not, it says how long ago it was
// named first.
func (s *sightings) noteLocked(hash common.Hash, at time.Time, id enode.ID) (first bool, after time.Duration) {
	if old, ok := s.young[hash]; ok {
		return false, at.Sub(old.At)
	}
	if old, ok := s.aged[hash]; ok {
		return false, at.Sub(old.At)
	}
	if len(s.young) >= maxSightings || s.young == nil {
		s.young, s.aged = make(map[common.Hash]Sighting), s.young
	}
	s.young[hash] = Sighting{at, id}
	return true, 0
}

// FirstSeen says who was the first to name a transaction or block since there has been a subscription, if that is
// remembered.
func (h *Handler) FirstSeen(hash common.Hash) (Sighting, bool) {
	s := &h.sightings
	s.mu.Lock()
	defer s.mu.Unlock()
	if first, ok := s.young[hash]; ok {
		return first, true
	}
	first, ok := s.aged[hash]
	return first, ok
}
