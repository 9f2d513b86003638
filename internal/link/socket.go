package link

import "time"

const (
	// maxWindow bounds what the remote may send before we have read it, in bytes, however far away it is.
	maxWindow = 32 << 20
	// windowRate is the rate that the receive window lets a connection reach, in bytes per second: 1 Gbit/s.
	windowRate = 125_000_000
)

// receiveWindow returns how many bytes the remote may have on the way to us on a connection with that round-trip time, at
// least the framing's window.
func receiveWindow(rtt time.Duration, least int) int {
	return int(min(max(float64(least), windowRate*rtt.Seconds()), maxWindow))
}
