package eth

import (
	"context"
	"errors"
	"fmt"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/rlp"

	"github.com/sennit-net/sennit/protocols/eth/internal/mpt"
)

// Headers asks the peer for headers and returns those it has, which may be fewer than asked for: at most [MaxHeaders], and
// none if it does not know the start. They are checked to be what was asked for: the start, the distance from one to the
// next and, without gaps, the hashes of the parents. An answer that is something else is an [ErrBadAnswer] and ends the
// link. Whether the headers are part of a chain is for the caller to say.
func (p *Peer) Headers(ctx context.Context, q HeadersQuery) ([]*types.Header, error) {
	q.Amount = min(q.Amount, MaxHeaders)
	list, err := p.byRange(ctx, q)
	if err != nil {
		return nil, err
	}
	headers, err := decodeHeaders(list)
	if err == nil {
		err = checkHeaders(q, headers)
	}
	if err != nil {
		return nil, p.bad("headers: %w", err)
	}
	return headers, nil
}

// byRange asks for headers and returns them as they come.
func (p *Peer) byRange(ctx context.Context, q HeadersQuery) ([]rlp.RawValue, error) {
	m, err := p.ask(ctx, &GetBlockHeaders{Query: q}, int(q.Amount))
	if err != nil {
		return nil, err
	}
	return m.(*Items).Items, nil
}

func decodeHeaders(raw []rlp.RawValue) ([]*types.Header, error) {
	headers := make([]*types.Header, len(raw))
	for i := range raw {
		headers[i] = new(types.Header)
		if err := rlp.DecodeBytes(raw[i], headers[i]); err != nil {
			return nil, fmt.Errorf("header %d: %w", i, err)
		}
		if n := headers[i].Number; n == nil || !n.IsUint64() {
			return nil, fmt.Errorf("header %d: block number %v", i, n)
		}
	}
	return headers, nil
}

// checkHeaders says why headers are not those that were asked for.
func checkHeaders(q HeadersQuery, headers []*types.Header) error {
	for i, h := range headers {
		if i == 0 {
			switch {
			case q.Start.Hash != (common.Hash{}) && h.Hash() != q.Start.Hash:
				return fmt.Errorf("the first is %x, not %x", h.Hash(), q.Start.Hash)
			case q.Start.Hash == (common.Hash{}) && h.Number.Uint64() != q.Start.Number:
				return fmt.Errorf("the first is number %v, not %d", h.Number, q.Start.Number)
			}
			continue
		}
		child, parent := h, headers[i-1]
		if q.Reverse {
			child, parent = parent, child
		}
		step, down := parent.Number.Uint64(), child.Number.Uint64()
		if down < step || down-step != q.Skip+1 || q.Skip+1 == 0 {
			return fmt.Errorf("number %v comes after %v", h.Number, headers[i-1].Number)
		}
		if q.Skip == 0 && child.ParentHash != parent.Hash() {
			return fmt.Errorf("number %v is not the parent of %v", parent.Number, child.Number)
		}
	}
	return nil
}

// Bodies asks the peer for the bodies of blocks, at most [MaxBodies], and returns those it has, in the order of the hashes:
// current nodes stop at the first block they do not have, old ones leave it out. Which body is whose, and whether it is,
// the roots in the headers tell.
func (p *Peer) Bodies(ctx context.Context, hashes []common.Hash) ([]*types.Body, error) {
	list, err := p.byHashes(ctx, CodeGetBlockBodies, hashes, MaxBodies)
	if err != nil {
		return nil, err
	}
	bodies, all := make([]*types.Body, len(list)), 0
	for i := range list {
		bodies[i] = new(types.Body)
		n, err := countTxs(list[i])
		if all += n; err == nil && all > maxAllTxs {
			err = errManyTxs
		}
		if err == nil {
			err = rlp.DecodeBytes(list[i], bodies[i])
		}
		if err != nil {
			return nil, p.bad("body %d: %w", i, err)
		}
	}
	return bodies, nil
}

// maxAllTxs is how many transactions the bodies in an answer may have in all. The smallest takes 10 bytes on the wire, and
// about 450 are allocated for it; a real one takes about 100 at least.
const maxAllTxs = 1 << 17

var errManyTxs = fmt.Errorf("more than %d transactions", maxAllTxs)

// countTxs is how many transactions a body has, before any memory is taken for them.
func countTxs(body rlp.RawValue) (int, error) {
	content, err := wholeList(body)
	if err != nil {
		return 0, err
	}
	txs, _, err := rlp.SplitList(content)
	if err != nil {
		return 0, in("transactions", err)
	}
	return rlp.CountValues(txs)
}

