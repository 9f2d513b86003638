package interop

import (
	"bufio"
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/p2p/enode"

	"github.com/sennit-net/sennit/interop/stack"
)

// TestSennitRunHoldsLinksToRealGoEthereum is the first proof: the program as people start it holds a link to one
// go-ethereum server that it dials and to one that dials it, echoes on three protocols of each, and ends in good order.
func TestSennitRunHoldsLinksToRealGoEthereum(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("the test stops the program with SIGTERM, which Windows does not have")
	}
	payloads := [][]byte{nil, {1}, random(15, 1), random(16, 1), random(17, 1), text(1 << 10), random(64<<10, 1), random(1<<20, 1), text(maxPayload)}
	results := make(chan error, 6)
	talk := func(e *stack.End) error {
		results <- echoAll(e.RW, payloads)
		return stack.Sink(e)
	}
	protos := []stack.Serving{serving("alpha", talk), serving("beta", talk), serving("gamma", talk)}
	dialed := startHost(t, stack.Geth{}, stack.Config{}, protos...)
	dialing := startHost(t, stack.Geth{}, stack.Config{NoListen: true}, protos...)

	p := startProgram(t, "--static", dialed.Self().URLv4(), "--echo", "alpha/1/8", "--echo", "beta/1/8", "--echo", "gamma/1/8")
	dialing.AddPeer(p.node)
	for _, h := range []*stack.Host{dialed, dialing} {
		ends, err := h.Ends(3, patience)
		if err != nil {
			t.Fatalf("%v; the program says:\n%s", err, p.log)
		}
		for _, e := range ends {
			if e.Peer.ID() != p.node.ID() || !strings.HasPrefix(e.Peer.Fullname(), "sennit/") || e.Peer.Inbound() != (h == dialed) {
				t.Errorf("the peer is %q, node %v, inbound: %v", e.Peer.Fullname(), e.Peer.ID(), e.Peer.Inbound())
			}
		}
	}
	await(t, 6, results)
	p.stop(t)
	for _, h := range []*stack.Host{dialed, dialing} {
		if e := awaitEvent(t, h, "drop"); e.Error != "client quitting" {
			t.Errorf("the link ends with %q", e.Error)
		}
	}
}

// running is a `sennit run` that has started.
type running struct {
	cmd  *exec.Cmd
	node *enode.Node
	log  *bytes.Buffer // standard error; to be read when the process has ended or the test has failed anyway
	done chan error
}

// startProgram builds and starts the program on a free port of 127.0.0.1, with a fresh key and without discovery.
func startProgram(t *testing.T, args ...string) *running {
	t.Helper()
	dir := t.TempDir()
	exe := filepath.Join(dir, "sennit")
	build := exec.Command("go", "build", "-o", exe, "./cmd/sennit")
	build.Dir = ".." // with the versions of the program's own module
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("the program does not build: %v\n%s", err, out)
	}
	args = append([]string{"run", "--datadir", filepath.Join(dir, "data"), "--listen", "127.0.0.1:0", "--nat", "none", "--nodiscover"}, args...)
	p := &running{cmd: exec.Command(exe, args...), log: &bytes.Buffer{}, done: make(chan error, 1)}
	p.cmd.Stderr = p.log
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.cmd.Process.Kill() })
	line, err := bufio.NewReader(out).ReadString('\n')
	go func() { p.done <- p.cmd.Wait() }()
	if err != nil {
		t.Fatalf("the program prints no enode URL: %v (%v)\n%s", err, <-p.done, p.log)
	}
	if p.node, err = enode.ParseV4(strings.TrimSpace(line)); err != nil {
		t.Fatalf("the program's first line is %q: %v", line, err)
	}
	return p
}

// stop sends SIGTERM and wants the program to end with status 0.
func (p *running) stop(t *testing.T) {
	t.Helper()
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-p.done:
		if err != nil {
			t.Errorf("the program ends with %v:\n%s", err, p.log)
		}
	case <-time.After(patience):
		_ = p.cmd.Process.Signal(os.Kill)
		t.Error("the program does not end")
	}
}
