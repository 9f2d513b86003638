// Package stack puts go-ethereum's p2p and ours behind one small interface, so that a test or a benchmark is written once
// and does precisely the same work on either of them.
//
// The two adaptors (geth.go and sennit.go) only translate types. Nothing they do per message allocates.
package stack

import (
	"crypto/ecdsa"
	"io"
	"net"
	"time"

	"github.com/ethereum/go-ethereum/p2p/enode"
)

// Stack is one implementation of devp2p links.
type Stack interface {
	// Name is a short name for tables and test names.
	Name() string
	// Start starts a node on 127.0.0.1.
	Start(Config) (Node, error)
	// NewConn wraps a connection in the stack's RLPx transport; dialDest is nil on the accepting side.
	NewConn(fd net.Conn, dialDest *ecdsa.PublicKey) Conn
	// Reason returns the stack's own DiscReason of that number, as an error for a protocol's Run to return.
	Reason(uint8) error
}

// Config describes a node. Discovery and NAT are always off, logs are discarded.
type Config struct {
	Key       *ecdsa.PrivateKey
	Name      string
	NoListen  bool
	MaxPeers  int // 0: 50
	MaxInHand int // handshakes at a time, MaxPendingPeers; 0: the stack's default
	Protocols []Protocol
	Static    []*enode.Node
	MsgEvents bool // Config.EnableMsgEvents
}

// Protocol is a protocol of a node.
type Protocol struct {
	Name    string
	Version uint
	Length  uint64
	Run     func(Peer, ReadWriter) error

	// What a full inbox does, for stacks that have one; others ignore it.
	Overload   Overload
	InboxBytes int
	// Weight is the protocol's share of a busy link, for stacks that have such shares; 0 is 1.
	Weight int
}

// Policy names what happens to a message whose protocol's inbox is full.
type Policy uint8

// The policies. PolicyDefault is whatever a stack does when nothing is said.
const (
	PolicyDefault Policy = iota
	PolicyWait
	PolicyDropNewest
	PolicyDropOldest
	PolicyStop
)

// Overload is a policy and, for PolicyWait, how long it waits.
type Overload struct {
	Policy Policy
	Wait   time.Duration
}

// Node is a running server.
type Node interface {
	Self() *enode.Node
	AddPeer(*enode.Node)
	RemovePeer(*enode.Node)
	PeerCount() int
	// Events passes the node's peer events on until the node stops. At most 4096 are kept waiting.
	Events() <-chan Event
	// SetupConn hands the node a connection that somebody else has made, as an inbound one.
	SetupConn(net.Conn) error
	// PeersInfo returns the stack's PeerInfo list, for encoding as JSON.
	PeersInfo() any
	Stop()
}

// Event is a peer event of a node.
type Event struct {
	Type     string // "add", "drop", "msgsend", "msgrecv"
	Peer     enode.ID
	Error    string
	Protocol string
	Code     uint64
	Size     uint32
}

// Peer is the remote end of a link, as its protocols see it.
type Peer interface {
	ID() enode.ID
	Fullname() string
	Inbound() bool
	Disconnect(reason uint8)
}

// Msg is a message as a protocol gets it.
type Msg struct {
	Code    uint64
	Size    uint32
	Payload io.Reader
}

// ReadWriter is a protocol's end of a link.
type ReadWriter interface {
	// Read returns the next message; the caller consumes its payload.
	Read() (Msg, error)
	// Skip reads the next message and discards its payload the way programs of the stack do it.
	Skip() (code uint64, size uint32, err error)
	// Decode reads the next message and RLP-decodes it with the stack's Msg.Decode.
	Decode(into any) error
	// Write sends a message.
	Write(code uint64, size uint32, payload io.Reader) error
}

// Conn is the method set that both RLPx transports have.
type Conn interface {
	Handshake(*ecdsa.PrivateKey) (*ecdsa.PublicKey, error)
	Read() (code uint64, data []byte, wireSize int, err error)
	Write(code uint64, data []byte) (uint32, error)
	SetSnappy(bool)
	SetDeadline(time.Time) error
	SetReadDeadline(time.Time) error
	SetWriteDeadline(time.Time) error
	Close() error
}

// All returns both stacks, the reference first.
func All() []Stack { return []Stack{Geth{}, Sennit{}} }
