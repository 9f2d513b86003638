package apicheck

import (
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"strings"
	"testing"
)

// model is a package with one of everything the comparison knows.
const model = `package p
import "io"
const Limit = 16
const Big uint64 = 1 << 40
var ErrX error
type flag int32
type Reason uint8
func (r Reason) String() string { return "" }
type Info struct {
	ID   string ` + "`json:\"id\"`" + `
	Name string
	Net  struct { Local string ` + "`json:\"local\"`" + ` }
	hidden int
}
type RW interface { io.Reader; ReadMsg() (Info, error) }
type Server struct { Info; running bool }
func (s *Server) Start() (err error) { return nil }
func (s *Server) Setup(c io.Closer, f flag, m map[string][]Info) error { return nil }
func (i Info) Size() int { return 0 }
func Send(w io.Writer, items ...interface{}) error { return nil }
`

// TestTheComparisonSeesEveryChange doctors the model in one place at a time: each change must show, or not if it is none.
func TestTheComparisonSeesEveryChange(t *testing.T) {
	base := check(t, model)
	for _, c := range []struct {
		name, from, to string
		lost           string // part of a line that must be reported missing; "" for none
		gained         string
	}{
		{name: "nothing changed"},
		{"a parameter has another name", "Setup(c io.Closer", "Setup(conn io.Closer", "", ""},
		{"an unexported field more", "hidden int", "hidden, more int", "", ""},
		{"a function is gone", "func Send(w io.Writer, items ...interface{}) error { return nil }", "", "func Send", ""},
		{"a parameter has another type", "Setup(c io.Closer", "Setup(c io.Reader", "Setup(io.Closer", "Setup(io.Reader"},
		{"no longer variadic", "items ...interface{}", "items []interface{}", "...", "[]interface{}"},
		{"a result less", "func (s *Server) Start() (err error) { return nil }", "func (s *Server) Start() {}", "Start() error", "Start()"},
		{"an untyped constant has another value", "Limit = 16", "Limit = 17", "= 16", "= 17"},
		{"a constant has a type", "Limit = 16", "Limit int = 16", "const Limit untyped int", "const Limit int"},
		{"a constant became a variable", "const Limit = 16", "var Limit = 16", "const Limit", "var Limit"},
		{"a tag changed", `json:\"id\"`, `json:\"ID\"`, `json:"id"`, `json:"ID"`},
		{"a nested tag changed", "`json:\"local\"`", "`json:\"loc\"`", `json:"local"`, `json:"loc"`},
		{"a field is gone", "Name string", "", "field Name", ""},
		{"a field has another type", "Name string", "Name []byte", "field Name string", "field Name []byte"},
		{"fields are in another order", "\tName string\n\tNet ", "\tNet ", "order of fields", ""},
		{"a receiver became a pointer", "func (i Info) Size()", "func (i *Info) Size()", "method (Info) Size", ""},
		{"no longer embedded", "Server struct { Info;", "Server struct { Info Info;", "embedded field Info", "field Info"},
		{"an underlying type changed", "Reason uint8", "Reason uint", "type Reason uint8", "type Reason uint"},
		{"an unexported parameter type changed", "type flag int32", "type flag int64", "flag{int32}", "flag{int64}"},
		{"an interface has another method", "ReadMsg() (Info, error)", "ReadMsg() (Info, error); WriteMsg(Info) error", "", "WriteMsg"},
		{"an interface cannot be implemented any more", "ReadMsg() (Info, error)", "ReadMsg() (Info, error); own()", "sealed: false", "sealed: true"},
		{"no longer comparable", "hidden int", "hidden []int", "comparable", ""},
		{"a type became an alias", "type Reason uint8\nfunc (r Reason) String() string { return \"\" }", "type Reason = uint8", "type Reason uint8", "type Reason = uint8"},
		{"something new", "var ErrX error", "var ErrX, ErrY error", "", "var ErrY"},
	} {
		t.Run(c.name, func(t *testing.T) {
			src := strings.Replace(model, strings.ReplaceAll(c.from, `\"`, `"`), strings.ReplaceAll(c.to, `\"`, `"`), 1)
			if c.name == "fields are in another order" {
				src = strings.Replace(src, "\thidden int", "\tName string\n\thidden int", 1)
			}
			if c.from != "" && src == model {
				t.Fatal("the model was not doctored")
			}
			d := Compare(base, check(t, src))
			expect(t, "missing", d.Missing, c.lost)
			expect(t, "added", d.Added, c.gained)
		})
	}
}

// expect wants a line with part among the lines, or no line if part is empty.
func expect(t *testing.T, what string, lines []string, part string) {
	t.Helper()
	all := strings.Join(lines, "\n")
	if part == "" && len(lines) > 0 && what == "missing" {
		t.Errorf("%s, but nothing should be:\n%s", what, all)
	}
	if !strings.Contains(all, part) {
		t.Errorf("%q is not reported as %s:\n%s", part, what, all)
	}
}

// check type-checks a source text as a package.
func check(t *testing.T, src string) API {
	t.Helper()
	fset := token.NewFileSet()
	f, err := parser.ParseFile(fset, "p.go", src, 0)
	if err != nil {
		t.Fatal(err)
	}
	conf := types.Config{Importer: importer.ForCompiler(fset, "source", nil)}
	pkg, err := conf.Check("example.org/p", fset, []*ast.File{f}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return Describe(pkg, map[string]string{"example.org/p": "p"})
}
