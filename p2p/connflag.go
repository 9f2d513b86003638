package p2p

import (
	"strings"
	"sync/atomic"
)

// connFlag says how a connection came about and how it is treated. It is an int32 with bits, as in go-ethereum, so that
// code which passes one on keeps compiling. The trusted bit of a live peer changes at any time, so a flag that is shared
// is read and written through its methods only.
type connFlag int32

const (
	dynDialedConn    connFlag = 1 << iota // we dialed a candidate from an iterator
	staticDialedConn                      // we dialed a static node
	inboundConn                           // the remote dialed
	trustedConn                           // exempt from MaxPeers and the inbound limit
)

// is reports whether any bit of f is set. Safe for concurrent use.
func (c *connFlag) is(f connFlag) bool {
	return atomic.LoadInt32((*int32)(c))&int32(f) != 0
}

// set turns the bits of f on or off. Safe for concurrent use.
func (c *connFlag) set(f connFlag, on bool) {
	if on {
		atomic.OrInt32((*int32)(c), int32(f))
	} else {
		atomic.AndInt32((*int32)(c), ^int32(f))
	}
}

// load returns the flag as it is now. Safe for concurrent use.
func (c *connFlag) load() connFlag { return connFlag(atomic.LoadInt32((*int32)(c))) }

// String lists the bits for logs, as "trusted-inbound"; "conn" when none is set.
func (c *connFlag) String() string {
	var names []string
	for _, b := range []struct {
		bit  connFlag
		name string
	}{
		{trustedConn, "trusted"}, {dynDialedConn, "dyndial"}, {staticDialedConn, "staticdial"}, {inboundConn, "inbound"},
	} {
		if c.is(b.bit) {
			names = append(names, b.name)
		}
	}
	if names == nil {
		return "conn"
	}
	return strings.Join(names, "-")
}
