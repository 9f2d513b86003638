package config

import (
	"errors"
	"path/filepath"

	"github.com/spf13/pflag"

	"github.com/sennit-net/sennit/protocols/bzz"
	"github.com/sennit-net/sennit/protocols/bzz/store"
)

// Bzz is the [bzz] section of the file: Swarm.
type Bzz struct {
	Enabled        bool   // speak the protocols
	Dialects       string // both, early (Swarm 0.3), later (Swarm 0.5)
	NetworkID      uint64 // of the early dialect; nodes of other networks are refused
	LaterNetworkID uint64 // of the later one
	Light          bool   // keep and serve nothing for others
	NoSync         bool   // neither offer chunks to neighbours nor take theirs
	Dir            string // directory of the chunks; empty: "swarm" below DataDir
	Capacity       int64  // of the chunks, in bytes
}

func defaultBzz() Bzz {
	return Bzz{
		Dialects: "both", NetworkID: bzz.DefaultNetworkID, LaterNetworkID: bzz.DefaultLaterNetworkID, Capacity: store.DefaultCapacity,
	}
}

// dialects are the values of Bzz.Dialects.
var dialects = map[string]bzz.Dialects{"both": bzz.Early | bzz.Later, "early": bzz.Early, "later": bzz.Later}

// register adds the section's flags to fs, to be stored in c.
func (c *Bzz) register(fs *pflag.FlagSet) {
	fs.BoolVar(&c.Enabled, "bzz", false, "speak bzz, hive and stream: Swarm")
	fs.StringVar(&c.Dialects, "bzz-dialects", "both", "which `DIALECTS` of Swarm to speak: both, early (0.3), later (0.5)")
	fs.Uint64Var(&c.NetworkID, "bzz-network", bzz.DefaultNetworkID, "network id `N` of Swarm 0.3; nodes of others are refused")
	fs.Uint64Var(&c.LaterNetworkID, "bzz-later-network", bzz.DefaultLaterNetworkID, "network id `N` of Swarm 0.5; nodes of others are refused")
	fs.BoolVar(&c.Light, "bzz-light", false, "fetch chunks, but keep and serve none for others")
	fs.BoolVar(&c.NoSync, "bzz-nosync", false, "do not sync chunks with neighbours")
	fs.StringVar(&c.Dir, "bzz-dir", "", "directory `DIR` of the chunks (default: swarm below the data directory)")
	fs.Int64Var(&c.Capacity, "bzz-capacity", store.DefaultCapacity, "keep chunks of up to `BYTES`; those unused for longest leave first")
}

// overrides says how the flags, read into from, change c.
func (c *Bzz) overrides(from *Bzz) []override {
	return []override{
		{"bzz", assign(&c.Enabled, &from.Enabled)},
		{"bzz-dialects", assign(&c.Dialects, &from.Dialects)},
		{"bzz-network", assign(&c.NetworkID, &from.NetworkID)},
		{"bzz-later-network", assign(&c.LaterNetworkID, &from.LaterNetworkID)},
		{"bzz-light", assign(&c.Light, &from.Light)},
		{"bzz-nosync", assign(&c.NoSync, &from.NoSync)},
		{"bzz-dir", assign(&c.Dir, &from.Dir)},
		{"bzz-capacity", assign(&c.Capacity, &from.Capacity)},
	}
}

// minBzzCapacity is the least a store is of any use with, in bytes.
const minBzzCapacity = 1 << 20

// check returns the section's mistakes.
func (c *Bzz) check() (list mistakes) {
	if dialects[c.Dialects] == 0 {
		list.add("bzz.Dialects", "bzz-dialects", "is %q, want both, early or later", c.Dialects)
	}
	if c.NetworkID == 0 {
		list.add("bzz.NetworkID", "bzz-network", "is 0, want another number")
	}
	if c.LaterNetworkID == 0 {
		list.add("bzz.LaterNetworkID", "bzz-later-network", "is 0, want another number")
	}
	if c.Capacity < minBzzCapacity {
		list.add("bzz.Capacity", "bzz-capacity", "is %d, want at least %d bytes", c.Capacity, minBzzCapacity)
	}
	return list
}

// Settings returns what package bzz makes of the section; what it does not say is left at zero.
func (c *Bzz) Settings() bzz.Config {
	return bzz.Config{
		Dialects: dialects[c.Dialects], NetworkID: c.NetworkID, LaterNetworkID: c.LaterNetworkID, Light: c.Light, NoSync: c.NoSync,
	}
}

// ChunkDir returns the directory of the chunks.
func (c *Config) ChunkDir() (string, error) {
	switch {
	case c.Bzz.Dir != "":
		return c.Bzz.Dir, nil
	case c.Node.DataDir != "":
		return filepath.Join(c.Node.DataDir, "swarm"), nil
	}
	return "", errors.New("no data directory for the chunks: say one with --datadir, or --bzz-dir")
}
