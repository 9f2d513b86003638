// Package counterparts builds and runs the programs below it, which speak protocols with the code of others: each is a module
// of its own, with the old versions it needs, so that they do not get in the way of this one. They listen on 127.0.0.1, print
// a line for everything that happens and take commands on standard input.
package counterparts

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"
)

// maxLines is how many lines of a process are kept; later ones are dropped.
const maxLines = 1 << 16

// Process is a counterpart that runs. Its methods are for one goroutine, the test's.
type Process struct {
	// Static after construction.
	t      testing.TB
	cmd    *exec.Cmd
	stdin  io.WriteCloser
	exited chan struct{} // closed when it has ended and all it has said is in lines

	seen int // lines that Await has passed over

	mu    sync.Mutex // guards what follows
	lines []string
	more  chan struct{} // closed when there is another line
}

// Program is a program of a module below this directory.
type Program struct {
	Module string   // its directory
	Path   string   // directory of the program in the module; empty: the module itself
	Flags  []string // of the go command
}

// Start builds the program of a module and runs it; the test's end kills it. path is a directory of the module, "." for the
// module itself.
func Start(t testing.TB, module, path string, args ...string) *Process {
	t.Helper()
	return Program{Module: module, Path: path}.Start(t, args...)
}

// Start builds the program and runs it; the test's end kills it.
func (prog Program) Start(t testing.TB, args ...string) *Process {
	t.Helper()
	p := &Process{t: t, cmd: exec.Command(prog.build(t), args...), exited: make(chan struct{}), more: make(chan struct{})}
	stdin, err := p.cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, in, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	p.stdin, p.cmd.Stdout, p.cmd.Stderr = stdin, in, in
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	in.Close()
	go p.read(out)
	t.Cleanup(func() {
		p.Kill()
		if t.Failed() {
			t.Logf("%s said:\n%s", prog, strings.Join(p.Lines(), "\n"))
		}
	})
	return p
}

// String names the program.
func (prog Program) String() string {
	return strings.Join(append([]string{path.Join(prog.Module, prog.Path)}, prog.Flags...), " ")
}

var (
	built   = map[string]string{} // by the program's name
	builtMu sync.Mutex
)

// build returns the program's file, which is built once for all tests of a process.
func (prog Program) build(t testing.TB) string {
	t.Helper()
	builtMu.Lock()
	defer builtMu.Unlock()
	if exe, ok := built[prog.String()]; ok {
		return exe
	}
	dir, err := os.MkdirTemp("", "counterpart")
	if err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("go", "env", "CGO_ENABLED").Output(); err != nil || strings.TrimSpace(string(out)) != "1" {
		t.Skipf("%s needs cgo: a C compiler (apt-get install gcc libc6-dev) and CGO_ENABLED=1", prog)
	}
	_, here, _, _ := runtime.Caller(0)
	exe := filepath.Join(dir, "program.exe")
	cmd := exec.Command("go", append(append([]string{"build", "-o", exe}, prog.Flags...), "./"+prog.Path)...)
	cmd.Dir = filepath.Join(filepath.Dir(here), prog.Module)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s does not build: %v\n%s", prog, err, out)
	}
	built[prog.String()] = exe
	return exe
}

// RemoveBuilt removes the programs that were built; TestMain calls it.
func RemoveBuilt() {
	builtMu.Lock()
	defer builtMu.Unlock()
	for _, exe := range built {
		os.RemoveAll(filepath.Dir(exe))
	}
	clear(built)
}

// read keeps what the process says until it ends.
func (p *Process) read(out *os.File) {
	defer out.Close()
	scanner := bufio.NewScanner(out)
	scanner.Buffer(nil, 1<<24)
	for scanner.Scan() {
		p.mu.Lock()
		if len(p.lines) < maxLines {
			p.lines = append(p.lines, scanner.Text())
			close(p.more)
			p.more = make(chan struct{})
		}
		p.mu.Unlock()
	}
	_ = p.cmd.Wait()
	close(p.exited)
}

// Lines returns what the process has said so far.
func (p *Process) Lines() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]string(nil), p.lines...)
}

// Say writes a line to the process.
func (p *Process) Say(format string, args ...any) {
	p.t.Helper()
	if _, err := fmt.Fprintf(p.stdin, format+"\n", args...); err != nil {
		p.t.Fatal(err)
	}
}

// Await waits for a line that matches the expression, after those that an earlier call has returned or passed over, and
// returns its groups, the whole match first. The test fails if none comes in time.
func (p *Process) Await(expr string, patience time.Duration) []string {
	p.t.Helper()
	re := regexp.MustCompile(expr)
	timeout := time.After(patience)
	for {
		p.mu.Lock()
		lines, more := p.lines[p.seen:], p.more
		p.mu.Unlock()
		for _, line := range lines {
			p.seen++
			if m := re.FindStringSubmatch(line); m != nil {
				return m
			}
		}
		select {
		case <-more:
		case <-timeout:
			p.t.Fatalf("no line %s in %v", expr, patience)
		case <-p.exited:
			p.t.Fatalf("it ended without a line %s", expr)
		}
	}
}

// Count returns how many lines so far match the expression.
func (p *Process) Count(expr string) int {
	re, n := regexp.MustCompile(expr), 0
	for _, line := range p.Lines() {
		if re.MatchString(line) {
			n++
		}
	}
	return n
}

// Kill ends the process without a word to anybody, as a crash would.
func (p *Process) Kill() {
	_ = p.cmd.Process.Kill()
	<-p.exited
}

// Exited waits for the process to end by itself.
func (p *Process) Exited(patience time.Duration) {
	p.t.Helper()
	select {
	case <-p.exited:
	case <-time.After(patience):
		p.t.Fatalf("it does not end in %v", patience)
	}
}
