package config

import (
	"bytes"
	"encoding/hex"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ethereum/go-ethereum/crypto"
	"github.com/google/go-cmp/cmp"
	"github.com/spf13/pflag"

	"github.com/sennit-net/sennit/cmd/sennit/internal/nodekey"
	"github.com/sennit-net/sennit/protocols/shh"
)

const (
	keyHex = "b71c71a67e1177ad4e901695e1b4b9ee17ae16c6668d313eac2f96dbcda3f291" // from EIP-778
	enodeA = "enode://ca634cae0d49acb401d8a4c6b6fe8c55b70d115bf400769cc1400f3258cd31387574077f301b421bc84df7266c44e9e6d569fc56be00812904767bf5ccd1fc7f@127.0.0.1:30303"
	enrA   = "enr:-IS4QHCYrYZbAKWCBRlAy5zzaDZXJBGkcnh4MHcBFZntXNFrdvJjX04jRzjzCBOonrkTfj499SZuOh8R33Ls8RRcy5wBgmlkgnY0gmlwhH8AAAGJc2VjcDI1NmsxoQPKY0yuDUmstAHYpMa2_oxVtw0RW_QAdpzBQA8yWM0xOIN1ZHCCdl8"
)

// load returns the configuration of a command line, with file as the content of --config unless it is empty.
func load(t *testing.T, file string, args ...string) (*Config, error) {
	t.Helper()
	if file != "" {
		path := filepath.Join(t.TempDir(), "sennit.toml")
		if err := os.WriteFile(path, []byte(file), 0o600); err != nil {
			t.Fatal(err)
		}
		args = append(args, "--config", path)
	}
	set := pflag.NewFlagSet("test", pflag.ContinueOnError)
	flags := Register(set)
	if err := set.Parse(args); err != nil {
		t.Fatal(err)
	}
	return flags.Config()
}

const everything = `
[node]
Name = "file"
DataDir = "/file"
NodeKey = "/file/key"
LogLevel = "warn"
LogFormat = "json"
Caps = ["aaa/1/1"]
Echo = ["bbb/1/1"]

[p2p]
MaxPeers = 7
ListenAddr = "127.0.0.1:7"
NAT = "none"
NoDiscovery = true
DiscoveryV4 = false
DiscoveryV5 = false
StaticNodes = ["` + enodeA + `"]
TrustedNodes = ["` + enodeA + `"]
BootstrapNodes = ["` + enodeA + `"]
BootstrapNodesV5 = ["` + enodeA + `"]
NetRestrict = ["10.0.0.0/8"]
DialRatio = 2
NoLanes = true
`

// show returns the settings that file and flags share, in one comparable form.
func show(c *Config) map[string]any {
	m := map[string]any{
		"datadir": c.Node.DataDir, "nodekey": c.Node.NodeKey, "name": c.Node.Name,
		"log-level": c.Node.LogLevel, "log-format": c.Node.LogFormat, "cap": strings.Join(c.Node.Caps, " "), "echo": strings.Join(c.Node.Echo, " "),
		"listen": c.P2P.ListenAddr, "maxpeers": c.P2P.MaxPeers, "nodiscover": c.P2P.NoDiscovery, "v4": c.P2P.DiscoveryV4, "v5": c.P2P.DiscoveryV5,
		"static": len(c.P2P.StaticNodes), "trusted": len(c.P2P.TrustedNodes), "bootnodes": len(c.P2P.BootstrapNodes), "bootnodes5": len(c.P2P.BootstrapNodesV5),
		"nat": "none", "netrestrict": "", "dialratio": c.P2P.DialRatio, "nolanes": c.P2P.NoLanes,
		"eth": c.Eth, "shh": c.Shh, "bzz": c.Bzz, "rpc": c.RPC,
	}
	if c.P2P.NAT != nil {
		m["nat"] = "some"
	}
	if c.P2P.NetRestrict != nil {
		m["netrestrict"] = strings.Join(c.P2P.NetRestrict.MarshalTOML().([]string), " ")
	}
	return m
}