// PooledTransactions asks the peer for transactions, at most [MaxPooled], and returns those it has, in the order of the
// hashes. Blob transactions come with their sidecars, but from version 72 on without the blobs: [Peer.Cells] has their cells,
// and [Transaction.WithCells] puts them together.
func (p *Peer) PooledTransactions(ctx context.Context, hashes []common.Hash) ([]Transaction, error) {
	list, err := p.byHashes(ctx, CodeGetPooledTransactions, hashes, MaxPooled)
	if err != nil {
		return nil, err
	}
	asked := make([]TxInfo, len(hashes))
	for i := range hashes {
		asked[i].Hash = hashes[i]
	}
	txs, err := readPooled(p.version, list, asked, false)
	if err != nil {
		return nil, p.bad("%w", err)
	}
	return txs, nil
}

// NodeData asks the peer for the data that hash to hashes, at most 384, and returns those it has, in the same order. Only
// version 63 has the request.
func (p *Peer) NodeData(ctx context.Context, hashes []common.Hash) ([][]byte, error) {
	list, err := p.byHashes(ctx, CodeGetNodeData, hashes, maxNodeData)
	if err != nil {
		return nil, err
	}
	data := make([][]byte, len(list))
	for i, raw := range list {
		if data[i], _, err = rlp.SplitString(raw); err != nil {
			return nil, p.bad("node data %d: %w", i, err)
		}
		hash := hashOf(data[i])
		for len(hashes) > 0 && hashes[0] != hash {
			hashes = hashes[1:]
		}
		if len(hashes) == 0 {
			return nil, p.bad("node data %d hashes to %x, which was not asked for, or is out of order", i, hash)
		}
		hashes = hashes[1:]
	}
	return data, nil
}

// maxNodeData is what a node of the time of version 63 answers with.
const maxNodeData = 384

// AccessLists asks the peer for the access lists of blocks, at most [MaxAccessLists], and returns one for each of the first
// of them; nil where it has none. Versions from 71 on have the request.
func (p *Peer) AccessLists(ctx context.Context, hashes []common.Hash) ([]rlp.RawValue, error) {
	list, err := p.byHashes(ctx, CodeGetBlockAccessLists, hashes, MaxAccessLists)
	if err != nil {
		return nil, err
	}
	for i, raw := range list {
		if raw[0] == 0x80 {
			list[i] = nil
		}
	}
	return list, nil
}

// byHashes asks for a thing for each of hashes.
func (p *Peer) byHashes(ctx context.Context, code uint64, hashes []common.Hash, limit int) ([]rlp.RawValue, error) {
	if len(hashes) > limit {
		return nil, fmt.Errorf("%s: %d hashes, more than the %d that a node answers", CodeName(code), len(hashes), limit)
	}
	m, err := p.ask(ctx, &GetByHash{For: code, Hashes: hashes}, len(hashes))
	if err != nil {
		return nil, err
	}
	return m.(*Items).Items, nil
}

const (
	// maxAllReceipts is how many receipts an answer may have in all: about 450 bytes each are allocated for them.
	maxAllReceipts = 1 << 17
	// maxReceiptsBytes is how many bytes the parts of an answer may have in all. A block of 60 million gas has 7.5 MB of logs
	// at most, and whoever answers adds no block once there are 2 MiB.
	maxReceiptsBytes = 64 << 20
)

var (
	errManyReceipts  = fmt.Errorf("more than %d receipts", maxAllReceipts)
	errLargeReceipts = fmt.Errorf("more than %d bytes", maxReceiptsBytes)
)

// Receipts asks the peer for the receipts of blocks, at most [MaxReceipts], and returns those it has, in the order of the
// hashes, as with [Peer.Bodies]. From version 70 on an answer may break off in the middle of a block; then the rest of that
// block is asked for until it is there. If the peer has it no more, the block is left out.
func (p *Peer) Receipts(ctx context.Context, hashes []common.Hash) ([][]*types.Receipt, error) {
	if len(hashes) > MaxReceipts {
		return nil, fmt.Errorf("%s: %d hashes, more than the %d that a node answers", CodeName(CodeGetReceipts), len(hashes), MaxReceipts)
	}
	var (
		blocks [][]*types.Receipt
		cut    bool // the last of blocks is not whole
		all    int  // receipts
		bytes  int
		query  = ReceiptsQuery{Hashes: hashes}
		id     uint64 // of the first request; the same for the rest
	)
	for {
		m := &GetReceipts{ID: id, Query: query}
		a, err := p.ask(ctx, m, len(query.Hashes))
		if err != nil {
			return nil, err
		}
		id = m.ID
		answer := a.(*Receipts)
		n := len(answer.Lists)
		switch {
		case answer.LastIncomplete && (n == 0 || n == 1 && isEmptyList(answer.Lists[0])):
			return nil, p.bad("%w", errNoProgress)
		case n == 0 && cut:
			return blocks[:len(blocks)-1], nil
		}
		for i, list := range answer.Lists {
			block, err := DecodeReceipts(p.version, list)
			all, bytes = all+len(block), bytes+len(list)
			switch {
			case err != nil:
			case all > maxAllReceipts:
				err = errManyReceipts
			case bytes > maxReceiptsBytes:
				err = errLargeReceipts
			}
			if err != nil {
				return nil, p.bad("receipts of block %d: %w", len(blocks), err)
			}
			if i == 0 && cut {
				blocks[len(blocks)-1] = append(blocks[len(blocks)-1], block...)
				continue
			}
			blocks = append(blocks, block)
		}
		if cut = answer.LastIncomplete; !cut {
			return blocks, nil
		}
		query = ReceiptsQuery{First: uint64(len(blocks[len(blocks)-1])), Hashes: query.Hashes[n-1:]}
	}
}

