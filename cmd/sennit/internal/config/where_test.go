package config

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestEveryMistakeInTheFileIsReportedWithFileLineKeyAndWhatIsWanted(t *testing.T) {
	tests := []struct{ name, file, want string }{ // want is what follows the name of the file
		{"a negative number", "[p2p]\nNoDial = true\n\nMaxPeers = -1\n", "line 4: p2p.MaxPeers is -1, want 0 or more"},
		{"in a dotted key", "\np2p.DialRatio = -1\n", "line 2: p2p.DialRatio is -1, want 0 or more"},
		{"in an inline table", "\n\np2p = { NoDial = true, MemoryBudget = -1 }\n", "line 3: p2p.MemoryBudget is -1, want 0 or more"},
		{"whatever the case of the key", "[P2P]\nmaxpendingpeers = -1\n", "line 2: p2p.MaxPendingPeers is -1, want 0 or more"},
		{"behind lists and texts of many lines", "[node]\nCaps = [\n\"a/1/1\",\n# b\n]\nName = '''\nx\n'''\nLogLevel = 'loud'\n", "line 9: node.LogLevel is \"loud\", want one of trace"},
		{"the form of the log", "[node]\nLogFormat = 'xml'\n", "line 2: node.LogFormat is \"xml\", want one of text, json"},
		{"an address", "[p2p]\nListenAddr = '127.0.0.1'\n", "line 2: p2p.ListenAddr has address \"127.0.0.1\": want HOST:PORT"},
		{"the address of discovery", "[p2p]\nDiscAddr = ':x'\n", "line 2: p2p.DiscAddr has address \":x\": \"x\" is not a port"},
		{"a backend", "[eth]\nBackend = 'full'\n", "line 2: eth.Backend is \"full\", want observer or chain"},
		{"a network", "[eth]\nNetwork = 'x'\n", "line 2: eth.Network is \"x\", want one of mainnet"},
		{"a chain alone", "[eth]\n\nChain = ['x']\n", "line 3: eth.Chain needs Genesis"},
		{"a backend alone", "[eth]\nBackend = 'chain'\n", "line 2: eth.Backend needs Genesis"},
		{"receipts alone", "[eth]\nReceipts = 'x'\n", "line 2: eth.Receipts needs Chain"},
		{"relaying alone", "[eth]\nRelay = true\n", "line 2: eth.Relay needs Chain"},
		{"a version", "[eth]\nVersions = [69, 12]\n", "line 2: eth.Versions has 12, want some of [63"},
		{"a version below zero", "[eth]\nVersions = [-1]\n", "line 2: eth.Versions: negative integer"},
		{"a text for versions", "[eth]\nVersions = 'x'\n", "line 2: eth.Versions: the value is of type string, want a list of whole numbers"},
		{"a file that is not there", "[eth]\nEnabled = true\n\nGenesis = '/no/such'\n", "line 4: eth.Genesis names a file that cannot be read: open /no/such"},
		{"a directory for a file", "[eth]\nEnabled = true\nGenesis = '/'\n", "line 3: eth.Genesis names a file that cannot be read: / is a directory"},
		{"a file for the database of nodes", "[p2p]\nNodeDatabase = '" + os.Args[0] + "'\n", "line 2: p2p.NodeDatabase is " + os.Args[0] + ", which is a file, want a directory"},
		{"a name that no Hello holds", "[node]\nName = '" + strings.Repeat("x", 1025) + "'\n", "line 2: node.Name is 1025 bytes long, want at most 1024"},
		{"a proof of work", "[shh]\nMinPoW = -1\n", "line 2: shh.MinPoW is -1, want"},
		{"no number", "[shh]\nMinPoW = nan\n", "line 2: shh.MinPoW is NaN, want"},
		{"a rule", "[shh]\nAccept = '2'\n", "line 2: shh.Accept is \"2\", want one of both, 1.8, 1.9"},
		{"a message", "[shh]\nMaxMessageSize = 1000000000\n", "line 2: shh.MaxMessageSize is 1000000000, want 21 to 10485760 bytes"},
		{"a pool", "[shh]\nPoolBytes = 1\n", "line 2: shh.PoolBytes is 1 bytes, which do not hold one message of MaxMessageSize, 1048576"},
		{"a dialect", "[bzz]\nDialects = 'x'\n", "line 2: bzz.Dialects is \"x\", want both"},
		{"a capacity", "[bzz]\nCapacity = 1\n", "line 2: bzz.Capacity is 1, want at least 1048576 bytes"},
		{"a network of Swarm", "[bzz]\nNetworkID = 0\n", "line 2: bzz.NetworkID is 0, want another number"},
		{"a later network", "[bzz]\nLaterNetworkID = 0\n", "line 2: bzz.LaterNetworkID is 0, want another number"},
		{"an address others reach", "[rpc]\nHTTP = '0.0.0.0:1'\n", "line 2: rpc.HTTP has \"0.0.0.0:1\": other machines"},
		{"a port", "[rpc]\nHTTP = '127.0.0.1:70000'\n", "line 2: rpc.HTTP has address \"127.0.0.1:70000\": \"70000\" is not a port"},
		{"a namespace", "[rpc]\nHTTPNamespaces = ['x']\n", "line 2: rpc.HTTPNamespaces has \"x\", want some of admin"},
		{"a host with a port", "[rpc]\nHTTPHosts = ['a.test', 'b.test:1']\n", "line 2: rpc.HTTPHosts has \"b.test:1\", want names without port"},
		{"an origin without a scheme", "[rpc]\nHTTPOrigins = ['localhost:8000']\n", "line 2: rpc.HTTPOrigins has \"localhost:8000\", want"},
		{"an origin with a path", "[rpc]\nHTTPOrigins = ['http://a.test', 'http://a.test/']\n", "line 2: rpc.HTTPOrigins has \"http://a.test/\", want"},
		{"all origins", "[rpc]\nHTTPOrigins = ['*']\n", "line 2: rpc.HTTPOrigins has \"*\", want"},
		{"no namespace", "[rpc]\nHTTP = '127.0.0.1:1'\nHTTPNamespaces = []\n", "line 3: rpc.HTTPNamespaces is empty"},
		{"a number for a node", "[p2p]\nMaxPeers = 3\nStaticNodes = [1]\n", "line 3: p2p.StaticNodes: node \"1\": want an enode URL"},
		{"a truth for a network", "[p2p]\nNetRestrict = [\n  true,\n]\nMaxPeers = 3\n", "line 3: p2p.NetRestrict: network \"true\""},
		{"a number in an inline table", "\np2p = { MaxPeers = 1, StaticNodes = [7] }\n", "line 2: node \"7\""},
		{"a number for a section", "\nnode = 1\n", "line 2: node is a section, want [node]"},
		{"a list of sections", "[[Node]]\nName = 'x'\n", "line 1: node is a section, want [node]"},
		{"a section twice", "[p2p]\nMaxPeers = 1\n[p2p]\n", "line 3: p2p is a section, want [p2p]"},
	}
	for _, tt := range tests {
		c, err := load(t, tt.file)
		if err == nil {
			err = errors.Join(c.Check(), c.CheckFiles())
		}
		if err == nil || !strings.HasPrefix(err.Error(), "configuration: ") || !strings.Contains(err.Error(), "sennit.toml: "+tt.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v, want %q", tt.name, err, tt.want)
		}
	}
}

