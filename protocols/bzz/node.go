package bzz

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/ethereum/go-ethereum/log"
	"github.com/ethereum/go-ethereum/p2p/enode"

	"github.com/sennit-net/sennit/p2p"
	"github.com/sennit-net/sennit/protocols/bzz/chunk"
	"github.com/sennit-net/sennit/protocols/bzz/kademlia"
	"github.com/sennit-net/sennit/protocols/bzz/wire"
)

// Node is one Swarm node. It is made with [New] and safe for concurrent use.
type Node struct {
	// Static after construction.
	cfg     Config
	log     log.Logger
	ctx     context.Context // ends with Stop
	cancel  context.CancelFunc
	started chan struct{} // closed by Start, when server is set
	caps    []p2p.Cap     // of all protocols
	replan  chan struct{} // holds a token when it should be decided anew what is synced with whom
	search  chan struct{} // holds a token when there is something to search
	counts  counters

	handshakeTimeout time.Duration // shorter in tests only

	// Set by Start.
	server Server
	static map[enode.ID]struct{} // nodes that the server dials without being asked

	// Owned by whoever calls Stop.
	running sync.WaitGroup // all goroutines of this package; spawn adds to it under mu, while not stopped

	// Guarded by mu.
	mu        sync.Mutex
	stopped   bool
	sessions  map[*p2p.Peer]*session
	table     *kademlia.Table
	neighbour map[chunk.Address]*session // those in table
	depth     int
	searches  map[chunk.Address]*search
}

// New returns a node that is not started. An error is about the configuration.
func New(cfg Config) (*Node, error) {
	if err := cfg.check(); err != nil {
		return nil, err
	}
	n := &Node{
		cfg:       cfg.withDefaults(),
		started:   make(chan struct{}),
		replan:    make(chan struct{}, 1),
		search:    make(chan struct{}, 1),
		sessions:  make(map[*p2p.Peer]*session),
		table:     kademlia.New(cfg.Overlay),
		neighbour: make(map[chunk.Address]*session),
		searches:  make(map[chunk.Address]*search),
	}
	n.log, n.handshakeTimeout = n.cfg.Logger, handshakeTimeout
	n.ctx, n.cancel = context.WithCancel(context.Background())
	for _, p := range n.Protocols() {
		n.caps = append(n.caps, p2p.Cap{Name: p.Name, Version: p.Version})
	}
	return n, nil
}

// Protocols returns the protocols for a server's configuration. Peers that connect before [Node.Start] wait for it, up to
// the 3 s that their handshake may take.
func (n *Node) Protocols() []p2p.Protocol {
	var list []p2p.Protocol
	add := func(name string, version uint, length uint64, run func(*session, p2p.MsgReadWriter) error) {
		list = append(list, p2p.Protocol{Name: name, Version: version, Length: length, Run: n.run(run)})
	}
	if n.cfg.Dialects&Early != 0 {
		add(wire.BzzName, wire.Version, wire.BzzLength, (*session).runBzz)
		add(wire.HiveName, wire.Version, wire.HiveLength, (*session).runHive)
		add(wire.StreamName, wire.Version, wire.StreamLength, (*session).runStream)
	}
	if n.cfg.Dialects&Later != 0 {
		add(wire.BzzName, wire.LaterBzzVersion, wire.BzzLength, (*session).runBzz)
		add(wire.HiveName, wire.LaterHiveVersion, wire.HiveLength, (*session).runHive)
		add(wire.RetrieveName, wire.RetrieveVersion, wire.RetrieveLength, (*session).runRetrieve)
		if n.cfg.syncs() {
			add(wire.PullName, wire.PullVersion, wire.PullLength, (*session).runPull)
		}
	}
	for i := range list {
		if list[i].Name == wire.BzzName {
			list[i].NodeInfo = func() interface{} { return n.Stats() }
			list[i].PeerInfo = func(id enode.ID) interface{} {
				if info, ok := n.peerInfo(id); ok {
					return info
				}
				return nil
			}
		}
	}
	return list
}

var (
	// ErrStarted is returned by a second Start.
	ErrStarted = errors.New("bzz: the node is started already")

	// ErrStopped is returned by a node that was stopped.
	ErrStopped = errors.New("bzz: the node was stopped")
)

// Start lets the node work with a server that runs, whose Self is what peers are told to dial. What a [p2p.Server] has in its
// StaticNodes stays its own affair: the node neither asks for them nor takes them back.
func (n *Node) Start(server Server) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	switch {
	case n.stopped:
		return ErrStopped
	case n.server != nil:
		return ErrStarted
	}
	n.server, n.static = server, staticOf(server)
	close(n.started)
	n.spawnLocked(n.tend)
	n.spawnLocked(n.runSearches)
	return nil
}

// Stop ends the node's links, if the server has not done so, and waits for its goroutines. It does not stop the server and
// does not close the store. Calls after the first do nothing.
func (n *Node) Stop() {
	n.mu.Lock()
	n.stopped = true
	var peers []*p2p.Peer
	for p := range n.sessions {
		peers = append(peers, p)
	}
	n.mu.Unlock()
	n.cancel()
	for _, p := range peers {
		p.Disconnect(p2p.DiscQuitting)
	}
	n.running.Wait()
}

// spawn runs f in a goroutine that Stop waits for. It returns false if the node has been stopped.
func (n *Node) spawn(f func()) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.spawnLocked(f)
}

func (n *Node) spawnLocked(f func()) bool {
	if n.stopped {
		return false
	}
	n.running.Go(f)
	return true
}

// poke puts a token into a channel that holds one.
func poke(ch chan<- struct{}) {
	select {
	case ch <- struct{}{}:
	default:
	}
}

// tend looks for peers, gives up on those that do not come and on batches that do not arrive, and decides what is synced
// with whom.
func (n *Node) tend() {
	dials := make(dials)
	defer dials.dropAll(n)
	ticker := time.NewTicker(hiveTick)
	defer ticker.Stop()
	var plan debounce
	for {
		select {
		case <-n.ctx.Done():
			return
		case <-n.replan:
			plan.trigger(time.Now(), n.cfg.SyncDelay)
		case <-plan.due():
			plan.done()
			n.planSyncing()
		case <-ticker.C:
			n.checkBatches(time.Now())
			if !n.cfg.NoDial {
				dials.tick(n, time.Now())
			}
		}
	}
}

// debounce is a deadline that moves with each trigger, but not for ever. The zero value has none.
type debounce struct {
	first time.Time // of the triggers since the last done
	timer *time.Timer
}

func (d *debounce) trigger(now time.Time, delay time.Duration) {
	if d.timer == nil {
		d.first = now
	} else {
		d.timer.Stop()
	}
	d.timer = time.NewTimer(min(delay, d.first.Add(maxSyncDelay).Sub(now)))
}

// due returns the channel of the deadline, which is nil if there is none.
func (d *debounce) due() <-chan time.Time {
	if d.timer == nil {
		return nil
	}
	return d.timer.C
}

func (d *debounce) done() { d.timer = nil }
