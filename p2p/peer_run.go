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
// goroutine becomes the link's reader. It returns why the link ended, and whether the remote asked for it.
func (p *Peer) run() (cause error, remoteRequested bool) {
	p.recordOpened()
	for _, rw := range p.protocols {
		p.running.Add(1)
		go p.runProtocol(rw)
	}
	c := p.link.Run()
	p.recordClosed(c)
	p.running.Wait()
	if c.Received {
		return DiscReason(c.Reason), true
	}
	return c.Err, false
}

// runProtocol is the goroutine of one protocol. What it returns, and a panic, ends the peer.
func (p *Peer) runProtocol(rw *protoRW) {
	defer p.running.Done()
	defer rw.lane.Close()
	err := p.callRun(rw)
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

// callRun calls the protocol's Run and turns a panic into an error.
func (p *Peer) callRun(rw *protoRW) (err error) {
	returned := false
	defer func() {
		if returned {
			return
		}
		value := recover()
		if value == nil {
			err = errors.New("protocol's goroutine was ended by runtime.Goexit")
			return
		}
		stack := debug.Stack()
		err = fmt.Errorf("protocol panicked: %v", value)
		p.Log().Error("Protocol panicked", "protocol", rw.cap(), "panic", value, "stack", string(stack))
		if r := p.opts.recorder; r != nil {
			r.Record(&trace.ProtocolPanicked{Link: p.conn.link(), Protocol: rw.Name, Value: value, Stack: stack})
		}
	}()
	err = rw.Run(p, rw)
	returned = true
	return err
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
		Snappy: p.conn.version >= snappyProtocolVersion, Framing: p.link.Framing(), Handshake: time.Since(p.conn.opened),
	})
}

func (p *Peer) recordClosed(c link.Cause) {
	if p.opts.recorder == nil {
		return
	}
	s := p.link.Stats()
	p.opts.recorder.Record(&trace.LinkClosed{
		Link: p.conn.link(), Cause: c.Err, Side: c.Side, Reason: c.Reason, ReasonSent: c.Sent, ReasonReceived: c.Received,
		Protocol: c.Protocol, Lifetime: time.Duration(p.Lifetime()), BytesIn: s.BytesIn, BytesOut: s.BytesOut,
	})
}
