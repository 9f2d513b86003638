package link

import (
	"math"
	"net"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// tuneSocket bounds what the kernel holds of what a connection has received and nobody has read, so that a small message
// need not wait behind megabytes of another protocol's. It also bounds the throughput, to one window per round trip, so it
// follows the round-trip time.
func tuneSocket(conn net.Conn, least int) {
	// A socket that cannot be tuned works as well as any other, so errors do not matter.
	withSocket(conn, func(fd int) {
		if _, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_BUF_LOCK); err != nil {
			return // before Linux 5.14 a buffer that has been set once can never again grow by itself
		}
		rtt := time.Duration(0)
		if info, err := unix.GetsockoptTCPInfo(fd, unix.IPPROTO_TCP, unix.TCP_INFO); err == nil {
			rtt = time.Duration(info.Rtt) * time.Microsecond
		}
		setReceiveBuffer(fd, receiveWindow(rtt, least), least)
	})
}

// setReceiveBuffer fixes the receive buffer for a window of that many bytes, which the kernel doubles for what it needs
// itself, or as much of it as the system allows a program. If a remote that is far away needs more than that, it leaves the
// buffer to the kernel, which may go further.
//
// Only a fixed buffer bounds anything: the kernel moves TCP_WINDOW_CLAMP together with a buffer that grows by itself.
func setReceiveBuffer(fd, window, least int) {
	if window > least && window > largestReceiveBuffer() {
		unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_BUF_LOCK, 0)
		return
	}
	unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, window)
}

// largestReceiveBuffer returns the largest receive buffer that the system lets a program fix, in bytes, 0 if that cannot be
// found out now. It asks a socket, as the setting itself (net.core.rmem_max) cannot be read in every container.
func largestReceiveBuffer() int {
	if known := largest.Load(); known > 0 {
		return int(known)
	}
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return 0
	}
	defer unix.Close(fd)
	unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, math.MaxInt32)
	doubled, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF)
	if err != nil {
		return 0
	}
	largest.Store(int64(doubled / 2))
	return doubled / 2
}

// largest is what largestReceiveBuffer has found out.
var largest atomic.Int64

// limitUnsent bounds what the kernel holds of what has been written and not been sent, for the same reason.
func limitUnsent(conn net.Conn, bytes int) {
	withSocket(conn, func(fd int) { unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NOTSENT_LOWAT, bytes) })
}

// withSocket calls f with the socket of a TCP connection.
func withSocket(conn net.Conn, f func(fd int)) {
	tcp, ok := conn.(*net.TCPConn)
	if !ok {
		return
	}
	if raw, err := tcp.SyscallConn(); err == nil {
		raw.Control(func(fd uintptr) { f(int(fd)) })
	}
}
