package config

import (
	"strings"
	"testing"
)

func TestNegativeNumbersAreRefusedByName(t *testing.T) {
	for name, set := range map[string]func(*Config){
		"MaxPeers":        func(c *Config) { c.P2P.MaxPeers = -3 },
		"MaxPendingPeers": func(c *Config) { c.P2P.MaxPendingPeers = -1 },
		"DialRatio":       func(c *Config) { c.P2P.DialRatio = -2 },
		"MemoryBudget":    func(c *Config) { c.P2P.MemoryBudget = -5 },
	} {
		c := Default()
		if err := c.Check(); err != nil {
			t.Fatalf("the defaults: %v", err)
		}
		set(&c)
		if err := c.Check(); err == nil || !strings.Contains(err.Error(), name+" is -") {
			t.Errorf("%s: error %v", name, err)
		}
	}
}
