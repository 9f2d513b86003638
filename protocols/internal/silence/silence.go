// Package silence lets a protocol give up a peer without giving up the link, if others run on it. The protocol stays
// on the link, as a link ends with the first Run that returns, but sends nothing more and forgets what comes for it.
package silence

import (
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/sennit-net/sennit/p2p"
)

// silent has the names of the protocols that have fallen silent, by link. It is one for all servers: the protocols of a link
// know nothing of each other but what the link tells them, and of two that wait for the other to go on neither would end it.
var silent = struct {
	mu    sync.Mutex
	links map[*p2p.Peer][]string
}{links: make(map[*p2p.Peer][]string)}

// Begin notes that some protocols of a link, given by their names, fall silent together. It reports whether the link goes on:
// it does if another one runs on it that was not stopped for not keeping up and is not silent itself. Otherwise nothing is
// noted, and the caller has to end the link. Names that are silent already change nothing. It is safe for concurrent use.
func Begin(peer *p2p.Peer, names ...string) bool {
	protocols := peer.Stats().Protocols
	silent.mu.Lock()
	defer silent.mu.Unlock()
	all := slices.Concat(silent.links[peer], names)
	slices.Sort(all)
	all = slices.Compact(all)
	if !others(protocols, all) {
		return false
	}
	silent.links[peer] = all
	return true
}

// others reports whether a protocol runs that was not stopped and is none of the silent ones. One that was stopped is there to
// the end of the link, but is no reason to keep it.
func others(protocols []p2p.ProtocolStats, silent []string) bool {
	return slices.ContainsFunc(protocols, func(p p2p.ProtocolStats) bool { return !p.Stopped && !slices.Contains(silent, p.Name) })
}

// End forgets that protocols of a link were silent, if they were. Their Run calls it when it returns.
func End(peer *p2p.Peer, names ...string) {
	silent.mu.Lock()
	defer silent.mu.Unlock()
	left := slices.DeleteFunc(silent.links[peer], func(name string) bool { return slices.Contains(names, name) })
	if len(left) == 0 {
		delete(silent.links, peer)
		return
	}
	silent.links[peer] = left
}

// Silent reports whether a protocol of a link has fallen silent.
func Silent(peer *p2p.Peer, name string) bool {
	silent.mu.Lock()
	defer silent.mu.Unlock()
	return slices.Contains(silent.links[peer], name)
}

// period is how often Watch looks whether others still run.
const period = 2 * time.Second

// newTicks returns what tells Watch to look, and what stops that. Tests have ticks of their own.
var newTicks = func() (ticks <-chan time.Time, stop func()) {
	ticker := time.NewTicker(period)
	return ticker.C, ticker.Stop
}

// Attend is what the Run of a protocol does that has fallen silent, given with those that have together with it: it reads and
// forgets what the peer sends until the link ends, and returns the error of that. When no other protocol runs any more, it
// ends the link, as [Watch] does.
func Attend(peer *p2p.Peer, rw p2p.MsgReader, names ...string) error {
	defer Watch(peer, names...)()
	return Discard(rw)
}

// Watch disconnects the peer when no other protocol runs any more than those that have fallen silent, since the last one was
// stopped for not keeping up: nobody would use the link. The returned function ends that and waits for its end.
func Watch(peer *p2p.Peer, names ...string) (stop func()) {
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		ticks, stop := newTicks()
		defer stop()
		for {
			select {
			case <-ticks:
			case <-done:
				return
			}
			if !Begin(peer, names...) {
				peer.Disconnect(p2p.DiscSubprotocolError)
				return
			}
		}
	}()
	return func() {
		close(done)
		<-ended
	}
}

// Discard reads and forgets what the peer sends until the link ends, and returns the error of that.
func Discard(rw p2p.MsgReader) error {
	for {
		msg, err := rw.ReadMsg()
		if err != nil {
			return err
		}
		if err := msg.Discard(); err != nil {
			return fmt.Errorf("discarding: %w", err)
		}
	}
}
