package p2p

import (
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"github.com/sennit-net/sennit/internal/link"
	"github.com/sennit-net/sennit/trace"
)

// run carries the peer's messages until the link has ended and the Run of every protocol has returned. The calling
// goroutine becomes the link's reader. It returns why the link ended.
func (p *Peer) run() error {
	p.recordOpened()
	for _, rw := range p.protocols {
		p.running.Add(1)
		go p.runProtocol(rw)
	}
	c := p.link.Run()
	if c.Received {
		c.Err = DiscReason(c.Reason)
	}
	closed := p.closedEvent(c)
	p.running.Wait() // what the protocols do until they return is recorded before the end
	if r := p.opts.recorder; r != nil {
		r.Record(closed)
	}
	return c.Err
}

// runProtocol is the goroutine of one protocol. However its Run ends, by returning, a panic or runtime.Goexit, that ends
// the peer; as the last of these leaves nothing but deferred calls, all of it happens in one.
func (p *Peer) runProtocol(rw *protoRW) {
	err := errGoexit
	returned := false
	defer func() {
		if !returned {
			if value := recover(); value != nil {
				err = p.panicked(rw, value)
			}
		}
		p.protocolEnded(rw, err)
		rw.lane.Close()
		p.running.Done()
	}()
	err = rw.Run(p, rw)
	returned = true
}

// errGoexit is the end of a protocol that has ended its goroutine instead of returning.
var errGoexit = errors.New("protocol's goroutine was ended by runtime.Goexit")

// panicked tells the log and the recorder of a panic in Run, whose stack is still there, and returns it as an error.
func (p *Peer) panicked(rw *protoRW, value any) error {
	stack := debug.Stack()
	p.Log().Error("Protocol panicked", "protocol", rw.cap(), "panic", value, "stack", string(stack))
	if r := p.opts.recorder; r != nil {
		r.Record(&trace.ProtocolPanicked{Link: p.conn.link(), Protocol: rw.Name, Value: value, Stack: stack})
	}
	return fmt.Errorf("protocol panicked: %v", value)
}

// protocolEnded ends the peer because one of its protocols has ended.
func (p *Peer) protocolEnded(rw *protoRW, err error) {
	if rw.lane.Stopped() {
		// Its end has been dealt with when it was stopped; the others go on.
		p.Log().Debug("Stopped protocol has returned", "protocol", rw.cap(), "err", err)
		return
	}
	reason := discReasonForError(err)
	if err == nil {
		err = errProtocolReturned
	}
	p.link.End(uint8(reason), err, rw.Name)
}

func (p *Peer) recordOpened() {
	if p.opts.recorder == nil {
		return
	}
	names := make([]string, len(p.protocols))
	for i, rw := range p.protocols {
		names[i] = rw.cap().String()
	}
	p.opts.recorder.Record(&trace.LinkOpened{
		Link: p.conn.link(), Local: p.LocalAddr(), Remote: p.RemoteAddr(), Name: p.Fullname(), Protocols: names,
		Snappy: p.conn.lanes == nil && p.conn.version >= snappyProtocolVersion, Framing: p.link.Framing(), Handshake: time.Since(p.conn.opened),
	})
}

// closedEvent returns the last event of the link, as things are when it has just ended.
func (p *Peer) closedEvent(c link.Cause) *trace.LinkClosed {
	s := p.link.Stats()
	return &trace.LinkClosed{
		Link: p.conn.link(), Cause: c.Err, Side: c.Side, Reason: c.Reason, ReasonSent: c.Sent, ReasonReceived: c.Received,
		Protocol: c.Protocol, Lifetime: time.Duration(p.Lifetime()), BytesIn: s.BytesIn, BytesOut: s.BytesOut,
	}
}
