package eth

import (
	"hash/maphash"
	"sync"
	"sync/atomic"

	"github.com/ethereum/go-ethereum/common"
)

// maxKnown is how many transactions are remembered per peer as known to it: 256 KiB at most. Beyond that, ones that hash
// alike are forgotten for new ones.
const maxKnown = 32768

// knownWays is how many places there are for each hash.
const knownWays = 8

// known remembers which transactions a peer has, by a keyed hash of 64 bits of their hashes. It forgets, and with a
// probability of about 2^-47 it takes one for another: neither costs more than a message. It grows with what is put into
// it, and allocates nothing once it has its full size. It is safe for concurrent use.
type known struct {
	seed maphash.Seed // static

	// Guarded by mu.
	mu    sync.Mutex
	slots []uint64 // 0: free; a hash is in one of knownWays slots from a multiple of knownWays on
	used  int
	turn  uint8 // which way gives place to the next
}

// add notes hashes.
func (k *known) add(hash common.Hash) {
	k.mu.Lock()
	k.addLocked(k.print(hash))
	k.mu.Unlock()
}

// addAll notes the hashes of transactions.
func (k *known) addAll(txs []TxInfo) {
	k.mu.Lock()
	for i := range txs {
		k.addLocked(k.print(txs[i].Hash))
	}
	k.mu.Unlock()
}

// has reports whether a hash has been noted and not forgotten.
func (k *known) has(hash common.Hash) bool {
	print := k.print(hash)
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(k.slots) == 0 {
		return false
	}
	for _, s := range k.bucketLocked(print) {
		if s == print {
			return true
		}
	}
	return false
}

// print is the keyed hash; never 0.
func (k *known) print(hash common.Hash) uint64 {
	return max(maphash.Bytes(k.seed, hash[:]), 1)
}

func (k *known) bucketLocked(print uint64) []uint64 {
	i := int(print>>32) % (len(k.slots) / knownWays) * knownWays
	return k.slots[i : i+knownWays]
}

func (k *known) addLocked(print uint64) {
	if 2*k.used >= len(k.slots) && len(k.slots) < maxKnown {
		k.growLocked()
	}
	bucket := k.bucketLocked(print)
	for i, s := range bucket {
		switch s {
		case print:
			return
		case 0:
			bucket[i] = print
			k.used++
			return
		}
	}
	bucket[k.turn%knownWays] = print
	k.turn++
}

// growLocked doubles the number of slots.
func (k *known) growLocked() {
	old := k.slots
	k.slots, k.used = make([]uint64, min(max(64, 2*len(old)), maxKnown)), 0
	for _, print := range old {
		if print != 0 {
			k.addLocked(print)
		}
	}
}

// counters are what a Handler counts.
type counters struct {
	answered, breaches                     atomic.Uint64
	droppedInfos, droppedTxs, droppedBlock atomic.Uint64
	invalidTxs                             atomic.Uint64
}

// Stats are counts since the start of a [Handler].
type Stats struct {
	Answered      uint64 // requests of peers that were answered
	Breaches      uint64 // peers dropped for breaking the protocol
	DroppedInfos  uint64 // announcements of transactions that did not fit into a peer's queue
	DroppedTxs    uint64 // transactions in full that did not
	DroppedBlocks uint64 // blocks, in full or announced, that did not
	InvalidTxs    uint64 // transactions of peers that the pool has found invalid
}

// Stats returns the counts.
func (h *Handler) Stats() Stats {
	c := &h.counters
	return Stats{c.answered.Load(), c.breaches.Load(), c.droppedInfos.Load(), c.droppedTxs.Load(), c.droppedBlock.Load(), c.invalidTxs.Load()}
}
