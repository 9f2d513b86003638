package link

import (
	"io"
	"net"
)

// stream is how a link reads from its connection and writes to it. One goroutine at a time reads and one writes.
type stream interface {
	io.Reader

	// writeAll writes what is in v, and may change v meanwhile. It returns how many bytes were written, all of them unless
	// there is an error.
	writeAll(v net.Buffers) (int64, error)
}

// plainStream is a connection of any kind.
type plainStream struct{ net.Conn }

func (s plainStream) writeAll(v net.Buffers) (int64, error) {
	if len(v) == 1 {
		n, err := s.Write(v[0])
		return int64(n), err
	}
	return v.WriteTo(s.Conn)
}
