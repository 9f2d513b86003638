package p2p

import (
	"bytes"
	"sync"

	"github.com/ethereum/go-ethereum/p2p/enode"
)

// peerSet is who is connected: the peers of a server, the connections on their way to become one, and the nodes that are
// trusted. Its methods only look and note; none does I/O or waits.
type peerSet struct {
	// Static after construction.
	self       enode.ID
	maxPeers   int
	maxInbound int

	work sync.WaitGroup // connections on their way, and peers; grows only under mu while closed is false

	mu      sync.Mutex
	closed  bool // Guarded by mu, like everything below. No connection begins any more.
	setups  map[*conn]struct{}
	peers   map[enode.ID]*peerEntry
	inbound int // entries of peers which the remote dialed
	trusted map[enode.ID]struct{}
}

// peerEntry is a peer, or a connection that has passed all checks and is about to be one.
type peerEntry struct {
	conn *conn

	// Guarded by peerSet.mu.
	peer *Peer         // nil until launched
	gone chan struct{} // made for whoever wants to know the end of the peer; closed then
}

func newPeerSet(self enode.ID, maxPeers, maxInbound int, trusted []*enode.Node) *peerSet {
	s := &peerSet{
		self:       self,
		maxPeers:   maxPeers,
		maxInbound: maxInbound,
		setups:     make(map[*conn]struct{}),
		peers:      make(map[enode.ID]*peerEntry),
		trusted:    make(map[enode.ID]struct{}),
	}
	for _, n := range trusted {
		s.trusted[n.ID()] = struct{}{}
	}
	return s
}

// begin notes a connection on its way, and reports false if there are to be none any more. Each is followed by end.
func (s *peerSet) begin(c *conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false
	}
	s.work.Add(1)
	s.setups[c] = struct{}{}
	return true
}

func (s *peerSet) end(c *conn) {
	s.mu.Lock()
	s.endSetupLocked(c)
	s.mu.Unlock()
	s.work.Done()
}

// endSetupLocked takes c out of the connections on their way: it has been refused, or belongs to a peer now.
func (s *peerSet) endSetupLocked(c *conn) {
	delete(s.setups, c)
	if c.over != nil {
		close(c.over)
		c.over = nil
	}
}

// check returns the DiscReason not to take c as a peer, or nil.
func (s *peerSet) check(c *conn) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	c.setupID = c.id
	return s.checkLocked(c)
}

func (s *peerSet) checkLocked(c *conn) error {
	id := c.id
	if _, ok := s.trusted[id]; ok {
		c.flags.set(trustedConn, true)
	}
	trusted := c.flags.is(trustedConn)
	switch {
	case s.closed:
		return DiscQuitting
	case !trusted && len(s.peers) >= s.maxPeers:
		return DiscTooManyPeers
	case !trusted && c.flags.is(inboundConn) && s.inbound >= s.maxInbound:
		return DiscTooManyPeers
	case s.peers[id] != nil:
		return DiscAlreadyConnected
	case id == s.self:
		return DiscSelf
	}
	return nil
}

// admit repeats check and registers c if it passes, so of several connections with a node one is registered. The caller
// launches it; the entry's life ends with remove and done. If patient is true and another connection with the node is on
// its way that is preferred, nothing happens and the channel is closed at the end of that.
func (s *peerSet) admit(c *conn, patient bool) (*peerEntry, <-chan struct{}, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.checkLocked(c); err != nil {
		return nil, nil, err
	}
	if patient {
		if rival := s.rivalLocked(c); rival != nil {
			return nil, rival, nil
		}
	}
	e := &peerEntry{conn: c}
	s.peers[c.id] = e
	if c.flags.is(inboundConn) {
		s.inbound++
	}
	s.work.Add(1)
	s.endSetupLocked(c)
	return e, nil, nil
}

// rivalLocked looks for a connection with c's node that was dialed by the other side than c and is preferred, which is
// the one dialed by the node with the lower ID. It returns a channel that is closed when its set-up is over.
func (s *peerSet) rivalLocked(c *conn) <-chan struct{} {
	id := c.id
	lower := bytes.Compare(s.self[:], id[:]) < 0
	if inbound := c.flags.is(inboundConn); inbound != lower {
		return nil // c is the preferred one itself
	}
	for o := range s.setups {
		if o != c && o.setupID == id && o.flags.is(inboundConn) != c.flags.is(inboundConn) {
			if o.over == nil {
				o.over = make(chan struct{})
			}
			return o.over
		}
	}
	return nil
}

// launched gives the entry its peer, and reports false if the server is stopping.
func (s *peerSet) launched(e *peerEntry, p *Peer) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	e.peer = p
	return !s.closed
}

// remove takes a peer that has ended out of the set.
func (s *peerSet) remove(e *peerEntry) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.peers, e.conn.id)
	if e.conn.flags.is(inboundConn) {
		s.inbound--
	}
}

// done is the very end of a peer that was removed: its drop event has been delivered.
func (s *peerSet) done(e *peerEntry) {
	s.mu.Lock()
	if e.gone != nil {
		close(e.gone)
	}
	s.mu.Unlock()
	s.work.Done()
}

// find returns the peer with the given ID and a channel that is closed at its very end; nil if there is none.
func (s *peerSet) find(id enode.ID) (*Peer, <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.peers[id]
	if e == nil || e.peer == nil {
		return nil, nil
	}
	if e.gone == nil {
		e.gone = make(chan struct{})
	}
	return e.peer, e.gone
}

// setTrusted makes a node trusted or not, now and in future connections.
func (s *peerSet) setTrusted(id enode.ID, on bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if on {
		s.trusted[id] = struct{}{}
	} else {
		delete(s.trusted, id)
	}
	if e := s.peers[id]; e != nil {
		e.conn.flags.set(trustedConn, on)
	}
}

// list returns the peers in no particular order.
func (s *peerSet) list() []*Peer {
	s.mu.Lock()
	defer s.mu.Unlock()
	peers := make([]*Peer, 0, len(s.peers))
	for _, e := range s.peers {
		if e.peer != nil {
			peers = append(peers, e.peer)
		}
	}
	return peers
}

// count returns the number of peers.
func (s *peerSet) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.peers)
}

// close lets no connection begin any more, and returns what there is, for the caller to end.
func (s *peerSet) close() (peers []*Peer, setups []*conn) {
	s.mu.Lock()
	s.closed = true
	for c := range s.setups {
		setups = append(setups, c)
	}
	s.mu.Unlock()
	return s.list(), setups
}
