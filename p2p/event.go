package p2p

import "github.com/ethereum/go-ethereum/p2p/enode"

// PeerEventType is the kind of a [PeerEvent].
type PeerEventType string

const (
	// PeerEventTypeAdd is sent when a peer has been added, before its protocols run.
	PeerEventTypeAdd PeerEventType = "add"

	// PeerEventTypeDrop is sent when a peer has gone.
	PeerEventTypeDrop PeerEventType = "drop"

	// PeerEventTypeMsgSend is sent when a protocol's message was accepted for sending; only with
	// [Config.EnableMsgEvents].
	PeerEventTypeMsgSend PeerEventType = "msgsend"

	// PeerEventTypeMsgRecv is sent when a protocol has read a message; only with [Config.EnableMsgEvents].
	PeerEventTypeMsgRecv PeerEventType = "msgrecv"
)

// PeerEvent tells subscribers of a server that a peer came or went, or that a message crossed a link. Events are shared
// between subscribers and must not be changed.
type PeerEvent struct {
	Type          PeerEventType `json:"type"`
	Peer          enode.ID      `json:"peer"`
	Error         string        `json:"error,omitempty"`    // why the peer went
	Protocol      string        `json:"protocol,omitempty"` // name of the message's protocol
	MsgCode       *uint64       `json:"msg_code,omitempty"` // within the protocol
	MsgSize       *uint32       `json:"msg_size,omitempty"` // of the payload, uncompressed, in bytes
	LocalAddress  string        `json:"local,omitempty"`
	RemoteAddress string        `json:"remote,omitempty"`
}
