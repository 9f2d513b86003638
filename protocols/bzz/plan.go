package bzz

import (
	"github.com/sennit-net/sennit/protocols/bzz/store"
	"github.com/sennit-net/sennit/protocols/bzz/wire"
)

// planSyncing asks peers to subscribe to the bins they should have from us, and pauses what they need no longer (section 5,
// syncing). A peer outside of our neighbourhood needs the bin it is in, one within it all bins of the neighbourhood.
//
// Nodes of the time send Quit instead of pausing, and it ends their links: who is sent Quit for a stream of which nothing
// was offered yet does not know it, and who has quit may have an offer on the way that is not known any more. A stream
// that falls silent is none the worse.
func (n *Node) planSyncing() {
	if !n.cfg.syncs() {
		return
	}
	type change struct {
		s     *session
		begin []int
		end   []int
	}
	var changes []change
	n.mu.Lock()
	depth := n.table.Depth()
	for _, s := range n.sessions {
		if !s.syncing || s.remote.Light {
			continue
		}
		c := change{s: s}
		bins := binsFor(min(n.cfg.Overlay.PO(s.remote.Addr.Overlay), store.Bins-1), depth)
		for bin := range s.planned {
			if !bins[bin] {
				c.end = append(c.end, bin)
			}
		}
		for bin := range store.Bins {
			if bins[bin] && !s.planned[bin] {
				c.begin = append(c.begin, bin)
			}
		}
		s.planned = bins
		changes = append(changes, c)
	}
	n.mu.Unlock()
	for _, c := range changes {
		c.s.failed(c.s.changePlan(c.begin, c.end))
	}
}

// binsFor returns the bins that a peer needs with which we share po bits.
func binsFor(po, depth int) map[int]bool {
	bins := make(map[int]bool)
	if po < depth {
		bins[po] = true
		return bins
	}
	for bin := depth; bin < store.Bins; bin++ {
		bins[bin] = true
	}
	return bins
}

// changePlan asks for subscriptions to some bins and pauses others. The peer is not asked for what it takes already:
// subscribing twice would end the link.
func (s *session) changePlan(begin, end []int) error {
	if s.later {
		return s.changePulls(begin, end)
	}
	for _, bin := range end {
		s.pause(wire.SyncBin(bin), true)
		s.pause(wire.SyncBin(bin).History(), true)
	}
	for _, bin := range begin {
		history, live := s.pause(wire.SyncBin(bin).History(), false), s.pause(wire.SyncBin(bin), false)
		if history || live || s.requested[bin] {
			continue
		}
		s.requested[bin] = true
		m := wire.RequestSubscription{Stream: wire.SyncBin(bin), Range: &wire.Range{}, Priority: wire.PriorityHigh}
		if err := s.stream.push(wire.PriorityTop, m); err != nil {
			return err
		}
	}
	return nil
}
