package trace

import (
	"net"
	"time"
)

// LinkOpened is recorded when the two nodes have exchanged Hellos and the connection has passed all checks, before any
// protocol runs. The nodes share at least one protocol, unless this one has none at all.
type LinkOpened struct {
	Link          Link
	Local, Remote net.Addr
	Name          string        // client name the remote sent
	Protocols     []string      // protocols of the link in code order, as "eth/69"
	Snappy        bool          // all payloads are compressed (EIP-706); on lanes/1 each message says whether it is
	Framing       string        // how messages travel: "rlpx" or "lanes/1"
	Handshake     time.Duration // from the connection to here
}

// LinkRefused is recorded when a connection ends before it became a link.
type LinkRefused struct {
	Link          Link // Peer is the node that was dialed; zero if the connection is inbound and the RLPx handshake had not finished
	Local, Remote net.Addr
	Stage         string // where it ended: "dial", "accept", "rlpx", "hello", "checks"
	Err           error
}

// LinkClosed is recorded once per LinkOpened, when the link's own goroutines have ended and the Run of every protocol has
// returned; a Run that does not return holds it up. Its numbers are those of the end of the link.
type LinkClosed struct {
	Link           Link
	Cause          error         // the first cause; never nil
	Side           Side          // who brought the end about
	Reason         uint8         // disconnect reason that crossed the wire; meaningful when ReasonSent or ReasonReceived
	ReasonSent     bool          // we sent Disconnect
	ReasonReceived bool          // the remote sent Disconnect
	Protocol       string        // protocol whose Run brought the end about, or ""
	Lifetime       time.Duration // since LinkOpened
	BytesIn        uint64        // on the wire, frames included
	BytesOut       uint64
}

// Side tells who ended a link.
type Side uint8

const (
	SideLocal   Side = iota // we did: a call to Disconnect, a protocol's return, a stop of the server
	SideRemote              // the remote sent Disconnect or closed its end
	SideNetwork             // the connection failed, or the remote broke the framing
)

// String returns "local", "remote" or "network".
func (s Side) String() string {
	switch s {
	case SideLocal:
		return "local"
	case SideRemote:
		return "remote"
	}
	return "network"
}

// Message is recorded for every protocol message: on the way in when it has been put into the inbox, on the way out
// when it has been accepted into the outbox, by the goroutine that writes it. The answer to a message may therefore be
// recorded before the message is.
type Message struct {
	Link     Link
	Out      bool   // we send it
	Protocol string // name alone: "eth"
	Version  uint
	Code     uint64 // protocol-relative
	Size     uint32 // payload, uncompressed, in bytes
	WireSize uint32 // code and payload as they travel, without frame headers and padding, in bytes
}

// Ping is recorded when a ping of ours was answered.
type Ping struct {
	Link Link
	RTT  time.Duration
}

// Dropped is recorded when a message was dropped because its protocol's inbox was full and its policy says so.
type Dropped struct {
	Link     Link
	Protocol string
	Code     uint64
	Size     uint32 // payload, uncompressed, in bytes; for a message dropped before it was decompressed, its size on the wire
}

// Waited is recorded when the link was held up for a protocol whose inbox was full, once that is over.
type Waited struct {
	Link     Link
	Protocol string
	For      time.Duration
}

// ProtocolStopped is recorded when a protocol was stopped on this link because it did not keep up; the link lives on.
type ProtocolStopped struct {
	Link     Link
	Protocol string
	Cause    error
}

// ProtocolPanicked is recorded when a protocol's Run panicked; the peer is disconnected.
type ProtocolPanicked struct {
	Link     Link
	Protocol string
	Value    any
	Stack    []byte
}

func (*LinkOpened) event()       {}
func (*LinkRefused) event()      {}
func (*LinkClosed) event()       {}
func (*Message) event()          {}
func (*Ping) event()             {}
func (*Dropped) event()          {}
func (*Waited) event()           {}
func (*ProtocolStopped) event()  {}
func (*ProtocolPanicked) event() {}
