//go:build unix

package shape

import "syscall"

// control sets up the socket that receives what takes direction d.
func (d Direction) control(_, _ string, c syscall.RawConn) error {
	if d.Rate == 0 {
		return nil
	}
	var err error
	if failed := c.Control(func(fd uintptr) {
		err = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVBUF, socketBuffer)
		if err == nil {
			err = syscall.SetsockoptInt(int(fd), syscall.IPPROTO_TCP, syscall.TCP_MAXSEG, segment)
		}
	}); failed != nil {
		return failed
	}
	return err
}
