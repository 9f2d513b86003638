package main

import (
	"math/rand/v2"
	"net"
	"runtime"
	"sync/atomic"
	"time"

	"github.com/ethereum/go-ethereum/p2p/enode"

	"github.com/sennit-net/sennit/internal/shape"
	"github.com/sennit-net/sennit/interop/stack"
)

// setupTime is how long a link may take to come up before a run is given up.
const setupTime = 20 * time.Second

// proto is a protocol of a benchmark and what each side does with it.
type proto struct {
	name             string
	overload         stack.Overload
	inbox            int
	weight           int
	dialer, listener func(*stack.End) error
}

// pair is a link between two fresh nodes of one stack.
type pair struct {
	*stack.Link
	wire *shape.Proxy // what the link passes, nil if nothing
	stop func()       // ends the link and both nodes
}

// linker connects two fresh nodes whose protocols these are. The dialer goes by way of what wire returns for the
// listener's address.
type linker func(v variant, wire wiring, protos []proto) (*pair, error)

// wiring puts something between the ends of a link: it returns a proxy for an address, or nil to connect directly.
type wiring func(addr *net.TCPAddr) (*shape.Proxy, error)

// direct is no wiring at all.
func direct(*net.TCPAddr) (*shape.Proxy, error) { return nil, nil }

// through returns the wiring that has both directions shaped alike.
func through(d shape.Direction) wiring {
	return func(addr *net.TCPAddr) (*shape.Proxy, error) { return shape.Listen(addr.String(), d, d) }
}

// newPair starts two nodes of a variant and connects them directly.
func newPair(v variant, protos ...proto) (*pair, error) { return v.link(v, direct, protos) }

// linkStack is the linker of a stack of devp2p.
func linkStack(v variant, wire wiring, protos []proto) (*pair, error) {
	side := func(serve func(proto) func(*stack.End) error, noListen bool) (*stack.Host, error) {
		var ps []stack.Serving
		for _, p := range protos {
			ps = append(ps, stack.Serving{
				Protocol: stack.Protocol{Name: p.name, Version: 1, Length: 4, Overload: p.overload, InboxBytes: p.inbox, Weight: p.weight},
				Serve:    serve(p),
			})
		}
		return stack.NewHost(v.stack, stack.Config{NoListen: noListen}, ps...)
	}
	l, err := side(func(p proto) func(*stack.End) error { return p.listener }, false)
	if err != nil {
		return nil, err
	}
	d, err := side(func(p proto) func(*stack.End) error { return p.dialer }, true)
	if err != nil {
		l.Stop()
		return nil, err
	}
	p, err := connect(d, l, wire, len(protos))
	if err != nil {
		d.Stop()
		l.Stop()
		return nil, err
	}
	return p, nil
}

// connect has d dial l by way of wire and waits until n protocols run.
func connect(d, l *stack.Host, wire wiring, n int) (*pair, error) {
	node := l.Self()
	proxy, err := wire(&net.TCPAddr{IP: node.IP(), Port: node.TCP()})
	if err != nil {
		return nil, err
	}
	if proxy != nil {
		node = enode.NewV4(node.Pubkey(), proxy.Addr().IP, proxy.Addr().Port, 0)
	}
	link, err := stack.ConnectAt(d, l, node, n, setupTime)
	if err != nil {
		closeWire(proxy)
		return nil, err
	}
	return &pair{Link: link, wire: proxy, stop: func() {
		// The listener goes first: it is the one that receives, so its own last write does not queue behind a writer
		// that is stuck. A slow link with much on it would hold both up.
		closeWire(proxy)
		l.Close()
		d.Close()
	}}, nil
}

func closeWire(p *shape.Proxy) {
	if p != nil {
		p.Close()
	}
}

// close ends the link and both nodes.
func (p *pair) close() { p.stop() }

// counter counts messages; padded so that counters of different goroutines share no cache line.
type counter struct {
	n atomic.Int64
	_ [56]byte
}

// count returns a Serve that discards and counts messages.
func (c *counter) count(e *stack.End) error {
	for {
		if _, _, err := e.RW.Skip(); err != nil {
			return err
		}
		c.n.Add(1)
	}
}

// random returns n incompressible bytes.
func random(n int) []byte {
	b := make([]byte, n)
	src := rand.NewChaCha8([32]byte{1})
	_, _ = src.Read(b)
	return b
}

// meter reads the process's counters.
type meter struct {
	at      time.Time
	cpu     time.Duration
	mallocs uint64
}

func readMeter() meter {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return meter{at: time.Now(), cpu: cpuTime(), mallocs: m.Mallocs}
}
