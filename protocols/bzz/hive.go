package bzz

import (
	"bytes"
	"errors"
	"slices"
	"time"

	"github.com/sennit-net/sennit/p2p"
	"github.com/sennit-net/sennit/protocols/bzz/chunk"
	"github.com/sennit-net/sennit/protocols/bzz/wire"
)

var errOwnAddress = errors.New("bzz: the peer tells us of our own address")

// letter is a message of hive and whom it is for. Letters are collected under the node's lock and posted without it.
type letter struct {
	to *session
	m  wire.Message
}

// post queues letters. One that is for a peer with too much in its queue is dropped: what others have to tell is no reason to
// part from it, and a link that is slow would be lost to whoever tells much.
func post(letters []letter) {
	for _, l := range letters {
		if l.to.hive.push(wire.PriorityLow, l.m) != nil {
			l.to.node.counts.dropped.Add(1)
		}
	}
}

// hiveHandlers handle the messages of hive by code.
var hiveHandlers = []handler{
	wire.CodePeers:    (*session).handlePeers,
	wire.CodeSubPeers: (*session).handleSubPeers,
}

// runHive is the protocol hive: who else is there (section 4).
func (s *session) runHive(rw p2p.MsgReadWriter) error {
	if err := s.await(); err != nil {
		return err
	}
	s.node.spawn(func() { s.failed(s.hive.run(s.ctx, rw, nil)) })
	s.node.enter(s)
	defer s.node.exit(s)
	return s.handle(rw, "hive", hiveHandlers)
}

// enter puts a peer into the table and tells whom it concerns: all peers if our depth has changed by that, otherwise the
// new one, and about the new one those who may want to know it.
func (n *Node) enter(s *session) {
	addr := s.remote.Addr
	named := s.mayName(addr)
	dialed := addr // when it has gone, and told to others
	if !named {
		dialed.Underlay = nil
	}
	n.mu.Lock()
	s.named = named
	s.listed = n.table.Connect(dialed, s.remote.Light)
	letters := []letter{{s, wire.SubPeers{Depth: uint8(n.table.Depth())}}}
	if s.listed {
		n.neighbour[addr.Overlay] = s
		if n.depthChangedLocked() {
			letters = n.tellDepthLocked()
		}
		if named && !s.remote.Light {
			letters = append(letters, n.tellLocked(s, []wire.PeerAddr{addr})...)
		}
	}
	n.mu.Unlock()
	poke(n.replan)
	post(letters)
}

// exit takes a peer out of the table.
func (n *Node) exit(s *session) {
	n.mu.Lock()
	var letters []letter
	if s.listed {
		s.listed = false
		delete(n.neighbour, s.remote.Addr.Overlay)
		n.table.Disconnect(s.remote.Addr.Overlay)
		if n.depthChangedLocked() {
			letters = n.tellDepthLocked()
		}
	}
	n.mu.Unlock()
	poke(n.replan)
	post(letters)
}

// depthChangedLocked notes the depth and reports whether it is another than before.
func (n *Node) depthChangedLocked() bool {
	was := n.depth
	n.depth = n.table.Depth()
	return n.depth != was
}

// tellDepthLocked tells all peers our depth.
func (n *Node) tellDepthLocked() (letters []letter) {
	for _, x := range n.neighbour {
		letters = append(letters, letter{x, wire.SubPeers{Depth: uint8(n.depth)}})
	}
	return letters
}

// tellLocked tells the peers other than s of addresses that s has brought, if they speak its dialect: each of those that are
// as near to it as its own depth asks for, or nearer to us than it is, and none twice.
func (n *Node) tellLocked(s *session, addrs []wire.PeerAddr) (letters []letter) {
	for _, x := range n.neighbour {
		if x == s || x.later != s.later {
			continue
		}
		their := x.remote.Addr.Overlay
		var news []wire.PeerAddr
		for _, a := range addrs {
			if a.Overlay == their {
				continue
			}
			if their.PO(a.Overlay) < x.depth && n.cfg.Overlay.PO(a.Overlay) <= n.cfg.Overlay.PO(their) {
				continue
			}
			if x.noteLocked(a.Overlay) {
				news = append(news, a)
			}
		}
		if len(news) > 0 {
			letters = append(letters, letter{x, x.peers(news)})
		}
	}
	return letters
}

// noteLocked notes that the peer knows an address, and reports whether that is news.
func (s *session) noteLocked(a chunk.Address) bool {
	if _, ok := s.seen[a]; ok {
		return false
	}
	if len(s.seen) >= maxSeen {
		clear(s.seen) // it may be told of some again, which does no harm
	}
	s.seen[a] = struct{}{}
	return true
}

// peers returns the message that tells a peer of addresses.
func (s *session) peers(addrs []wire.PeerAddr) wire.Message {
	if s.later {
		return wire.LaterPeers{Addrs: addrs}
	}
	return wire.Peers{Addrs: addrs}
}

// parsePeers parses such a message.
func (s *session) parsePeers(payload []byte) ([]wire.PeerAddr, error) {
	if s.later {
		m, err := wire.ParseLaterPeers(payload)
		return m.Addrs, err
	}
	m, err := wire.ParsePeers(payload)
	return m.Addrs, err
}

// keepAddr returns the address in memory of its own. What it was parsed from may be a message of 10 MiB, and the table
// remembers an address for longer than a link lives.
func keepAddr(a wire.PeerAddr) wire.PeerAddr {
	a.Underlay, a.Caps = bytes.Clone(a.Underlay), bytes.Clone(a.Caps)
	return a
}

// handlePeers takes addresses in, and hands them on to those they concern, as long as there are not too many of them.
func (s *session) handlePeers(payload []byte) error {
	addrs, err := s.parsePeers(payload)
	if err != nil {
		return err
	}
	n := s.node
	for i := range addrs {
		if addrs[i].Overlay == n.cfg.Overlay {
			return errOwnAddress
		}
		addrs[i] = keepAddr(addrs[i])
	}
	learn := slices.DeleteFunc(slices.Clone(addrs), func(a wire.PeerAddr) bool { return !s.mayName(a) })
	tell := len(learn)
	for tell > 0 && !s.tellers.AllowN(time.Now(), tell) {
		tell /= 2
	}
	n.counts.addresses.Add(uint64(len(addrs)))
	n.counts.untold.Add(uint64(len(learn) - tell))
	n.mu.Lock()
	for _, a := range addrs {
		s.noteLocked(a.Overlay)
	}
	for _, a := range learn {
		n.table.Learn(a)
	}
	letters := n.tellLocked(s, learn[:tell])
	n.mu.Unlock()
	post(letters)
	return nil
}

// handleSubPeers answers the first question for addresses with the peers that are at least as near to the asking peer as
// we are. Further ones mean nothing.
func (s *session) handleSubPeers(payload []byte) error {
	m, err := wire.ParseSubPeers(payload)
	if err != nil {
		return err
	}
	n := s.node
	n.mu.Lock()
	var known []wire.PeerAddr
	if !s.asked {
		s.asked, s.depth = true, int(m.Depth)
		their := s.remote.Addr.Overlay
		for _, x := range n.neighbour {
			a := x.remote.Addr
			if x == s || x.later != s.later || !x.named || x.remote.Light || their.PO(a.Overlay) < their.PO(n.cfg.Overlay) || a.Overlay == their {
				continue
			}
			if s.noteLocked(a.Overlay) {
				known = append(known, a)
			}
		}
	}
	n.mu.Unlock()
	if len(known) == 0 {
		return nil
	}
	return s.hive.push(wire.PriorityLow, s.peers(known))
}
