package config

import (
	"fmt"
	"reflect"
	"strings"

	"github.com/spf13/pflag"
)

// Unused names what was said and has no effect on a node of configuration c, and why: flags, and sections of the file.
func (f *Flags) Unused(c *Config) []string {
	var list []string
	for _, s := range []struct {
		name          string
		enabled       bool
		value, normal any
	}{
		{"eth", c.Eth.Enabled, c.Eth, defaultEth()},
		{"shh", c.Shh.Enabled, c.Shh, defaultShh()},
		{"bzz", c.Bzz.Enabled, c.Bzz, defaultBzz()},
	} {
		if s.enabled {
			continue
		}
		flags := f.changed(s.name + "-")
		for _, name := range flags {
			list = append(list, fmt.Sprintf("--%s is for --%s", name, s.name))
		}
		if len(flags) == 0 && !reflect.DeepEqual(s.value, s.normal) {
			list = append(list, fmt.Sprintf("the section [%s] is for Enabled = true in it, or --%s", s.name, s.name))
		}
	}
	if name := c.Eth.Network; c.Eth.Enabled && c.Eth.Genesis != "" && name != "" && (f.fs.Changed("eth-network") || name != defaultEth().Network) {
		list = append(list, "Network (--eth-network) beside Genesis (--eth-genesis), which says what the chain is")
	}
	if f.fs.Changed("http-namespaces") && c.RPC.HTTP == "" {
		list = append(list, "--http-namespaces is for --http")
	}
	return list
}

// changed returns the flags that were given whose names begin with prefix.
func (f *Flags) changed(prefix string) []string {
	var names []string
	f.fs.Visit(func(flag *pflag.Flag) {
		if strings.HasPrefix(flag.Name, prefix) {
			names = append(names, flag.Name)
		}
	})
	return names
}
