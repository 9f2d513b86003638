package apicheck

import (
	"flag"
	"os"
	"slices"
	"strings"
	"testing"

	"golang.org/x/tools/go/packages"
)

var update = flag.Bool("update", false, "write the additions found to testdata/additions.txt")

const (
	theirs = "github.com/ethereum/go-ethereum/p2p"
	ours   = "github.com/sennit-net/sennit/p2p"
	golden = "testdata/additions.txt"
)

// TestOurAPIHasAllOfGoEthereums compares package by package. What ours has beyond go-ethereum's must be in the golden file,
// so that an addition is a decision; after one, run this test with -update.
func TestOurAPIHasAllOfGoEthereums(t *testing.T) {
	apis := load(t, theirs, theirs+"/rlpx", ours, ours+"/rlpx")
	var added []string
	for _, sub := range []string{"", "/rlpx"} {
		a, b := apis[theirs+sub], apis[ours+sub]
		if len(a.Facts) < 10 {
			t.Fatalf("only %d facts found in %s", len(a.Facts), theirs+sub)
		}
		d := Compare(a, b)
		for _, fact := range d.Missing {
			t.Errorf("%s lacks: %s", ours+sub, fact)
		}
		for _, fact := range d.Added {
			added = append(added, "p2p"+sub+": "+fact)
		}
	}
	if *update {
		if err := os.WriteFile(golden, []byte(strings.Join(added, "\n")+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	data, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	known := strings.Split(strings.TrimSpace(string(data)), "\n")
	for _, a := range added {
		if !slices.Contains(known, a) {
			t.Errorf("an addition that is not in %s: %s", golden, a)
		}
	}
	for _, k := range known {
		if k != "" && !slices.Contains(added, k) {
			t.Errorf("%s lists what is not there: %s", golden, k)
		}
	}
}

// load type-checks packages and describes them, both p2p packages and their rlpx under one name.
func load(t *testing.T, paths ...string) map[string]API {
	t.Helper()
	pkgs, err := packages.Load(&packages.Config{Mode: packages.NeedName | packages.NeedTypes | packages.NeedImports | packages.NeedDeps}, paths...)
	if err != nil {
		t.Fatal(err)
	}
	rename := map[string]string{theirs: "p2p", theirs + "/rlpx": "rlpx", ours: "p2p", ours + "/rlpx": "rlpx"}
	out := map[string]API{}
	for _, p := range pkgs {
		for _, e := range p.Errors {
			t.Fatalf("%s: %v", p.PkgPath, e)
		}
		out[p.PkgPath] = Describe(p.Types, rename)
	}
	if len(out) != len(paths) {
		t.Fatalf("loaded %d packages of %d", len(out), len(paths))
	}
	return out
}
