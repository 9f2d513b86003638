package fence

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

func TestProgramsInTheDocumentsCompile(t *testing.T) {
	var blocks []string
	for _, path := range []string{"README.md", filepath.Join("docs", "migration.md")} {
		text, err := os.ReadFile(filepath.Join("..", "..", path))
		if err != nil {
			t.Fatal(err)
		}
		found := goBlocks(string(text))
		if len(found) == 0 {
			t.Errorf("%s shows no Go program", path)
		}
		blocks = append(blocks, found...)
	}
	if out, err := build(t, blocks); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
}

func TestAProgramThatDoesNotCompileIsReported(t *testing.T) {
	blocks := goBlocks("text\n```go\npackage a\n\nvar x int = \"\"\n```\n```sh\ngo test\n```\n")
	if len(blocks) != 1 {
		t.Fatalf("found %d Go blocks, want 1", len(blocks))
	}
	out, err := build(t, blocks)
	if err == nil || !strings.Contains(out, "cannot use") {
		t.Fatalf("got %v and %q, want a type error", err, out)
	}
}

// goBlocks returns the fenced blocks of a Markdown text that are marked as Go. Each is a whole file.
func goBlocks(text string) []string {
	var blocks []string
	for rest := text; ; {
		_, after, ok := strings.Cut(rest, "\n```go\n")
		if !ok {
			return blocks
		}
		block, after, _ := strings.Cut(after, "\n```")
		blocks, rest = append(blocks, block+"\n"), after
	}
}

// build compiles each file as a package of its own that exists in this module only for the duration of the command.
func build(t *testing.T, files []string) (string, error) {
	t.Helper()
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	replace := make(map[string]string)
	args := []string{"build", "-o", os.DevNull, "-overlay=" + filepath.Join(dir, "overlay.json")}
	for i, text := range files {
		name := fmt.Sprintf("block%d", i)
		onDisk := filepath.Join(dir, name+".go")
		if err := os.WriteFile(onDisk, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		replace[filepath.Join(here, name, "block.go")] = onDisk
		args = append(args, "./"+name)
	}
	overlay, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "overlay.json"), overlay, 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command("go", args...).CombinedOutput()
	return string(out), err
}
