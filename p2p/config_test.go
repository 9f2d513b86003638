package p2p

import (
	"crypto/ecdsa"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"reflect"
	"strings"
	"testing"

	"github.com/ethereum/go-ethereum/p2p/enode"
	"github.com/ethereum/go-ethereum/p2p/nat"
	"github.com/ethereum/go-ethereum/p2p/netutil"
	"github.com/google/go-cmp/cmp"
	naoina "github.com/naoina/toml"
	"github.com/pelletier/go-toml/v2"
)

const (
	nodeURL1 = "enode://1dd9d65c4552b5eb43d5ad55a2ee3f56c6cbc1c64a5c8d659f51fcd51bace24351232b8d7821617d2b29b54b81cdefb9b3e9c37d7fd5f63270bcc9e1a6f6a439@127.0.0.1:3030"
	nodeURL2 = "enode://1dd9d65c4552b5eb43d5ad55a2ee3f56c6cbc1c64a5c8d659f51fcd51bace24351232b8d7821617d2b29b54b81cdefb9b3e9c37d7fd5f63270bcc9e1a6f6a439@192.0.2.7:30303?discport=30301"
)

// fullConfig has every field set that TOML knows.
func fullConfig() Config {
	restrict, _ := netutil.ParseNetlist("10.0.0.0/8,192.168.0.0/16")
	return Config{
		MaxPeers: 5, MaxPendingPeers: 3, DialRatio: 4,
		NoDiscovery: true, DiscoveryV4: true, DiscoveryV5: true,
		BootstrapNodes:   []*enode.Node{enode.MustParse(nodeURL1)},
		BootstrapNodesV5: []*enode.Node{enode.MustParse(nodeURL2)},
		StaticNodes:      []*enode.Node{enode.MustParse(nodeURL1), enode.MustParse(nodeURL2)},
		TrustedNodes:     []*enode.Node{enode.MustParse(nodeURL2)},
		NetRestrict:      restrict,
		NodeDatabase:     "/nodes", ListenAddr: ":30303", DiscAddr: "127.0.0.1:30304",
		NAT:    nat.ExtIP(net.IPv4(192, 0, 2, 1)),
		NoDial: true, EnableMsgEvents: true,
		MemoryBudget: 1 << 30, LegacyHandshake: true, NoLanes: true,
	}
}

// fullDocument is fullConfig as go-ethereum's own Config would have it, with our additions.
const fullDocument = `MaxPeers = 5
MaxPendingPeers = 3
DialRatio = 4
NoDiscovery = true
DiscoveryV4 = true
DiscoveryV5 = true
BootstrapNodes = ["` + nodeURL1 + `"]
BootstrapNodesV5 = ["` + nodeURL2 + `"]
StaticNodes = ["` + nodeURL1 + `", "` + nodeURL2 + `"]
TrustedNodes = ["` + nodeURL2 + `"]
NetRestrict = ["10.0.0.0/8", "192.168.0.0/16"]
NodeDatabase = "/nodes"
ListenAddr = ":30303"
DiscAddr = "127.0.0.1:30304"
NAT = "extip:192.0.2.1"
NoDial = true
EnableMsgEvents = true
MemoryBudget = 1073741824
LegacyHandshake = true
NoLanes = true
`

const emptyDocument = `MaxPeers = 0
NoDiscovery = false
BootstrapNodes = []
StaticNodes = []
TrustedNodes = []
ListenAddr = ""
DiscAddr = ""
EnableMsgEvents = false
`

// gethTOML reads and writes as go-ethereum's programs do: keys are the names of the fields as they are.
var gethTOML = naoina.Config{
	NormFieldName: func(_ reflect.Type, key string) string { return key },
	FieldToKey:    func(_ reflect.Type, field string) string { return field },
}

func diffConfigs(a, b Config) string {
	return cmp.Diff(a, b, cmp.Exporter(func(reflect.Type) bool { return true }),
		cmp.Comparer(func(a, b *ecdsa.PrivateKey) bool { return a == b }),
		cmp.Comparer(func(a, b *enode.Node) bool { return a.String() == b.String() }))
}

func TestConfigIsWrittenByNaoinaTOMLAsByGoEthereum(t *testing.T) {
	for want, c := range map[string]Config{fullDocument: fullConfig(), emptyDocument: {}} {
		got, err := gethTOML.Marshal(&c)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(want, string(got)); d != "" {
			t.Errorf("-want +got:\n%s", d)
		}
		// As part of something else it is written by way of MarshalTOML.
		got, err = gethTOML.Marshal(struct{ P2P Config }{c})
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff("[P2P]\n"+want, string(got)); d != "" {
			t.Errorf("nested: -want +got:\n%s", d)
		}
	}
}

