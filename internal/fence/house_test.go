package fence

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const (
	maxFileLines = 500 // of any Go file; beyond that a file has more than one reason to change
	maxFuncLines = 60  // of a function outside tests, from func to the closing brace
)

func TestExportedIdentifiersHaveDocComments(t *testing.T) {
	checkHouse(t, func(f source) []string { return undocumented(f) })
}

func TestFilesAndFunctionsStayShort(t *testing.T) {
	checkHouse(t, func(f source) []string { return append(tooLong(f), longFuncs(f)...) })
}

// source is one parsed Go file of the repository.
type source struct {
	path string
	fset *token.FileSet
	file *ast.File
	text []byte
}

func (f source) isTest() bool { return strings.HasSuffix(f.path, "_test.go") }

func (f source) line(pos token.Pos) int { return f.fset.Position(pos).Line }

// checkHouse applies rule to every Go file that people write: all modules of the repository, generated files left out.
func checkHouse(t *testing.T, rule func(source) []string) {
	t.Helper()
	files := 0
	err := filepath.WalkDir(filepath.Join("..", ".."), func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && skipDir(d.Name()):
			return filepath.SkipDir
		case d.IsDir() || filepath.Ext(path) != ".go":
			return nil
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		f, err := parseSource(path, text)
		if err != nil {
			return err
		}
		if ast.IsGenerated(f.file) {
			return nil
		}
		files++
		for _, b := range rule(f) {
			t.Error(b)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if files < 5 {
		t.Fatalf("looked at %d Go files; there are more than that in this package alone", files)
	}
}

// skipDir reports whether a directory holds nothing that the house rules are about.
func skipDir(name string) bool {
	return name == "testdata" || name == "node_modules" || name == ".git"
}

func parseSource(path string, text []byte) (source, error) {
	fset := token.NewFileSet()
	file, err := parser.ParseFile(fset, path, text, parser.ParseComments|parser.SkipObjectResolution)
	return source{path: path, fset: fset, file: file, text: text}, err
}

// undocumented returns a sentence for each exported identifier of the package level, and each exported method of an
// exported type, that has no comment. For constants and variables the comment of their group will do. Tests are exempt.
func undocumented(f source) []string {
	if f.isTest() {
		return nil
	}
	var found []string
	report := func(name *ast.Ident, what string) {
		found = append(found, fmt.Sprintf("%s:%d: exported %s %s has no doc comment", f.path, f.line(name.Pos()), what, name.Name))
	}
	for _, decl := range f.file.Decls {
		switch d := decl.(type) {
		case *ast.FuncDecl:
			if d.Name.IsExported() && exportedReceiver(d) && d.Doc == nil {
				report(d.Name, "function")
			}
		case *ast.GenDecl:
			for _, spec := range d.Specs {
				switch s := spec.(type) {
				case *ast.TypeSpec:
					if s.Name.IsExported() && s.Doc == nil && (d.Doc == nil || d.Lparen.IsValid()) {
						report(s.Name, "type")
					}
				case *ast.ValueSpec:
					i := slices.IndexFunc(s.Names, (*ast.Ident).IsExported)
					if i >= 0 && s.Doc == nil && s.Comment == nil && d.Doc == nil {
						report(s.Names[i], d.Tok.String())
					}
				}
			}
		}
	}
	return found
}

// exportedReceiver reports whether d is a plain function or a method of an exported type.
func exportedReceiver(d *ast.FuncDecl) bool {
	if d.Recv == nil {
		return true
	}
	typ := d.Recv.List[0].Type
	for {
		switch t := typ.(type) {
		case *ast.StarExpr:
			typ = t.X
		case *ast.IndexExpr:
			typ = t.X
		case *ast.IndexListExpr:
			typ = t.X
		case *ast.Ident:
			return t.IsExported()
		default:
			return true
		}
	}
}

func tooLong(f source) []string {
	if n := bytes.Count(f.text, []byte("\n")); n > maxFileLines {
		return []string{fmt.Sprintf("%s has %d lines, more than %d: split it by reasons to change", f.path, n, maxFileLines)}
	}
	return nil
}

func longFuncs(f source) []string {
	if f.isTest() {
		return nil
	}
	var found []string
	for _, decl := range f.file.Decls {
		d, ok := decl.(*ast.FuncDecl)
		if !ok {
			continue
		}
		if n := f.line(d.End()-1) - f.line(d.Pos()) + 1; n > maxFuncLines {
			found = append(found, fmt.Sprintf("%s:%d: function %s has %d lines, more than %d", f.path, f.line(d.Pos()), d.Name.Name, n, maxFuncLines))
		}
	}
	return found
}