func TestHostsThatCanBeAskedForAreTaken(t *testing.T) {
	for host, want := range map[string]bool{
		"node.example": true, "Node_1.local-net": true, "192.0.2.1": true, "2001:db8::1": true, "2001:DB8::1": true,
		"": false, "*": false, "*.example": false, "a.test:1": false, "http://a.test": false, "b\u00fccher.example": false, "a b": false,
		"[::1]": false, "fe80::1%eth0": false, "2001:db8:0:0::1": false,
	} {
		c := RPC{HTTPHosts: []string{"a.test", host}}
		if list := c.check(); (len(list) == 0) != want {
			t.Errorf("%q: %v", host, list)
		}
	}
}

func TestOriginsThatBrowsersSendAreTaken(t *testing.T) {
	for origin, want := range map[string]bool{
		"null": true, "http://localhost:8000": true, "https://a.test": true, "moz-extension://12ab": true, "http://[::1]:1": true,
		"https://a.test:80": true, "http://xn--bcher-kva.example": true,
		"": false, "*": false, "http://*": false, "http://*.test": false, "a.test": false, "localhost:8000": false, "http://a.test/": false,
		"http://a.test:80": false, "https://a.test:443": false, "http://a.test:": false, "http://A.test": false, "http://b\u00fccher.example": false,
		"http://u@a.test": false, "://a.test": false, "http://": false, "http://a.test?": false,
	} {
		c := RPC{HTTPOrigins: []string{"http://a.test", origin}}
		if list := c.check(); (len(list) == 0) != want {
			t.Errorf("%q: %v", origin, list)
		}
	}
}

