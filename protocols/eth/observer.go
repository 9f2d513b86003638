package eth

import (
	"sync"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/rlp"
)

// Observer is the [Backend] of a node that has no chain. It says of itself that it has the genesis block and nothing else,
// and answers every request with what it has: nothing. It follows the heads that peers tell of, so that its fork id is that
// of the network as it is. It is safe for concurrent use.
type Observer struct {
	chain *ChainConfig // static

	// Guarded by mu.
	mu   sync.RWMutex
	best Head
}

// NewObserver returns an observer of a chain.
func NewObserver(chain *ChainConfig) *Observer {
	o := &Observer{chain: chain}
	o.best = o.Head()
	return o
}

// Chain is the chain that is observed.
func (o *Observer) Chain() *ChainConfig { return o.chain }

// Head is the genesis block.
func (o *Observer) Head() Head { return Head{Time: o.chain.GenesisTime, Hash: o.chain.Genesis} }

// Earliest is 0.
func (o *Observer) Earliest() uint64 { return 0 }

// Best is the youngest block that a peer was seen to have; the genesis block at first. Nothing but its hash has been checked:
// whether it is on the chain, only a node with the chain can tell. The time decides and not the number, since there is no
// largest number: a made-up block is Best until the chain has its next.
func (o *Observer) Best() Head {
	o.mu.RLock()
	defer o.mu.RUnlock()
	return o.best
}

// ForkHead is the block that our fork id is made for, which is Best.
func (o *Observer) ForkHead() Head { return o.Best() }

// maxAhead is how far the clock of another node may be ahead of ours.
const maxAhead = 15 * time.Second

// Heard takes note of the header of a peer's head. One from the future is not believed: it could announce forks that have
// not come.
func (o *Observer) Heard(header *types.Header) {
	if header.Number == nil || !header.Number.IsUint64() || header.Time > uint64(time.Now().Add(maxAhead).Unix()) {
		return
	}
	number, hash := header.Number.Uint64(), header.Hash()
	o.mu.Lock()
	defer o.mu.Unlock()
	if header.Time > o.best.Time || header.Time == o.best.Time && number > o.best.Number {
		o.best = Head{Number: number, Time: header.Time, Hash: hash}
	}
}

// Number knows the genesis block.
func (o *Observer) Number(hash common.Hash) (number uint64, canonical, ok bool) {
	return 0, hash == o.chain.Genesis, hash == o.chain.Genesis
}

// Hash knows the genesis block.
func (o *Observer) Hash(number uint64) (common.Hash, bool) { return o.chain.Genesis, number == 0 }

// Header is nil.
func (o *Observer) Header(common.Hash) rlp.RawValue { return nil }

// Body is nil.
func (o *Observer) Body(common.Hash) rlp.RawValue { return nil }

// Receipts is nil.
func (o *Observer) Receipts(common.Hash) []*types.Receipt { return nil }

// PooledTransaction is nil.
func (o *Observer) PooledTransaction(common.Hash) rlp.RawValue { return nil }

// AccessList is nil.
func (o *Observer) AccessList(common.Hash) rlp.RawValue { return nil }

// follower is a backend that wants the headers of the heads that peers tell of.
type follower interface {
	Best() Head
	Heard(*types.Header)
}

// follow asks a peer for the header of its head if an observer wants to know. One question at a time: a head that is told
// meanwhile is asked for when the answer has come.
func (p *Peer) follow(head PeerHead) {
	o, ok := p.h.cfg.Backend.(follower)
	if !ok || head.Hash == p.h.chain.Genesis || head.Number > 0 && head.Hash == o.Best().Hash {
		return
	}
	p.mu.Lock()
	busy := p.following
	p.following = true
	p.mu.Unlock()
	if busy {
		return
	}
	m := &GetBlockHeaders{Query: HeadersQuery{Start: Start{Hash: head.Hash}, Amount: 1}}
	err := p.post(m, 1, func(m Message, err error) {
		p.mu.Lock()
		p.following = false
		now := p.head
		p.mu.Unlock()
		if err != nil {
			return
		}
		if headers, err := decodeHeaders(m.(*Items).Items); err == nil && len(headers) == 1 && headers[0].Hash() == head.Hash {
			o.Heard(headers[0])
			p.h.renewRecord()
			p.learnNumber(headers[0])
		}
		if now.Hash != head.Hash {
			p.follow(now)
		}
	})
	if err != nil {
		p.mu.Lock()
		p.following = false
		p.mu.Unlock()
	}
}

// learnNumber notes the number of the peer's head, if only its hash was known until now.
func (p *Peer) learnNumber(header *types.Header) {
	hash := header.Hash()
	p.mu.Lock()
	known := p.head.Number > 0 || p.head.Hash != hash
	if !known {
		p.head.Number = header.Number.Uint64()
	}
	head := p.head
	p.mu.Unlock()
	if !known {
		p.h.feed.send(&HeadSeen{Peer: p, At: head.At, Head: head})
	}
}
