package p2p

import (
	"bytes"
	"encoding"

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
//	err := p2p.ExplainTOMLError(toml.NewDecoder(f).DisallowUnknownFields().Decode(&file))
//	file.P2P.To(&cfg)
type ConfigTOML struct {
	MaxPeers         int
	MaxPendingPeers  int `toml:",omitempty"`
	DialRatio        int `toml:",omitempty"`
	NoDiscovery      bool
	DiscoveryV4      bool `toml:",omitempty"`
	DiscoveryV5      bool `toml:",omitempty"`
	BootstrapNodes   []NodeSpec
	BootstrapNodesV5 []NodeSpec `toml:",omitempty"`
	StaticNodes      []NodeSpec
	TrustedNodes     []NodeSpec
	NetRestrict      *NetworkSpecs `toml:",omitempty"`
	NodeDatabase     string        `toml:",omitempty"`
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
		BootstrapNodes:   nodeSpecs(c.BootstrapNodes),
		BootstrapNodesV5: nodeSpecs(c.BootstrapNodesV5),
		StaticNodes:      nodeSpecs(c.StaticNodes),
		TrustedNodes:     nodeSpecs(c.TrustedNodes),
		NetRestrict:      networkSpecs(c.NetRestrict),
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
	c.BootstrapNodes = specNodes(t.BootstrapNodes)
	c.BootstrapNodesV5 = specNodes(t.BootstrapNodesV5)
	c.StaticNodes = specNodes(t.StaticNodes)
	c.TrustedNodes = specNodes(t.TrustedNodes)
	c.NetRestrict = t.NetRestrict.netlist()
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
		return ExplainTOMLErrorIn(document, dec.Decode(v), decodeScratch)
	})
}

// decode lets unmarshal fill in what a document says and takes it over.
func (c *Config) decode(unmarshal func(interface{}) error) error {
	var t ConfigTOML
	t.From(c)
	// Decoders may reuse or append to what they find.
	old := t
	t.BootstrapNodes, t.BootstrapNodesV5, t.StaticNodes, t.TrustedNodes, t.NetRestrict, t.NAT = nil, nil, nil, nil, nil, nil
	if err := unmarshal(&t); err != nil {
		return err
	}
	for _, f := range []struct{ read, old *[]NodeSpec }{
		{&t.BootstrapNodes, &old.BootstrapNodes},
		{&t.BootstrapNodesV5, &old.BootstrapNodesV5},
		{&t.StaticNodes, &old.StaticNodes},
		{&t.TrustedNodes, &old.TrustedNodes},
	} {
		if *f.read == nil {
			*f.read = *f.old
		}
	}
	if t.NetRestrict == nil {
		t.NetRestrict = old.NetRestrict
	}
	if t.NAT == nil {
		t.NAT = old.NAT
	}
	t.To(c)
	return nil
}
