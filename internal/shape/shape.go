// Package shape makes a slow link out of a fast one, for tests and benchmarks: a TCP proxy on 127.0.0.1 whose directions
// have a rate, a delay and a queue that is bounded in bytes each. Without a rate and a delay it only counts what passes.
//
// It shapes a stream, not packets: nothing is lost or reordered, and the two ends' own TCP sees a network without delay
// whose receiver is slow. So what an end keeps in its own socket is its own affair, as it is on a real link.
package shape

import (
	"context"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// Direction says what happens to the bytes that go one way. The zero value passes them on at once.
type Direction struct {
	// Rate is how many bytes pass per second; 0 is no limit.
	Rate int
	// Delay is how long a byte travels once it has been sent.
	Delay time.Duration
	// Queue is how many bytes wait at most to be sent before the proxy reads no more; 0 is what passes in 4 ms, at
	// least 4 KiB. The kernel holds about [socketBuffer] before it.
	Queue int
}

const (
	// largestChunk is what is read at once without a rate; with one it is what passes in a millisecond.
	largestChunk = 64 << 10
	smallestRead = 1 << 10
	smallestWait = 4 << 10 // of Queue's default
	// socketBuffer is the receive buffer that a connection with a rate asks the kernel for. The kernel's own would hold
	// megabytes, which no slow link does.
	socketBuffer = 16 << 10
	// segment is the largest segment that it accepts, that of an Ethernet: those of the loopback interface are larger
	// than the buffer, and wait a second for room.
	segment = 1448
	// dialLimit is how long the target may take to accept.
	dialLimit = 5 * time.Second
	// inFlight is how many chunks may be on their way when nothing else limits them.
	inFlight = 8
)

// Mbit returns the rate of n Mbit/s in bytes per second.
func Mbit(n int) int { return n * 1_000_000 / 8 }

// Proxy passes connections on to one address. Its methods may be called concurrently.
type Proxy struct {
	// Static after construction.
	listener net.Listener
	target   string
	up, down Direction
	running  sync.WaitGroup
	stop     chan struct{} // closed by Close

	sent, returned atomic.Int64

	// Guarded by mu.
	mu     sync.Mutex
	conns  map[net.Conn]struct{}
	closed bool
	err    error
}

// Listen starts a proxy on a free port of 127.0.0.1 that dials target for each connection it accepts. What the dialing end
// sends takes direction up, what it receives takes down. An error names the direction that makes no sense or the address
// that cannot be had.
func Listen(target string, up, down Direction) (*Proxy, error) {
	for _, d := range []struct {
		name string
		Direction
	}{{"up", up}, {"down", down}} {
		if d.Rate < 0 || d.Delay < 0 || d.Queue < 0 {
			return nil, fmt.Errorf("shape: direction %s has a negative rate, delay or queue: %+v", d.name, d.Direction)
		}
	}
	lc := net.ListenConfig{Control: up.control}
	ln, err := lc.Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("shape: %w", err)
	}
	p := &Proxy{listener: ln, target: target, up: up, down: down, stop: make(chan struct{}), conns: map[net.Conn]struct{}{}}
	p.running.Go(p.accept)
	return p, nil
}

// Addr returns the address to dial instead of the target.
func (p *Proxy) Addr() *net.TCPAddr { return p.listener.Addr().(*net.TCPAddr) }

// Counts returns how many bytes have been read from the dialing ends and from the target.
func (p *Proxy) Counts() (up, down int64) { return p.sent.Load(), p.returned.Load() }

// Err returns the first error of accepting or dialing; nil if there was none. The end that Close brings is none.
func (p *Proxy) Err() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.err
}

// Close ends the proxy with all its connections and waits until nothing of it runs. What is on its way is lost. Closing
// again does nothing.
func (p *Proxy) Close() {
	conns := p.abandon()
	p.listener.Close()
	for _, c := range conns {
		c.Close()
	}
	p.running.Wait()
}

// abandon refuses further connections and returns those there are.
func (p *Proxy) abandon() []net.Conn {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.closed {
		p.closed = true
		close(p.stop)
	}
	out := make([]net.Conn, 0, len(p.conns))
	for c := range p.conns {
		out = append(out, c)
	}
	return out
}

// fail keeps the first error before Close.
func (p *Proxy) fail(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.err == nil && !p.closed {
		p.err = err
	}
}

// keep adds a connection to those that Close ends; false: the proxy is closed already.
func (p *Proxy) keep(c net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.closed {
		p.conns[c] = struct{}{}
	}
	return !p.closed
}

func (p *Proxy) drop(c net.Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.conns, c)
}

func (p *Proxy) accept() {
	for {
		near, err := p.listener.Accept()
		if err != nil {
			p.fail(err)
			return
		}
		p.running.Go(func() { p.serve(near) })
	}
}

// serve passes on one connection until both directions have ended.
func (p *Proxy) serve(near net.Conn) {
	defer near.Close()
	if !p.keep(near) {
		return
	}
	defer p.drop(near)
	dialer := net.Dialer{Timeout: dialLimit, Control: p.down.control}
	far, err := dialer.Dial("tcp", p.target)
	if err != nil {
		p.fail(err)
		return
	}
	defer far.Close()
	if !p.keep(far) {
		return
	}
	defer p.drop(far)
	var both sync.WaitGroup
	both.Go(func() { pass(far, near, p.up, &p.sent, p.stop) })
	both.Go(func() { pass(near, far, p.down, &p.returned, p.stop) })
	both.Wait()
}
