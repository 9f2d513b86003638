package eth

import (
	"bytes"
	"cmp"
	"fmt"
	"hash/maphash"
	"math"
	"slices"
	"sync"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
)

// maxDirect is the size in bytes of the largest transaction that is sent without being asked for.
const maxDirect = 4096

// Broadcast gives transactions to the peers that are not known to have them: in full to the square root of their number,
// chosen anew for each transaction, and as announcements to the others. Blob transactions and those of more than 4096 bytes
// are only announced; whoever asks for one gets it if [Backend.PooledTransaction] has it. Nothing is waited for. The error
// is about a transaction that cannot be encoded; then nothing is sent.
func (h *Handler) Broadcast(txs ...*types.Transaction) error {
	list := make([]Transaction, len(txs))
	for i, tx := range txs {
		var err error
		if list[i], err = NewTransaction(tx); err != nil {
			return fmt.Errorf("eth: %w", err)
		}
	}
	h.relay(list, nil)
	return nil
}

// relay gives transactions to all peers but the one they come from.
func (h *Handler) relay(txs []Transaction, from *Peer) {
	if len(txs) == 0 {
		return
	}
	peers := h.Peers()
	direct := int(math.Ceil(math.Sqrt(float64(len(peers)))))
	infos := make(map[*Peer][]TxInfo)
	for _, tx := range txs {
		rest := h.strangers(peers, from, tx.Hash)
		if tx.Type != types.BlobTxType && tx.Size <= maxDirect {
			n := min(direct, len(rest))
			if n > 0 {
				tx.Raw = bytes.Clone(tx.Raw) // not the whole message that it came in: only this is charged to the queues
			}
			for _, p := range rest[:n] {
				p.give(tx)
			}
			rest = rest[n:]
		}
		short := sync.OnceValue(func() TxInfo { return tx.infoFor(72) }) // which decodes and encodes all blobs
		for _, p := range rest {
			info := tx.TxInfo
			if p.version >= 72 {
				info = short()
			}
			infos[p] = append(infos[p], info)
		}
	}
	for p, list := range infos {
		p.announce(list)
	}
}

// strangers are the peers that are not known to have a transaction, in an order that nobody else can predict.
func (h *Handler) strangers(peers []*Peer, from *Peer, hash common.Hash) []*Peer {
	type ranked struct {
		p    *Peer
		rank uint64
	}
	var list []ranked
	for _, p := range peers {
		if p != from && !p.known.has(hash) {
			id := p.ID()
			list = append(list, ranked{p, maphash.Bytes(h.seed, append(id[:], hash[:]...))})
		}
	}
	slices.SortFunc(list, func(a, b ranked) int { return cmp.Compare(a.rank, b.rank) })
	out := make([]*Peer, len(list))
	for i := range list {
		out[i] = list[i].p
	}
	return out
}

// give queues a transaction in full. A peer of before the types of transactions gets legacy ones only.
func (p *Peer) give(tx Transaction) {
	if !Knows(p.version, CodeAnnouncement) && tx.Type != types.LegacyTxType {
		return
	}
	p.known.add(tx.Hash)
	dropped := 0
	p.mu.Lock()
	o := &p.out
	o.txs, o.txBytes = append(o.txs, tx), o.txBytes+len(tx.Raw)
	for o.txBytes > maxQueuedTx {
		o.txBytes -= len(o.txs[0].Raw)
		o.txs = shift(o.txs, 1)
		dropped++
	}
	p.mu.Unlock()
	p.h.counters.droppedTxs.Add(uint64(dropped))
	signal(p.wake)
}

// announce queues announcements of transactions. A peer of before announcements gets none: it is given transactions, or
// asks other nodes.
func (p *Peer) announce(infos []TxInfo) {
	if !Knows(p.version, CodeAnnouncement) || len(infos) == 0 {
		return
	}
	p.known.addAll(infos)
	p.mu.Lock()
	o := &p.out
	o.infos = append(o.infos, infos...)
	dropped := max(0, len(o.infos)-maxQueuedInfos)
	o.infos = shift(o.infos, dropped)
	p.mu.Unlock()
	p.h.counters.droppedInfos.Add(uint64(dropped))
	signal(p.wake)
}

// AnnounceBlocks tells the peers of versions up to 68 about blocks, by hash. Since the Merge their go-ethereum takes that
// for a breach of protocol: it is for chains without one.
func (h *Handler) AnnounceBlocks(blocks ...BlockInfo) {
	h.renewRecord()
	for _, p := range h.Peers() {
		if !Knows(p.version, CodeNewBlockHashes) || len(blocks) == 0 {
			continue
		}
		p.mu.Lock()
		p.out.hashes = append(p.out.hashes, blocks...)
		dropped := max(0, len(p.out.hashes)-maxQueuedHashes)
		p.out.hashes = shift(p.out.hashes, dropped)
		p.mu.Unlock()
		h.counters.droppedBlock.Add(uint64(dropped))
		signal(p.wake)
	}
}

// BroadcastBlock sends a block in full to the peers of versions up to 68. See [Handler.AnnounceBlocks] for whom it is for.
// The error is about a block that is not one.
func (h *Handler) BroadcastBlock(block *NewBlock) error {
	if _, err := block.Header(); err != nil {
		return fmt.Errorf("eth: %w", err)
	}
	h.renewRecord()
	for _, p := range h.Peers() {
		if !Knows(p.version, CodeNewBlock) {
			continue
		}
		p.mu.Lock()
		p.out.blocks = append(p.out.blocks, block)
		dropped := max(0, len(p.out.blocks)-maxQueuedBlocks)
		p.out.blocks = shift(p.out.blocks, dropped)
		p.mu.Unlock()
		h.counters.droppedBlock.Add(uint64(dropped))
		signal(p.wake)
	}
	return nil
}

// UpdateRange tells the peers of versions from 69 on which blocks the backend has now, and everybody our fork id, see
// [Handler.Attach]. A program calls it when its head has moved by an epoch of 32 blocks, has passed a fork or has gone back.
func (h *Handler) UpdateRange() {
	h.renewRecord()
	head := h.cfg.Backend.Head()
	r := &BlockRange{Earliest: min(h.cfg.Backend.Earliest(), head.Number), Latest: head.Number, LatestHash: head.Hash}
	for _, p := range h.Peers() {
		if !Knows(p.version, CodeBlockRangeUpdate) {
			continue
		}
		p.mu.Lock()
		p.out.rng = r
		p.mu.Unlock()
		signal(p.wake)
	}
}

// Keep gives transactions of our own to the pool, as if a peer had sent them: those that are new to it are given to peers
// as with [Handler.Broadcast]. Without a pool nothing happens.
func (h *Handler) Keep(txs ...Transaction) { h.keep(txs, nil) }
