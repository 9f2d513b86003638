package config

import (
	"fmt"
	"net"
	"slices"
	"strings"
)

// Check returns an error that names every value which makes no sense for a node, wherever it came from: line and key of the
// file, or the flag.
func (c *Config) Check() error {
	list := c.Node.check()
	for _, n := range []struct {
		name, flag string
		value      int64
	}{
		{"MaxPeers", "maxpeers", int64(c.P2P.MaxPeers)},
		{"MaxPendingPeers", "", int64(c.P2P.MaxPendingPeers)},
		{"DialRatio", "", int64(c.P2P.DialRatio)},
		{"MemoryBudget", "", c.P2P.MemoryBudget},
	} {
		if n.value < 0 {
			list.add("p2p."+n.name, n.flag, "is %d, want 0 or more", n.value)
		}
	}
	for _, a := range []struct{ name, flag, addr string }{{"ListenAddr", "listen", c.P2P.ListenAddr}, {"DiscAddr", "", c.P2P.DiscAddr}} {
		if err := checkAddr(a.addr); err != nil {
			list.add("p2p."+a.name, a.flag, "has %w", err)
		}
	}
	return c.from.place(slices.Concat(list, c.Eth.check(), c.Shh.check(), c.Bzz.check(), c.RPC.check()))
}

// maxName is how long a client name may be, in bytes: half of what a Hello may have, which protocols share.
const maxName = 1024

// check returns the section's mistakes.
func (n *Node) check() (list mistakes) {
	if len(n.Name) > maxName {
		list.add("node.Name", "name", "is %d bytes long, want at most %d", len(n.Name), maxName)
	}
	if !slices.Contains(LogLevels, n.LogLevel) {
		list.add("node.LogLevel", "log-level", "is %q, want one of %s", n.LogLevel, strings.Join(LogLevels, ", "))
	}
	if !slices.Contains(LogFormats, n.LogFormat) {
		list.add("node.LogFormat", "log-format", "is %q, want one of %s", n.LogFormat, strings.Join(LogFormats, ", "))
	}
	return list
}

// checkAddr returns an error for an address that cannot be listened on, whatever the machine. A host name in it is not
// looked up. The empty address is fine: it says not to listen.
func checkAddr(addr string) error {
	if addr == "" {
		return nil
	}
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		return fmt.Errorf("address %q: want HOST:PORT or :PORT", addr)
	}
	if _, err := net.LookupPort("tcp", port); err != nil {
		return fmt.Errorf("address %q: %q is not a port, want a number from 0 to 65535", addr, port)
	}
	return nil
}