func TestAllMistakesAreReportedAtOnce(t *testing.T) {
	c, err := load(t, `[node]
LogLevel = 'x'
LogFormat = 'x'
[p2p]
MaxPeers = -1
ListenAddr = 'x'
[eth]
Network = 'x'
Receipts = 'x'
Relay = true
Versions = [1, 2]
[shh]
MinPoW = -1
Accept = 'x'
MaxMessageSize = 1
[bzz]
Dialects = 'x'
Capacity = 1
[rpc]
HTTP = 'x'
HTTPNamespaces = ['x', 'y']
HTTPHosts = ['*']
`)
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, mistake := range strings.Split(c.Check().Error(), "\n") {
		_, rest, _ := strings.Cut(mistake, "sennit.toml: line ")
		line, _, _ := strings.Cut(rest, ":")
		lines = append(lines, line)
	}
	slices.Sort(lines)
	if d := cmp.Diff(strings.Fields("10 11 11 13 14 15 17 18 2 20 21 21 22 3 5 6 8 9"), lines); d != "" {
		t.Errorf("lines of mistakes, -want +got:\n%s\n%v", d, c.Check())
	}
}

func TestAMistakeOnTheCommandLineIsReportedWithItsFlag(t *testing.T) {
	for _, tt := range []struct{ arg, want string }{
		{"--maxpeers=-2", "--maxpeers is -2, want 0 or more"},
		{"--log-level=loud", "--log-level is \"loud\", want one of"},
		{"--eth-network=x", "--eth-network is \"x\", want one of"},
		{"--shh-minpow=-2", "--shh-minpow is -2, want"},
		{"--bzz-capacity=1", "--bzz-capacity is 1, want at least"},
		{"--http=:1", "--http has \":1\": other machines"},
	} {
		// The file has good values, which the flag overrides.
		c, err := load(t, "[node]\nLogLevel = 'info'\n[p2p]\nMaxPeers = 3\n[eth]\nNetwork = 'sepolia'\n[shh]\nMinPoW = 1\n[bzz]\nCapacity = 9999999\n[rpc]\nHTTP = ''\n", tt.arg)
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Check(); err == nil || !strings.HasPrefix(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q", tt.arg, err, tt.want)
		}
	}
}

func TestWhatIsFoundLaterIsBlamedOnWhereItWasSaid(t *testing.T) {
	cause := errors.New("gone")
	c, err := load(t, "[node]\nDataDir = 'x'\nCaps = ['a/1/1']\n", "--cap", "b/1/1")
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ key, flag, want string }{
		{"node.DataDir", "datadir", "sennit.toml: line 2: node.DataDir: gone"},
		{"node.Caps", "cap", "--cap: gone"},
		{"node.Echo", "echo", "gone"},
	} {
		if err := c.Blame(tt.key, tt.flag, cause); !errors.Is(err, cause) || !strings.HasSuffix(err.Error(), tt.want) {
			t.Errorf("%s: %v", tt.key, err)
		}
		if err := c.Blame(tt.key, tt.flag, nil); err != nil {
			t.Errorf("%s: %v", tt.key, err)
		}
	}
}

func TestAFileThatIsRefusedChangesNothing(t *testing.T) {
	file := filepath.Join(t.TempDir(), "c.toml")
	if err := os.WriteFile(file, []byte("[node]\nName = 'x'\n[p2p]\nMaxPeers = 'many'\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	c := Config{Node: Node{Name: "before"}}
	if err := c.Load(file); err == nil || c.Node.Name != "before" {
		t.Errorf("%v, name %q", err, c.Node.Name)
	}
}
