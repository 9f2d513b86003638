package fence

import (
	"fmt"
	"strings"
	"testing"
)

func TestTheDocRuleReportsWhatHasNoComment(t *testing.T) {
	tests := []struct {
		name, path, src string
		want            []string // parts of the reports, in order
	}{
		{"function", "a.go", "func Open() {}", []string{"function Open"}},
		{"method", "a.go", "// T is.\ntype T struct{}\nfunc (t *T) Close() {}", []string{"function Close"}},
		{"method of a generic type", "a.go", "// T is.\ntype T[K, V any] struct{}\nfunc (t *T[K, V]) Close() {}", []string{"function Close"}},
		{"type", "a.go", "type T struct{}", []string{"type T"}},
		{"type in a group", "a.go", "// Things.\ntype (\n\tT struct{}\n\tU int\n)", []string{"type T", "type U"}},
		{"constant", "a.go", "const Size = 3", []string{"const Size"}},
		{"variable", "a.go", "var errX, ErrY error", []string{"var ErrY"}},

		{"documented function", "a.go", "// Open opens.\nfunc Open() {}", nil},
		{"documented group", "a.go", "// Sizes in bytes.\nconst (\n\tA = 1\n\tB = 2\n)", nil},
		{"trailing comment", "a.go", "const (\n\tA = 1 // bytes\n)", nil},
		{"unexported", "a.go", "func open() {}\ntype t int\nconst size = 3", nil},
		{"exported method of an unexported type", "a.go", "type t int\nfunc (t) Close() {}", nil},
		{"test", "a_test.go", "func TestOpen() {}", nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			expectReports(t, undocumented(doctored(t, tt.path, tt.src)), tt.want)
		})
	}
}

func TestTheLengthRulesReportOneLineTooMany(t *testing.T) {
	// A function of n lines, and a file of n lines around a short one.
	function := func(n int) string { return "func f() {\n" + strings.Repeat("\tg()\n", n-2) + "}\n" }
	file := func(n int) string { return "func f() {}\n" + strings.Repeat("\n", n-2) } // doctored adds a line
	tests := []struct {
		name, path, src string
		want            []string
	}{
		{"longest function", "a.go", function(maxFuncLines), nil},
		{"function", "a.go", function(maxFuncLines + 1), []string{fmt.Sprintf("f has %d lines", maxFuncLines+1)}},
		{"function of a test", "a_test.go", function(maxFuncLines + 1), nil},
		{"longest file", "a.go", file(maxFileLines), nil},
		{"file", "a.go", file(maxFileLines + 1), []string{fmt.Sprintf("a.go has %d lines", maxFileLines+1)}},
		{"test file", "a_test.go", file(maxFileLines + 1), []string{fmt.Sprintf("a_test.go has %d lines", maxFileLines+1)}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := doctored(t, tt.path, tt.src)
			expectReports(t, append(tooLong(f), longFuncs(f)...), tt.want)
		})
	}
}

// doctored parses src below a package clause.
func doctored(t *testing.T, path, src string) source {
	t.Helper()
	f, err := parseSource(path, []byte("package a\n"+src))
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func expectReports(t *testing.T, got, want []string) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("reported %q, want %d reports", got, len(want))
	}
	for i := range want {
		if !strings.Contains(got[i], want[i]) {
			t.Errorf("report %d is %q, want something with %q", i, got[i], want[i])
		}
	}
}
