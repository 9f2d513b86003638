package config

import (
	"errors"
	"fmt"
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
	return errors.Join(c.Eth.check(), c.Shh.check(), c.Bzz.check(), c.RPC.check())
}
