package p2p

import (
	"bytes"
	"encoding"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/ethereum/go-ethereum/p2p/enode"
	"github.com/ethereum/go-ethereum/p2p/nat"
	"github.com/ethereum/go-ethereum/p2p/netutil"
	"github.com/pelletier/go-toml/v2"
)

// ConfigTOML is what a TOML document says of a [Config], with fields that any TOML package can read and write; keys are
// the names of the fields. A program whose configuration file holds more than a Config nests it:
//
//	var file struct {
//		P2P p2p.ConfigTOML
//		Log logConfig
//	}
//	file.P2P.From(&cfg) // what the file does not mention stays as it is
//	err := toml.NewDecoder(f).DisallowUnknownFields().Decode(&file)
//	file.P2P.To(&cfg)
type ConfigTOML struct {
	MaxPeers         int
	MaxPendingPeers  int `toml:",omitempty"`
	DialRatio        int `toml:",omitempty"`
	NoDiscovery      bool
	DiscoveryV4      bool `toml:",omitempty"`
	DiscoveryV5      bool `toml:",omitempty"`
	BootstrapNodes   []*enode.Node
	BootstrapNodesV5 []*enode.Node `toml:",omitempty"`
	StaticNodes      []*enode.Node
	TrustedNodes     []*enode.Node
	NetRestrict      *netutil.Netlist `toml:",omitempty"`
	NodeDatabase     string           `toml:",omitempty"`
	ListenAddr       string
	DiscAddr         string
	NAT              *NATSpec `toml:",omitempty"`
	NoDial           bool     `toml:",omitempty"`
	EnableMsgEvents  bool
	MemoryBudget     int64 `toml:",omitempty"`
	LegacyHandshake  bool  `toml:",omitempty"`
	NoLanes          bool  `toml:",omitempty"`
}

// From sets t to what c says.
func (t *ConfigTOML) From(c *Config) {
	*t = ConfigTOML{
		MaxPeers:         c.MaxPeers,
		MaxPendingPeers:  c.MaxPendingPeers,
		DialRatio:        c.DialRatio,
		NoDiscovery:      c.NoDiscovery,
		DiscoveryV4:      c.DiscoveryV4,
		DiscoveryV5:      c.DiscoveryV5,
		BootstrapNodes:   c.BootstrapNodes,
		BootstrapNodesV5: c.BootstrapNodesV5,
		StaticNodes:      c.StaticNodes,
		TrustedNodes:     c.TrustedNodes,
		NetRestrict:      c.NetRestrict,
		NodeDatabase:     c.NodeDatabase,
		ListenAddr:       c.ListenAddr,
		DiscAddr:         c.DiscAddr,
		NoDial:           c.NoDial,
		EnableMsgEvents:  c.EnableMsgEvents,
		MemoryBudget:     c.MemoryBudget,
		LegacyHandshake:  c.LegacyHandshake,
		NoLanes:          c.NoLanes,
	}
	if c.NAT != nil {
		t.NAT = &NATSpec{c.NAT}
	}
}

// To sets the fields of c that t has, and leaves the others alone.
func (t *ConfigTOML) To(c *Config) {
	c.MaxPeers = t.MaxPeers
	c.MaxPendingPeers = t.MaxPendingPeers
	c.DialRatio = t.DialRatio
	c.NoDiscovery = t.NoDiscovery
	c.DiscoveryV4 = t.DiscoveryV4
	c.DiscoveryV5 = t.DiscoveryV5
	c.BootstrapNodes = t.BootstrapNodes
	c.BootstrapNodesV5 = t.BootstrapNodesV5
	c.StaticNodes = t.StaticNodes
	c.TrustedNodes = t.TrustedNodes
	c.NetRestrict = t.NetRestrict
	c.NodeDatabase = t.NodeDatabase
	c.ListenAddr = t.ListenAddr
	c.DiscAddr = t.DiscAddr
	c.NoDial = t.NoDial
	c.EnableMsgEvents = t.EnableMsgEvents
	c.MemoryBudget = t.MemoryBudget
	c.LegacyHandshake = t.LegacyHandshake
	c.NoLanes = t.NoLanes
	c.NAT = nil
	if t.NAT != nil {
		c.NAT = t.NAT.Interface
	}
}

// NATSpec is a NAT setting in the text form of nat.Parse: "none", "any", "upnp", "pmp", "pmp:192.0.2.1",
// "extip:192.0.2.1", "stun" and so on. The zero value and the empty text are "none".
type NATSpec struct{ nat.Interface }

