package config

import "github.com/spf13/pflag"

// Eth is the [eth] section of the file: the protocol eth.
type Eth struct {
	Enabled bool // speak the protocol
}

func defaultEth() Eth { return Eth{} }

// register adds the section's flags to fs, to be stored in c.
func (c *Eth) register(fs *pflag.FlagSet) {
	fs.BoolVar(&c.Enabled, "eth", false, "speak eth")
}

// overrides says how the flags, read into from, change c.
func (c *Eth) overrides(from *Eth) []override {
	return []override{{"eth", assign(&c.Enabled, &from.Enabled)}}
}

// check returns an error that names a value which makes no sense.
func (c *Eth) check() error { return nil }
