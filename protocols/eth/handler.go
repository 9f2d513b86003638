package eth

import (
	"errors"
	"fmt"
	"hash/maphash"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ethereum/go-ethereum/log"
	"github.com/ethereum/go-ethereum/p2p/enode"
	"github.com/ethereum/go-ethereum/p2p/enr"

	"github.com/sennit-net/sennit/p2p"
)

// Config is what a [Handler] is made of.
type Config struct {
	// Backend is the chain to serve. It must be set unless AnyChain is; [NewObserver] makes one for nodes that have no chain.
	Backend Backend

	// AnyChain makes a node without a Backend be on whatever chain each peer is: it waits for the peer's Status and says the
	// same of itself, but that it has the genesis block only. That is for asking one peer; two such nodes wait for each other
	// in vain.
	AnyChain bool

	// Pool keeps transactions. Without one nothing is fetched or relayed, and transactions that peers send are reported to
	// subscriptions and forgotten.
	Pool Pool

	// Versions are those to offer. Empty means all, see [Versions].
	Versions []uint

	// DialCandidates, if set, yields nodes to dial. Those whose record says that they are not on our chain, and without
	// DialUnknown those whose record does not say which they are on, are passed over. The server closes it; with Discover so
	// does [Handler.Close].
	DialCandidates enode.Iterator

	// Discover has nodes dialed that the server's discovery finds, from [Handler.Attach] on, under the same condition.
	Discover bool

	// DialUnknown has nodes dialed as well whose record does not say which chain they are on, or cannot be had: those that
	// run a version from before fork ids, or other protocols only. Who says to be on another chain is never dialed.
	DialUnknown bool

	// RequestTimeout is how long a request may take whose context has no deadline. 0 means 30 s.
	RequestTimeout time.Duration

	// Logger takes a line for each peer that breaks the protocol. nil means go-ethereum's root logger.
	Logger log.Logger
}

// defaultRequestTimeout is what a RequestTimeout of 0 means.
const defaultRequestTimeout = 30 * time.Second

// Handler speaks the protocol with all peers of a server. All methods are safe for concurrent use.
type Handler struct {
	// Static after construction.
	cfg   Config
	chain *ChainConfig
	seed  maphash.Seed // of hashes of hashes, which nobody else can predict

	handshakeTimeout time.Duration // shorter in tests only

	computing chan struct{}  // a place for each who may compute cells at a time
	found     *enode.FairMix // nodes to dial; nil unless Discover

	running sync.WaitGroup // each Peer's sendLoop, and what serves JSON-RPC subscriptions; Close waits for it

	// Under locks of their own.
	sightings sightings
	feed      feed
	fetching  fetching
	counters  counters
	local     atomic.Pointer[enode.LocalNode] // whose record says our fork id; nil before Attach

	// Guarded by mu.
	mu    sync.RWMutex
	peers map[enode.ID]*Peer // those that have finished the handshake
	live  map[*Peer]struct{} // all that run; nil once closed
}

// New returns a handler. Its peers run once a server has its [Handler.Protocols]; but with Discover it reads from DialCandidates
// at once, until it is closed. The error is about the configuration.
func New(cfg Config) (*Handler, error) {
	switch {
	case cfg.Backend == nil && !cfg.AnyChain:
		return nil, errors.New("eth: no backend")
	case cfg.Backend != nil && cfg.AnyChain:
		return nil, errors.New("eth: a backend and AnyChain exclude each other")
	case cfg.AnyChain:
		cfg.Backend = NewObserver(new(ChainConfig))
	}
	if len(cfg.Versions) == 0 {
		cfg.Versions = Versions()
	}
	for _, v := range cfg.Versions {
		if Length(v) == 0 {
			return nil, fmt.Errorf("eth: version %d is none of %v", v, versions)
		}
	}
	if cfg.RequestTimeout <= 0 {
		cfg.RequestTimeout = defaultRequestTimeout
	}
	if cfg.Logger == nil {
		cfg.Logger = log.Root()
	}
	h := &Handler{cfg: cfg, chain: cfg.Backend.Chain(), seed: maphash.MakeSeed(), peers: make(map[enode.ID]*Peer), live: make(map[*Peer]struct{})}
	h.handshakeTimeout = handshakeTimeout
	h.feed.sightings = &h.sightings
	h.computing = make(chan struct{}, max(1, runtime.GOMAXPROCS(0)/2))
	if h.chain == nil {
		return nil, errors.New("eth: the backend has no chain")
	}
	if cfg.Discover {
		h.found = enode.NewFairMix(sourceTurn)
		if it := cfg.DialCandidates; it != nil {
			h.found.AddSource(h.filter(it))
		}
	}
	return h, nil
}

