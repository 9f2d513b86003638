package config

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"github.com/sennit-net/sennit/protocols/shh"
)

// Shh is the [shh] section of the file: Whisper.
type Shh struct {
	Enabled        bool    // speak the protocol
	MinPoW         float64 // least proof of work that is accepted
	Accept         string  // rules by any of which it counts: both, 1.8, 1.9
	MaxMessageSize int     // in bytes of data and 20
	PoolBytes      int64   // of envelopes that are kept
	Light          bool    // relay nothing but what is posted here
}

// ShhAccept are the values that [Shh.Accept] may have.
var ShhAccept = []string{"both", "1.8", "1.9"}

func defaultShh() Shh {
	return Shh{MinPoW: shh.DefaultMinWork, Accept: ShhAccept[0], MaxMessageSize: shh.DefaultMaxMessageSize, PoolBytes: shh.DefaultPoolBytes}
}

// register adds the section's flags to fs, to be stored in c.
func (c *Shh) register(fs *pflag.FlagSet) {
	fs.BoolVar(&c.Enabled, "shh", false, "speak shh, Whisper")
	fs.Float64Var(&c.MinPoW, "shh-minpow", shh.DefaultMinWork, "least proof of `WORK` that Whisper accepts; 0: none")
	fs.BoolVar(&c.Light, "shh-light", false, "Whisper relays nothing but what is posted here")
}

// overrides says how the flags, read into from, change c.
func (c *Shh) overrides(from *Shh) []override {
	return []override{
		{"shh", assign(&c.Enabled, &from.Enabled)},
		{"shh-minpow", assign(&c.MinPoW, &from.MinPoW)},
		{"shh-light", assign(&c.Light, &from.Light)},
	}
}

// check returns a mistake, or nil.
func (c *Shh) check() error {
	switch {
	case !(c.MinPoW >= 0) || math.IsInf(c.MinPoW, 1):
		return wrong("shh.MinPoW", "shh-minpow", "is %v, want a number that is 0 or more", c.MinPoW)
	case !slices.Contains(ShhAccept, c.Accept):
		return wrong("shh.Accept", "", "is %q, want one of %s", c.Accept, strings.Join(ShhAccept, ", "))
	}
	// The bounds of the rest are Whisper's.
	if _, err := shh.New(shh.Config{MaxMessageSize: c.MaxMessageSize, PoolBytes: math.MaxInt64}); err != nil {
		return wrong("shh.MaxMessageSize", "", "is %d: %w", c.MaxMessageSize, err)
	}
	if _, err := shh.New(shh.Config{MaxMessageSize: c.MaxMessageSize, PoolBytes: c.PoolBytes}); err != nil {
		return wrong("shh.PoolBytes", "", "is %d: %w", c.PoolBytes, err)
	}
	return nil
}

// Settings returns what a Whisper node is told.
func (c *Shh) Settings() (shh.Config, error) {
	s := shh.Config{MinWork: c.MinPoW, MaxMessageSize: c.MaxMessageSize, PoolBytes: c.PoolBytes, Light: c.Light}
	switch {
	case c.MinPoW < 0:
		return s, fmt.Errorf("a minimum of %v for proof of work (MinPoW), want 0 or more", c.MinPoW)
	case c.MinPoW == 0:
		s.MinWork = -1 // there 0 stands for the default
	}
	switch c.Accept {
	case "both":
		s.Accept = shh.BothRules
	case "1.8":
		s.Accept = shh.Rule18
	case "1.9":
		s.Accept = shh.Rule19
	default:
		return s, fmt.Errorf("rules %q to accept (Accept), want one of %q", c.Accept, ShhAccept)
	}
	return s, nil
}
