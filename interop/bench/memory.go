package main

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"sync"
	"time"

	"github.com/sennit-net/sennit/interop/stack"
)

const (
	idlePeers = 300
	keptPeers = 32
	bigSize   = 1 << 20
)

// memory is what a process holds when nothing happens.
type memory struct {
	heap, stack float64
	goroutines  int
}

// readMemory collects until pools and stacks have shrunk, then reads.
func readMemory() memory {
	last := -1
	for range 100 { // goroutines that are about to end have ended
		n := runtime.NumGoroutine()
		if n == last {
			break
		}
		last = n
		time.Sleep(100 * time.Millisecond)
	}
	for range 4 {
		runtime.GC()
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return memory{heap: float64(m.HeapAlloc), stack: float64(m.StackInuse), goroutines: runtime.NumGoroutine()}
}

// crowd is a node with many links whose other ends live in a child process, so that they are not counted. Its protocols
// run without any helper of this program's, so that nothing of it is counted either.
type crowd struct {
	node   stack.Node
	child  *exec.Cmd
	stdin  io.WriteCloser
	stdout *bufio.Reader
	up     counter // protocols that have started
	got    counter // messages that arrived
	before memory  // without links

	mu   sync.Mutex
	ends []stack.ReadWriter // guarded by mu: ends of protocol "one", if they are wanted
}

// newCrowd starts the node and measures it, then has the child dial it n times.
func newCrowd(v variant, n int, keepEnds bool) (*crowd, error) {
	c := &crowd{}
	serve := func(_ stack.Peer, rw stack.ReadWriter) error { return c.serve(rw) }
	first := serve
	if keepEnds {
		first = func(_ stack.Peer, rw stack.ReadWriter) error {
			c.mu.Lock()
			c.ends = append(c.ends, rw)
			c.mu.Unlock()
			return c.serve(rw)
		}
	}
	var err error
	if c.node, err = v.stack.Start(stack.Config{Key: stack.NewKey(), Name: "crowd", MaxPeers: 2 * n, Protocols: []stack.Protocol{
		{Name: "one", Version: 1, Length: 4, Run: first}, {Name: "two", Version: 1, Length: 4, Run: serve}}}); err != nil {
		return nil, err
	}
	if err = c.startChild(v, n); err == nil {
		c.before = readMemory()
		if err = c.ask("dial"); err == nil {
			err = c.up.reach(2*n, "protocols came up")
		}
	}
	if err != nil {
		c.close()
		return nil, err
	}
	return c, nil
}

func (c *crowd) serve(rw stack.ReadWriter) error {
	c.up.n.Add(1)
	for {
		if _, _, err := rw.Skip(); err != nil {
			return err
		}
		c.got.n.Add(1)
	}
}

// reach waits until so many have been counted.
func (c *counter) reach(n int, what string) error {
	for deadline := time.Now().Add(setupTime); c.n.Load() < int64(n); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			return fmt.Errorf("%d of %d %s", c.n.Load(), n, what)
		}
	}
	return nil
}

func (c *crowd) startChild(v variant, n int) error {
	exe, err := os.Executable()
	if err != nil {
		return err
	}
	kind := childBare
	if v.name == lanesName {
		kind = childLanes
	}
	c.child = exec.Command(exe, "-child", fmt.Sprintf("%d %s %s", n, kind, c.node.Self().URLv4()))
	c.child.Stderr = os.Stderr
	if c.stdin, err = c.child.StdinPipe(); err != nil {
		return err
	}
	out, err := c.child.StdoutPipe()
	if err != nil {
		return err
	}
	c.stdout = bufio.NewReader(out)
	return c.child.Start()
}

// ask has the child do something and waits until it says it has.
func (c *crowd) ask(what string) error {
	if _, err := fmt.Fprintln(c.stdin, what); err != nil {
		return err
	}
	line, err := c.stdout.ReadString('\n')
	if err != nil {
		return fmt.Errorf("child, asked to %s: %w", what, err)
	}
	if line != what+" done\n" {
		return fmt.Errorf("child, asked to %s, said %q", what, line)
	}
	return nil
}

func (c *crowd) close() {
	if c.stdin != nil {
		c.stdin.Close() // the child ends
	}
	if c.child != nil && c.child.Process != nil {
		_ = c.child.Wait()
	}
	c.node.Stop()
}

// idleCost measures what a link that carries nothing costs its server.
func idleCost(v variant, _ options) (sample, error) {
	c, err := newCrowd(v, idlePeers, false)
	if err != nil {
		return nil, err
	}
	defer c.close()
	m := readMemory()
	s := sample{
		"heap_kib":   (m.heap - c.before.heap) / 1024 / idlePeers,
		"stack_kib":  (m.stack - c.before.stack) / 1024 / idlePeers,
		"goroutines": float64(m.goroutines-c.before.goroutines) / idlePeers,
	}
	s["kib"] = s["heap_kib"] + s["stack_kib"]
	return s, nil
}

// heapKept measures what a link still holds after a large message has come, and after one has gone too.
func heapKept(v variant, _ options) (sample, error) {
	c, err := newCrowd(v, keptPeers, true)
	if err != nil {
		return nil, err
	}
	defer c.close()
	idle := readMemory()
	if err := c.ask("send"); err != nil {
		return nil, err
	}
	if err := c.got.reach(keptPeers, "large messages arrived"); err != nil {
		return nil, err
	}
	in := readMemory()
	if err := c.sendBig(); err != nil {
		return nil, err
	}
	if err := c.ask("received"); err != nil {
		return nil, err
	}
	out := readMemory()
	return sample{
		"in_kib":  (in.heap - idle.heap) / 1024 / keptPeers,
		"out_kib": (out.heap - idle.heap) / 1024 / keptPeers,
	}, nil
}

// sendBig sends a large message over every link.
func (c *crowd) sendBig() error {
	payload := random(bigSize)
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, rw := range c.ends {
		if err := rw.Write(0, bigSize, bytes.NewReader(payload)); err != nil {
			return err
		}
	}
	return nil
}
