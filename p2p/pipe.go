package p2p

import (
	"errors"
	"io"
	"sync"
)

// ErrPipeClosed is returned by the ends of a [MsgPipe] once either has been closed.
var ErrPipeClosed = errors.New("p2p: read or write on closed message pipe")

// MsgPipe returns two ends of a pipe for messages: what is written to one is read from the other. It stands in for a
// link in the tests of protocols, but holds no message: WriteMsg waits until the other end has consumed the payload.
func MsgPipe() (*MsgPipeRW, *MsgPipeRW) {
	var (
		there = make(chan Msg)
		back  = make(chan Msg)
		end   = &pipeEnd{closed: make(chan struct{})}
	)
	return &MsgPipeRW{out: there, in: back, end: end}, &MsgPipeRW{out: back, in: there, end: end}
}

// MsgPipeRW is one end of a [MsgPipe]. It is safe for concurrent use.
type MsgPipeRW struct {
	out chan<- Msg
	in  <-chan Msg
	end *pipeEnd
}

// pipeEnd is the one closing of a pipe, shared by its ends.
type pipeEnd struct {
	once   sync.Once
	closed chan struct{}
}

// WriteMsg sends a message to the other end and waits until it has been read and its payload consumed. A message whose
// Size is 0 need only be read. If the pipe is closed before the other end has read the message, the error is
// [ErrPipeClosed]; if it is closed while the payload is being consumed, there is none. A message with a Size but without
// a Payload is refused.
func (p *MsgPipeRW) WriteMsg(msg Msg) error {
	if p.isClosed() {
		return ErrPipeClosed
	}
	if msg.Payload == nil && msg.Size > 0 {
		return errNoPayload(msg)
	}
	payload := &pipePayload{r: msg.Payload, left: msg.Size}
	var consumed chan struct{}
	if msg.Size > 0 {
		consumed = make(chan struct{})
		payload.consumed = consumed
	}
	msg.Payload = payload
	select {
	case p.out <- msg:
	case <-p.end.closed:
		return ErrPipeClosed
	}
	if consumed != nil {
		select {
		case <-consumed:
		case <-p.end.closed:
		}
	}
	return nil
}

// ReadMsg returns the next message of the other end.
func (p *MsgPipeRW) ReadMsg() (Msg, error) {
	if p.isClosed() {
		return Msg{}, ErrPipeClosed
	}
	select {
	case msg := <-p.in:
		return msg, nil
	case <-p.end.closed:
		return Msg{}, ErrPipeClosed
	}
}

// Close closes both ends: pending and later calls of ReadMsg and WriteMsg return. It always returns nil.
func (p *MsgPipeRW) Close() error {
	p.end.once.Do(func() { close(p.end.closed) })
	return nil
}

func (p *MsgPipeRW) isClosed() bool {
	select {
	case <-p.end.closed:
		return true
	default:
		return false
	}
}

// pipePayload is the payload of a message at the other end: Size bytes of what the writer has given, or all if that is
// less. It lets the writer know when they have been consumed. Like any reader it is for one goroutine at a time.
type pipePayload struct {
	r        io.Reader       // may be nil if nothing is left
	left     uint32          // bytes of Size that have not been read
	consumed chan<- struct{} // nil once closed
}

func (p *pipePayload) Read(b []byte) (int, error) {
	if p.left == 0 {
		return 0, io.EOF
	}
	n, err := p.r.Read(b[:min(len(b), int(p.left))])
	p.left -= uint32(n)
	if (p.left == 0 || err != nil) && p.consumed != nil {
		close(p.consumed)
		p.consumed = nil
	}
	return n, err
}
