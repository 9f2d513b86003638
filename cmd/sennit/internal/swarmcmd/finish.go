package swarmcmd

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/sennit-net/sennit/p2p"
	"github.com/sennit-net/sennit/protocols/bzz"
	"github.com/sennit-net/sennit/protocols/bzz/store"
)

// receiptTime is how long a node may take to show that it has all that was sent to it. Megabytes may be in the buffers on the way.
const receiptTime = 2 * time.Minute

// Finish offers what was put and waits until the nodes have taken what they had not.
func (d *linked) Finish(ctx context.Context, told func(done, total int64)) error {
	if err := d.local.Finish(ctx, nil); err != nil || d.shelf == nil {
		return err
	}
	ctx, release := d.within(ctx)
	defer release()
	total := d.shelf.offer()
	ticker := time.NewTicker(tick)
	defer ticker.Stop()
	var last progress
	since := time.Now()
	for {
		peers := d.server.Peers()
		now := d.progress(peers)
		if now != last || now.waiting > 0 {
			last, since = now, time.Now()
		}
		offered := now.answered * total / max(now.due, 1)
		if told != nil {
			told(offered, total)
		}
		switch calm := time.Since(since); {
		case now.complete && calm >= quiet:
			err := d.receipts(ctx, peers)
			if err == nil || !errors.Is(err, bzz.ErrNoPeer) {
				return d.unfinished(err, total, total)
			}
			last = progress{} // that link has just been lost
		case now.links > 0 && calm >= stall:
			return d.unfinished(fmt.Errorf("nothing more happened%s", refusal(d.node.Stats())), offered, total)
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return d.unfinished(context.Cause(ctx), offered, total)
		}
	}
}

// unfinished says of an error how far it was; nil stays nil.
func (d *linked) unfinished(err error, offered, total int64) error {
	if err == nil || errors.Is(err, context.Canceled) {
		return err
	}
	return fmt.Errorf("offered %d of %d chunks to %s, and then %w; what there is stays in %s", offered, total, d, err, d.local)
}

func refusal(s bzz.Stats) string {
	switch {
	case s.Refused > 0 || s.Offered == 0:
		return ": it does not sync"
	case s.Awaited > 0:
		return fmt.Sprintf(": there is no answer for %d of them", s.Awaited)
	}
	return ""
}

// receipts waits until each of the peers has shown that it has what was sent to it.
func (d *linked) receipts(ctx context.Context, peers []*p2p.Peer) error {
	ctx, cancel := context.WithTimeoutCause(ctx, receiptTime, fmt.Errorf("no sign in %v that they have arrived", receiptTime))
	defer cancel()
	for _, p := range peers {
		if _, ok := p.Info().Protocols["bzz"].(bzz.PeerInfo); !ok {
			continue // Swarm does not run with it
		}
		if err := d.node.Receipt(ctx, p); err != nil {
			return err
		}
	}
	return nil
}

// progress is how far the nodes have taken what is on the shelf. Only what was offered on the links that there are counts.
type progress struct {
	links         int
	answered, due int64 // chunks, all links together
	waiting       int64 // bytes that have not been sent
	complete      bool  // the nodes have answered for all
}

func (d *linked) progress(peers []*p2p.Peer) progress {
	var links []bzz.PeerInfo
	var waiting int64
	for _, p := range peers {
		if info, ok := p.Info().Protocols["bzz"].(bzz.PeerInfo); ok {
			links = append(links, info)
			waiting += int64(info.Queued)
		}
		for _, protocol := range p.Stats().Protocols {
			waiting += protocol.OutboxBytes
		}
	}
	now := progressOf(links, d.shelf.size)
	now.waiting = waiting
	return now
}

// progressOf adds up what the nodes have answered for. size tells how many chunks there are in a bin.
func progressOf(links []bzz.PeerInfo, size func(bin int) uint64) progress {
	now := progress{links: len(links), complete: true}
	var missing [store.Bins]uint64 // what nobody has been asked to take yet
	for bin := range missing {
		missing[bin] = size(bin)
	}
	for _, link := range links {
		if len(link.Synced) == 0 && !link.Light {
			now.complete = false // what this one takes has not been decided yet
		}
		for bin, reached := range link.Synced {
			now.answered += int64(min(reached, size(bin)))
			now.due += int64(size(bin))
			missing[bin] = 0
		}
	}
	for _, n := range missing {
		now.due += int64(n)
	}
	now.complete = now.complete && now.answered == now.due
	return now
}
