package config

import (
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"github.com/sennit-net/sennit/protocols/eth"
)

// Eth is the [eth] section of the file: the protocol eth.
type Eth struct {
	Enabled   bool     // speak the protocol
	Backend   string   // EthObserver or EthChain; empty: EthChain if there are chain files
	Network   string   // one of eth.Networks; without Genesis
	NetworkID uint64   // id told to peers; 0: that of the network, with Genesis the chain id
	Genesis   string   // genesis.json of a chain that is no Network
	Chain     []string // files with blocks in the order of the chain
	Receipts  string   // file with receipts
	Relay     bool     // keep transactions that peers send and relay them
	Versions  []uint   // versions of the protocol to offer; empty: all
}

// The values of Eth.Backend.
const (
	EthObserver = "observer" // a node without a chain
	EthChain    = "chain"    // one that serves a chain from files
)

func defaultEth() Eth { return Eth{Network: "mainnet"} }

// register adds the section's flags to fs, to be stored in c.
func (c *Eth) register(fs *pflag.FlagSet) {
	fs.BoolVar(&c.Enabled, "eth", false, "speak eth")
	fs.StringVar(&c.Network, "eth-network", "mainnet", "public network `NAME` that eth is about: "+strings.Join(eth.Networks(), ", "))
	fs.StringVar(&c.Genesis, "eth-genesis", "", "genesis.json `FILE` of the chain that eth is about, if it is not a public network's")
	fs.StringSliceVar(&c.Chain, "eth-chain", nil, "`FILE` with blocks that geth export has written, to serve; may be repeated")
	fs.StringVar(&c.Receipts, "eth-receipts", "", "`FILE` with the receipts of these blocks")
	fs.BoolVar(&c.Relay, "eth-relay", false, "keep transactions that peers send and relay them")
}

// overrides says how the flags, read into from, change c.
func (c *Eth) overrides(from *Eth) []override {
	return []override{
		{"eth", assign(&c.Enabled, &from.Enabled)},
		{"eth-network", assign(&c.Network, &from.Network)},
		{"eth-genesis", assign(&c.Genesis, &from.Genesis)},
		{"eth-chain", assign(&c.Chain, &from.Chain)},
		{"eth-receipts", assign(&c.Receipts, &from.Receipts)},
		{"eth-relay", assign(&c.Relay, &from.Relay)},
	}
}

// ServesChain reports whether the backend is EthChain.
func (c *Eth) ServesChain() bool {
	return c.Backend == EthChain || c.Backend == "" && len(c.Chain) > 0
}

// check returns the section's mistakes. With a backend that is not known it does not say what that would need.
func (c *Eth) check() (list mistakes) {
	known := slices.Contains([]string{"", EthObserver, EthChain}, c.Backend)
	if !known {
		list.add("eth.Backend", "", "is %q, want %s or %s", c.Backend, EthObserver, EthChain)
	}
	if c.Genesis == "" && !slices.Contains(eth.Networks(), c.Network) {
		list.add("eth.Network", "eth-network", "is %q, want one of %s, or Genesis (--eth-genesis)", c.Network, strings.Join(eth.Networks(), ", "))
	}
	switch {
	case !known:
	case c.ServesChain() && c.Genesis == "":
		key, flag := "eth.Chain", "eth-chain"
		if len(c.Chain) == 0 {
			key, flag = "eth.Backend", ""
		}
		list.add(key, flag, "needs Genesis, the genesis.json of the chain (--eth-genesis)")
	case !c.ServesChain() && len(c.Chain) > 0:
		list.add("eth.Chain", "eth-chain", "is for Backend %q, which is %q", EthChain, c.Backend)
	case !c.ServesChain():
		if c.Receipts != "" {
			list.add("eth.Receipts", "eth-receipts", "needs Chain, the files of its blocks (--eth-chain)")
		}
		if c.Relay {
			list.add("eth.Relay", "eth-relay", "needs Chain (--eth-chain): without a chain there is nobody to ask for the transactions")
		}
	}
	for _, v := range c.Versions {
		if eth.Length(v) == 0 {
			list.add("eth.Versions", "", "has %d, want some of %v", v, eth.Versions())
		}
	}
	return list
}
