package config

import "github.com/spf13/pflag"

// Shh is the [shh] section of the file: Whisper.
type Shh struct {
	Enabled bool // speak the protocol
}

func defaultShh() Shh { return Shh{} }

// register adds the section's flags to fs, to be stored in c.
func (c *Shh) register(fs *pflag.FlagSet) {
	fs.BoolVar(&c.Enabled, "shh", false, "speak shh")
}

// overrides says how the flags, read into from, change c.
func (c *Shh) overrides(from *Shh) []override {
	return []override{{"shh", assign(&c.Enabled, &from.Enabled)}}
}

// check returns an error that names a value which makes no sense.
func (c *Shh) check() error { return nil }
