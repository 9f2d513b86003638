package config

import (
	"errors"
	"strings"
	"testing"
)

// ethWith is the default section with a change.
func ethWith(f func(*Eth)) Eth {
	c := defaultEth()
	f(&c)
	return c
}

func TestTheEthSectionIsRefusedWhereItMakesNoSense(t *testing.T) {
	files := []string{"chain.rlp"}
	for _, tt := range []struct {
		name string
		c    Eth
		want string // empty: it makes sense
	}{
		{"the default", ethWith(func(*Eth) {}), ""},
		{"a chain", ethWith(func(c *Eth) { c.Genesis, c.Chain, c.Receipts, c.Relay = "g", files, "r", true }), ""},
		{"a chain of the genesis block alone", ethWith(func(c *Eth) { c.Genesis, c.Backend = "g", EthChain }), ""},
		{"an observer of another network", ethWith(func(c *Eth) { c.Genesis, c.Network = "g", "" }), ""},
		{"some versions", ethWith(func(c *Eth) { c.Versions = []uint{68, 72} }), ""},
		{"another backend", ethWith(func(c *Eth) { c.Backend = "full" }), `Backend is "full"`},
		{"another network", ethWith(func(c *Eth) { c.Network = "ropsten" }), `Network is "ropsten"`},
		{"a chain without genesis", ethWith(func(c *Eth) { c.Chain = files }), "needs Genesis"},
		{"an observer with files", ethWith(func(c *Eth) { c.Backend, c.Genesis, c.Chain = EthObserver, "g", files }), "Chain is for Backend"},
		{"receipts without a chain", ethWith(func(c *Eth) { c.Receipts = "r" }), "Receipts needs Chain"},
		{"an observer that relays", ethWith(func(c *Eth) { c.Relay = true }), "Relay needs Chain"},
		{"a version that is none", ethWith(func(c *Eth) { c.Versions = []uint{69, 66} }), "Versions has 66"},
	} {
		err := errors.Join(tt.c.check()...)
		if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
			t.Errorf("%s: %v, want %q", tt.name, err, tt.want)
		}
	}
}
