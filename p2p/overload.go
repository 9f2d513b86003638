package p2p

import (
	"time"

	"github.com/sennit-net/sennit/internal/link"
)

// OverloadPolicy is what a link does when a message arrives for a protocol whose inbox is full ([Protocol.InboxBytes]).
// Whatever it does is counted in [ProtocolStats] and recorded in [Config.Recorder]. The zero value is
// OverloadWait(10 * time.Second). Policies are values: they can be copied and compared.
//
// Waiting keeps every message and holds the whole link up meanwhile. Dropping keeps the link going and loses messages of
// this protocol. Stopping keeps the link going and loses this protocol. A classic RLPx link, which has no flow control
// per protocol, cannot have all three.
type OverloadPolicy struct {
	mode overloadMode
	wait time.Duration // for modeWait, 0 stands for defaultOverloadWait
}

// defaultOverloadWait is the credit of the zero OverloadPolicy.
const defaultOverloadWait = 10 * time.Second

type overloadMode uint8

const (
	modeWait       overloadMode = iota // stop reading the link
	modeDropNewest                     // drop the message that has arrived
	modeDropOldest                     // drop what has waited longest
	modeStop                           // stop the protocol
)

// OverloadWait lets the link wait, unread, until the inbox has room again, but no longer than d in all: the protocol has
// a credit of d, which waiting uses up and which refills at a quarter of the time that passes. When the credit is spent
// the protocol is stopped on this link, as with [OverloadStop]. A d of zero or less is the same as OverloadStop.
func OverloadWait(d time.Duration) OverloadPolicy {
	if d <= 0 {
		return OverloadStop()
	}
	if d == defaultOverloadWait {
		d = 0 // so that it equals the zero value
	}
	return OverloadPolicy{mode: modeWait, wait: d}
}

// OverloadDropNewest drops the message that does not fit. It is for protocols that may lose messages, such as gossip.
func OverloadDropNewest() OverloadPolicy { return OverloadPolicy{mode: modeDropNewest} }

// OverloadDropOldest drops the messages that have waited longest until the new one fits. It is for protocols whose
// messages go stale.
func OverloadDropOldest() OverloadPolicy { return OverloadPolicy{mode: modeDropOldest} }

// OverloadStop stops the protocol on this link at once: its ReadMsg and WriteMsg return [ErrProtocolStopped], the other
// protocols go on. If it was the last one running, the peer is disconnected.
func OverloadStop() OverloadPolicy { return OverloadPolicy{mode: modeStop} }

// String returns the policy as "wait 10s", "drop-newest", "drop-oldest" or "stop".
func (p OverloadPolicy) String() string {
	switch p.mode {
	case modeDropNewest:
		return "drop-newest"
	case modeDropOldest:
		return "drop-oldest"
	case modeStop:
		return "stop"
	}
	return "wait " + p.maxWait().String()
}

// maxWait returns the credit of a waiting protocol; 0 for the policies that do not wait.
func (p OverloadPolicy) maxWait() time.Duration {
	switch {
	case p.mode != modeWait:
		return 0
	case p.wait == 0:
		return defaultOverloadWait
	}
	return p.wait
}

// policy returns what the link makes of it.
func (p OverloadPolicy) policy() link.Policy {
	switch p.mode {
	case modeDropNewest:
		return link.Policy{Mode: link.DropNewest}
	case modeDropOldest:
		return link.Policy{Mode: link.DropOldest}
	case modeStop:
		return link.Policy{Mode: link.Stop}
	}
	return link.Policy{Mode: link.Wait, Wait: p.maxWait()}
}