func TestConfigIsReadByEveryDecoder(t *testing.T) {
	decoders := map[string]func(string, *Config) error{
		"naoina":       func(doc string, c *Config) error { return gethTOML.Unmarshal([]byte(doc), c) },
		"DecodeConfig": func(doc string, c *Config) error { return DecodeConfig([]byte(doc), c) },
		"ConfigTOML in go-toml": func(doc string, c *Config) error {
			var file struct{ P2P ConfigTOML }
			file.P2P.From(c)
			if err := toml.Unmarshal([]byte("[P2P]\n"+doc), &file); err != nil {
				return err
			}
			file.P2P.To(c)
			return nil
		},
	}
	for name, decode := range decoders {
		t.Run(name, func(t *testing.T) {
			var got Config
			if err := decode(fullDocument, &got); err != nil {
				t.Fatal(err)
			}
			if d := diffConfigs(fullConfig(), got); d != "" {
				t.Errorf("-want +got:\n%s", d)
			}

			// What is not mentioned stays; what is replaces and does not add.
			want := fullConfig()
			want.MaxPeers, want.StaticNodes = 7, []*enode.Node{enode.MustParse(nodeURL2)}
			got = fullConfig()
			if err := decode("MaxPeers = 7\nStaticNodes = [\""+nodeURL2+"\"]", &got); err != nil {
				t.Fatal(err)
			}
			if d := diffConfigs(want, got); d != "" {
				t.Errorf("-want +got:\n%s", d)
			}

			if err := decode("StaticNodes = []\nNAT = \"none\"\nNetRestrict = [\"127.0.0.0/8\"]", &got); err != nil {
				t.Fatal(err)
			}
			if len(got.StaticNodes) != 0 || got.NAT != nil || len(*got.NetRestrict) != 1 {
				t.Errorf("not replaced: %v, %v, %v", got.StaticNodes, got.NAT, got.NetRestrict)
			}
		})
	}
}

func TestConfigRoundTripsThroughGoTOML(t *testing.T) {
	for _, c := range []Config{fullConfig(), {}} {
		document, err := toml.Marshal(c)
		if err != nil {
			t.Fatal(err)
		}
		var got Config
		if err := DecodeConfig(document, &got); err != nil {
			t.Fatalf("%v in\n%s", err, document)
		}
		// Empty lists come back as empty lists.
		for _, l := range []*[]*enode.Node{&got.BootstrapNodes, &got.StaticNodes, &got.TrustedNodes} {
			if len(*l) == 0 {
				*l = nil
			}
		}
		if d := diffConfigs(c, got); d != "" {
			t.Errorf("-want +got:\n%s\nthrough\n%s", d, document)
		}
	}
}

func TestEveryNATSettingRoundTrips(t *testing.T) {
	for _, text := range []string{"none", "any", "upnp", "pmp", "pmp:10.0.0.1", "extip:192.0.2.1", "stun:192.0.2.1:3478", ""} {
		var c, again Config
		if err := DecodeConfig([]byte("NAT = \""+text+"\""), &c); err != nil {
			t.Errorf("%q: %v", text, err)
			continue
		}
		if wantNil := text == "" || text == "none"; (c.NAT == nil) != wantNil {
			t.Errorf("%q is %v", text, c.NAT)
		}
		for name, marshal := range map[string]func(any) ([]byte, error){"go-toml": toml.Marshal, "naoina": gethTOML.Marshal} {
			document, err := marshal(&c)
			if err != nil {
				t.Errorf("%s: %q: %v", name, text, err)
				continue
			}
			if err := DecodeConfig(document, &again); err != nil {
				t.Errorf("%s: %q: %v in\n%s", name, text, err, document)
			} else if (c.NAT == nil) != (again.NAT == nil) || c.NAT != nil && c.NAT.String() != again.NAT.String() {
				t.Errorf("%s: %q became %v", name, text, again.NAT)
			}
		}
	}
}

type customNAT struct{ nat.Interface }

func TestAnEmptyListOfNetworksStaysOne(t *testing.T) {
	// It allows nobody, while no list allows everybody.
	c := Config{NetRestrict: new(netutil.Netlist)}
	document, err := toml.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	var through ConfigTOML
	through.From(&c)
	nested, err := toml.Marshal(through)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range [][]byte{document, nested, []byte("NetRestrict = []")} {
		var got Config
		if err := DecodeConfig(d, &got); err != nil || got.NetRestrict == nil || len(*got.NetRestrict) != 0 {
			t.Errorf("%v, %v in\n%s", got.NetRestrict, err, d)
		}
	}
}