// MarshalText returns the text form. A nat.Interface that has none, one that is not from package nat, is an error.
func (s NATSpec) MarshalText() ([]byte, error) {
	switch i := s.Interface.(type) {
	case nil:
		return []byte("none"), nil
	case encoding.TextMarshaler:
		return i.MarshalText()
	default:
		return nil, errNoText(i)
	}
}

// UnmarshalText sets s to what the text says.
func (s *NATSpec) UnmarshalText(text []byte) error {
	i, err := nat.Parse(string(text))
	if err != nil {
		return err
	}
	s.Interface = i
	return nil
}

// errNoText is the error of a NAT setting that cannot be written down.
func errNoText(i nat.Interface) error {
	return fmt.Errorf("a NAT setting of type %T has no text form", i)
}

// MarshalTOML returns a value for the TOML encoder github.com/naoina/toml, which calls it. Other encoders can be given
// a [ConfigTOML].
func (c Config) MarshalTOML() (interface{}, error) {
	if _, ok := c.NAT.(encoding.TextMarshaler); c.NAT != nil && !ok {
		return nil, errNoText(c.NAT)
	}
	t := new(ConfigTOML)
	t.From(&c)
	return t, nil
}

// UnmarshalTOML is called by the TOML decoder github.com/naoina/toml. What the document does not mention stays as it
// is, and so does all of c if there is an error. For other decoders there are [DecodeConfig] and [ConfigTOML].
func (c *Config) UnmarshalTOML(unmarshal func(interface{}) error) error {
	return c.decode(unmarshal)
}

// DecodeConfig reads a TOML document into c. What the document does not mention stays as it is, and so does all of c if
// there is an error. Unknown keys and values of the wrong kind are errors that name the line and the key, all unknown
// keys at once.
func DecodeConfig(document []byte, c *Config) error {
	return c.decode(func(v any) error {
		dec := toml.NewDecoder(bytes.NewReader(document)).DisallowUnknownFields()
		return locateTOMLError(dec.Decode(v))
	})
}

// decode lets unmarshal fill in what a document says and takes it over.
func (c *Config) decode(unmarshal func(interface{}) error) error {
	var t ConfigTOML
	t.From(c)
	// Decoders may reuse or append to what they find, and these are shared with c.
	t.BootstrapNodes, t.BootstrapNodesV5, t.StaticNodes, t.TrustedNodes, t.NetRestrict, t.NAT = nil, nil, nil, nil, nil, nil
	if err := unmarshal(&t); err != nil {
		return err
	}
	for _, f := range []struct{ read, old *[]*enode.Node }{
		{&t.BootstrapNodes, &c.BootstrapNodes},
		{&t.BootstrapNodesV5, &c.BootstrapNodesV5},
		{&t.StaticNodes, &c.StaticNodes},
		{&t.TrustedNodes, &c.TrustedNodes},
	} {
		if *f.read == nil {
			*f.read = *f.old
		}
	}
	if t.NetRestrict == nil {
		t.NetRestrict = c.NetRestrict
	}
	if t.NAT == nil {
		t.NAT = &NATSpec{c.NAT}
	}
	t.To(c)
	return nil
}

// wrongTypeText is what the TOML decoder says of a value of the wrong type, which names a Go type that means nothing to
// the writer of a file.
var wrongTypeText = regexp.MustCompile(`^cannot decode TOML (\S+) into struct field \S+ of type (\S+)$`)

// locateTOMLError makes the errors of the TOML decoder say where they are.
func locateTOMLError(err error) error {
	var (
		missing *toml.StrictMissingError
		wrong   *toml.DecodeError
	)
	switch {
	case errors.As(err, &missing):
		var all []error
		for _, e := range missing.Errors {
			line, _ := e.Position()
			all = append(all, fmt.Errorf("line %d: unknown key %s", line, strings.Join(e.Key(), ".")))
		}
		return errors.Join(all...)
	case errors.As(err, &wrong):
		line, column := wrong.Position()
		text := strings.TrimPrefix(wrong.Error(), "toml: ")
		text = wrongTypeText.ReplaceAllString(text, "the value is of type $1, not $2")
		if key := strings.Join(wrong.Key(), "."); key != "" {
			return fmt.Errorf("line %d: %s: %s", line, key, text)
		}
		return fmt.Errorf("line %d, column %d: %s", line, column, text)
	}
	return err
}
