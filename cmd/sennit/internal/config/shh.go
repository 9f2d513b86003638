package config

import (
	"math"

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

// shhRules are the values of Shh.Accept.
var shhRules = map[string]shh.Rules{"both": shh.BothRules, "1.8": shh.Rule18, "1.9": shh.Rule19}

func defaultShh() Shh {
	return Shh{MinPoW: shh.DefaultMinWork, Accept: "both", MaxMessageSize: shh.DefaultMaxMessageSize, PoolBytes: shh.DefaultPoolBytes}
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

// minShhMessage is the least MaxMessageSize: a byte of data and 20.
const minShhMessage = 21

// check returns the section's mistakes.
func (c *Shh) check() (list mistakes) {
	if !(c.MinPoW >= 0) || math.IsInf(c.MinPoW, 1) {
		list.add("shh.MinPoW", "shh-minpow", "is %v, want a number that is 0 or more", c.MinPoW)
	}
	if shhRules[c.Accept] == 0 {
		list.add("shh.Accept", "", "is %q, want one of both, 1.8, 1.9", c.Accept)
	}
	// The bounds of the rest are Whisper's.
	if _, err := shh.New(shh.Config{MaxMessageSize: c.MaxMessageSize, PoolBytes: math.MaxInt64}); err != nil {
		list.add("shh.MaxMessageSize", "", "is %d, want %d to %d bytes", c.MaxMessageSize, minShhMessage, shh.MaxMessageSizeLimit)
	} else if _, err := shh.New(shh.Config{MaxMessageSize: c.MaxMessageSize, PoolBytes: c.PoolBytes}); err != nil {
		list.add("shh.PoolBytes", "", "is %d bytes, which do not hold one message of MaxMessageSize, %d", c.PoolBytes, c.MaxMessageSize)
	}
	return list
}

// Settings returns what a Whisper node is told.
func (c *Shh) Settings() shh.Config {
	s := shh.Config{MinWork: c.MinPoW, Accept: shhRules[c.Accept], MaxMessageSize: c.MaxMessageSize, PoolBytes: c.PoolBytes, Light: c.Light}
	if c.MinPoW == 0 {
		s.MinWork = -1 // there 0 stands for the default
	}
	return s
}
