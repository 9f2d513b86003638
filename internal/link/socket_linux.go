package link

import (
	"net"
	"time"

	"golang.org/x/sys/unix"
)

// tuneSocket bounds what the kernel holds of a connection, so that a small message need not wait behind megabytes of
// another protocol's: what has been written and not been sent, and what has arrived and not been read. The latter also
// bounds the throughput, to one window per round trip, so it follows the round-trip time.
func tuneSocket(conn net.Conn) {
	tcp, ok := conn.(*net.TCPConn)
	if !ok {
		return
	}
	raw, err := tcp.SyscallConn()
	if err != nil {
		return
	}
	// A socket that cannot be tuned works as well as any other, so errors do not matter.
	raw.Control(func(fd uintptr) {
		unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_NOTSENT_LOWAT, unsentBytes)
		rtt := time.Duration(0)
		if info, err := unix.GetsockoptTCPInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_INFO); err == nil {
			rtt = time.Duration(info.Rtt) * time.Microsecond
		}
		unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_WINDOW_CLAMP, receiveWindow(rtt))
	})
}