var (
	fromFile = map[string]any{
		"datadir": "/file", "nodekey": "/file/key", "name": "file", "log-level": "warn", "log-format": "json", "cap": "aaa/1/1", "echo": "bbb/1/1",
		"listen": "127.0.0.1:7", "maxpeers": 7, "nodiscover": true, "v4": false, "v5": false,
		"static": 1, "trusted": 1, "bootnodes": 1, "bootnodes5": 1, "nat": "none", "netrestrict": "10.0.0.0/8", "dialratio": 2, "nolanes": true,
		"eth": defaultEth(), "shh": defaultShh(), "bzz": defaultBzz(), "rpc": defaultRPC(),
	}
	flagCases = []struct {
		arg  string
		want map[string]any // what differs from the file
	}{
		{"", nil},
		{"--datadir=/flag", map[string]any{"datadir": "/flag"}},
		{"--nodekey=/flag/key", map[string]any{"nodekey": "/flag/key"}},
		{"--name=flag", map[string]any{"name": "flag"}},
		{"--log-level=debug", map[string]any{"log-level": "debug"}},
		{"--log-format=text", map[string]any{"log-format": "text"}},
		{"--cap=x/1/1,y/1/1", map[string]any{"cap": "x/1/1 y/1/1"}},
		{"--echo=x/1/1", map[string]any{"echo": "x/1/1"}},
		{"--listen=127.0.0.1:8", map[string]any{"listen": "127.0.0.1:8"}},
		{"--listen=", map[string]any{"listen": ""}},
		{"--nat=extip:192.0.2.1", map[string]any{"nat": "some"}},
		{"--maxpeers=8", map[string]any{"maxpeers": 8}},
		{"--maxpeers=0", map[string]any{"maxpeers": 0}},
		{"--nodiscover=false", map[string]any{"nodiscover": false}},
		{"--v4", map[string]any{"v4": true}},
		{"--v5", map[string]any{"v5": true}},
		{"--static=" + enodeA + "," + enrA, map[string]any{"static": 2}},
		{"--trusted=", map[string]any{"trusted": 0}},
		{"--bootnodes=" + enodeA + "," + enrA, map[string]any{"bootnodes": 2, "bootnodes5": 2}},
		{"--bootnode=" + enodeA + "," + enrA, map[string]any{"bootnodes": 2, "bootnodes5": 2}},
		{"--netrestrict=192.168.0.0/16", map[string]any{"netrestrict": "192.168.0.0/16"}},
		{"--nolanes=false", map[string]any{"nolanes": false}},
		{"--shh", map[string]any{"shh": withShh(func(c *Shh) { c.Enabled = true })}},
		{"--shh-minpow=0", map[string]any{"shh": withShh(func(c *Shh) { c.MinPoW = 0 })}},
		{"--shh-light", map[string]any{"shh": withShh(func(c *Shh) { c.Light = true })}},
		{"--eth", map[string]any{"eth": ethWith(func(c *Eth) { c.Enabled = true })}},
		{"--eth-network=hoodi", map[string]any{"eth": ethWith(func(c *Eth) { c.Network = "hoodi" })}},
		{"--eth-genesis=/flag/g", map[string]any{"eth": ethWith(func(c *Eth) { c.Genesis = "/flag/g" })}},
		{"--eth-chain=/flag/a,/flag/b", map[string]any{"eth": ethWith(func(c *Eth) { c.Chain = []string{"/flag/a", "/flag/b"} })}},
		{"--eth-receipts=/flag/r", map[string]any{"eth": ethWith(func(c *Eth) { c.Receipts = "/flag/r" })}},
		{"--eth-relay", map[string]any{"eth": ethWith(func(c *Eth) { c.Relay = true })}},
		{"--bzz", map[string]any{"bzz": withBzz(func(c *Bzz) { c.Enabled = true })}},
		{"--bzz-dialects=later", map[string]any{"bzz": withBzz(func(c *Bzz) { c.Dialects = "later" })}},
		{"--bzz-later-network=9", map[string]any{"bzz": withBzz(func(c *Bzz) { c.LaterNetworkID = 9 })}},
		{"--bzz-network=9", map[string]any{"bzz": withBzz(func(c *Bzz) { c.NetworkID = 9 })}},
		{"--bzz-light", map[string]any{"bzz": withBzz(func(c *Bzz) { c.Light = true })}},
		{"--bzz-nosync", map[string]any{"bzz": withBzz(func(c *Bzz) { c.NoSync = true })}},
		{"--bzz-dir=/flag", map[string]any{"bzz": withBzz(func(c *Bzz) { c.Dir = "/flag" })}},
		{"--bzz-capacity=2000000", map[string]any{"bzz": withBzz(func(c *Bzz) { c.Capacity = 2000000 })}},
		{"--ipc=/flag/ipc", map[string]any{"rpc": RPC{IPC: "/flag/ipc", HTTPNamespaces: defaultRPC().HTTPNamespaces}}},
		{"--noipc", map[string]any{"rpc": RPC{NoIPC: true, HTTPNamespaces: defaultRPC().HTTPNamespaces}}},
		{"--http=127.0.0.1:1", map[string]any{"rpc": RPC{HTTP: "127.0.0.1:1", HTTPNamespaces: defaultRPC().HTTPNamespaces}}},
		{"--http-namespaces=shh", map[string]any{"rpc": RPC{HTTPNamespaces: []string{"shh"}}}},
	}
)

