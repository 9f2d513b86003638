package config

import "github.com/spf13/pflag"

// RPC is the [rpc] section of the file: the JSON-RPC endpoint.
type RPC struct{}

func defaultRPC() RPC { return RPC{} }

// register adds the section's flags to fs, to be stored in c.
func (c *RPC) register(fs *pflag.FlagSet) {}

// overrides says how the flags, read into from, change c.
func (c *RPC) overrides(from *RPC) []override { return nil }

// check returns an error that names a value which makes no sense.
func (c *RPC) check() error { return nil }
