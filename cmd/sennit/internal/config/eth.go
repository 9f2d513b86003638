package config

import (
	"errors"
	"fmt"
	"os"
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

// CheckFiles returns an error that names a file which the configuration names and that cannot be opened.
func (c *Config) CheckFiles() error {
	if !c.Eth.Enabled {
		return nil
	}
	for _, file := range slices.Concat([]string{c.Eth.Genesis, c.Eth.Receipts}, c.Eth.Chain) {
		if file == "" {
			continue
		}
		f, err := os.Open(file)
		if err != nil {
			return fmt.Errorf("[eth] %w", err)
		}
		_ = f.Close() // it was only looked for
	}
	return nil
}

// check returns an error that names a value which makes no sense.
func (c *Eth) check() error {
	switch {
	case !slices.Contains([]string{"", EthObserver, EthChain}, c.Backend):
		return fmt.Errorf("[eth] Backend is %q, want %s or %s", c.Backend, EthObserver, EthChain)
	case c.Genesis == "" && !slices.Contains(eth.Networks(), c.Network):
		return fmt.Errorf("[eth] Network is %q, want one of %s, or Genesis", c.Network, strings.Join(eth.Networks(), ", "))
	case c.ServesChain() && c.Genesis == "":
		return errors.New("[eth] a chain from files needs Genesis, its genesis.json (--eth-genesis)")
	case !c.ServesChain() && (len(c.Chain) > 0 || c.Receipts != ""):
		return fmt.Errorf("[eth] Chain and Receipts are for Backend %s", EthChain)
	case !c.ServesChain() && c.Relay:
		return fmt.Errorf("[eth] Relay is for Backend %s: without a chain there is nobody to ask for the transactions", EthChain)
	}
	for _, v := range c.Versions {
		if eth.Length(v) == 0 {
			return fmt.Errorf("[eth] Versions has %d, want some of %v", v, eth.Versions())
		}
	}
	return nil
}
