package bzz

import (
	"sync/atomic"

	"github.com/ethereum/go-ethereum/p2p/enode"

	"github.com/sennit-net/sennit/protocols/bzz/chunk"
	"github.com/sennit-net/sennit/protocols/bzz/kademlia"
)

// counters count since the node was made.
type counters struct {
	addresses, untold, dropped, dialed, undialable atomic.Uint64
	asked, requests, unforwarded, served           atomic.Uint64
	received, unsolicited, invalid                 atomic.Uint64
	offered, wanted, synced, refused               atomic.Uint64
}

// Stats is the state of a node, and what it has done since it was made.
type Stats struct {
	Overlay   chunk.Address                    `json:"overlay"`
	NetworkID uint64                           `json:"networkId"`
	Light     bool                             `json:"light"`
	Peers     int                              `json:"peers"` // with a handshake
	Depth     int                              `json:"depth"` // where the neighbourhood begins
	Bins      [kademlia.Bins]kademlia.BinStats `json:"bins"`
	Searches  int                              `json:"searches"` // chunks being looked for
	Queued    int                              `json:"queued"`   // bytes that wait to be sent, all peers together
	Awaited   int                              `json:"awaited"`  // chunks in offers that peers have not answered yet

	Addresses  uint64 `json:"addresses"`  // received from peers
	Untold     uint64 `json:"untold"`     // of these, not told to others because there were too many
	Dropped    uint64 `json:"dropped"`    // messages of hive to peers for which too much waited
	Dialed     uint64 `json:"dialed"`     // suggestions given to the server
	Undialable uint64 `json:"undialable"` // suggestions that are no address, or are connected or being dialed

	Asked       uint64 `json:"asked"`       // requests for chunks sent
	Requests    uint64 `json:"requests"`    // requests for chunks received
	Unforwarded uint64 `json:"unforwarded"` // of these, not handed on because there were too many
	Served      uint64 `json:"served"`      // chunks sent in answer to requests

	Received    uint64 `json:"received"`    // chunks received that were asked for
	Unsolicited uint64 `json:"unsolicited"` // chunks that nobody waited for, dropped
	Invalid     uint64 `json:"invalid"`     // chunks that were not what they claimed to be

	Offered uint64 `json:"offered"` // chunks offered to peers
	Wanted  uint64 `json:"wanted"`  // chunks of offers that were missing here
	Synced  uint64 `json:"synced"`  // chunks sent to peers that wanted them
	Refused uint64 `json:"refused"` // streams that peers did not want
}

// Stats returns the state of the node.
func (n *Node) Stats() Stats {
	c := &n.counts
	s := Stats{
		Overlay: n.cfg.Overlay, NetworkID: n.cfg.NetworkID, Light: n.cfg.Light,
		Addresses: c.addresses.Load(), Untold: c.untold.Load(), Dropped: c.dropped.Load(), Dialed: c.dialed.Load(), Undialable: c.undialable.Load(),
		Asked: c.asked.Load(), Requests: c.requests.Load(), Unforwarded: c.unforwarded.Load(), Served: c.served.Load(),
		Received: c.received.Load(), Unsolicited: c.unsolicited.Load(), Invalid: c.invalid.Load(),
		Offered: c.offered.Load(), Wanted: c.wanted.Load(), Synced: c.synced.Load(), Refused: c.refused.Load(),
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	s.Depth, s.Bins, s.Searches = n.table.Depth(), n.table.Stats(), len(n.searches)
	for _, x := range n.sessions {
		if x.isReady() {
			s.Peers++
		}
		s.Queued += x.waiting()
		s.Awaited += x.awaited()
	}
	return s
}

// PeerInfo is what a server's PeersInfo shows of a peer under the name bzz.
type PeerInfo struct {
	Overlay  chunk.Address `json:"overlay"`
	Underlay string        `json:"underlay"` // untrusted text
	Light    bool          `json:"light"`
	Later    bool          `json:"later"`   // speaks the later dialect
	Bits     int           `json:"bits"`    // shared with our own address
	Offered  int           `json:"offered"` // streams offered to the peer
	Taken    int           `json:"taken"`   // streams taken from the peer
	Queued   int           `json:"queued"`  // bytes that wait to be sent

	// Synced has the bins that the peer needs from us. For each it is the number of the newest chunk that the peer was offered
	// on this link and has answered for, 0 if there was none.
	Synced map[int]uint64 `json:"synced"`
}

// peerInfo describes a peer that has shaken hands.
func (n *Node) peerInfo(id enode.ID) (PeerInfo, bool) {
	n.mu.Lock()
	var found *session
	var planned map[int]bool // is replaced, never changed
	for p, s := range n.sessions {
		if p.ID() == id && s.isReady() {
			found, planned = s, s.planned
		}
	}
	n.mu.Unlock()
	if found == nil {
		return PeerInfo{}, false
	}
	found.mu.Lock()
	defer found.mu.Unlock()
	a := found.remote.Addr
	synced := make(map[int]uint64, len(planned))
	for bin := range planned {
		synced[bin] = found.reached[bin]
	}
	return PeerInfo{
		Overlay: a.Overlay, Underlay: string(a.Underlay), Light: found.remote.Light, Bits: n.cfg.Overlay.PO(a.Overlay),
		Offered: len(found.served) + len(found.ranges), Taken: len(found.taken), Queued: found.waiting(), Later: found.later,
		Synced: synced,
	}, true
}

// waiting returns how many bytes wait to be sent to a peer.
func (s *session) waiting() int {
	n := s.hive.waiting() + s.stream.waiting()
	if s.later {
		n += s.chunks.waiting()
	}
	return n
}

// awaited returns how many chunks are in offers that the peer has not answered yet.
func (s *session) awaited() (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, v := range s.served {
		n += v.offered
	}
	for _, v := range s.ranges {
		n += v.offered
	}
	return n
}

func (s *session) isReady() bool {
	select {
	case <-s.ready:
		return true
	default:
		return false
	}
}

// waiting returns how many bytes wait to be sent.
func (q *sender) waiting() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.bytes
}