var errNoProgress = errors.New("receipts that break off before the first")

func isEmptyList(raw rlp.RawValue) bool { return len(raw) == 1 }

// Cells asks the peer for cells of blob transactions (EIP-8070). Only version 72 has the request. What the peer cannot
// serve is missing. Whether a cell is right, its proof tells.
func (p *Peer) Cells(ctx context.Context, q CellsQuery) (CellsAnswer, error) {
	if len(q.Hashes) > MaxCellHashes {
		return CellsAnswer{}, fmt.Errorf("%s: %d hashes, more than the %d that a node answers", CodeName(CodeGetCells), len(q.Hashes), MaxCellHashes)
	}
	m, err := p.ask(ctx, &GetCells{Query: q}, len(q.Hashes))
	if err != nil {
		return CellsAnswer{}, err
	}
	return m.(*Cells).Answer, nil
}

// Block asks the peer for a block with its header and body, and checks that the body is the
// header's. It is nil if the peer does not have it; without transactions and ommers if it has the header only.
func (p *Peer) Block(ctx context.Context, start Start) (*Block, error) {
	headers, err := p.Headers(ctx, HeadersQuery{Start: start, Amount: 1})
	if err != nil || len(headers) == 0 {
		return nil, err
	}
	h := headers[0]
	bodies, err := p.Bodies(ctx, []common.Hash{h.Hash()})
	if err != nil {
		return nil, err
	}
	if len(bodies) == 0 {
		return &Block{Header: h}, nil
	}
	body := bodies[0]
	if err := checkBody(h, body); err != nil {
		return nil, p.bad("block %d: %w", h.Number, err)
	}
	whole := types.NewBlockWithHeader(h).WithBody(*body)
	return &Block{Header: h, Transactions: body.Transactions, Uncles: body.Uncles, Withdrawals: body.Withdrawals, Size: whole.Size()}, nil
}

// checkBody says why a body is not that of a header.
func checkBody(h *types.Header, body *types.Body) error {
	if root := rootOf(body.Transactions); root != h.TxHash {
		return fmt.Errorf("the transactions have the root %x, the header says %x", root, h.TxHash)
	}
	if hash := types.CalcUncleHash(body.Uncles); hash != h.UncleHash {
		return fmt.Errorf("the ommers have the hash %x, the header says %x", hash, h.UncleHash)
	}
	switch {
	case (body.Withdrawals == nil) != (h.WithdrawalsHash == nil):
		return errors.New("body and header do not agree whether there are withdrawals")
	case h.WithdrawalsHash != nil && rootOf(body.Withdrawals) != *h.WithdrawalsHash:
		return fmt.Errorf("the withdrawals have the root %x, the header says %x", rootOf(body.Withdrawals), *h.WithdrawalsHash)
	}
	return nil
}

// rootOf is the root of a list of things in a body.
func rootOf(list any) common.Hash {
	raw, err := rlp.EncodeToBytes(list)
	if err != nil {
		return common.Hash{} // it has been decoded a moment ago: that does not happen
	}
	content, err := wholeList(raw)
	if err != nil {
		return common.Hash{}
	}
	root, err := mpt.ListRoot(content)
	if err != nil {
		return common.Hash{}
	}
	return root
}

// Transaction asks the peer for a transaction that is in its pool. It is nil if the peer does not have it.
func (p *Peer) Transaction(ctx context.Context, hash common.Hash) (*types.Transaction, error) {
	txs, err := p.PooledTransactions(ctx, []common.Hash{hash})
	if err != nil || len(txs) == 0 {
		return nil, err
	}
	tx, err := txs[0].Decode()
	if err != nil {
		return nil, p.bad("%w", err)
	}
	return tx, nil
}
