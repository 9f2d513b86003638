package link

import (
	"net"
	"time"

	"golang.org/x/sys/unix"
)

// tuneSocket bounds what the kernel holds of what a connection has received and nobody has read, so that a small message
// need not wait behind megabytes of another protocol's. It also bounds the throughput, to one window per round trip, so it
// follows the round-trip time.
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
		rtt := time.Duration(0)
		if info, err := unix.GetsockoptTCPInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_INFO); err == nil {
			rtt = time.Duration(info.Rtt) * time.Microsecond
		}
		unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_WINDOW_CLAMP, receiveWindow(rtt))
	})
}

// limitUnsent bounds what the kernel holds of what has been written and not been sent, for the same reason.
func limitUnsent(conn net.Conn, bytes int) {
	tcp, ok := conn.(*net.TCPConn)
	if !ok {
		return
	}
	if raw, err := tcp.SyscallConn(); err == nil {
		raw.Control(func(fd uintptr) {
			unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_NOTSENT_LOWAT, bytes)
		})
	}
}
