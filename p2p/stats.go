package p2p

import "time"

// PeerStats are the counters of a link at one moment; [Peer.Stats] returns them. They count from the start of the link.
type PeerStats struct {
	// RTT is the round-trip time of the latest ping that was answered, MinRTT the shortest so far. Both are zero
	// until the first answer. The remote node's share in it, until it gets to answer, counts as well.
	RTT, MinRTT time.Duration

	// WireBytesIn and WireBytesOut are the bytes on the connection, frames, padding and control messages included.
	WireBytesIn, WireBytesOut uint64

	// Protocols has one entry per protocol of the link, in the order of their message codes.
	Protocols []ProtocolStats
}

// ProtocolStats are the counters of one protocol on one link.
type ProtocolStats struct {
	Name    string
	Version uint

	// MessagesIn counts the messages put into the inbox, MessagesOut those accepted into the outbox. BytesIn and
	// BytesOut are their payloads, uncompressed.
	MessagesIn, MessagesOut uint64
	BytesIn, BytesOut       uint64

	// Dropped counts messages that were lost because the inbox was full, DroppedBytes their payloads.
	Dropped, DroppedBytes uint64

	// InboxMessages and InboxBytes are what has arrived and waits for ReadMsg; OutboxBytes is what WriteMsg has
	// accepted and has not been sent.
	InboxMessages           int
	InboxBytes, OutboxBytes int64

	// Waited is for how long in all this protocol has held the link up.
	Waited time.Duration

	// Stopped says that the protocol was stopped on this link because it did not keep up.
	Stopped bool
}
