package p2p

import (
	"github.com/ethereum/go-ethereum/p2p/enode"
	"github.com/ethereum/go-ethereum/p2p/enr"
)

// Protocol is what a server runs with each peer that shares it. It is handed to a server by value and must not be
// changed afterwards; its functions are called from several goroutines.
type Protocol struct {
	// Name is the protocol's name in Hello, by the specification at most eight ASCII characters. It is required.
	Name string

	// Version is the protocol's version. Of several versions that two nodes share the highest runs.
	Version uint

	// Length is the number of message codes the protocol uses: 0 to Length-1. It is not exchanged: both nodes must
	// have the same number for the same version, or the codes of the protocols after it disagree. It is required, and
	// at most 1<<32.
	Length uint64

	// Run is called in a goroutine of its own for each peer and ends the connection when it returns. What it reads
	// must be read to its end or discarded. The error decides the reason the peer is given; see [DiscReason]. A
	// panic in Run ends the peer, not the process. It is required.
	Run func(peer *Peer, rw MsgReadWriter) error

	// NodeInfo, if set, returns what [NodeInfo.Protocols] shows of this protocol; it is marshalled to JSON.
	NodeInfo func() interface{}

	// PeerInfo, if set, returns what [PeerInfo.Protocols] shows of this protocol and the given peer; nil says that
	// the peer has not finished the protocol's own handshake.
	PeerInfo func(id enode.ID) interface{}

	// DialCandidates, if set, yields nodes to dial on behalf of this protocol, unless [Config.NoDiscovery] is set. The server
	// closes it when it stops. Of several protocols with one name the first one's is used, and closed.
	DialCandidates enode.Iterator

	// Attributes are added to the record of the local node.
	Attributes []enr.Entry

	// Overload says what happens when a peer's messages arrive faster than Run reads them and the inbox is full.
	// The zero value waits up to 10 s ([OverloadWait]).
	Overload OverloadPolicy

	// InboxBytes is how many bytes of messages that Run has not read yet a link keeps. 0 means 4 MiB. One message is
	// always accepted by an empty inbox, however large it is.
	InboxBytes int

	// OutboxBytes is how many bytes of messages that WriteMsg has accepted may wait to be sent; WriteMsg blocks
	// while it is full. 0 means 1 MiB. One message is always accepted by an empty outbox.
	OutboxBytes int

	// Weight is the share of the link's bytes that the protocol gets to send while others have something to send too,
	// relative to their weights and however large the messages are, up to 16. 0 means 1. It is ours to choose: the remote has its own
	// for its direction.
	Weight int
}

func (p *Protocol) cap() Cap { return Cap{Name: p.Name, Version: p.Version} }