func TestFlagsOverrideTheFileAndTheFileTheDefaults(t *testing.T) {
	for _, tt := range flagCases {
		var args []string
		if tt.arg != "" {
			args = []string{tt.arg}
		}
		c, err := load(t, everything, args...)
		if err != nil {
			t.Errorf("%s: %v", tt.arg, err)
			continue
		}
		want := map[string]any{}
		for _, from := range []map[string]any{fromFile, tt.want} {
			for k, v := range from {
				want[k] = v
			}
		}
		if diff := cmp.Diff(want, show(c)); diff != "" {
			t.Errorf("%s:\n%s", tt.arg, diff)
		}
	}
}

func TestEveryFlagIsProvenToOverride(t *testing.T) {
	tested := map[string]bool{"config": true, "nodekeyhex": true} // not in a file
	for _, tt := range flagCases {
		name, _, _ := strings.Cut(strings.TrimPrefix(tt.arg, "--"), "=")
		tested[name] = true
	}
	set := pflag.NewFlagSet("test", pflag.ContinueOnError)
	Register(set)
	set.VisitAll(func(f *pflag.Flag) {
		if !tested[f.Name] {
			t.Errorf("--%s has no case in flagCases", f.Name)
		}
	})
}

func TestWhatNobodySaysIsTheDefault(t *testing.T) {
	c, err := load(t, "[node]\nname = 'x'\n[p2p]\nmaxpeers = 3\n") // keys are not case-sensitive
	if err != nil {
		t.Fatal(err)
	}
	want := Default()
	want.Node.Name, want.P2P.MaxPeers = "x", 3
	if diff := cmp.Diff(show(&want), show(c)); diff != "" {
		t.Error(diff)
	}
	if c, err = load(t, ""); err != nil || !cmp.Equal(show(c), show(new(Default()))) {
		t.Errorf("without a file: %v, %v", show(c), err)
	}
}

func TestHelpTellsTheRealDefaults(t *testing.T) {
	set := pflag.NewFlagSet("test", pflag.ContinueOnError)
	Register(set)
	want := show(new(Default()))
	for _, name := range []string{"listen", "maxpeers", "nodiscover", "v4", "v5", "log-level", "log-format"} {
		if got := set.Lookup(name).DefValue; got != toString(want[name]) {
			t.Errorf("--%s: help says %s, the default is %v", name, got, want[name])
		}
	}
}

func toString(v any) string {
	switch v := v.(type) {
	case bool:
		return map[bool]string{true: "true", false: "false"}[v]
	case int:
		return map[int]string{50: "50"}[v]
	}
	return v.(string)
}

func TestMistakesAreNamed(t *testing.T) {
	tests := []struct {
		name, file string
		args       []string
		want       []string // parts of the message
	}{
		{"no such file", "", []string{"--config", "/no/such/file"}, []string{"/no/such/file", "no such file"}},
		{"unknown key", "[node]\nName = 'a'\nNmae = 'b'\n", nil, []string{"line 3", "node.Nmae"}},
		{"unknown key of p2p", "[p2p]\nMaxPears = 3\n", nil, []string{"line 2", "p2p.MaxPears"}},
		{"unknown section", "[peers]\nx = 3\n", nil, []string{"line 1", "peers"}},
		{"not TOML", "[node\n", nil, []string{"line 1"}},
		{"wrong kind", "[p2p]\nMaxPeers = 'many'\n", nil, []string{"line 2: p2p.MaxPeers", "want a whole number"}},
		{"bad node in the file", "[p2p]\nStaticNodes = ['enode://x']\n", nil, []string{"sennit.toml: line 2: p2p.StaticNodes", "enode://x", "'x' as character 1"}},
		{"bad network in the file", "[p2p]\n\nNetRestrict = ['10.0.0.0/8', '10.0.0.0']\n", nil, []string{"line 3: p2p.NetRestrict", "10.0.0.0/32"}},
		{"bad nat in the file", "[p2p]\nNAT = 'extip:x'\n", nil, []string{"line 2: p2p.NAT", "extip:IP"}},
		{"several unknown keys", "[node]\nNmae = 'b'\n[p2p]\nMaxPears = 3\n", nil, []string{"line 2: unknown key node.Nmae", "line 4: unknown key p2p.MaxPears"}},
		{"bad node", "", []string{"--static", "enode://x"}, []string{"--static", "enode://x"}},
		{"bad port", "", []string{"--listen", "127.0.0.1:99999"}, []string{"--listen", `"99999" is not a port`}},
		{"empty file name", "", []string{"--config", ""}, []string{"--config"}},

		{"bad listen", "", []string{"--listen", "nonsense"}, []string{"--listen", "HOST:PORT"}},
		{"bad nat", "", []string{"--nat", "magic"}, []string{"--nat"}},
		{"bad network", "", []string{"--netrestrict", "10.0.0.0"}, []string{"--netrestrict", "10.0.0.0/32"}},
		{"bad key", "", []string{"--nodekeyhex", "12"}, []string{"--nodekeyhex", "64 hex digits"}},
	}
	for _, tt := range tests {
		_, err := load(t, tt.file, tt.args...)
		if err == nil {
			t.Errorf("%s: no error", tt.name)
			continue
		}
		for _, part := range tt.want {
			if !strings.Contains(err.Error(), part) {
				t.Errorf("%s: %q does not say %q", tt.name, err, part)
			}
		}
	}
}

