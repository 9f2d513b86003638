package config

import (
	"crypto/ecdsa"
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"github.com/ethereum/go-ethereum/p2p/enode"
	"github.com/ethereum/go-ethereum/p2p/nat"
	"github.com/spf13/pflag"

	"github.com/sennit-net/sennit/cmd/sennit/internal/nodekey"
	"github.com/sennit-net/sennit/p2p"
)

// Flags are the command line's part of the configuration. Each overrides the file only if it was given; a list given as
// flags replaces the file's list.
type Flags struct {
	fs *pflag.FlagSet

	file, dataDir, nodeKey, nodeKeyHex string
	name, logLevel, logFormat          string
	caps, echo                         []string

	listen, nat, netRestrict              string
	maxPeers                              int
	static, trusted, bootnodes            []string
	noDiscovery, discoveryV4, discoveryV5 bool
	noLanes                               bool

	eth Eth
	shh Shh
	bzz Bzz
	rpc RPC
}

// Register adds the flags to fs.
func Register(fs *pflag.FlagSet) *Flags {
	f := &Flags{fs: fs}
	fs.SetNormalizeFunc(func(_ *pflag.FlagSet, name string) pflag.NormalizedName {
		if name == "bootnode" {
			name = "bootnodes"
		}
		return pflag.NormalizedName(name)
	})
	f.registerProgram()
	f.registerPeers()
	f.eth.register(fs)
	f.shh.register(fs)
	f.bzz.register(fs)
	f.rpc.register(fs)
	return f
}

func (f *Flags) registerProgram() {
	fs := f.fs
	fs.StringVar(&f.file, "config", "", "TOML `FILE` with the sections [node], [p2p], [eth], [shh], [bzz] and [rpc]; flags override it")
	fs.StringVar(&f.dataDir, "datadir", "", "directory `DIR` of the key and the node database (default: sennit below your configuration directory)")
	fs.StringVar(&f.nodeKey, "nodekey", "", "key `FILE` (default: nodekey below the data directory, made if missing)")
	fs.StringVar(&f.nodeKeyHex, "nodekeyhex", "", "the key itself, 64 `HEX` digits; others can see it in the list of processes, so for tests only")
	fs.StringVar(&f.name, "name", "", "client name `NAME` told to peers (default: sennit/version/platform/go)")

	fs.StringVar(&f.logLevel, "log-level", "info", "least level `LEVEL` to log: trace, debug, info, warn, error")
	fs.StringVar(&f.logFormat, "log-format", "text", "form `FORM` of the log: text, json")
}

func (f *Flags) registerPeers() {
	fs := f.fs
	fs.StringVar(&f.listen, "listen", ":30303", "TCP and UDP address `ADDR` to listen on; empty: do not listen")
	fs.StringVar(&f.nat, "nat", "any", "how to be reachable behind a gateway, `HOW` is one of any, none, upnp, pmp[:IP], extip:IP, stun[:HOST]")
	fs.IntVar(&f.maxPeers, "maxpeers", 50, "`N` peers at most")
	fs.StringSliceVar(&f.static, "static", nil, "`NODE` to stay connected to, an enode URL or a record; may be repeated")
	fs.StringSliceVar(&f.trusted, "trusted", nil, "`NODE` that may always connect; may be repeated")
	fs.StringVar(&f.netRestrict, "netrestrict", "", "IP networks `CIDR,CIDR...` outside of which nobody is talked to")

	fs.StringSliceVar(&f.bootnodes, "bootnodes", nil, "`NODE` that discovery starts from; may be repeated (--bootnode is the same)")
	fs.BoolVar(&f.noDiscovery, "nodiscover", false, "no node discovery")
	fs.BoolVar(&f.discoveryV4, "v4", true, "discovery v4")
	fs.BoolVar(&f.discoveryV5, "v5", true, "discovery v5")
	fs.BoolVar(&f.noLanes, "nolanes", false, "do not offer lanes/1: plain RLPx with everybody")

	fs.StringSliceVar(&f.caps, "cap", nil, "protocol `NAME/VERSION/LENGTH` to read and count, never to answer; may be repeated")
	fs.StringSliceVar(&f.echo, "echo", nil, "protocol `NAME/VERSION/LENGTH` that sends every message back; may be repeated")
}

