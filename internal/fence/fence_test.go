package fence

import (
	"encoding/json"
	"errors"
	"fmt"
	"go/parser"
	"go/token"
	"io"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// pkg is the part of go list's answer that the fence looks at. Imports of tests are no part of it: tests are exempt.
type pkg struct {
	ImportPath     string
	Dir            string
	Imports        []string // direct
	Deps           []string // direct and indirect
	IgnoredGoFiles []string // left out on this platform
}

func TestPackagesImportOnlyWhatTheirFloorAllows(t *testing.T) {
	pkgs, err := listPackages(filepath.Join("..", ".."))
	if err != nil {
		t.Fatal(err)
	}
	if !slices.ContainsFunc(pkgs, func(p pkg) bool { return p.ImportPath == module+"/trace" }) {
		t.Fatalf("go list found %d packages, and trace is not one of them", len(pkgs))
	}
	for _, p := range pkgs {
		for _, b := range breaches(p) {
			t.Error(b)
		}
	}
}

func TestTheFenceReportsADoctoredImport(t *testing.T) {
	tests := []struct {
		importer, imported string
		want               string // part of the report; "" if the import is allowed
	}{
		{"p2p", "internal/link", ""},
		{"p2p", geth + "/p2p/discover", ""},
		{"p2p/rlpx", "internal/frame", ""},
		{"p2p/rlpx", "crypto/aes", ""},
		{"protocols/eth/wire", "protocols/eth", ""},
		{"cmd/sennit", "admin", ""},

		{"internal/frame", "internal/buffer", "may not import"},
		{"internal/frame", geth + "/rlp", "may not import"},
		{"internal/buffer", "golang.org/x/sync/errgroup", "may not import"},
		{"trace", "p2p", "may not import"},
		{"p2p/rlpx", "internal/link", "may not import"},
		{"p2p/rlpx", "p2p", "may not import"},
		{"internal/link", "p2p", "may not import"},
		{"p2p", "capture", "may not import"},
		{"p2p", "admin", "may not import"},
		{"p2p", "cmd/sennit", "may not import"},
		{"p2p", "protocols/eth", "may not import"},
		{"p2p", "github.com/klauspost/compress/s2", "may not import"},
		{"protocols/eth", "protocols/shh", "may not import"},
		{"protocols/eth/wire", "protocols/bzz/wire", "may not import"},
		{"protocols/bzz", "internal/link", "may not import"},
		{"capture", "p2p", "may not import"},
		{"admin", "internal/link", "may not import"},
		{"cmd/sennit", "internal/link", "may not import"},
		{"cmd/sennit", "internal/unheard-of", "may not import"},
		{"p2p", geth + "/p2p", "replaces"},
		{"cmd/sennit", geth + "/p2p/rlpx", "replaces"},
		{"internal/unheard-of", "fmt", "no row"},
	}
	for _, tt := range tests {
		t.Run(tt.importer+"<-"+tt.imported, func(t *testing.T) {
			imported := tt.imported
			if _, ok := rowOf(module + "/" + imported); ok || imported == "internal/unheard-of" {
				imported = module + "/" + imported
			}
			got := breaches(pkg{ImportPath: module + "/" + tt.importer, Imports: []string{imported}, Deps: []string{imported}})
			if tt.want == "" && len(got) > 0 {
				t.Fatalf("reported an import that is allowed: %q", got)
			}
			if !strings.Contains(strings.Join(got, "\n"), tt.want) {
				t.Fatalf("reported %q, want something with %q", got, tt.want)
			}
		})
	}
}

func TestTheFenceReportsAReplacedPackageReachedThroughAnother(t *testing.T) {
	got := breaches(pkg{
		ImportPath: module + "/protocols/eth",
		Imports:    []string{geth + "/eth/protocols/eth"},
		Deps:       []string{geth + "/eth/protocols/eth", geth + "/p2p"},
	})
	if len(got) != 1 || !strings.Contains(got[0], "through") {
		t.Fatalf("reported %q, want one breach that says through whom", got)
	}
}

// breaches returns a sentence for each import of p that the table forbids.
func breaches(p pkg) []string {
	r, ok := rowOf(p.ImportPath)
	if !ok {
		return []string{fmt.Sprintf("%s has no row in internal/fence/table_test.go: say which floor it stands on", p.ImportPath)}
	}
	var found []string
	for _, imp := range p.Imports {
		if slices.Contains(replaced, imp) {
			found = append(found, fmt.Sprintf("%s imports %s, which this project replaces", p.ImportPath, imp))
		} else if !allowed(r, imp) {
			found = append(found, fmt.Sprintf("%s may not import %s (internal/fence/table_test.go)", p.ImportPath, imp))
		}
	}
	for _, dep := range p.Deps {
		if slices.Contains(replaced, dep) && !slices.Contains(p.Imports, dep) {
			found = append(found, fmt.Sprintf("%s reaches %s, which this project replaces, through a package it imports", p.ImportPath, dep))
		}
	}
	return found
}

func allowed(r row, imp string) bool {
	if imp == module || strings.HasPrefix(imp, module+"/") {
		target, ok := rowOf(imp)
		return ok && (target.tree == r.tree || slices.Contains(r.own, target.tree))
	}
	if first, _, _ := strings.Cut(imp, "/"); !strings.Contains(first, ".") {
		return true // standard library, or "C"
	}
	return slices.ContainsFunc(r.foreign, func(tree string) bool { return within(imp, tree) })
}

// rowOf returns the row with the longest tree that importPath lies in.
func rowOf(importPath string) (row, bool) {
	var best row
	for _, r := range table {
		if within(importPath, module+"/"+r.tree) && len(r.tree) > len(best.tree) {
			best = r
		}
	}
	return best, best.tree != ""
}

func within(path, tree string) bool {
	return path == tree || strings.HasPrefix(path, tree+"/")
}

// listPackages asks the go command for the packages of the main module and adds the imports of files that are left out
// on this platform, so that the fence holds on every other as well.
func listPackages(root string) ([]pkg, error) {
	cmd := exec.Command("go", "list", "-json=ImportPath,Dir,Imports,Deps,IgnoredGoFiles", "./...")
	cmd.Dir = root
	out, err := cmd.Output()
	if err != nil {
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			err = fmt.Errorf("%w: %s", err, exit.Stderr)
		}
		return nil, fmt.Errorf("go list: %w", err)
	}
	var pkgs []pkg
	for dec := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p pkg
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return pkgs, nil
		} else if err != nil {
			return nil, fmt.Errorf("output of go list: %w", err)
		}
		for _, name := range p.IgnoredGoFiles {
			imports, err := importsOf(filepath.Join(p.Dir, name))
			if err != nil {
				return nil, err
			}
			p.Imports = append(p.Imports, imports...)
		}
		pkgs = append(pkgs, p)
	}
}

// importsOf returns what a Go file imports, nothing for a test.
func importsOf(file string) ([]string, error) {
	if strings.HasSuffix(file, "_test.go") {
		return nil, nil
	}
	f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly)
	if err != nil {
		return nil, err
	}
	var imports []string
	for _, spec := range f.Imports {
		path, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			return nil, fmt.Errorf("%s: import %s: %w", file, spec.Path.Value, err)
		}
		imports = append(imports, path)
	}
	return imports, nil
}
