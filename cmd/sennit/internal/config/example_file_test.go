package config

import (
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sennit-net/sennit/p2p"
)

// exampleFile is the file that docs/operating.md shows to operators.
var exampleFile = filepath.Join("..", "..", "..", "..", "docs", "sennit.toml")

// exampleLine matches a line with a key, of what applies anyway or, after "# ", of an example.
var exampleLine = regexp.MustCompile(`^(# )?([A-Z]\w*) = `)

// sections are the types of the file's sections.
var sections = map[string]reflect.Type{
	"node": reflect.TypeFor[Node](), "p2p": reflect.TypeFor[p2p.ConfigTOML](),
	"eth": reflect.TypeFor[Eth](), "shh": reflect.TypeFor[Shh](), "bzz": reflect.TypeFor[Bzz](), "rpc": reflect.TypeFor[RPC](),
}

func readExample(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(exampleFile)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestTheExampleFileSaysTheDefaults(t *testing.T) {
	c, err := load(t, "", "--config", exampleFile)
	if err != nil {
		t.Fatal(err)
	}
	want := Default()
	if diff := cmp.Diff(show(&want), show(c)); diff != "" {
		t.Error(diff)
	}
	var got, def p2p.ConfigTOML
	got.From(&c.P2P)
	def.From(&want.P2P)
	got.NAT, def.NAT = nil, nil // compared by its text
	if c.P2P.NAT.String() != want.P2P.NAT.String() {
		t.Errorf("NAT is %v, want %v", c.P2P.NAT, want.P2P.NAT)
	}
	if diff := cmp.Diff(def, got); diff != "" {
		t.Error(diff)
	}
}

func TestTheExampleFileHasEveryKeyAndItsExamplesLoad(t *testing.T) {
	seen, want := map[string]int{}, map[string]int{}
	var section string
	var all, examples []string
	for line := range strings.Lines(readExample(t)) {
		if name, ok := strings.CutPrefix(line, "["); ok {
			section = strings.TrimRight(name, "]\n")
		}
		if m := exampleLine.FindStringSubmatch(line); m != nil {
			seen[section+"."+m[2]]++
			if line = strings.TrimPrefix(line, "# "); m[1] != "" {
				examples = append(examples, section+"."+m[2])
			}
		}
		all = append(all, line)
	}
	for name, typ := range sections {
		for i := range typ.NumField() {
			want[name+"."+typ.Field(i).Name] = 1
		}
	}
	if diff := cmp.Diff(want, seen); diff != "" {
		t.Errorf("keys (-exist +in the file):\n%s", diff)
	}

	c, err := load(t, strings.Join(all, ""))
	if err != nil {
		t.Fatal(err)
	}
	var p p2p.ConfigTOML
	p.From(&c.P2P)
	values := map[string]any{"node": c.Node, "p2p": p, "eth": c.Eth, "shh": c.Shh, "bzz": c.Bzz, "rpc": c.RPC}
	for _, key := range examples {
		section, name, _ := strings.Cut(key, ".")
		if v := reflect.ValueOf(values[section]).FieldByName(name); !v.IsValid() || v.IsZero() {
			t.Errorf("the example of %s says nothing", key)
		}
	}
}