// Config returns the configuration: the defaults, the file if one was given, the flags that were given.
func (f *Flags) Config() (*Config, error) {
	if f.fs.Changed("nodekey") && f.fs.Changed("nodekeyhex") {
		return nil, errors.New("--nodekey and --nodekeyhex: say one of them")
	}
	if f.fs.Changed("config") && f.file == "" {
		return nil, errors.New("--config: the name of the file is empty")
	}
	c := Default()
	c.from.flags = make(map[string]bool)
	f.fs.Visit(func(flag *pflag.Flag) { c.from.flags[flag.Name] = true })
	if f.file != "" {
		if err := c.Load(f.file); err != nil {
			return nil, fmt.Errorf("configuration: %w", err)
		}
	}
	overrides := slices.Concat(f.overrides(&c), c.Eth.overrides(&f.eth), c.Shh.overrides(&f.shh), c.Bzz.overrides(&f.bzz), c.RPC.overrides(&f.rpc))
	for _, o := range overrides {
		if !f.fs.Changed(o.flag) {
			continue
		}
		if err := o.set(); err != nil {
			return nil, fmt.Errorf("--%s: %w", o.flag, err)
		}
	}
	return &c, nil
}

type override struct {
	flag string
	set  func() error
}

func (f *Flags) overrides(c *Config) []override {
	return []override{
		{"datadir", assign(&c.Node.DataDir, &f.dataDir)},
		{"nodekey", assign(&c.Node.NodeKey, &f.nodeKey)},
		{"nodekeyhex", parse(&c.P2P.PrivateKey, &f.nodeKeyHex, nodekey.Parse)},
		{"name", assign(&c.Node.Name, &f.name)},
		{"log-level", assign(&c.Node.LogLevel, &f.logLevel)},
		{"log-format", assign(&c.Node.LogFormat, &f.logFormat)},
		{"cap", assign(&c.Node.Caps, &f.caps)},
		{"echo", assign(&c.Node.Echo, &f.echo)},
		{"listen", parse(&c.P2P.ListenAddr, &f.listen, parseAddr)},
		{"nat", parse(&c.P2P.NAT, &f.nat, parseNAT)},
		{"maxpeers", assign(&c.P2P.MaxPeers, &f.maxPeers)},
		{"static", parse(&c.P2P.StaticNodes, &f.static, parseNodes)},
		{"trusted", parse(&c.P2P.TrustedNodes, &f.trusted, parseNodes)},
		{"netrestrict", parse(&c.P2P.NetRestrict, &f.netRestrict, p2p.ParseNetworks)},
		{"bootnodes", parse(&c.P2P.BootstrapNodes, &f.bootnodes, parseNodes)},
		{"bootnodes", parse(&c.P2P.BootstrapNodesV5, &f.bootnodes, parseNodes)},
		{"nodiscover", assign(&c.P2P.NoDiscovery, &f.noDiscovery)},
		{"v4", assign(&c.P2P.DiscoveryV4, &f.discoveryV4)},
		{"v5", assign(&c.P2P.DiscoveryV5, &f.discoveryV5)},
		{"nolanes", assign(&c.P2P.NoLanes, &f.noLanes)},
	}
}

func assign[T any](dst, src *T) func() error {
	return func() error {
		*dst = *src
		return nil
	}
}

func parse[S, T any](dst *T, src *S, read func(S) (T, error)) func() error {
	return func() (err error) {
		*dst, err = read(*src)
		return err
	}
}

func parseAddr(addr string) (string, error) { return addr, checkAddr(addr) }

func parseNAT(text string) (nat.Interface, error) {
	var spec p2p.NATSpec
	err := spec.UnmarshalText([]byte(text))
	return spec.Interface, err
}

func parseNodes(list []string) ([]*enode.Node, error) {
	nodes := make([]*enode.Node, 0, len(list))
	for _, text := range list {
		node, err := p2p.ParseNode(text)
		if err != nil {
			return nil, err
		}
		nodes = append(nodes, node)
	}
	return nodes, nil
}

// Key returns the node's key: --nodekeyhex, or the key file, which is made if it is the default one and missing. made
// is the file if it was.
func (c *Config) Key() (key *ecdsa.PrivateKey, made string, err error) {
	if c.P2P.PrivateKey != nil {
		return c.P2P.PrivateKey, "", nil
	}
	file, err := c.Node.KeyFile(nodekey.FileName)
	if err != nil {
		return nil, "", err
	}
	if c.Node.NodeKey != "" {
		if key, err = nodekey.Load(file); errors.Is(err, fs.ErrNotExist) {
			err = fmt.Errorf("%w; make a key with: sennit key new %s", err, file)
		}
		return key, "", c.Blame("node.NodeKey", "nodekey", err)
	}
	key, isNew, err := nodekey.LoadOrCreate(file)
	if isNew {
		made = file
	}
	return key, made, err
}
