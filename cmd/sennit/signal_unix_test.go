//go:build unix

package main

import (
	"bufio"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
)

// startProcess runs this test in a process of its own as what as says, and returns when it has printed its first line.
func startProcess(t *testing.T, as string, args ...string) (*exec.Cmd, *bufio.Reader, string) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), self, args...)
	cmd.Env = append(os.Environ(), asProgram+"="+as)
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewReader(stdout)
	line, err := lines.ReadString('\n')
	if err != nil {
		t.Fatalf("no first line: %v, %v", err, cmd.Wait())
	}
	return cmd, lines, line
}

func TestASignalStopsTheNodeInGoodOrder(t *testing.T) {
	for _, signal := range []os.Signal{os.Interrupt, syscall.SIGTERM} {
		cmd, _, line := startProcess(t, asMain, "run", "--datadir", t.TempDir(), "--listen", "127.0.0.1:0", "--nodiscover")
		if !strings.HasPrefix(line, "enode://") {
			t.Errorf("first line %q", line)
		}
		if err := cmd.Process.Signal(signal); err != nil {
			t.Fatal(err)
		}
		if err := cmd.Wait(); err != nil {
			t.Errorf("%v: %v, want exit status 0", signal, err)
		}
	}
}

func TestASecondSignalEndsAProgramThatDoesNotStop(t *testing.T) {
	cmd, lines, line := startProcess(t, asStuck)
	if line != "ready\n" {
		t.Fatalf("first line %q", line)
	}
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if line, err := lines.ReadString('\n'); err != nil || line != "stopping\n" {
		t.Fatalf("second line %q, %v", line, err)
	}
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // an error, since the end is not an exit
	if status := cmd.ProcessState.Sys().(syscall.WaitStatus); !status.Signaled() || status.Signal() != syscall.SIGINT {
		t.Errorf("ended with %v, want by SIGINT", cmd.ProcessState)
	}
}