// Protocols returns what a server needs to run the protocol: one entry for each version.
func (h *Handler) Protocols() []p2p.Protocol {
	list := make([]p2p.Protocol, 0, len(h.cfg.Versions))
	for _, version := range slices.Sorted(slices.Values(h.cfg.Versions)) {
		p := p2p.Protocol{
			Name: Name, Version: version, Length: Length(version),
			Run: func(peer *p2p.Peer, rw p2p.MsgReadWriter) error {
				return newPeer(h, version, peer, rw).run()
			},
			PeerInfo: h.peerInfo,
		}
		if !h.cfg.AnyChain {
			p.NodeInfo = h.nodeInfo
			p.Attributes = []enr.Entry{&enrEntry{ForkID: h.forkID()}}
		}
		list = append(list, p)
	}
	switch {
	case h.found != nil:
		list[0].DialCandidates = h.found // Attach adds what discovery finds
	case h.cfg.DialCandidates != nil:
		list[0].DialCandidates = h.filter(h.cfg.DialCandidates)
	}
	return list
}

// Close ends all subscriptions and the links to all peers, and waits until nothing runs for the handler any more. It may be
// called before or after the server has stopped, and more than once.
func (h *Handler) Close() {
	h.mu.Lock()
	live := h.live
	if live != nil && h.found != nil { // the first Close: a later one may be waiting already
		h.running.Go(h.found.Close) // it waits for what has been asked; peers do not wait for that
	}
	h.live = nil
	h.mu.Unlock()
	h.feed.close()
	for p := range live {
		p.drop(p2p.DiscQuitting, errClosing)
	}
	h.running.Wait()
}

func (h *Handler) closed() bool {
	h.mu.RLock()
	defer h.mu.RUnlock()
	return h.live == nil
}

// spawn runs f in a goroutine that Close waits for. It reports whether the handler is still open.
func (h *Handler) spawn(f func()) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.live == nil {
		return false
	}
	h.running.Go(f)
	return true
}

// enter notes a peer that is about to run, and starts its sender. It reports whether the handler is still open.
func (h *Handler) enter(p *Peer) bool {
	// The peer does not wait for it: it may be writing to a remote that does not read, and ends when the link does, which is
	// when the peer's run has returned.
	if !h.spawn(p.sendLoop) {
		return false
	}
	h.mu.Lock()
	closed := h.live == nil
	if !closed {
		h.live[p] = struct{}{}
	}
	h.mu.Unlock()
	if closed {
		p.end(errClosing)
	}
	return !closed
}

func (h *Handler) leave(p *Peer) {
	h.mu.Lock()
	delete(h.live, p)
	h.mu.Unlock()
}

// Peers returns the peers that have finished the handshake, in no order.
func (h *Handler) Peers() []*Peer {
	h.mu.RLock()
	defer h.mu.RUnlock()
	list := make([]*Peer, 0, len(h.peers))
	for _, p := range h.peers {
		list = append(list, p)
	}
	return list
}

// Peer returns the peer with an ID, or nil if there is none that has finished the handshake.
func (h *Handler) Peer(id enode.ID) *Peer {
	h.mu.RLock()
	defer h.mu.RUnlock()
	return h.peers[id]
}

func (h *Handler) add(p *Peer) {
	h.mu.Lock()
	h.peers[p.ID()] = p
	h.mu.Unlock()
}

func (h *Handler) remove(p *Peer) {
	h.mu.Lock()
	if h.peers[p.ID()] == p {
		delete(h.peers, p.ID())
	}
	h.mu.Unlock()
}

// forkHead is the block that fork ids are made for: the head, unless the backend knows that the network is further.
func (h *Handler) forkHead() Head {
	if b, ok := h.cfg.Backend.(interface{ ForkHead() Head }); ok {
		return b.ForkHead()
	}
	return h.cfg.Backend.Head()
}

func (h *Handler) forkID() ForkID {
	head := h.forkHead()
	return h.chain.ForkIDAt(head.Number, head.Time)
}

// checkForkID says whether a fork id goes with ours.
func (h *Handler) checkForkID(remote ForkID) error {
	head := h.forkHead()
	return h.chain.CheckForkID(remote, head.Number, head.Time)
}