func TestNetworksAreReadFromAList(t *testing.T) {
	for text, want := range map[string]string{
		"":                               "[]",
		"10.0.0.0/8":                     "[10.0.0.0/8]",
		" 10.0.0.0/8 ,, 2001:db8::/32\n": "[10.0.0.0/8 2001:db8::/32]",
	} {
		if got, err := ParseNetworks(text); err != nil || fmt.Sprint(*got) != want {
			t.Errorf("%q: %v, %v", text, got, err)
		}
	}
	if _, err := ParseNetworks("10.0.0.0/8,10.0.0"); err == nil || !strings.Contains(err.Error(), `"10.0.0" is not an IP address`) {
		t.Errorf("got %v", err)
	}
}

func TestNATWithoutATextFormIsNotWritten(t *testing.T) {
	_, err := gethTOML.Marshal(struct{ P2P Config }{Config{NAT: customNAT{}}})
	if err == nil || !strings.Contains(err.Error(), "customNAT") {
		t.Errorf("error %v does not name the type", err)
	}
}

func TestDecodeConfigErrorsNameLineAndKey(t *testing.T) {
	for document, want := range map[string][]string{
		"MaxPeers = 1\n\nMaxPears = 3\nListenAdr = \":0\"":    {"line 3: unknown key MaxPears", "line 4: unknown key ListenAdr"},
		"[Node]\nMaxPeers = 1":                                {"line 1: unknown key Node"},
		"NoDial = true\nMaxPeers = \"many\"":                  {"line 2: MaxPeers: the value is of type string, want a whole number"},
		"\n\nStaticNodes = [\"enode://12@127.0.0.1:1\"]":      {"line 3: StaticNodes", `"enode://12@127.0.0.1:1"`, "its key has 2 hex digits, want 128"},
		"StaticNodes = \"" + nodeURL1 + "\"":                  {"line 1: StaticNodes", "of type string, want a list of nodes"},
		"StaticNodes = [\n\"" + nodeURL1 + "\",\n\"x\"]":      {"line 3: StaticNodes", `node "x": want an enode URL`},
		"TrustedNodes = {}":                                   {"line 1: TrustedNodes", "inline table"},
		"MaxPeers = 1\nStaticNodes = [7]\nNAT = \"any\"":      {"line 2: StaticNodes: node \"7\"", "want an enode URL"},
		"StaticNodes = [\n\"" + nodeURL1 + "\", # a\n7,\n]\n": {"line 3: StaticNodes: node \"7\""},
		"NetRestrict = [\n] # none\n\n\nNAT = false":          {"line 5: NAT: NAT setting \"false\""},
		"NAT = 1979-05-27 # a day\n":                          {"line 1: NAT: the value is of type local date, want a NAT setting, a string"},
		"NAT = \"bogus\"":                                     {"line 1: NAT", `"bogus"`, "upnp"},
		"NAT = \"extip:999\"":                                 {"line 1: NAT", `"extip:999"`, "extip:IP"},
		"MaxPeers = 1\nNetRestrict = [\"10.0.0.0/99\"]":       {"line 2: NetRestrict", `"10.0.0.0/99"`, "from 0 to 32"},
		"NetRestrict = [\"10.0.0.1\"]":                        {"line 1: NetRestrict", "10.0.0.1/32"},
		"NetRestrict = [\"fe80::1%eth0/64\"]":                 {"line 1: NetRestrict", "zone"},
		"NetRestrict = [\"ten/8\"]":                           {"line 1: NetRestrict", `"ten" is not an IP address`},
		"NetRestrict = \"10.0.0.0/8\"":                        {"line 1: NetRestrict", "a list of networks"},
		"MaxPeers = 1\nMaxPeers = 2":                          {"line 2", "MaxPeers"},
		"MaxPeers = \n":                                       {"line 1"},
		"MaxPeers = 99999999999999999999":                     {"line 1"},
	} {
		c := fullConfig()
		err := DecodeConfig([]byte(document), &c)
		if err == nil {
			t.Errorf("%q was accepted", document)
			continue
		}
		t.Logf("%q: %v", document, err)
		for _, part := range want {
			if !strings.Contains(err.Error(), part) {
				t.Errorf("%q: error %q does not say %q", document, err, part)
			}
		}
		if d := diffConfigs(fullConfig(), c); d != "" {
			t.Errorf("%q changed the config in spite of %v:\n%s", document, err, d)
		}
	}
}

