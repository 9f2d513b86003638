package link

import (
	"errors"
	"io"
	"net"
	"os"
	"syscall"
	"time"

	"github.com/sennit-net/sennit/internal/buffer"
)

const (
	// idleRead is how many bytes a link without traffic is ready to read: enough for a ping or a small message.
	idleRead = 512
	// busyRead is how many bytes are read at a time while there are that many, and the largest frame that is not
	// assembled in memory of its own.
	busyRead = 40 << 10
)

// Input is the receiving end of a connection: it reads many small messages at a time, large ones straight to where they
// belong, and holds no large buffer while nothing comes in. It belongs to the reader.
type Input struct {
	stream  stream
	size    int                       // of the busy buffer, at least busyRead
	onRead  func() error              // called before each read that may block
	onBytes func(n int, at time.Time) // called after each read that brought something
	onTick  func() error              // called when the read deadline passes; nil: go on

	buf        []byte // where reads go: idle, or the memory of busy
	r, w       int    // buf[r:w] has been read and not consumed
	busy       *buffer.Buffer
	idle       [idleRead]byte
	unread     []byte // bytes that were read before the link took the connection over
	receivedAt time.Time
}

// Next returns the next n bytes, at most as many as are read at a time, for the caller to use and change until the next
// call.
func (in *Input) Next(n int) ([]byte, error) {
	p, err := in.Peek(n)
	if err == nil {
		in.r += n
	}
	return p, err
}

// Peek is Next for bytes that will be asked for again.
func (in *Input) Peek(n int) ([]byte, error) {
	for in.w-in.r < n {
		if err := in.fill(n); err != nil {
			return nil, err
		}
	}
	return in.buf[in.r : in.r+n], nil
}

// Unread returns what has been read and not been asked for, to use and change until the next read.
func (in *Input) Unread() []byte { return in.buf[in.r:in.w] }

// Skip consumes n bytes that Unread has shown, at most as many as it has.
func (in *Input) Skip(n int) { in.r += n }

// ReadInto reads to p, from what has been read already or from the connection. It may return 0 bytes without an error.
func (in *Input) ReadInto(p []byte) (int, error) {
	if in.w > in.r {
		n := copy(p, in.buf[in.r:in.w])
		in.r += n
		return n, nil
	}
	return in.read(p)
}

// fill makes room for n bytes and reads.
func (in *Input) fill(n int) error {
	in.makeRoom(n)
	m, err := in.read(in.buf[in.w:])
	in.w += m
	return err
}

// makeRoom sees to it that buf can hold n bytes from r on and has room to read: the idle buffer as long as that is
// enough, the busy one when a read has filled it or a frame is larger.
func (in *Input) makeRoom(n int) {
	rest := in.w - in.r
	switch {
	case in.busy == nil && (n > idleRead || in.wantsMore()):
		in.busy = buffer.Get(in.size)
		copy(in.busy.B, in.buf[in.r:in.w])
		in.buf = in.busy.B
	case in.busy != nil && rest == 0 && in.w < len(in.buf) && n <= idleRead:
		in.release()
	case in.buf == nil:
		in.buf = in.idle[:]
	default:
		copy(in.buf, in.buf[in.r:in.w])
	}
	in.r, in.w = 0, rest
}

// wantsMore tells whether the last read filled the idle buffer, so that there is probably more.
func (in *Input) wantsMore() bool { return in.buf != nil && in.w == len(in.buf) }

// release gives the busy buffer back.
func (in *Input) release() {
	in.busy.Free()
	in.busy = nil
	in.buf = in.idle[:]
}

// isTimeout tells whether a read deadline has passed. Connections that are not the standard library's have errors of
// their own for that. The kernel's own time-out is not one of them: it is the end of the connection.
func isTimeout(err error) bool {
	var timeout net.Error
	return errors.Is(err, os.ErrDeadlineExceeded) || errors.As(err, &timeout) && timeout.Timeout() && !errors.Is(err, syscall.ETIMEDOUT)
}

// read reads from the connection, across read deadlines.
func (in *Input) read(p []byte) (int, error) {
	if len(in.unread) > 0 {
		n := copy(p, in.unread)
		in.unread = in.unread[n:]
		return n, nil
	}
	in.unread = nil
	if err := in.onRead(); err != nil {
		return 0, err
	}
	for {
		n, err := in.stream.Read(p)
		if n > 0 {
			in.receivedAt = time.Now()
			in.onBytes(n, in.receivedAt)
			return n, nil
		}
		switch {
		case err == nil:
		case isTimeout(err):
			// Back to the caller, who asks again, perhaps with less memory.
			return 0, in.onTick()
		case errors.Is(err, io.ErrClosedPipe):
			return 0, io.EOF
		default:
			return 0, err
		}
	}
}
