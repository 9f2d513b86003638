package fence

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode"
)

func TestLinksBetweenDocumentsResolve(t *testing.T) {
	documents := 0
	err := filepath.WalkDir(filepath.Join("..", ".."), func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && skipDir(d.Name()):
			return filepath.SkipDir
		case d.IsDir() || filepath.Ext(path) != ".md":
			return nil
		}
		documents++
		broken, err := brokenLinks(path)
		for _, b := range broken {
			t.Error(b)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if documents == 0 {
		t.Fatal("found no documents")
	}
}

func TestTheLinkRuleReportsBrokenLinks(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	write("b.md", "# Title\n\n## `Go`, and: the_rest!\n\n```sh\n# no heading\n```\n")
	a := write("a.md", strings.Join([]string{
		"# Here",
		"[file](b.md) [heading](b.md#go-and-the_rest) [here](#here) [web](https://example.org/x) [dir](.) `[code](gone.md)`",
		"```",
		"[block](gone.md)",
		"```",
		"[gone](gone.md)",
		"[no heading](b.md#no-heading)",
		"[not here](#there)",
	}, "\n"))
	got, err := brokenLinks(a)
	if err != nil {
		t.Fatal(err)
	}
	expectReports(t, got, []string{"gone.md", "b.md#no-heading", "#there"})
}

var (
	linkPattern = regexp.MustCompile(`\]\(([^()\s]+)\)`)
	codePattern = regexp.MustCompile("`[^`]*`")
)

// brokenLinks returns a sentence for each link of a Markdown file that leads to no file, or to no heading of that file.
// Links out of the repository are not followed.
func brokenLinks(path string) ([]string, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var broken []string
	for _, line := range prose(string(text)) {
		for _, match := range linkPattern.FindAllStringSubmatch(codePattern.ReplaceAllString(line, ""), -1) {
			link := match[1]
			if strings.Contains(link, "://") || strings.HasPrefix(link, "mailto:") {
				continue
			}
			if why := follow(path, link); why != "" {
				broken = append(broken, fmt.Sprintf("%s: link to %s: %s", path, link, why))
			}
		}
	}
	return broken, nil
}

// follow returns why a link in the document at path leads nowhere, or "".
func follow(path, link string) string {
	file, fragment, _ := strings.Cut(link, "#")
	target := path
	if file != "" {
		target = filepath.Join(filepath.Dir(path), filepath.FromSlash(file))
	}
	if _, err := os.Stat(target); err != nil {
		return "no such file"
	}
	if fragment == "" || filepath.Ext(target) != ".md" {
		return ""
	}
	text, err := os.ReadFile(target)
	if err != nil {
		return err.Error()
	}
	for _, line := range prose(string(text)) {
		if title := strings.TrimLeft(line, "#"); title != line && anchor(title) == fragment {
			return ""
		}
	}
	return "no such heading"
}

// anchor returns the name that web views of Markdown give a heading: letters, digits, hyphens, underscores.
func anchor(title string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == ' ':
			return '-'
		case r == '-' || r == '_' || unicode.IsLetter(r) || unicode.IsDigit(r):
			return unicode.ToLower(r)
		}
		return -1
	}, strings.TrimSpace(title))
}

// prose returns the lines of a Markdown text that are not part of a fenced block.
func prose(text string) []string {
	var lines []string
	fenced := false
	for line := range strings.Lines(text) {
		if strings.HasPrefix(strings.TrimSpace(line), "```") {
			fenced = !fenced
		} else if !fenced {
			lines = append(lines, strings.TrimRight(line, "\r\n"))
		}
	}
	return lines
}
