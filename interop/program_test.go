package interop

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const (
	gethImport = `"github.com/ethereum/go-ethereum/p2p"`
	oursImport = `"github.com/sennit-net/sennit/p2p"`
	program    = "testdata/program/main.go"
)

// TestAProgramForGoEthereumRunsAfterAChangeOfImportPath builds testdata/program as it stands and with one line changed, and
// compares what both print.
func TestAProgramForGoEthereumRunsAfterAChangeOfImportPath(t *testing.T) {
	source, err := os.ReadFile(program)
	if err != nil {
		t.Fatal(err)
	}
	if n := bytes.Count(source, []byte(gethImport)); n != 1 {
		t.Fatalf("the program imports p2p %d times", n)
	}
	theirs := buildAndRun(t, source)
	ours := buildAndRun(t, bytes.Replace(source, []byte(gethImport), []byte(oursImport), 1))
	if len(theirs) < 500 {
		t.Fatalf("the program printed only:\n%s", theirs)
	}
	if d := cmp.Diff(theirs, ours); d != "" {
		t.Errorf("the program prints something else on ours (-go-ethereum +ours):\n%s", d)
	}
}

// buildAndRun builds the program with another source text, in its place as far as the compiler can see, and runs it.
func buildAndRun(t *testing.T, source []byte) string {
	t.Helper()
	dir := t.TempDir()
	changed, overlay, exe := filepath.Join(dir, "main.go"), filepath.Join(dir, "overlay.json"), filepath.Join(dir, "program")
	place, err := filepath.Abs(program)
	if err != nil {
		t.Fatal(err)
	}
	replace, err := json.Marshal(map[string]map[string]string{"Replace": {place: changed}})
	if err != nil {
		t.Fatal(err)
	}
	for path, data := range map[string][]byte{changed: source, overlay: replace} {
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if out, err := exec.Command("go", "build", "-overlay", overlay, "-o", exe, "./"+filepath.Dir(program)).CombinedOutput(); err != nil {
		t.Fatalf("the program does not compile: %v\n%s", err, out)
	}
	out, err := exec.CommandContext(t.Context(), exe).CombinedOutput()
	if err != nil {
		t.Fatalf("the program fails: %v\n%s", err, out)
	}
	return string(out)
}
