package config

import (
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sennit-net/sennit/p2p"
)

// exampleFile is the file that docs/operating.md shows to operators.
var exampleFile = filepath.Join("..", "..", "..", "..", "docs", "sennit.toml")

var (
	saidKey    = regexp.MustCompile(`(?m)^([A-Z]\w*) = `)
	exampleKey = regexp.MustCompile(`(?m)^# ([A-Z]\w*) = `)
)

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
	text := readExample(t)
	var all []string
	for _, m := range append(saidKey.FindAllStringSubmatch(text, -1), exampleKey.FindAllStringSubmatch(text, -1)...) {
		all = append(all, m[1])
	}
	seen := map[string]int{}
	for _, key := range all {
		seen[key]++
	}
	want := map[string]int{}
	for _, section := range []reflect.Type{reflect.TypeFor[Node](), reflect.TypeFor[p2p.ConfigTOML]()} {
		for i := range section.NumField() {
			want[section.Field(i).Name] = 1
		}
	}
	if diff := cmp.Diff(want, seen); diff != "" {
		t.Errorf("keys (-exist +in the file):\n%s", diff)
	}

	c, err := load(t, exampleKey.ReplaceAllString(text, "$1 = "))
	if err != nil {
		t.Fatal(err)
	}
	var p p2p.ConfigTOML
	p.From(&c.P2P)
	for _, m := range exampleKey.FindAllStringSubmatch(text, -1) {
		v := reflect.ValueOf(c.Node).FieldByName(m[1])
		if !v.IsValid() {
			v = reflect.ValueOf(p).FieldByName(m[1])
		}
		if v.IsZero() {
			t.Errorf("the example of %s says nothing", m[1])
		}
	}
}
