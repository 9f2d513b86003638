package link

import "time"

const (
	// minWindow and maxWindow bound what the remote may send before we have read it, in bytes.
	minWindow, maxWindow = 256 << 10, 32 << 20
	// windowRate is the rate that the receive window lets a connection reach, in bytes per second: 1 Gbit/s.
	windowRate = 125_000_000
)

// receiveWindow returns how many bytes the remote may have on the way to us on a connection with that round-trip time.
func receiveWindow(rtt time.Duration) int {
	return int(min(max(minWindow, windowRate*rtt.Seconds()), maxWindow))
}
