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
// [ErrPipeClosed]; if it is closed while the payload is being consumed, there is none.
func (p *MsgPipeRW) WriteMsg(msg Msg) error {
	if p.isClosed() {
		return ErrPipeClosed
	}
	var consumed chan struct{}
	if msg.Size > 0 {
		consumed = make(chan struct{})
		msg.Payload = &pipePayload{r: msg.Payload, left: int64(msg.Size), consumed: consumed}
	}
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

// pipePayload lets the writer of a message know that its payload has been consumed: Size bytes of it, or all it gives.
// Like any reader it is for one goroutine at a time.
type pipePayload struct {
	r        io.Reader
	left     int64
	consumed chan<- struct{} // nil once closed
}

func (p *pipePayload) Read(b []byte) (int, error) {
	n, err := p.r.Read(b)
	p.left -= int64(n)
	if (p.left <= 0 || err != nil) && p.consumed != nil {
		close(p.consumed)
		p.consumed = nil
	}
	return n, err
}