func TestAnErrorInALongListIsFoundWithFewDecodings(t *testing.T) {
	const nodes = 1000
	document := []byte("MaxPeers = 1\nStaticNodes = [\n" + strings.Repeat("\""+nodeURL1+"\",\n", nodes) + "true,\n]\n" + strings.Repeat("# more\n", nodes))
	decodings := 0
	decode := func(document []byte) error { decodings++; return decodeScratch(document) }
	err := ExplainTOMLErrorIn(document, decode(document), decode)
	if want := fmt.Sprintf("line %d: StaticNodes: node \"true\"", nodes+3); err == nil || !strings.HasPrefix(err.Error(), want) || decodings > 4 {
		t.Errorf("%v after %d decodings, want %s", err, decodings, want)
	}
}

func TestTheErrorInAnInlineTableNamesAKeyOnlyIfThereIsOne(t *testing.T) {
	type file struct{ P2P ConfigTOML }
	decode := func(document []byte) error { return toml.Unmarshal(document, new(file)) }
	for document, want := range map[string]string{
		"p2p = { StaticNodes = [1] }":                    `line 1: p2p.StaticNodes: node "1"`,
		"\np2p = { MaxPeers = 1, StaticNodes = [1] }\n":  `line 2: node "1"`,
		"[p2p]\nMaxPeers = 1\n'StaticNodes' = [ 1 ]\nx=": `line 3: p2p.StaticNodes: node "1"`,
		"a.b = 1\np2p.NAT = 1.5":                         `line 2: p2p.NAT: NAT setting "1.5"`,
	} {
		if err := ExplainTOMLErrorIn([]byte(document), decode([]byte(document)), decode); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%q: %v, want %s", document, err, want)
		}
	}
	other := errors.New("gone")
	if err := ExplainTOMLErrorIn([]byte("MaxPeers = 1"), other, decode); err != other {
		t.Errorf("an error that decoding does not give became %v", err)
	}
}

func TestFailedUnmarshalTOMLLeavesTheConfigAlone(t *testing.T) {
	for _, document := range []string{"MaxPeers = 9\nNAT = \"bogus\"", "MaxPeers = 9\nBogus = 1", "MaxPeers = \"x\""} {
		c := fullConfig()
		if err := gethTOML.Unmarshal([]byte(document), &c); err == nil {
			t.Errorf("%q was accepted", document)
		}
		if d := diffConfigs(fullConfig(), c); d != "" {
			t.Errorf("%q changed the config:\n%s", document, d)
		}
	}
}

func TestEveryTOMLFieldOfConfigIsInConfigTOML(t *testing.T) {
	tags := map[string]string{}
	for f := range fields(reflect.TypeFor[Config]()) {
		if tag := f.Tag.Get("toml"); f.IsExported() && tag != "-" {
			tags[f.Name] = tag
		}
	}
	got := map[string]string{}
	for f := range fields(reflect.TypeFor[ConfigTOML]()) {
		got[f.Name] = f.Tag.Get("toml")
	}
	if d := cmp.Diff(tags, got); d != "" {
		t.Errorf("-Config +ConfigTOML:\n%s", d)
	}
	// And each of them makes the way there and back.
	full := fullConfig()
	var through ConfigTOML
	through.From(&full)
	for i := range reflect.TypeFor[ConfigTOML]().NumField() {
		if reflect.ValueOf(through).Field(i).IsZero() {
			t.Errorf("From does not set %s, or fullConfig lacks it", reflect.TypeFor[ConfigTOML]().Field(i).Name)
		}
	}
	var back Config
	through.To(&back)
	if d := diffConfigs(full, back); d != "" {
		t.Errorf("-there +back:\n%s", d)
	}
}

func fields(t reflect.Type) func(func(reflect.StructField) bool) {
	return func(yield func(reflect.StructField) bool) {
		for i := range t.NumField() {
			if !yield(t.Field(i)) {
				return
			}
		}
	}
}

func TestConfigJSONHasTheShapeOfGoEthereum(t *testing.T) {
	c := Config{MaxPeers: 5, Name: "x", NAT: nat.Any(), StaticNodes: []*enode.Node{enode.MustParse(nodeURL1)}}
	got, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	const want = `{"PrivateKey":null,"MaxPeers":5,"MaxPendingPeers":0,"DialRatio":0,"NoDiscovery":false,"DiscoveryV4":false,"DiscoveryV5":false,"Name":"x","BootstrapNodes":null,"BootstrapNodesV5":null,"StaticNodes":["` + nodeURL1 + `"],"TrustedNodes":null,"NetRestrict":null,"NodeDatabase":"","ListenAddr":"","DiscAddr":"","NAT":"any","Dialer":null,"NoDial":false,"EnableMsgEvents":false,"Logger":null}`
	if d := cmp.Diff(want, string(got)); d != "" {
		t.Errorf("-want +got:\n%s", d)
	}
}
