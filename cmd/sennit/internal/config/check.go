package config

import (
	"errors"
	"fmt"
	"net"
)

// Check returns an error that names a value which makes no sense for a node, wherever it came from.
func (c *Config) Check() error {
	for _, n := range []struct {
		name  string
		value int64
	}{
		{"MaxPeers", int64(c.P2P.MaxPeers)},
		{"MaxPendingPeers", int64(c.P2P.MaxPendingPeers)},
		{"DialRatio", int64(c.P2P.DialRatio)},
		{"MemoryBudget", c.P2P.MemoryBudget},
	} {
		if n.value < 0 {
			return fmt.Errorf("%s is %d, want 0 or more", n.name, n.value)
		}
	}
	for _, a := range []struct{ name, addr string }{{"ListenAddr", c.P2P.ListenAddr}, {"DiscAddr", c.P2P.DiscAddr}} {
		if err := checkAddr(a.addr); err != nil {
			return fmt.Errorf("%s: %w", a.name, err)
		}
	}
	return errors.Join(c.Eth.check(), c.Shh.check(), c.Bzz.check(), c.RPC.check())
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
