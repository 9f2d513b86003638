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

func TestAddressesThatCannotBeListenedOnAreRefusedByName(t *testing.T) {
	tests := map[string]string{ // part of the error; empty: there is none
		"":                  "",
		":30303":            "",
		"127.0.0.1:0":       "",
		"[::1]:1":           "",
		"localhost:65535":   "",
		"127.0.0.1":         "want HOST:PORT",
		"::1:1":             "want HOST:PORT",
		"127.0.0.1:65536":   `"65536" is not a port`,
		"127.0.0.1:nowhere": `"nowhere" is not a port`,
	}
	for addr, want := range tests {
		for name, set := range map[string]func(*Config){
			"ListenAddr": func(c *Config) { c.P2P.ListenAddr = addr },
			"DiscAddr":   func(c *Config) { c.P2P.DiscAddr = addr },
		} {
			c := Default()
			set(&c)
			err := c.Check()
			if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), "p2p."+name+" has address") || err != nil && !strings.Contains(err.Error(), want) {
				t.Errorf("%s %q: %v, want %q", name, addr, err, want)
			}
		}
	}
}
