package bzz

import (
	"net/netip"
	"net/url"
	"slices"
	"time"

	"github.com/ethereum/go-ethereum/p2p/enode"
	"github.com/ethereum/go-ethereum/p2p/netutil"

	"github.com/sennit-net/sennit/p2p"
	"github.com/sennit-net/sennit/protocols/bzz/wire"
)

// dials are the nodes that the server was told to dial because hive suggested them. They belong to the goroutine of tend.
type dials map[enode.ID]*dial

type dial struct {
	node      *enode.Node
	since     time.Time
	connected bool // at least once; then it is left to the server to dial it again
}

// tick has the server dial one more node, and gives up those that have not come. The server would go on trying them for
// ever. A node that has come but does not speak Swarm is left alone while it is there: to give it up would end what other
// protocols do on the link, and an address of hive's is no reason for that.
func (d dials) tick(n *Node, now time.Time) {
	for id, dial := range d {
		switch {
		case n.isConnected(id):
			dial.connected = true
		case dial.connected && len(d) < maxDialing:
		case now.Sub(dial.since) > dialPatience && !n.isLinked(id):
			n.server.RemovePeer(dial.node)
			delete(d, id)
		}
	}
	if len(d) >= maxDialing {
		return
	}
	n.mu.Lock()
	addr, ok := n.table.Suggest(now)
	n.mu.Unlock()
	if !ok {
		return
	}
	node, ok := dialable(addr)
	if !ok || node.ID() == n.server.Self().ID() || d[node.ID()] != nil || n.isStatic(node.ID()) || n.isLinked(node.ID()) {
		n.counts.undialable.Add(1)
		return
	}
	n.log.Debug("connecting to a suggested node", "node", node.ID(), "overlay", addr.Overlay)
	d[node.ID()] = &dial{node: node, since: now}
	n.counts.dialed.Add(1)
	n.server.AddPeer(node)
}

// dropAll takes back what was asked of the server, but for those that have come.
func (d dials) dropAll(n *Node) {
	for id, dial := range d {
		if !n.isLinked(id) {
			n.server.RemovePeer(dial.node)
		}
	}
}

// dialable returns the node that an underlay address means, if it is one that can be dialed.
func dialable(a wire.PeerAddr) (*enode.Node, bool) {
	node, err := enode.ParseV4(string(a.Underlay))
	if err != nil || node.TCP() == 0 || !node.IPAddr().IsValid() || node.IPAddr().IsUnspecified() {
		return nil, false
	}
	return node, true
}

var carrierNAT = netip.MustParsePrefix("100.64.0.0/10") // RFC 6598

// isLocal tells whether only hosts of its own network, or only the host itself, can reach an address.
func isLocal(ip netip.Addr) bool {
	return netutil.AddrIsLAN(ip) || ip.IsLinkLocalUnicast() || carrierNAT.Contains(ip)
}

// nameable tells whether a node at one address may have us dial another: loopback is for this host to name, and a local address
// for who has one itself. So strangers cannot have us connect to what only we can reach.
func nameable(from, to netip.Addr) bool {
	from, to = from.Unmap(), to.Unmap()
	switch {
	case to.IsUnspecified(), to.IsMulticast(), netutil.AddrIsSpecialNetwork(to):
		return false
	case to.IsLoopback():
		return from.IsLoopback()
	}
	return !isLocal(to) || isLocal(from)
}

// mayName tells whether we may dial the address of a node that the peer names. One that has no IP address is not dialed anyway.
func (s *session) mayName(a wire.PeerAddr) bool {
	u, err := url.Parse(string(a.Underlay))
	if err != nil {
		return true
	}
	at, err := netip.ParseAddr(u.Hostname())
	return err != nil || nameable(netutil.AddrAddr(s.peer.RemoteAddr()), at)
}

// staticOf returns the nodes that a server dials on its own account. To ask for one as well would do nothing, but to take it
// back then would end what its operator has asked for.
func staticOf(server Server) map[enode.ID]struct{} {
	s, ok := server.(*p2p.Server)
	if !ok {
		return nil
	}
	static := make(map[enode.ID]struct{}, len(s.StaticNodes))
	for _, n := range s.StaticNodes {
		static[n.ID()] = struct{}{}
	}
	return static
}

// isStatic reports whether the server dials a node anyway.
func (n *Node) isStatic(id enode.ID) bool {
	_, ok := n.static[id]
	return ok
}

// isConnected reports whether there is a session with a node.
func (n *Node) isConnected(id enode.ID) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	for p := range n.sessions {
		if p.ID() == id {
			return true
		}
	}
	return false
}

// isLinked reports whether there is a link with a node, whatever runs on it.
func (n *Node) isLinked(id enode.ID) bool {
	return n.isConnected(id) || slices.ContainsFunc(n.server.Peers(), func(p *p2p.Peer) bool { return p.ID() == id })
}
