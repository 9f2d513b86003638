package config

import "github.com/spf13/pflag"

// Bzz is the [bzz] section of the file: Swarm.
type Bzz struct {
	Enabled bool // speak the protocol
}

func defaultBzz() Bzz { return Bzz{} }

// register adds the section's flags to fs, to be stored in c.
func (c *Bzz) register(fs *pflag.FlagSet) {
	fs.BoolVar(&c.Enabled, "bzz", false, "speak bzz")
}

// overrides says how the flags, read into from, change c.
func (c *Bzz) overrides(from *Bzz) []override {
	return []override{{"bzz", assign(&c.Enabled, &from.Enabled)}}
}

// check returns an error that names a value which makes no sense.
func (c *Bzz) check() error { return nil }