func TestTheKeyIsFoundWhereItWasSaid(t *testing.T) {
	dir := t.TempDir()
	c, err := load(t, "", "--datadir", dir)
	if err != nil {
		t.Fatal(err)
	}
	key, made, err := c.Key()
	if want := filepath.Join(dir, nodekey.FileName); err != nil || made != want {
		t.Fatalf("first start: made %q, %v, want %q", made, err, want)
	}
	again, made, err := c.Key()
	if err != nil || made != "" || !again.Equal(key) {
		t.Errorf("second start: made %q, %v, same key %v", made, err, again.Equal(key))
	}

	c, err = load(t, "", "--datadir", dir, "--nodekeyhex", keyHex)
	if err != nil {
		t.Fatal(err)
	}
	if key, _, err = c.Key(); err != nil || hex.EncodeToString(crypto.FromECDSA(key)) != keyHex {
		t.Errorf("--nodekeyhex: %v", err)
	}

	missing := filepath.Join(dir, "missing")
	c, err = load(t, "", "--datadir", dir, "--nodekey", missing)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err = c.Key(); !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "sennit key new "+missing) {
		t.Errorf("a named file that is missing: %v", err)
	}

	c.Node.NodeKey, c.Node.DataDir = "", ""
	if _, _, err = c.Key(); err == nil || !strings.Contains(err.Error(), "--datadir") {
		t.Errorf("no directory at all: %v", err)
	}
}

func TestLogHasTheFormAndLevelAskedFor(t *testing.T) {
	tests := []struct{ level, format, want string }{
		{"info", "text", `lvl=info msg=hello who=world`},
		{"info", "json", `"lvl":"info","msg":"hello","who":"world"`},
		{"error", "json", ``},
	}
	for _, tt := range tests {
		var out bytes.Buffer
		logger, err := Node{LogLevel: tt.level, LogFormat: tt.format}.Logger(&out)
		if err != nil {
			t.Fatal(err)
		}
		logger.Debug("never")
		logger.Info("hello", "who", "world")
		if got := out.String(); !strings.Contains(got, tt.want) || (tt.want == "" && got != "") || strings.Contains(got, "never") {
			t.Errorf("%s, %s: %q, want %q", tt.level, tt.format, got, tt.want)
		}
	}
	for _, bad := range []Node{{LogLevel: "loud", LogFormat: "text"}, {LogLevel: "info", LogFormat: "xml"}} {
		if _, err := bad.Logger(&bytes.Buffer{}); err == nil || !strings.Contains(err.Error(), "want one of") {
			t.Errorf("%+v: %v", bad, err)
		}
	}
}

// withBzz returns the default of [bzz] with a change.
func withBzz(change func(*Bzz)) Bzz {
	c := defaultBzz()
	change(&c)
	return c
}

// withShh returns the default of [shh] with a change.
func withShh(change func(*Shh)) Shh {
	c := defaultShh()
	change(&c)
	return c
}

func TestAWhisperSectionThatMakesNoSenseIsRefused(t *testing.T) {
	for want, change := range map[string]func(*Shh){
		"shh.MinPoW is -1":    func(c *Shh) { c.MinPoW = -1 },
		`Accept is "2.0"`:     func(c *Shh) { c.Accept = "2.0" },
		"MaxMessageSize is 1": func(c *Shh) { c.MaxMessageSize = 1 << 30 },
		"PoolBytes is 100 by": func(c *Shh) { c.PoolBytes = 100 },
		"MaxMessageSize is -": func(c *Shh) { c.MaxMessageSize = -1 },
	} {
		c := withShh(change)
		if err := errors.Join(c.check()...); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
	for size, wrong := range map[int]bool{minShhMessage - 1: true, minShhMessage: false, shh.MaxMessageSizeLimit: false, shh.MaxMessageSizeLimit + 1: true} {
		c := withShh(func(c *Shh) { c.MaxMessageSize = size })
		if list := c.check(); (len(list) > 0) != wrong {
			t.Errorf("messages of %d bytes: %v", size, list)
		}
	}
	c := withShh(func(c *Shh) { c.MinPoW = 0 })
	if s := c.Settings(); s.MinWork >= 0 || s.Accept != shh.BothRules {
		t.Errorf("MinPoW 0 becomes %v, Accept %q rules %v", s.MinWork, c.Accept, s.Accept)
	}
}
