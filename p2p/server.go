package p2p

import (
	"errors"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/ethereum/go-ethereum/event"
	"github.com/ethereum/go-ethereum/p2p/discover"
	"github.com/ethereum/go-ethereum/p2p/enode"
)

const (
	defaultMaxPendingPeers = 50
	defaultDialRatio       = 3
)

var (
	errServerRunning = errors.New("server already running")
	errServerRestart = errors.New("server has been stopped and cannot be started again")
	errNoPrivateKey  = errors.New("Config.PrivateKey is not set")
)

// Server holds links to other nodes and runs protocols over them. It is configured by its Config, which must not be
// changed once Start has been called; Start itself sets ListenAddr to the address in use, and Logger.
//
// The zero value with a PrivateKey can be started. All methods are safe for concurrent use. Before Start and after Stop,
// those that act on peers do nothing and those that return things return none.
type Server struct {
	Config

	feed       event.Feed  // of *PeerEvent
	subscribed atomic.Bool // somebody has asked for events once

	life    sync.Mutex                    // Start and the beginning of Stop, one at a time
	running atomic.Pointer[runningServer] // set by Start, never reset
}

// Start begins to listen, to dial and to discover, as configured. When it fails nothing is left running, and it may be
// called again. A server that has been stopped can't be started again. A protocol without Name, Run or Length is an
// error; of two with the same name and version the first runs, and the log warns of the other.
func (srv *Server) Start() (err error) {
	srv.life.Lock()
	defer srv.life.Unlock()
	if r := srv.running.Load(); r != nil {
		if r.ctx.Err() != nil {
			return errServerRestart
		}
		return errServerRunning
	}
	if srv.PrivateKey == nil {
		return errNoPrivateKey
	}
	if err := srv.checkProtocols(); err != nil {
		return err
	}
	r, err := startServer(srv)
	if err != nil {
		return err
	}
	srv.running.Store(r)
	r.run()
	return nil
}

// Stop ends the server: it closes the listener, tells all peers that we quit, and waits for all that it has started,
// which includes the Run functions of all protocols; so it must not be called from one. They see their next ReadMsg or
// WriteMsg fail; a Run that returns not even then keeps Stop from returning, and so does a subscriber that doesn't
// receive its events. Everything else ends within two seconds. Stop does nothing before Start; called again, it waits
// like the first call.
func (srv *Server) Stop() {
	srv.life.Lock()
	r := srv.running.Load()
	srv.life.Unlock()
	if r != nil {
		r.stop()
	}
}

// active returns what runs, or nil before Start and after Stop.
func (srv *Server) active() *runningServer {
	if r := srv.running.Load(); r != nil && r.ctx.Err() == nil {
		return r
	}
	return nil
}

// AddPeer makes node a static one: it is dialed until it is connected, and again whenever the connection was lost, until
// RemovePeer. It takes a place among the peers we dial, so it may have to wait for one.
func (srv *Server) AddPeer(node *enode.Node) {
	if r := srv.active(); r != nil && node != nil {
		r.addStatic(node)
	}
}

// RemovePeer undoes AddPeer and disconnects the node if it is connected, and then blocks until its drop event has been
// delivered. So it must not be called from a protocol's Run, nor by a subscriber that ought to receive the event.
func (srv *Server) RemovePeer(node *enode.Node) {
	r := srv.active()
	if r == nil || node == nil {
		return
	}
	r.dialer.removeStatic(node)
	if p, gone := r.peers.find(node.ID()); p != nil {
		p.Disconnect(DiscRequested)
		<-gone
	}
}

// AddTrustedPeer exempts a node from MaxPeers and the limit of inbound peers, starting with its present connection.
func (srv *Server) AddTrustedPeer(node *enode.Node) {
	if r := srv.active(); r != nil && node != nil {
		r.peers.setTrusted(node.ID(), true)
	}
}

// RemoveTrustedPeer undoes AddTrustedPeer. It doesn't disconnect the node.
func (srv *Server) RemoveTrustedPeer(node *enode.Node) {
	if r := srv.active(); r != nil && node != nil {
		r.peers.setTrusted(node.ID(), false)
	}
}

// Peers returns the peers, in no particular order.
func (srv *Server) Peers() []*Peer {
	if r := srv.active(); r != nil {
		return r.peers.list()
	}
	return nil
}

// PeerCount returns how many peers there are.
func (srv *Server) PeerCount() int {
	if r := srv.active(); r != nil {
		return r.peers.count()
	}
	return 0
}

// PeersInfo describes the peers, in the order of their IDs.
func (srv *Server) PeersInfo() []*PeerInfo {
	infos := make([]*PeerInfo, 0)
	for _, p := range srv.Peers() {
		infos = append(infos, p.Info())
	}
	slices.SortFunc(infos, func(a, b *PeerInfo) int { return strings.Compare(a.ID, b.ID) })
	return infos
}

// SubscribeEvents has ch receive an event for every peer that comes or goes, and with EnableMsgEvents for every message.
// Events are sent one by one and wait for ch, so a subscriber that doesn't receive holds up peers. It may be called
// before Start.
func (srv *Server) SubscribeEvents(ch chan *PeerEvent) event.Subscription {
	srv.subscribed.Store(true)
	return srv.feed.Subscribe(ch)
}

// SetupConn makes a peer of a connection that the caller has made or accepted, or closes it and returns why not. dialDest
// is the node that was dialed, nil for an inbound connection. The connection is subject to all checks but those of the
// listener.
func (srv *Server) SetupConn(fd net.Conn, flags connFlag, dialDest *enode.Node) error {
	r := srv.active()
	if r == nil {
		fd.Close()
		return errServerStopped
	}
	return r.setUpOutside(fd, flags, dialDest)
}

// Self returns the local node with its current addresses. Before Start these are 0.0.0.0 and ports 0.
func (srv *Server) Self() *enode.Node {
	if r := srv.running.Load(); r != nil {
		return r.local.Node()
	}
	if srv.PrivateKey == nil {
		return nil
	}
	return enode.NewV4(&srv.PrivateKey.PublicKey, net.IPv4zero, 0, 0)
}

// LocalNode returns the record of the local node, which may be changed; nil before Start.
func (srv *Server) LocalNode() *enode.LocalNode {
	if r := srv.running.Load(); r != nil {
		return r.local
	}
	return nil
}

// DiscoveryV4 returns the instance of node discovery v4, nil if it doesn't run.
func (srv *Server) DiscoveryV4() *discover.UDPv4 {
	if r := srv.running.Load(); r != nil {
		return r.disc.v4
	}
	return nil
}

// DiscoveryV5 returns the instance of node discovery v5, nil if it doesn't run.
func (srv *Server) DiscoveryV5() *discover.UDPv5 {
	if r := srv.running.Load(); r != nil {
		return r.disc.v5
	}
	return nil
}

// MaxInboundConns returns how many peers may have dialed us: those of MaxPeers which we don't dial.
func (srv *Server) MaxInboundConns() int { return srv.MaxPeers - srv.MaxDialedConns() }

// MaxDialedConns returns how many peers we dial: MaxPeers / DialRatio, but at least one unless NoDial is set or MaxPeers
// is 0.
func (srv *Server) MaxDialedConns() (limit int) {
	if srv.NoDial || srv.MaxPeers == 0 {
		return 0
	}
	ratio := srv.DialRatio
	if ratio == 0 {
		ratio = defaultDialRatio
	}
	return max(srv.MaxPeers/ratio, 1)
}

func (c *Config) maxPending() int {
	if c.MaxPendingPeers > 0 {
		return c.MaxPendingPeers
	}
	return defaultMaxPendingPeers
}
