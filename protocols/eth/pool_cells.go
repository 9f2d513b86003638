package eth

import (
	"errors"
	"fmt"

	"github.com/ethereum/go-ethereum/core/types"

	"github.com/sennit-net/sennit/p2p"
)

// From version 72 on a blob transaction comes in two parts (EIP-8070): PooledTransactions has it without its blobs, and their
// cells are asked for afterwards. Half of the cells are the blob itself.

// cellBatch is how many blobs' cells are asked for at a time: as many as an answer may have.
const cellBatch = MaxCells / dataCells

// fetchCells asks the peer for the cells of blob transactions that came without blobs, one request after another, and keeps
// those that come together. It calls done once when there is nothing more to wait for. A peer whose cells are wrong is dropped.
// It is called from the goroutine that reads.
func (p *Peer) fetchCells(short []Transaction, done func()) {
	batch, rest := cutCells(short)
	if len(batch) == 0 {
		done()
		return
	}
	m := &GetCells{Query: CellsQuery{Mask: DataCells()}}
	for i := range batch {
		m.Query.Hashes = append(m.Query.Hashes, batch[i].Hash)
	}
	err := p.post(m, len(batch), func(answer Message, err error) {
		if err != nil {
			done()
			return
		}
		whole, err := joinCells(batch, &answer.(*Cells).Answer)
		if err == nil {
			err = p.h.prove(whole) // of all cells, not only of those that came
		}
		if err != nil {
			p.drop(p2p.DiscUselessPeer, err)
			done()
			return
		}
		p.h.keep(whole, p)
		p.fetchCells(rest, done)
	})
	if err != nil { // the peer is gone, or busy
		done()
	}
}

// cutCells takes the first transactions whose cells fit into one answer. One that does not fit by itself is left out.
func cutCells(short []Transaction) (batch, rest []Transaction) {
	room := cellBatch
	for i := range short {
		n := short[i].blobs()
		switch {
		case n > cellBatch:
			continue
		case n > room:
			return batch, short[i:]
		}
		batch, room = append(batch, short[i]), room-n
	}
	return batch, nil
}

// blobs is how many blobs a transaction has, whether they are with it or not.
func (t *Transaction) blobs() int {
	tx, err := t.Decode()
	if err != nil {
		return 0
	}
	return len(tx.BlobHashes())
}

// joinCells puts transactions and their cells together. Those that the answer leaves out are left out.
func joinCells(short []Transaction, a *CellsAnswer) ([]Transaction, error) {
	if a.Mask != DataCells() {
		return nil, fmt.Errorf("cells of another mask than asked for: %w", ErrBadAnswer)
	}
	var whole []Transaction
	for i, hash := range a.Hashes {
		for len(short) > 0 && short[0].Hash != hash {
			short = short[1:]
		}
		if len(short) == 0 {
			return nil, fmt.Errorf("cells of %x, which were not asked for or are out of order: %w", hash, ErrBadAnswer)
		}
		tx, err := short[0].WithCells(a.Mask, a.Cells[i])
		if err != nil {
			return nil, fmt.Errorf("cells of %x: %w (%w)", hash, err, ErrBadAnswer)
		}
		whole, short = append(whole, tx), short[1:]
	}
	return whole, nil
}

// checkDelivered says whether a transaction from PooledTransactions is as it has to be for its sender to stay connected.
func (t *Transaction) checkDelivered(version uint) error {
	err := t.CheckSidecar(version)
	if errors.Is(err, ErrSidecar) {
		return fmt.Errorf("%w: %w", err, ErrBadAnswer)
	}
	return err
}

// splitBlobs parts blob transactions from others.
func splitBlobs(txs []Transaction) (plain, blobs []Transaction) {
	for i := range txs {
		if txs[i].Type == types.BlobTxType {
			blobs = append(blobs, txs[i])
		} else {
			plain = append(plain, txs[i])
		}
	}
	return plain, blobs
}

// infoFor is what an announcement of a version says about a transaction: from 72 on the size is that without blobs.
func (t *Transaction) infoFor(version uint) TxInfo {
	if version < 72 || t.Type != types.BlobTxType {
		return t.TxInfo
	}
	short := t.WithoutBlobs()
	return short.TxInfo
}

// fetchable leaves out of an announcement of version 72 the blob transactions of a peer that does not have the cells we ask
// for. The result uses the memory of txs.
func fetchable(txs []TxInfo, mask CellMask) []TxInfo {
	for i, b := range DataCells() {
		if mask[i]&b != b {
			kept := txs[:0]
			for _, tx := range txs {
				if tx.Type != types.BlobTxType {
					kept = append(kept, tx)
				}
			}
			return kept
		}
	}
	return txs
}

// maskFor is the mask in an announcement of ours: all cells, since the blobs of what we announce are all there, or none if
// there are no blobs.
func maskFor(txs []TxInfo) CellMask {
	for i := range txs {
		if txs[i].Type == types.BlobTxType {
			return AllCells()
		}
	}
	return CellMask{}
}
