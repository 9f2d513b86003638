package node

import (
	"slices"
	"sync/atomic"

	"github.com/sennit-net/sennit/cmd/sennit/internal/caps"
	"github.com/sennit-net/sennit/p2p"
)

// The protocol sennit/1: whoever sends an echo request gets its payload back, unchanged, in an echo response. Responses
// come in the order of the requests. There is nothing else to it.
const (
	EchoName    = "sennit"
	EchoVersion = 1
	EchoLength  = 2

	EchoRequest  = 0 // any payload up to MaxEcho
	EchoResponse = 1 // the payload of the request
)

// MaxEcho is the size of the largest payload that sennit/1 sends back, in bytes. A larger one ends the link as a breach
// of protocol.
const MaxEcho = 1 << 20

// counter counts what one protocol received, over all links. Safe for concurrent use.
type counter struct {
	cap             p2p.Cap
	messages, bytes atomic.Uint64
}

func (c *counter) add(msg p2p.Msg) {
	c.messages.Add(1)
	c.bytes.Add(uint64(msg.Size))
}

// handler does with one message what its protocol is for, and consumes the payload.
type handler func(msg p2p.Msg, rw p2p.MsgReadWriter) error

// protocol returns a protocol that counts each message and hands it to h, until the link ends.
func protocol(c caps.Cap, count *counter, h handler) p2p.Protocol {
	return p2p.Protocol{
		Name: c.Name, Version: c.Version, Length: c.Length,
		Run: func(_ *p2p.Peer, rw p2p.MsgReadWriter) error {
			for {
				msg, err := rw.ReadMsg()
				if err != nil {
					return err
				}
				count.add(msg)
				if err := h(msg, rw); err != nil {
					return err
				}
			}
		},
	}
}

// sink forgets the message.
func sink(msg p2p.Msg, _ p2p.MsgReadWriter) error { return msg.Discard() }

// mirror sends the message back as it is. The payload goes from the inbox to the outbox without a copy of ours.
func mirror(msg p2p.Msg, rw p2p.MsgReadWriter) error {
	return rw.WriteMsg(p2p.Msg{Code: msg.Code, Size: msg.Size, Payload: msg.Payload})
}

// answer is sennit/1.
func answer(msg p2p.Msg, rw p2p.MsgReadWriter) error {
	switch {
	case msg.Code != EchoRequest:
		return msg.Discard() // an answer to a question we did not ask
	case msg.Size > MaxEcho:
		return p2p.DiscProtocolError
	}
	return rw.WriteMsg(p2p.Msg{Code: EchoResponse, Size: msg.Size, Payload: msg.Payload})
}

// protocols returns sennit/1, a sink for each of sinks and a mirror for each of mirrors, and their counters in order of
// name and version.
func protocols(sinks, mirrors []caps.Cap) ([]p2p.Protocol, []*counter) {
	var (
		list   []p2p.Protocol
		counts []*counter
	)
	add := func(c caps.Cap, h handler) {
		count := &counter{cap: c.P2P()}
		list, counts = append(list, protocol(c, count, h)), append(counts, count)
	}
	add(caps.Cap{Name: EchoName, Version: EchoVersion, Length: EchoLength}, answer)
	for _, c := range sinks {
		add(c, sink)
	}
	for _, c := range mirrors {
		add(c, mirror)
	}
	slices.SortFunc(counts, func(a, b *counter) int { return a.cap.Cmp(b.cap) })
	return list, counts
}
