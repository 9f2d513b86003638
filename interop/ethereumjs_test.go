package interop

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/p2p/enode"

	"github.com/sennit-net/sennit/interop/stack"
)

const ethereumjsDir = "ethereumjs"

// TestEthereumjs links each stack to the devp2p of ethereumjs, dialing and dialed, with three protocols, and looks at how
// either side's Disconnect arrives.
func TestEthereumjs(t *testing.T) {
	needEthereumjs(t)
	const caps = "alpha/1/8,beta/1/8,gamma/1/8"
	eachStack(t, func(t *testing.T, s stack.Stack) {
		for _, c := range []struct {
			name string
			end  func(*testing.T, *stack.Host, *javascript, []*stack.End)
		}{{"we disconnect", weDisconnect}, {"they disconnect", theyDisconnect}} {
			t.Run("dialed, "+c.name, func(t *testing.T) {
				results, protos := talkers()
				h := startHost(t, s, stack.Config{NoListen: true}, protos...)
				js := startJavascript(t, "listen", freePort(t), caps)
				h.AddPeer(enode.MustParse(js.enode))
				c.end(t, h, js, talkJavascript(t, h, js, results))
			})
			t.Run("dialing, "+c.name, func(t *testing.T) {
				results, protos := talkers()
				h := startHost(t, s, stack.Config{}, protos...)
				js := startJavascript(t, "dial", h.Self().URLv4(), caps)
				c.end(t, h, js, talkJavascript(t, h, js, results))
			})
		}
	})
}

// talkers are three protocols that have messages echoed, tell how it went, and then read on.
func talkers() (<-chan error, []stack.Serving) {
	payloads := [][]byte{{0xc0}, random(15, 1), random(16, 1), random(17, 1), text(1 << 10), random(64<<10, 1), random(1<<20, 1)}
	results := make(chan error, 3)
	talk := func(e *stack.End) error {
		results <- echoAll(e.RW, payloads)
		return stack.Sink(e)
	}
	return results, []stack.Serving{serving("alpha", returning(talk)), serving("beta", returning(talk)), serving("gamma", returning(talk))}
}

// talkJavascript waits for the link and for the protocols to have talked.
func talkJavascript(t *testing.T, h *stack.Host, js *javascript, results <-chan error) []*stack.End {
	t.Helper()
	js.expect(t, "PEER alpha/1@16 beta/1@24 gamma/1@32")
	ends, err := h.Ends(3, patience)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range ends {
		if !strings.HasPrefix(e.Peer.Fullname(), "ethereumjs-devp2p/") {
			t.Errorf("the peer is %q", e.Peer.Fullname())
		}
	}
	await(t, 3, results)
	return ends
}

func weDisconnect(t *testing.T, h *stack.Host, js *javascript, ends []*stack.End) {
	ends[0].Peer.Disconnect(4)
	js.expect(t, "GONE 4 them")
	if e := awaitEvent(t, h, "drop"); e.Error != "too many peers" {
		t.Errorf("the drop event says %q", e.Error)
	}
}

// theyDisconnect: ethereumjs sends Disconnect as a bare number and without compression, which go-ethereum takes for broken
// Snappy data and ours understands.
func theyDisconnect(t *testing.T, h *stack.Host, js *javascript, _ []*stack.End) {
	fmt.Fprintln(js.stdin, "disconnect 8")
	e := awaitEvent(t, h, "drop")
	want := map[stack.Stack]string{stack.Geth{}: "snappy: corrupt input", stack.Sennit{}: "client quitting"}[h.Stack]
	if e.Error != want {
		t.Errorf("the drop event says %q, not %q", e.Error, want)
	}
	js.expect(t, "GONE 8 us")
}

// needEthereumjs skips the test if there is no ethereumjs.
func needEthereumjs(t *testing.T) {
	t.Helper()
	if why := noEthereumjs(t); why != "" {
		t.Skip(why)
	}
}

// noEthereumjs says why there is no ethereumjs, nothing if there is: it needs Node.js, and the library is installed where the
// lock file says.
func noEthereumjs(t *testing.T) (why string) {
	t.Helper()
	for _, tool := range []string{"node", "npm"} {
		if _, err := exec.LookPath(tool); err != nil {
			return tool + " is missing: ethereumjs needs Node.js 20 or later and npm"
		}
	}
	if _, err := os.Stat(filepath.Join(ethereumjsDir, "node_modules", "@ethereumjs", "devp2p")); err == nil {
		return ""
	}
	install := exec.CommandContext(t.Context(), "npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts")
	install.Dir = ethereumjsDir
	if out, err := install.CombinedOutput(); err != nil {
		return fmt.Sprintf("ethereumjs' devp2p cannot be installed (no network?): npm ci: %v\n%s", err, out)
	}
	return ""
}

// freePort returns a TCP port that was free a moment ago. ethereumjs has to be told one: it writes a listen port of 0 into
// Hello as a byte of zero, which is no RLP number.
func freePort(t *testing.T) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	return strconv.Itoa(ln.Addr().(*net.TCPAddr).Port)
}

// javascript is a running peer.mjs.
type javascript struct {
	enode string
	stdin io.WriteCloser
	lines chan string
}

// startJavascript starts peer.mjs and waits for its ENODE line.
func startJavascript(t *testing.T, args ...string) *javascript {
	t.Helper()
	return startScript(t, "peer.mjs", args...)
}

// startScript starts a program of ethereumjs and waits for its ENODE line.
func startScript(t *testing.T, program string, args ...string) *javascript {
	t.Helper()
	cmd := exec.Command("node", append([]string{program}, args...)...)
	cmd.Dir = ethereumjsDir
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	js := &javascript{stdin: stdin, lines: make(chan string, 1024)}
	go func() {
		defer close(js.lines)
		for s := bufio.NewScanner(stdout); s.Scan(); {
			js.lines <- s.Text()
		}
	}()
	t.Cleanup(func() {
		stdin.Close()
		_ = cmd.Process.Kill()
		for range js.lines {
		}
		_ = cmd.Wait()
	})
	js.enode = strings.TrimPrefix(js.expect(t, "ENODE "), "ENODE ")
	return js
}

// expect waits for a line that begins with prefix and returns it.
func (js *javascript) expect(t *testing.T, prefix string) string {
	t.Helper()
	timeout := time.After(patience)
	for {
		select {
		case line, ok := <-js.lines:
			if !ok {
				t.Fatalf("ethereumjs ended before it said %q", prefix)
			}
			if strings.HasPrefix(line, prefix) {
				return line
			}
			t.Logf("ethereumjs: %s", line)
		case <-timeout:
			t.Fatalf("ethereumjs does not say %q", prefix)
		}
	}
}
