package p2p

import (
	"context"
	"crypto/ecdsa"
	"net"

	"github.com/ethereum/go-ethereum/common/mclock"
	"github.com/ethereum/go-ethereum/log"
	"github.com/ethereum/go-ethereum/p2p/enode"
	"github.com/ethereum/go-ethereum/p2p/nat"
	"github.com/ethereum/go-ethereum/p2p/netutil"

	"github.com/sennit-net/sennit/trace"
)

// Config is what a [Server] is told before it starts; it must not be changed afterwards. Of the zero value only
// PrivateKey has to be set, and MaxPeers if there are to be any peers. It reads and writes TOML: see [DecodeConfig].
type Config struct {
	// PrivateKey is the node's identity, a secp256k1 key. It is required.
	PrivateKey *ecdsa.PrivateKey `toml:"-"`

	// MaxPeers is how many peers there may be at a time. Trusted nodes are accepted beyond it.
	MaxPeers int

	// MaxPendingPeers is how many connections may be in their handshake at a time, inbound and outbound each. 0 means
	// 50.
	MaxPendingPeers int `toml:",omitempty"`

	// DialRatio says how many of MaxPeers we dial: one in DialRatio. The others are left to those who dial us. 0 means 3.
	DialRatio int `toml:",omitempty"`

	// NoDiscovery turns both versions of node discovery off, and with them [Protocol.DialCandidates], as in go-ethereum. To use
	// those alone, leave it and the next two fields false.
	NoDiscovery bool

	// DiscoveryV4 and DiscoveryV5 turn on node discovery of that version.
	DiscoveryV4 bool `toml:",omitempty"`
	DiscoveryV5 bool `toml:",omitempty"`

	// Name is the client name announced in Hello.
	Name string `toml:"-"`

	// BootstrapNodes are the nodes that discovery (v4) starts from.
	BootstrapNodes []*enode.Node

	// BootstrapNodesV5 are the nodes that discovery v5 starts from.
	BootstrapNodesV5 []*enode.Node `toml:",omitempty"`

	// StaticNodes are dialed, and dialed again when the connection was lost, for as long as the server runs.
	StaticNodes []*enode.Node

	// TrustedNodes may connect even when there are MaxPeers peers.
	TrustedNodes []*enode.Node

	// NetRestrict, if not nil, is the list of IP networks outside of which nobody is dialed or accepted.
	NetRestrict *netutil.Netlist `toml:",omitempty"`

	// NodeDatabase is the directory of the database of known nodes. If empty, it is kept in memory.
	NodeDatabase string `toml:",omitempty"`

	// Protocols are what runs with each peer that has them too.
	Protocols []Protocol `toml:"-" json:"-"`

	// ListenAddr is the TCP address to accept connections on; if empty, none are. With port 0 the system chooses one,
	// and Start sets ListenAddr to the address in use.
	ListenAddr string

	// DiscAddr is the UDP address of discovery; if empty, ListenAddr is.
	DiscAddr string

	// NAT, if not nil, makes the listening ports reachable from outside a gateway. In TOML it is a text for nat.Parse,
	// such as "any" or "extip:192.0.2.1".
	NAT nat.Interface `toml:",omitempty"`

	// Dialer, if not nil, makes the outbound connections.
	Dialer NodeDialer `toml:"-"`

	// NoDial turns dialing off, that of static nodes too.
	NoDial bool `toml:",omitempty"`

	// EnableMsgEvents sends subscribers a [PeerEvent] for every message of a protocol. It costs speed.
	EnableMsgEvents bool

	// Logger, if not nil, is where the server and its peers log.
	Logger log.Logger `toml:"-"`

	// Recorder, if not nil, is handed every event of every link's life.
	Recorder trace.Recorder `toml:"-" json:"-"`

	// MemoryBudget is how many bytes all links of the server together may hold in inboxes and in frames being
	// received. 0 means 512 MiB.
	MemoryBudget int64 `toml:",omitempty" json:",omitempty"`

	// LegacyHandshake accepts handshakes of the form from before EIP-8 as well, which nodes older than 2021 send.
	LegacyHandshake bool `toml:",omitempty" json:",omitempty"`

	// NoLanes keeps the server from offering lanes/1, the framing that two Sennit nodes use between them: every link is
	// plain RLPx then.
	NoLanes bool `toml:",omitempty" json:",omitempty"`

	clock mclock.Clock // nil for the system's
}

// defaultMemoryBudget is Config.MemoryBudget's default, in bytes.
const defaultMemoryBudget = 512 << 20

// caps returns what our Hello offers.
func (c *Config) caps() []Cap {
	caps := capsOf(c.Protocols)
	if c.NoLanes {
		return caps
	}
	return withLanes(caps)
}

func (c *Config) memoryBudget() int64 {
	if c.MemoryBudget > 0 {
		return c.MemoryBudget
	}
	return defaultMemoryBudget
}

// NodeDialer connects to nodes. It is called from several goroutines and must return when its context ends.
type NodeDialer interface {
	// Dial returns a connection to the node, over which the handshake has yet to happen.
	Dial(context.Context, *enode.Node) (net.Conn, error)
}
