package link

import (
	"io"
	"net"
	"time"
)

// stream is how a link reads from its connection and writes to it. One goroutine at a time reads and one writes.
type stream interface {
	io.Reader

	// waited tells whether the last Read found nothing at first, so that others could run. It belongs to who reads.
	waited() bool

	// writeAll writes what is in v, and may change v meanwhile. It returns how many bytes were written, all of them unless
	// there is an error.
	writeAll(v net.Buffers) (int64, error)
}

// plainStream is a connection of any kind.
type plainStream struct {
	net.Conn
	took    time.Duration // by the last Read
	writing net.Buffers   // what is left of a write, in memory that is there already
}

// restTime is how long a read takes that had to wait; one that did not is a system call.
const restTime = 5 * time.Microsecond

func (s *plainStream) Read(p []byte) (int, error) {
	began := time.Now()
	n, err := s.Conn.Read(p)
	s.took = time.Since(began)
	return n, err
}

func (s *plainStream) waited() bool { return s.took >= restTime }

func (s *plainStream) writeAll(v net.Buffers) (int64, error) {
	if len(v) == 1 {
		n, err := s.Write(v[0])
		return int64(n), err
	}
	s.writing = v
	return s.writing.WriteTo(s.Conn)
}
