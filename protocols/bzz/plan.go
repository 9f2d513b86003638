package bzz

import (
	"github.com/sennit-net/sennit/protocols/bzz/wire"
)

// planSyncing asks peers to subscribe to the bins they should have from us, and ends what they need no longer (section 5,
// syncing). A peer outside of our neighbourhood needs the bin it is in, one within it all bins of the neighbourhood.
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
		if !s.serving || s.remote.Light {
			continue
		}
		c := change{s: s}
		bins := binsFor(min(n.cfg.Overlay.PO(s.remote.Addr.Overlay), maxBin), depth)
		for bin := range s.planned {
			if !bins[bin] {
				c.end = append(c.end, bin)
			}
		}
		for bin := range maxBin + 1 {
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
	for bin := depth; bin <= maxBin; bin++ {
		bins[bin] = true
	}
	return bins
}

// changePlan asks for subscriptions to some bins and quits others. A stream is quit only if the peer takes it: to quit
// another would end the link.
func (s *session) changePlan(begin, end []int) error {
	for _, bin := range end {
		for _, stream := range []wire.Stream{wire.SyncBin(bin), wire.SyncBin(bin).History()} {
			if !s.stopServing(stream) {
				continue
			}
			if err := s.stream.push(wire.PriorityTop, wire.Quit{Stream: stream}); err != nil {
				return err
			}
		}
	}
	for _, bin := range begin {
		m := wire.RequestSubscription{Stream: wire.SyncBin(bin), Range: &wire.Range{}, Priority: wire.PriorityHigh}
		if err := s.stream.push(wire.PriorityTop, m); err != nil {
			return err
		}
	}
	return nil
}
