package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// swarmFile writes a file of size bytes, none of which is zero, and returns its path.
func swarmFile(t *testing.T, size int) string {
	t.Helper()
	b := make([]byte, size)
	for i := range b {
		b[i] = byte(i%251 + i/4096%5 + 1)
	}
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// put puts a file and returns its reference.
func put(t *testing.T, args ...string) string {
	t.Helper()
	got := sennit(t, append([]string{"swarm", "put"}, args...)...)
	if got.status != exitOK || got.stderr != "" {
		t.Fatalf("put %v: %+v", args, got)
	}
	return strings.TrimSpace(got.stdout)
}

// mustGet gets a file and compares it.
func mustGet(t *testing.T, want string, ref string, args ...string) {
	t.Helper()
	out := filepath.Join(t.TempDir(), "got")
	got := sennit(t, append([]string{"swarm", "get", ref, out}, args...)...)
	if got.status != exitOK || got.stdout != "" {
		t.Fatalf("get %v: %+v", args, got)
	}
	a, errA := os.ReadFile(want)
	b, errB := os.ReadFile(out)
	if errA != nil || errB != nil || !bytes.Equal(a, b) {
		t.Fatalf("get %v: %d bytes, want %d (%v, %v)", args, len(b), len(a), errA, errB)
	}
	if left, err := filepath.Glob(out + ".*"); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestSwarmKeepsFilesInTheLocalStore(t *testing.T) {
	dir := t.TempDir()
	hello := filepath.Join(dir, "hello")
	if err := os.WriteFile(hello, []byte("hello world"), 0o600); err != nil {
		t.Fatal(err)
	}
	const ref = "92672a471f4419b255d7cb0cf313474a6f5856fb347c5ece85fb706d644b630f"
	if got := put(t, "--datadir", dir, hello); got != ref {
		t.Errorf("reference %s, want %s", got, ref)
	}
	got := sennit(t, "swarm", "get", "--datadir", dir, ref)
	if got.status != exitOK || got.stdout != "hello world" || got.stderr != "" {
		t.Errorf("to standard output: %+v", got)
	}

	large := swarmFile(t, 3_000_000)
	mustGet(t, large, put(t, "--datadir", dir, large), "--datadir", dir)

	got = sennit(t, "swarm", "put", "--datadir", dir, "--encrypt", "--json", large)
	var result struct {
		Reference string
		Size      int
	}
	if err := json.Unmarshal([]byte(got.stdout), &result); err != nil || len(result.Reference) != 128 || result.Size != 3_000_000 {
		t.Fatalf("%v: %+v", err, got)
	}
	mustGet(t, large, result.Reference, "--datadir", dir)
}

func TestSwarmSaysWhyAFileIsNotThere(t *testing.T) {
	dir := t.TempDir()
	empty, there := filepath.Join(dir, "empty"), swarmFile(t, 10)
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	ref := put(t, "--datadir", dir, there)
	tests := []struct {
		args   string
		status int
		want   string
	}{
		{"put " + empty, exitFailed, "empty"},
		{"put " + dir, exitUsage, "is a directory"},
		{"put /no/such/file", exitUsage, "/no/such/file"},
		{"put", exitUsage, "FILE is missing"},
		{"put --timeout 0s " + there, exitUsage, "--timeout"},
		{"put --capacity -1 " + there, exitUsage, "--capacity"},
		{"put --later-network 0 " + there, exitUsage, "--later-network"},
		{"get --network 0 " + ref, exitUsage, "--network"},
		{"put --node nonsense " + there, exitUsage, `--node: node "nonsense": want an enode URL`},
		{"put --rpc /no/such/socket " + there, exitFailed, "no running node"},
		{"put --node " + testURL + " --rpc a " + there, exitUsage, "--node and --rpc: say one of them"},
		{"get", exitUsage, "REFERENCE is missing"},
		{"get a b c", exitUsage, "one argument too many"},
		{"get 1234", exitUsage, "reference of 4 digits"},
		{"get " + strings.Repeat("0", 64), exitFailed, "not found"},
		{"get " + ref + " " + there, exitUsage, "--force"},
		{"get " + ref + " /no/such/dir/file", exitFailed, "/no/such/dir"},
		{"serve --listen nonsense", exitUsage, "HOST:PORT"},
		{"serve --listen 127.0.0.1:0 /no/such/file", exitUsage, "/no/such/file"},
	}
	for _, tt := range tests {
		args := append([]string{"swarm"}, strings.Fields(tt.args)...)
		args = append(args[:2:2], append([]string{"--datadir", dir}, args[2:]...)...)
		got := sennit(t, args...)
		if got.status != tt.status || !strings.Contains(got.stderr, tt.want) || got.stdout != "" {
			t.Errorf("%s: %+v, want status %d and %q", tt.args, got, tt.status, tt.want)
		}
	}
	if got := sennit(t, "swarm", "get", "--datadir", dir, "--force", ref, there); got.status != exitOK {
		t.Errorf("with --force: %+v", got)
	}
}

func TestSwarmGoesThroughTheNodeThatRunsAndToNodesByName(t *testing.T) {
	dir, other, third := t.TempDir(), t.TempDir(), t.TempDir()
	node := startProgram(t, "run", "--bzz", "--datadir", dir, "--listen", "127.0.0.1:0", "--nodiscover", "--nat", "none")
	a, b := swarmFile(t, 700_001), swarmFile(t, 900_000)

	refA := put(t, "--datadir", dir, a)
	mustGet(t, a, refA, "--datadir", dir)
	mustGet(t, a, refA, "--rpc", filepath.Join(dir, "sennit.ipc"))
	mustGet(t, a, refA, "--datadir", other, "--node", node.enode)

	refB := put(t, "--datadir", other, "--node", node.enode, b)
	mustGet(t, b, refB, "--datadir", dir)
	mustGet(t, b, refB, "--datadir", third, "--node", node.enode)

	got := sennit(t, "swarm", "put", "--datadir", dir, "--node", node.enode, b)
	if got.status != exitFailed || !strings.Contains(got.stderr, "in use by another process; if that is a node that runs") {
		t.Errorf("beside the running node: %+v", got)
	}
	node.stop()
	if node.status != exitOK {
		t.Errorf("the node ends with status %d, %s", node.status, &node.stderr)
	}
	mustGet(t, b, refB, "--datadir", dir)
}

func TestSwarmTellsWhyThereIsNoLink(t *testing.T) {
	dir, path := t.TempDir(), swarmFile(t, 100)
	url := startServer(t, 10, "aaa").Self().URLv4()
	got := sennit(t, "swarm", "put", "--datadir", dir, "--node", url, path)
	if got.status != exitFailed || !strings.Contains(got.stderr, "no Swarm with the node") || !strings.Contains(got.stderr, "useless peer") {
		t.Errorf("a node that speaks something else: %+v", got)
	}
	node := startProgram(t, "run", "--datadir", t.TempDir(), "--listen", "127.0.0.1:0", "--nodiscover", "--nat", "none", "--ipc", filepath.Join(dir, "s.ipc"))
	got = sennit(t, "swarm", "put", "--datadir", dir, "--rpc", filepath.Join(dir, "s.ipc"), path)
	if got.status != exitFailed || !strings.Contains(got.stderr, "it does not speak Swarm; start it with 'sennit run --bzz'") {
		t.Errorf("a running node that speaks something else: %+v", got)
	}
	node.stop()
}

func TestSwarmLinksToNodesOfTheNetworksItIsTold(t *testing.T) {
	node := startProgram(t, "run", "--bzz", "--bzz-network", "7", "--bzz-later-network", "8", "--datadir", t.TempDir(), "--listen", "127.0.0.1:0",
		"--nodiscover", "--nat", "none")
	defer node.stop()
	path := swarmFile(t, 100)
	ref := put(t, "--datadir", t.TempDir(), "--node", node.enode, "--network", "7", "--later-network", "8", path)
	mustGet(t, path, ref, "--datadir", t.TempDir(), "--node", node.enode, "--later-network", "8") // the later one is spoken
	got := sennit(t, "swarm", "get", "--datadir", t.TempDir(), "--node", node.enode, "--network", "7", ref)
	if got.status != exitFailed || !strings.Contains(got.stderr, "no Swarm with the node") {
		t.Errorf("in another network: %+v", got)
	}
}

func TestSwarmServesFiles(t *testing.T) {
	path := swarmFile(t, 100_000)
	ctx, cancel := context.WithCancel(t.Context())
	stdout, w := io.Pipe()
	var stderr bytes.Buffer
	status := make(chan int)
	go func() {
		args := []string{"swarm", "serve", "--datadir", t.TempDir(), "--listen", "127.0.0.1:0", "--nodiscover", "--nat", "none", path}
		s := run(ctx, args, w, &stderr)
		w.Close()
		status <- s
	}()
	out := bufio.NewScanner(stdout)
	out.Scan()
	ref, name, ok := strings.Cut(out.Text(), "  ")
	if !ok || name != path {
		t.Errorf("first line %q", out.Text())
	}
	out.Scan()
	if url := out.Text(); !strings.HasPrefix(url, "enode://") {
		t.Errorf("second line %q", url)
	} else {
		mustGet(t, path, ref, "--datadir", t.TempDir(), "--node", url)
	}
	cancel()
	if s := <-status; s != exitOK {
		t.Errorf("status %d, %s", s, &stderr)
	}
}
