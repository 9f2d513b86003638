package eth

import (
	"fmt"
	"io"
	"time"

	"github.com/ethereum/go-ethereum/rlp"

	"github.com/sennit-net/sennit/p2p"
)

// handle does with one message what it is for.
func (p *Peer) handle(msg p2p.Msg) error {
	if !Knows(p.version, msg.Code) {
		return &DecodeError{p.version, msg.Code, errUnknownCode}
	}
	payload, err := p.payload(msg, keeps(msg.Code))
	if err != nil {
		return err
	}
	at := msg.ReceivedAt
	if at.IsZero() {
		at = time.Now()
	}
	switch msg.Code {
	case CodeStatus:
		return &DecodeError{p.version, msg.Code, errStatusAgain}
	case CodeAnnouncement:
		if err := decodeInto(&p.news, p.version, payload); err != nil {
			return err
		}
		p.heardOf(&p.news, at)
		if cap(p.news.Txs) > MaxAnnounced {
			p.news.Txs = nil
		}
		return nil
	}
	m, err := Decode(p.version, msg.Code, payload)
	if err != nil {
		return err
	}
	switch m := m.(type) {
	case *Items:
		return p.receive(m.For, m.ID, len(m.Items), m)
	case *Receipts:
		return p.receive(CodeReceipts, m.ID, len(m.Lists), m)
	case *Cells:
		return p.receive(CodeCells, m.ID, len(m.Answer.Hashes), m)
	case *Transactions:
		return p.heardInFull(m.Txs, at)
	case *NewBlockHashes:
		p.heardOfBlocks(m.Blocks, at)
	case *NewBlock:
		return p.heardBlock(m, at)
	case *BlockRange:
		if err := m.check(); err != nil {
			return &DecodeError{p.version, msg.Code, err}
		}
		p.setHead(PeerHead{Hash: m.LatestHash, Number: m.Latest, Earliest: m.Earliest, At: at}, true)
	default: // a request
		p.queue(m, len(payload))
	}
	return nil
}

// keeps reports whether what a message is decoded to refers to its payload.
func keeps(code uint64) bool {
	switch code {
	case CodeTransactions, CodeNewBlock, CodeBlockHeaders, CodeBlockBodies, CodePooledTransactions, CodeNodeData, CodeReceipts, CodeBlockAccessLists, CodeCells:
		return true
	}
	return false
}

// payload reads the payload of a message, into memory of its own if it is to be kept. The message has arrived in full: its
// size is not a promise.
func (p *Peer) payload(msg p2p.Msg, keep bool) ([]byte, error) {
	size := int(msg.Size)
	if size > MaxMessage {
		return nil, &DecodeError{p.version, msg.Code, errTooLarge}
	}
	var buf []byte
	switch {
	case keep || size > keptBuffer:
		buf = make([]byte, size)
	case cap(p.buf) < size:
		p.buf = make([]byte, size, min(max(size, 2*cap(p.buf), 512), keptBuffer))
		buf = p.buf
	default:
		buf = p.buf[:size]
	}
	if _, err := io.ReadFull(msg.Payload, buf); err != nil {
		return nil, fmt.Errorf("eth/%d %s: reading %d bytes: %w", p.version, CodeName(msg.Code), size, err)
	}
	return buf, nil
}

// answer is the message that answers a request.
func (p *Peer) answer(request Message) p2p.Msg {
	b := p.h.cfg.Backend
	p.h.counters.answered.Add(1)
	switch m := request.(type) {
	case *GetBlockHeaders:
		return p.items(CodeBlockHeaders, m.ID, answerHeaders(b, m.Query))
	case *GetReceipts:
		lists, incomplete := answerReceipts(b, p.version, m.Query)
		if p.version < 70 {
			return p.items(CodeReceipts, m.ID, lists)
		}
		return p.message(&Receipts{ID: m.ID, LastIncomplete: incomplete, Lists: lists})
	case *GetCells:
		return p.message(&Cells{ID: m.ID, Answer: p.cells(m.Query)})
	case *GetByHash:
		return p.items(m.For+1, m.ID, p.byHash(m))
	}
	panic(fmt.Sprintf("eth: no answer to a %T", request))
}

// cells is the answer to GetCells, which takes up to 5 ms of a core for each of [maxCellBlobs] blobs. Half of the cores are at
// this at a time: a few peers that ask for cells without end do not have them all.
func (p *Peer) cells(q CellsQuery) CellsAnswer {
	select {
	case p.h.computing <- struct{}{}:
		defer func() { <-p.h.computing }()
		return answerCells(p.h.cfg.Backend, q)
	case <-p.gone:
		return CellsAnswer{Mask: q.Mask} // which nobody gets
	}
}

// byHash is what is in the answer to a list of hashes.
func (p *Peer) byHash(m *GetByHash) []rlp.RawValue {
	b := p.h.cfg.Backend
	switch m.For {
	case CodeGetBlockBodies:
		return answerBodies(b, m.Hashes)
	case CodeGetPooledTransactions:
		if p.version >= 72 {
			return answerPooled72(b, m.Hashes)
		}
		return answerPooled(b, m.Hashes)
	case CodeGetBlockAccessLists:
		return answerAccessLists(b, m.Hashes)
	}
	return nil // node data: there is none in a Backend
}

// items is an answer that is a list of things, which are not copied.
func (p *Peer) items(code, id uint64, list []rlp.RawValue) p2p.Msg {
	size := 0
	for _, item := range list {
		size += len(item)
	}
	head := make([]byte, 0, 32)
	if hasIDs(p.version) {
		inner := rlp.ListSize(uint64(size))
		head = appendListHead(head, int(inner)+rlp.IntSize(id))
		head = rlp.AppendUint64(head, id)
	}
	return rawMessage(code, appendListHead(head, size), list)
}

// appendListHead appends what is before the content of a list.
func appendListHead(dst []byte, size int) []byte {
	if size < 56 {
		return append(dst, 0xc0+byte(size))
	}
	var be [8]byte
	n := 0
	for x := size; x > 0; x >>= 8 {
		n++
		be[8-n] = byte(x)
	}
	return append(append(dst, 0xf7+byte(n)), be[8-n:]...)
}

// heardOfBlocks takes note of announced blocks.
func (p *Peer) heardOfBlocks(blocks []BlockInfo, at time.Time) {
	if len(blocks) == 0 {
		return
	}
	best := blocks[0]
	for _, b := range blocks {
		if b.Number > best.Number {
			best = b
		}
	}
	p.h.feed.sendBlocks(p, at, blocks, nil, nil)
	p.setHead(PeerHead{Hash: best.Hash, Number: best.Number, TD: p.Head().TD, At: at}, false)
}

// heardBlock takes note of a block that came in full.
func (p *Peer) heardBlock(m *NewBlock, at time.Time) error {
	header, err := m.Header()
	if err == nil {
		err = header.SanityCheck() // of all that may be long
	}
	if err != nil {
		return &DecodeError{p.version, CodeNewBlock, err}
	}
	info := BlockInfo{Hash: header.Hash(), Number: header.Number.Uint64()}
	p.h.feed.sendBlocks(p, at, []BlockInfo{info}, header, m)
	p.setHead(PeerHead{Hash: info.Hash, Number: info.Number, TD: m.TD, At: at}, false)
	return nil
}
