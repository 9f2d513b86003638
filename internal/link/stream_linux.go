//go:build amd64 || arm64

package link

import (
	"io"
	"net"
	"os"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/sennit-net/sennit/internal/race"
)

// newStream returns a stream that reads and writes a TCP connection without telling Go's scheduler. It is told before every
// other system call, and gives the processor to another thread when one takes more than 20 µs. A socket that does not block
// copies some kilobytes in that time, and then there are more threads than processors, of which the kernel lets one wait for
// milliseconds. The price is that nothing else runs on the processor, and the garbage collector waits, for as long as a call
// takes. A link hands over no more than readPiece and the framing's batch at a time, some 30 µs of copying.
//
// The race detector learns from other system calls what happened before what, so it gets those.
func newStream(conn net.Conn) stream {
	plain := &plainStream{Conn: conn}
	tcp, ok := conn.(*net.TCPConn)
	if !ok || race.Enabled {
		return plain
	}
	raw, err := tcp.SyscallConn()
	if err != nil {
		return plain
	}
	return newDirectStream(tcp, raw)
}

func newDirectStream(conn *net.TCPConn, raw syscall.RawConn) *directStream {
	s := &directStream{conn: conn, raw: raw}
	s.in.step, s.out.step = s.in.read, s.out.write
	return s
}

// directStream waits for its socket as any other connection does, deadlines included.
type directStream struct {
	conn *net.TCPConn
	raw  syscall.RawConn
	in   reading
	out  writing
}

func (s *directStream) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	in := &s.in
	in.p, in.n, in.errno, in.again = p, 0, 0, false
	err := s.raw.Read(in.step)
	in.p = nil
	switch {
	case err != nil:
		return 0, named("read", err)
	case in.errno != 0:
		return 0, s.failed("read", in.errno)
	case in.n == 0:
		return 0, io.EOF
	}
	return in.n, nil
}

func (s *directStream) waited() bool { return s.in.again }

func (s *directStream) writeAll(v net.Buffers) (int64, error) {
	out := &s.out
	out.set(v)
	err := s.raw.Write(out.step)
	switch {
	case err != nil:
		err = named("write", err)
	case out.errno != 0:
		err = s.failed("write", out.errno)
	}
	out.clear()
	return out.n, err
}

// named returns the error of a raw read or write under the name that it has for other connections.
func named(op string, err error) error {
	if e, ok := err.(*net.OpError); ok {
		e.Op = op
	}
	return err
}

// failed returns the error that another connection would have returned.
func (s *directStream) failed(op string, errno syscall.Errno) error {
	return &net.OpError{Op: op, Net: "tcp", Source: s.conn.LocalAddr(), Addr: s.conn.RemoteAddr(), Err: os.NewSyscallError(op, errno)}
}

// reading is a read in progress.
type reading struct {
	step  func(fd uintptr) bool // read as a value, so that reading allocates nothing
	p     []byte
	n     int
	errno syscall.Errno
	again bool // nothing was there at first
}

// read reads once. It returns false if there is nothing to be read yet.
func (r *reading) read(fd uintptr) bool {
	for {
		n, _, errno := syscall.RawSyscall6(unix.SYS_RECVFROM, fd, uintptr(unsafe.Pointer(&r.p[0])), uintptr(len(r.p)), unix.MSG_DONTWAIT, 0, 0)
		switch errno {
		case 0:
			r.n = int(n)
			return true
		case unix.EAGAIN:
			r.again = true
			return false
		case unix.EINTR:
		default:
			r.errno = errno
			return true
		}
	}
}

// writing is a write in progress.
type writing struct {
	step  func(fd uintptr) bool // write as a value, so that writing allocates nothing
	all   []unix.Iovec
	rest  []unix.Iovec // of all, what has not been written
	n     int64
	errno syscall.Errno
	head  unix.Msghdr
}

// maxVector is how many pieces the kernel takes at once.
const maxVector = 1024

func (w *writing) set(v net.Buffers) {
	for _, p := range v {
		if len(p) > 0 {
			w.all = append(w.all, unix.Iovec{Base: &p[0], Len: uint64(len(p))})
		}
	}
	w.rest, w.n, w.errno = w.all, 0, 0
}

// clear forgets the memory that was written, and keeps the vector for the next time.
func (w *writing) clear() {
	clear(w.all)
	w.all, w.rest, w.head = w.all[:0], nil, unix.Msghdr{}
}

// write writes until everything is written. It returns false if the kernel takes no more for now.
func (w *writing) write(fd uintptr) bool {
	for len(w.rest) > 0 {
		w.head.Iov = &w.rest[0]
		w.head.Iovlen = uint64(min(len(w.rest), maxVector))
		n, _, errno := syscall.RawSyscall(unix.SYS_SENDMSG, fd, uintptr(unsafe.Pointer(&w.head)), unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL)
		switch errno {
		case 0:
			w.advance(uint64(n))
		case unix.EAGAIN:
			return false
		case unix.EINTR:
		default:
			w.errno = errno
			return true
		}
	}
	return true
}

// advance takes note of n bytes that have been written.
func (w *writing) advance(n uint64) {
	w.n += int64(n)
	for n > 0 {
		first := &w.rest[0]
		if n < first.Len {
			first.Base = (*byte)(unsafe.Add(unsafe.Pointer(first.Base), n))
			first.Len -= n
			return
		}
		n -= first.Len
		w.rest = w.rest[1:]
	}
}
