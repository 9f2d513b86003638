package eth

import (
	"fmt"
	"io"
	"runtime/debug"
	"time"

	"github.com/ethereum/go-ethereum/rlp"

	"github.com/sennit-net/sennit/p2p"
)

// How much may wait to be sent to one peer, beside what the link itself holds.
const (
	maxWorkBytes    = 1 << 20 // requests that have not been answered: of the peer, whose link is not read when full, and of ours
	maxQueuedInfos  = 4096    // announced transactions, 48 bytes each; the oldest are dropped
	maxQueuedTx     = 2 << 20 // bytes of transactions in full; the oldest are dropped
	maxQueuedBlocks = 4       // blocks in full; the oldest are dropped
	maxQueuedHashes = 256     // announced blocks; the oldest are dropped

	batchBytes = 100 << 10 // of a message with transactions or announcements, as section 7 suggests
)

// work is a request of the peer that waits for its answer.
type work struct {
	m     Message
	bytes int
}

// workBytes is what a request with a payload of n bytes counts as.
func workBytes(n int) int { return n + 128 } // what it takes beside its hashes

// outbox is what waits to be sent to a peer. It is guarded by the peer's mu.
type outbox struct {
	status   *Status     // first of all
	requests []asking    // ours, encoded; at most maxWorkBytes
	rng      *BlockRange // the last one only
	work     []work
	bytes    int // of work
	blocks   []*NewBlock
	hashes   []BlockInfo
	txs      []Transaction
	txBytes  int
	infos    []TxInfo
}

// asking is an encoded request.
type asking struct {
	code    uint64
	payload []byte
}

// sendLoop sends what waits, in order of urgency, until the link ends. There may always be something: what is due by the
// clock is looked after all the same.
func (p *Peer) sendLoop() {
	defer close(p.quit)
	defer func() {
		if value := recover(); value != nil { // the server recovers those of its own goroutine only
			p.h.cfg.Logger.Error("eth: panic in what is sent to a peer", "id", p.ID(), "panic", value, "stack", string(debug.Stack()))
			p.drop(p2p.DiscSubprotocolError, fmt.Errorf("%w: %v", errPanicked, value))
		}
	}()
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	looked := time.Now()
	for {
		if now := time.Now(); now.Sub(looked) >= wantDelay {
			looked = now
			p.fetch(now)
		}
		msg, ok := p.next()
		if ok {
			first := msg.Code == CodeStatus
			err := p.rw.WriteMsg(msg)
			if first {
				close(p.sent)
			}
			if err != nil {
				return // ReadMsg fails as well, with the cause
			}
			continue
		}
		looked = time.Now()
		timer.Reset(p.fetch(looked))
		select {
		case <-p.wake:
		case <-timer.C:
		case <-p.gone:
			return
		}
	}
}

// signal puts a token into a channel of one slot.
func signal(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// next takes what is due next: what the remote waits for first, gossip last.
func (p *Peer) next() (p2p.Msg, bool) {
	p.mu.Lock()
	o := &p.out
	switch {
	case p.ended:
	case o.status != nil:
		s := o.status
		o.status = nil
		p.mu.Unlock()
		return p.message(s), true
	case len(o.requests) > 0:
		a := o.requests[0]
		o.requests = shift(o.requests, 1)
		p.mu.Unlock()
		return rawMessage(a.code, a.payload, nil), true
	case o.rng != nil:
		r := o.rng
		o.rng = nil
		p.mu.Unlock()
		return p.message(r), true
	case len(o.work) > 0:
		w := o.work[0]
		o.work = shift(o.work, 1)
		o.bytes -= w.bytes
		p.mu.Unlock()
		signal(p.room)
		return p.answer(w.m), true
	case len(o.blocks) > 0:
		b := o.blocks[0]
		o.blocks = shift(o.blocks, 1)
		p.mu.Unlock()
		return p.message(b), true
	case len(o.hashes) > 0:
		m := &NewBlockHashes{Blocks: o.hashes}
		o.hashes = nil
		p.mu.Unlock()
		return p.message(m), true
	case len(o.txs) > 0:
		m := o.takeTransactions()
		p.mu.Unlock()
		return p.message(m), true
	case len(o.infos) > 0:
		n := min(len(o.infos), batchBytes/(1+32+4))
		m := &Announcement{Txs: o.infos[:n:n], Mask: maskFor(o.infos[:n])}
		o.infos = o.infos[n:]
		p.mu.Unlock()
		return p.message(m), true
	}
	p.mu.Unlock()
	return p2p.Msg{}, false
}

// takeTransactions takes a batch of transactions.
func (o *outbox) takeTransactions() *Transactions {
	m := new(Transactions)
	size := 0
	for i := range o.txs {
		raw := o.txs[i].Raw
		if len(m.Txs) > 0 && size+len(raw) > batchBytes || len(m.Txs) == MaxTransactions {
			break
		}
		m.Txs, size = append(m.Txs, raw), size+len(raw)
	}
	o.txs = shift(o.txs, len(m.Txs))
	o.txBytes -= size
	return m
}

// shift takes the first n off a queue and lets go of what it referred to.
func shift[T any](q []T, n int) []T {
	clear(q[:n])
	if n == len(q) {
		return nil
	}
	return q[n:]
}

// message encodes a message of ours. One that the version does not have is not queued in the first place.
func (p *Peer) message(m Message) p2p.Msg {
	payload, err := Encode(p.version, m)
	if err != nil {
		panic(err)
	}
	return rawMessage(m.Code(), payload, nil)
}

// rawMessage is a message whose payload is head and then items, without copying either.
func rawMessage(code uint64, head []byte, items []rlp.RawValue) p2p.Msg {
	r := &pieces{head: head, items: items}
	size := len(head)
	for _, item := range items {
		size += len(item)
	}
	return p2p.Msg{Code: code, Size: uint32(size), Payload: r}
}

// pieces reads a message that is in several pieces.
type pieces struct {
	head  []byte
	items []rlp.RawValue
}

// Read fills b from as many pieces as it takes.
func (r *pieces) Read(b []byte) (int, error) {
	n := 0
	for n < len(b) {
		if len(r.head) == 0 {
			if len(r.items) == 0 {
				break
			}
			r.head, r.items = r.items[0], r.items[1:]
			continue
		}
		c := copy(b[n:], r.head)
		n, r.head = n+c, r.head[c:]
	}
	if n == 0 && len(b) > 0 {
		return 0, io.EOF
	}
	return n, nil
}

// queue puts a request of the peer behind those that wait for their answers, and waits while there are too many.
func (p *Peer) queue(m Message, bytes int) {
	w := work{m, workBytes(bytes)}
	for {
		p.mu.Lock()
		if p.out.bytes == 0 || p.out.bytes+w.bytes <= maxWorkBytes {
			p.out.work, p.out.bytes = append(p.out.work, w), p.out.bytes+w.bytes
			p.mu.Unlock()
			signal(p.wake)
			return
		}
		p.mu.Unlock()
		select {
		case <-p.room:
		case <-p.quit: // nobody sends any more: the link is at its end
			return
		}
	}
}
