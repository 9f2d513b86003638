package eth

import (
	"context"
	"io"
	"sync"
	"time"

	"github.com/ethereum/go-ethereum/p2p/discover"
	"github.com/ethereum/go-ethereum/p2p/enode"
	"github.com/ethereum/go-ethereum/p2p/enr"
	"github.com/ethereum/go-ethereum/rlp"

	"github.com/sennit-net/sennit/p2p"
)

const (
	// sourceTurn is how long the next of several sources of nodes is waited for before another one has its turn.
	sourceTurn = 100 * time.Millisecond
	// maxRecordRequests is how many nodes are asked for their record at a time.
	maxRecordRequests = 16
)

// Attach connects the handler with a server that runs its [Handler.Protocols]. From then on the record of the server's node
// says the fork id that we have, and goes on to the next when the head passes a fork; and with [Config.Discover] nodes that
// the server's discovery finds are dialed. It is called once, between Start and Stop of the server. With a server that has not
// been started, a second time, or after [Handler.Close] it does nothing; with one that has been stopped there is nothing left to
// connect with, but the handler cannot be attached to another.
//
// That the head has passed a fork, the handler sees by [Handler.UpdateRange], [Handler.AnnounceBlocks] and
// [Handler.BroadcastBlock], and of an [Observer] by itself.
func (h *Handler) Attach(server *p2p.Server) {
	local := server.LocalNode()
	if local == nil || h.closed() || !h.local.CompareAndSwap(nil, local) {
		return
	}
	h.renewRecord()
	if h.found == nil {
		return
	}
	if v4 := server.DiscoveryV4(); v4 != nil {
		it := askAll(v4.RandomNodes(), h.recordFrom(v4))
		h.found.AddSource(enode.WithSourceName("discv4", h.filter(it)))
	}
	if v5 := server.DiscoveryV5(); v5 != nil {
		h.found.AddSource(enode.WithSourceName("discv5", h.filter(v5.RandomNodes())))
	}
}

// askAll has ask replace the nodes that it yields, maxRecordRequests at a time. It returns when the goroutine that reads from it
// has begun to: an AsyncFilter that is closed before panics.
func askAll(it enode.Iterator, ask enode.AsyncFilterFunc) enode.Iterator {
	started := &startedIterator{Iterator: it, started: make(chan struct{})}
	asked := enode.AsyncFilter(started, ask, maxRecordRequests)
	<-started.started
	return asked
}

// startedIterator tells when it is read from for the first time.
type startedIterator struct {
	enode.Iterator
	once    sync.Once
	started chan struct{} // closed by the first Next
}

// Next tells of the first call, and goes on to the next node.
func (it *startedIterator) Next() bool {
	it.once.Do(func() { close(it.started) })
	return it.Iterator.Next()
}

// recordFrom asks a node that discovery v4 has found for its record: what its neighbours tell is an address only. One that
// gives none is passed over unless unknown ones are wanted.
func (h *Handler) recordFrom(v4 *discover.UDPv4) enode.AsyncFilterFunc {
	return func(_ context.Context, n *enode.Node) *enode.Node {
		switch record, err := v4.RequestENR(n); {
		case err == nil:
			return record
		case h.cfg.DialUnknown:
			return n
		}
		return nil
	}
}

// renewRecord has the record of our node say our fork id.
func (h *Handler) renewRecord() {
	local := h.local.Load()
	if local == nil || h.cfg.AnyChain {
		return
	}
	for id, last := h.forkID(), (ForkID{}); id != last; id = h.forkID() { // somebody else may be at an older one
		local.Set(&enrEntry{ForkID: id}) // which changes nothing if it is there
		last = id
	}
}

// Compatible reports whether a node's record says that it is on our chain, by the entry "eth" (EIP-2124). A record without
// that entry is not.
func (h *Handler) Compatible(node *enode.Node) bool {
	var entry enrEntry
	return node.Load(&entry) == nil && h.checkForkID(entry.ForkID) == nil
}

// dialable reports whether a node that was found may be dialed.
func (h *Handler) dialable(node *enode.Node) bool {
	var entry enrEntry
	switch err := node.Load(&entry); {
	case err == nil:
		return h.checkForkID(entry.ForkID) == nil
	case enr.IsNotFound(err):
		return h.cfg.DialUnknown
	}
	return false
}

// filter has an iterator yield only nodes that may be dialed.
func (h *Handler) filter(it enode.Iterator) enode.Iterator {
	return &dialableIterator{Iterator: it, dialable: h.dialable}
}

// dialableIterator yields nodes that may be dialed. It keeps the node: when an iterator is closed between Next and Node it may have
// none any more, which go-ethereum's Filter does not expect. One goroutine reads from it; another may close it.
type dialableIterator struct {
	enode.Iterator
	dialable func(*enode.Node) bool

	node *enode.Node // owned by who reads
}

// Next goes on to the next node that may be dialed.
func (it *dialableIterator) Next() bool {
	for it.Iterator.Next() {
		if it.node = it.Iterator.Node(); it.node != nil && it.dialable(it.node) {
			return true
		}
	}
	it.node = nil
	return false
}

// Node is the node.
func (it *dialableIterator) Node() *enode.Node { return it.node }

// enrEntry is the entry "eth" of a node record: [[hash, next], ...].
type enrEntry struct {
	ForkID ForkID
}

// ENRKey is the key of the entry.
func (*enrEntry) ENRKey() string { return "eth" }

type enrEntryRLP struct {
	ForkID struct {
		Hash [4]byte
		Next uint64
		Rest []rlp.RawValue `rlp:"tail"`
	}
	Rest []rlp.RawValue `rlp:"tail"` // later additions are ignored
}

// EncodeRLP writes the value of the entry.
func (e *enrEntry) EncodeRLP(w io.Writer) error {
	var v enrEntryRLP
	v.ForkID.Hash, v.ForkID.Next = e.ForkID.Hash, e.ForkID.Next
	return rlp.Encode(w, &v)
}

// DecodeRLP reads it.
func (e *enrEntry) DecodeRLP(s *rlp.Stream) error {
	var v enrEntryRLP
	if err := s.Decode(&v); err != nil {
		return err
	}
	e.ForkID = ForkID{Hash: v.ForkID.Hash, Next: v.ForkID.Next}
	return nil
}
