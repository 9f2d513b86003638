package shh

import (
	"sync/atomic"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/p2p/enode"
)

// counters count since the node was made.
type counters struct {
	received, duplicates, sent, posted, direct, delivered, breaches atomic.Uint64
	faults                                                          [faults]atomic.Uint64
}

// Stats are what a node holds at the moment, and its counters since it was made.
type Stats struct {
	Envelopes int   `json:"envelopes"` // in the pool
	Bytes     int64 `json:"bytes"`     // what they are charged for
	Limit     int64 `json:"limit"`     // of Bytes

	Received   uint64 `json:"received"`   // envelopes from peers, copies included
	Duplicates uint64 `json:"duplicates"` // envelopes that were in the pool already
	Sent       uint64 `json:"sent"`       // envelopes to peers
	Posted     uint64 `json:"posted"`     // messages posted here
	Direct     uint64 `json:"direct"`     // direct messages from trusted peers
	Delivered  uint64 `json:"delivered"`  // messages put into the queues of subscriptions
	Expired    uint64 `json:"expired"`    // envelopes that have left the pool because their time was over
	Evicted    uint64 `json:"evicted"`    // envelopes that have left it for others with more proof of work
	Breaches   uint64 `json:"breaches"`   // sessions that ended because the peer broke the rules

	Refused map[string]uint64 `json:"refused"` // envelopes that were not taken, by what was wrong with them
}

// Stats returns the node's counters.
func (w *Whisper) Stats() Stats {
	p, c := w.pool.stats(time.Now()), &w.counts
	s := Stats{
		Envelopes: p.envelopes, Bytes: p.bytes, Limit: w.pool.limit,
		Received: c.received.Load(), Duplicates: c.duplicates.Load(), Sent: c.sent.Load(), Posted: c.posted.Load(),
		Direct: c.direct.Load(), Delivered: c.delivered.Load(), Expired: p.expired, Evicted: p.evicted, Breaches: c.breaches.Load(),
		Refused: make(map[string]uint64),
	}
	for f := range faults {
		if n := c.faults[f].Load(); n > 0 {
			s.Refused[f.String()] = n
		}
	}
	return s
}

// nodeInfo is what admin_nodeInfo shows, in go-ethereum's words.
func (w *Whisper) nodeInfo() any {
	return struct {
		Version        string  `json:"version"`
		MaxMessageSize int     `json:"maxMessageSize"`
		MinimumPoW     float64 `json:"minimumPoW"`
	}{rpcVersion, w.MaxMessageSize(), w.MinWork()}
}

// PeerStatus is what is known of a peer with which there is a session. Its JSON is what admin_peers shows of the protocol.
type PeerStatus struct {
	ID       enode.ID `json:"-"`
	Version  int      `json:"version"`
	MinWork  float64  `json:"minimumPoW"`      // what it asks for
	Rule     string   `json:"powRule"`         // by which it counts: "1.8", "1.9", "either" or "unknown"
	WantsAll bool     `json:"wantsAll"`        // whether its bloom filter lets everything pass
	Light    bool     `json:"light"`           // whether it is a light node
	Ended    string   `json:"ended,omitempty"` // why nothing is exchanged any more while the link goes on
}

// Peers returns what is known of the peers whose status has arrived.
func (w *Whisper) Peers() []PeerStatus {
	var list []PeerStatus
	for _, s := range *w.sessions.Load() {
		if st, ok := s.status(); ok {
			list = append(list, st)
		}
	}
	return list
}

// status is false before the peer's status has arrived.
func (s *session) status() (PeerStatus, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := PeerStatus{
		ID: s.peer.ID(), Version: ProtocolVersion, MinWork: s.wants.minWork, Rule: s.counting.String(),
		WantsAll: s.wants.bloom.Full(), Light: s.wants.light,
	}
	if s.muted != nil {
		st.Ended = s.muted.Error()
	}
	return st, s.ready || s.muted != nil
}

// peerInfo is what admin_peers shows of a peer; nil before its status has arrived.
func (w *Whisper) peerInfo(id enode.ID) any {
	if s := w.session(id); s != nil {
		if st, ok := s.status(); ok {
			return st
		}
	}
	return nil
}

// Holders returns how many of the present peers have an envelope of the pool, because they were sent it or have sent it.
func (w *Whisper) Holders(hash common.Hash) int { return w.pool.holders(hash) }
