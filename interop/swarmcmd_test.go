package interop

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/sennit-net/sennit/interop/counterparts"
)

// swarmPatience is how long the program may take to get ten megabytes, on a busy machine.
const swarmPatience = 3 * time.Minute

// buildSennit builds the program with the versions of its own module.
func buildSennit(t *testing.T) string {
	t.Helper()
	exe := filepath.Join(t.TempDir(), "sennit.exe")
	build := exec.Command("go", "build", "-o", exe, "./cmd/sennit")
	build.Dir = ".."
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("the program does not build: %v\n%s", err, out)
	}
	return exe
}

// TestSennitSwarmPutsAndGetsFilesThroughTheOriginal has a node of go-ethereum 1.8.27 take a file from `sennit swarm put`, and
// gets it from there with `sennit swarm get`, killed in the middle and run again.
func TestSennitSwarmPutsAndGetsFilesThroughTheOriginal(t *testing.T) {
	exe := buildSennit(t)
	node := counterparts.Start(t, "swarm", ".", "-sync")
	url := node.Await(`^ENODE (\S+)`, 10*patience)[1]
	content := random(10_000_000, 1)
	dir := t.TempDir()
	path, got := filepath.Join(dir, "file"), filepath.Join(dir, "got")
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	sennit := func(args ...string) *exec.Cmd {
		cmd := exec.Command(exe, append([]string{"swarm"}, args...)...)
		cmd.Stderr = new(bytes.Buffer)
		return cmd
	}

	put := sennit("put", "--datadir", filepath.Join(dir, "a"), "--node", url, path)
	out, err := put.Output()
	ref := strings.TrimSpace(string(out))
	if err != nil || !regexp.MustCompile("^[0-9a-f]{64}$").MatchString(ref) {
		t.Fatalf("put: %q, %v\n%s", ref, err, put.Stderr)
	}

	get := sennit("get", "--datadir", filepath.Join(dir, "b"), "--node", url, ref, got)
	if err := get.Start(); err != nil {
		t.Fatal(err)
	}
	awaitPart(t, got, len(content)/10)
	_ = get.Process.Kill()
	if err := get.Wait(); err == nil {
		t.Log("the program was done before it was killed")
	}

	again := sennit("get", "--datadir", filepath.Join(dir, "b"), "--node", url, ref, got, "--force")
	if err := again.Run(); err != nil {
		t.Fatalf("get: %v\n%s", err, again.Stderr)
	}
	if b, err := os.ReadFile(got); err != nil || !bytes.Equal(b, content) {
		t.Fatalf("got %d bytes, %v", len(b), err)
	}
}

// awaitPart waits until a part of a file has arrived.
func awaitPart(t *testing.T, path string, size int) {
	t.Helper()
	ticker := time.NewTicker(time.Millisecond)
	defer ticker.Stop()
	timeout := time.After(swarmPatience)
	for {
		parts, err := filepath.Glob(path + "*")
		if err != nil {
			t.Fatal(err)
		}
		for _, part := range parts {
			if info, err := os.Stat(part); err == nil && info.Size() >= int64(size) {
				return
			}
		}
		select {
		case <-ticker.C:
		case <-timeout:
			t.Fatalf("no %d bytes in %v", size, swarmPatience)
		}
	}
}
