package shh

import (
	"sync/atomic"
	"time"

	"github.com/ethereum/go-ethereum/p2p/enode"
)

// counters count since the node was made.
type counters struct {
	received, duplicates, sent, posted, direct, delivered, breaches atomic.Uint64
	faults                                                          [faults]atomic.Uint64
}

// Stats are what a node holds at the moment, and its counters since it was made.
type Stats struct {
	Envelopes int   // in the pool
	Bytes     int64 // what they are charged for
	Limit     int64 // of Bytes

	Received   uint64 // envelopes from peers, copies included
	Duplicates uint64 // envelopes that were in the pool already
	Sent       uint64 // envelopes to peers
	Posted     uint64 // messages posted here
	Direct     uint64 // direct messages from trusted peers
	Delivered  uint64 // messages put into the queues of subscriptions
	Expired    uint64 // envelopes that have left the pool because their time was over
	Evicted    uint64 // envelopes that have left it for others with more proof of work
	Breaches   uint64 // sessions that ended because the peer broke the rules

	Refused map[string]uint64 // envelopes that were not taken, by what was wrong with them
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

// peerInfo is what admin_peers shows of a peer; nil before its status has arrived.
func (w *Whisper) peerInfo(id enode.ID) any {
	s := w.session(id)
	if s == nil {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.ready && s.muted == nil {
		return nil
	}
	info := struct {
		Version    int     `json:"version"`
		MinimumPoW float64 `json:"minimumPoW"`
		Rule       string  `json:"powRule"` // by which rule it counts proof of work
		Full       bool    `json:"wantsAll"`
		Light      bool    `json:"light"`
		Ended      string  `json:"ended,omitempty"` // why nothing is exchanged any more
	}{Version: ProtocolVersion, MinimumPoW: s.wants.minWork, Rule: s.counting.String(), Full: s.wants.bloom.Full(), Light: s.wants.light}
	if s.muted != nil {
		info.Ended = s.muted.Error()
	}
	return info
}
