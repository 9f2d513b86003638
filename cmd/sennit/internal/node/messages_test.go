package node

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// logged is a message that a program can find in the log.
type logged struct {
	where, level, text string
	keys               []string
}

// messagesOf returns what the source files below a folder log.
func messagesOf(t *testing.T, dir string) (list []logged) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		files := token.NewFileSet()
		file, err := parser.ParseFile(files, path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		ast.Inspect(file, func(n ast.Node) bool {
			if call, ok := n.(*ast.CallExpr); ok {
				if m, ok := messageOf(call); ok {
					m.where = files.Position(call.Pos()).String()
					list = append(list, m)
				}
			}
			return true
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// messageOf returns what a call logs, if it does.
func messageOf(call *ast.CallExpr) (m logged, ok bool) {
	method, ok := call.Fun.(*ast.SelectorExpr)
	if !ok || !slices.Contains([]string{"Trace", "Debug", "Info", "Warn", "Error"}, method.Sel.Name) {
		return m, false
	}
	receiver, ok := method.X.(*ast.Ident)
	if inner, is := method.X.(*ast.SelectorExpr); is {
		receiver, ok = inner.Sel, true
	}
	if !ok || !slices.Contains([]string{"log", "logger", "Logger"}, receiver.Name) {
		return m, false
	}
	m.level = strings.ToLower(method.Sel.Name)
	for i, arg := range call.Args {
		text, ok := arg.(*ast.BasicLit)
		if !ok || i > 0 && i%2 == 0 {
			continue
		}
		word, err := strconv.Unquote(text.Value)
		switch {
		case err != nil:
		case i == 0:
			m.text = word
		default:
			m.keys = append(m.keys, word)
		}
	}
	return m, true
}

func TestOperatorsAreToldOfEachMessageOfTheLog(t *testing.T) {
	root := filepath.Join("..", "..", "..", "..")
	text, err := os.ReadFile(filepath.Join(root, "docs", "operating.md"))
	if err != nil {
		t.Fatal(err)
	}
	rows := make(map[string][]string) // cells of the row by message
	for line := range strings.Lines(string(text)) {
		cells := strings.Split(strings.TrimSpace(line), "|")
		if len(cells) != 5 || cells[0] != "" || cells[4] != "" {
			continue
		}
		for i, message := range strings.Split(cells[1], "`") {
			if i%2 == 1 {
				rows[message] = cells
			}
		}
	}
	found := 0
	for _, dir := range []string{"admin", "cmd", "protocols"} {
		for _, m := range messagesOf(t, filepath.Join(root, dir)) {
			found++
			row, ok := rows[m.text]
			if !ok {
				t.Errorf("%s: docs/operating.md does not have the message %q", m.where, m.text)
				continue
			}
			if strings.TrimSpace(row[2]) != m.level {
				t.Errorf("%s: docs/operating.md says that the level of %q is%s, it is %s", m.where, m.text, row[2], m.level)
			}
			for _, key := range m.keys {
				if !strings.Contains(row[3], "`"+key+"`") {
					t.Errorf("%s: docs/operating.md does not have %q of the message %q", m.where, key, m.text)
				}
			}
		}
	}
	if found < 30 {
		t.Errorf("only %d messages were found", found)
	}
}
