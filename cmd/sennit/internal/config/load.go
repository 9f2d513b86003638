package config

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/pelletier/go-toml/v2"

	"github.com/sennit-net/sennit/p2p"
)

// sectionNames are the names of the file's sections.
var sectionNames = []string{"node", "p2p", "eth", "shh", "bzz", "rpc"}

// Load reads the TOML file over c: what it does not name stays. A key it does not know is an error, since a misspelt
// one would be ignored otherwise. Every error names the file, and one about what is in there the line.
func (c *Config) Load(file string) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	keys := findKeys(text)
	scratch := *c
	if err := scratch.decode(text); err != nil {
		return fmt.Errorf("%s: %w", file, explain(text, keys, err))
	}
	*c = scratch
	c.from.file, c.from.keys = file, keys
	return nil
}

// decode reads a TOML document over c.
func (c *Config) decode(text []byte) error {
	var sections struct {
		Node *Node          `toml:"node"`
		P2P  p2p.ConfigTOML `toml:"p2p"`
		Eth  *Eth           `toml:"eth"`
		Shh  *Shh           `toml:"shh"`
		Bzz  *Bzz           `toml:"bzz"`
		RPC  *RPC           `toml:"rpc"`
	}
	sections.Node, sections.Eth, sections.Shh, sections.Bzz, sections.RPC = &c.Node, &c.Eth, &c.Shh, &c.Bzz, &c.RPC
	sections.P2P.From(&c.P2P)
	if err := toml.NewDecoder(bytes.NewReader(text)).DisallowUnknownFields().Decode(&sections); err != nil {
		return err
	}
	sections.P2P.To(&c.P2P)
	return nil
}

// explain says where an error of decode comes from, and what was wrong.
func explain(text []byte, keys map[string]place, err error) error {
	if e, ok := errors.AsType[*toml.DecodeError](err); ok {
		if name := strings.ToLower(strings.Join(e.Key(), ".")); slices.Contains(sectionNames, name) {
			return fmt.Errorf("line %d: %s is a section, want [%s] on a line of its own, once, and its keys below", keys[name].line, name, name)
		}
	}
	return p2p.ExplainTOMLErrorIn(text, err, func(beginning []byte) error { return new(Config).decode(beginning) })
}
