package main

import (
	"math/rand/v2"
	"runtime"
	"sync/atomic"
	"time"

	"github.com/sennit-net/sennit/interop/stack"
)

// setupTime is how long a link may take to come up before a run is given up.
const setupTime = 20 * time.Second

// proto is a protocol of a benchmark and what each side does with it.
type proto struct {
	name             string
	overload         stack.Overload
	inbox            int
	dialer, listener func(*stack.End) error
}

// pair is a link between two fresh nodes of one stack.
type pair struct {
	*stack.Link
	dialer, listener *stack.Host
}

// newPair starts two nodes and connects them.
func newPair(v variant, protos ...proto) (*pair, error) {
	side := func(serve func(proto) func(*stack.End) error, noListen bool) (*stack.Host, error) {
		var ps []stack.Serving
		for _, p := range protos {
			ps = append(ps, stack.Serving{
				Protocol: stack.Protocol{Name: p.name, Version: 1, Length: 4, Overload: p.overload, InboxBytes: p.inbox},
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
	link, err := stack.Connect(d, l, len(protos), setupTime)
	if err != nil {
		d.Stop()
		l.Stop()
		return nil, err
	}
	return &pair{Link: link, dialer: d, listener: l}, nil
}

// close ends the link and both nodes. The listener goes first: it is the one that receives, so its own last write does
// not queue behind a writer that is stuck.
func (p *pair) close() {
	p.listener.Close()
	p.dialer.Close()
}

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
