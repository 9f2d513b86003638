package admin

import (
	"sync"

	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/p2p/enode"
	"github.com/ethereum/go-ethereum/rpc"

	"github.com/sennit-net/sennit/p2p"
)

// APIs returns the namespaces about the peer layer: admin ([Admin]) and net ([Net]). The server must have been started
// before the endpoint is.
func APIs(server *p2p.Server) []rpc.API {
	return []rpc.API{
		{Namespace: "admin", Service: &Admin{server, new(sync.WaitGroup)}},
		{Namespace: "net", Service: &Net{server}},
	}
}

// Admin is the namespace admin: what go-ethereum's admin has about peers, with the same names, parameters and results.
// Its methods are called by JSON-RPC, Peers as admin_peers and so on.
type Admin struct {
	server  *p2p.Server
	serving *sync.WaitGroup // the goroutines of subscriptions: an endpoint's, which waits for them
}

// NodeInfo describes this node.
func (a *Admin) NodeInfo() *p2p.NodeInfo { return a.server.NodeInfo() }

// Peers describes the peers, in the order of their IDs.
func (a *Admin) Peers() []*p2p.PeerInfo { return a.server.PeersInfo() }

// AddPeer makes a node a static one: it is dialed until it is connected, and again whenever the connection was lost. The
// result is true: it says that the URL could be read.
func (a *Admin) AddPeer(url string) (bool, error) { return with(url, a.server.AddPeer) }

// RemovePeer undoes AddPeer and disconnects the node.
func (a *Admin) RemovePeer(url string) (bool, error) { return with(url, a.server.RemovePeer) }

// AddTrustedPeer lets a node connect even when there is no free place.
func (a *Admin) AddTrustedPeer(url string) (bool, error) { return with(url, a.server.AddTrustedPeer) }

// RemoveTrustedPeer undoes AddTrustedPeer. It does not disconnect the node.
func (a *Admin) RemoveTrustedPeer(url string) (bool, error) {
	return with(url, a.server.RemoveTrustedPeer)
}

func with(url string, do func(*enode.Node)) (bool, error) {
	node, err := p2p.ParseNode(url)
	if err != nil {
		return false, err
	}
	do(node)
	return true, nil
}

// Net is the namespace net, as far as it is about the peer layer.
type Net struct{ server *p2p.Server }

// Listening tells whether the node accepts connections.
func (n *Net) Listening() bool { return n.server.ListenAddr != "" }

// PeerCount returns how many peers there are.
func (n *Net) PeerCount() hexutil.Uint { return hexutil.Uint(n.server.PeerCount()) }
