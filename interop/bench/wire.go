package main

import (
	"bytes"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sennit-net/sennit/internal/shape"
	"github.com/sennit-net/sennit/interop/stack"
)

const (
	wireSize = 64
	// slowLinkLonger and slowLinkWarm are how much longer the row on the slow link measures and warms up: a round trip takes 50 ms
	// at least, and what fills the sockets takes seconds to pass.
	slowLinkLonger = 6
	slowLinkWarm   = 2
	// fairLonger is how much longer the rows on two bulk protocols measure: their large messages are few.
	fairLonger = 3
	smallBulk  = 1 << 10
	largeBulk  = 4 << 20
)

// bytesOnWire counts what passes between the sockets while one protocol sends small messages as fast as they go, to the last
// of them. TCP's and IP's own headers are not in it.
func bytesOnWire(v variant, o options) (sample, error) {
	var got counter
	p, err := v.link(v, through(shape.Direction{}), []proto{{name: "flow", dialer: stack.Sink, listener: got.count}})
	if err != nil {
		return nil, err
	}
	defer p.close()
	time.Sleep(o.warm) // what belongs to the link's beginning has passed
	up0, down0 := p.wire.Counts()
	timer := time.NewTimer(o.dur)
	defer timer.Stop()
	payload := random(wireSize)
	r := bytes.NewReader(payload)
	n := 0
	for done := false; !done; n++ {
		r.Reset(payload)
		if err := p.Dialer["flow"].RW.Write(0, wireSize, r); err != nil {
			return nil, err
		}
		select {
		case <-timer.C:
			done = true
		default:
		}
	}
	if err := got.reach(n, "messages arrived"); err != nil {
		return nil, err
	}
	up, down := p.wire.Counts()
	return sample{"bytes": float64(up-up0) / float64(n), "back": float64(down-down0) / float64(n)}, nil
}

// pingOnSlowLink measures round trips beside bulk on a link that is slow both ways.
func pingOnSlowLink(v variant, o options) (sample, error) {
	wire := shape.Direction{Rate: shape.Mbit(slowMbit), Delay: slowRound / 2}
	p, err := v.link(v, through(wire), []proto{pingProto(), {name: "bulk", dialer: stack.Sink, listener: stack.Sink}})
	if err != nil {
		return nil, err
	}
	var stop atomic.Bool
	var wg sync.WaitGroup
	wg.Go(func() { write(p.Dialer["bulk"].RW, random(bulkSize), &stop) })
	time.Sleep(slowLinkWarm * o.dur)
	up0, _ := p.wire.Counts()
	start := time.Now()
	ping := startPinger(p.Dialer["ping"].RW)
	time.Sleep(slowLinkLonger * o.dur)
	up, _ := p.wire.Counts()
	took := time.Since(start)
	ended := ping.halt()
	stop.Store(true)
	p.close()
	wg.Wait()
	<-ping.done
	if !ended { // it took as long as it had, at least
		ping.trips = append(ping.trips, ping.cut)
	}
	return sample{
		"p50_ms":  quantile(ping.trips, 0.5) / 1e3,
		"p99_ms":  quantile(ping.trips, 0.99) / 1e3,
		"most_ms": quantile(ping.trips, 1) / 1e3,
		"trips":   float64(len(ping.trips)),
		"used":    float64(up-up0) / took.Seconds() / float64(wire.Rate),
	}, nil
}

// fairWire is a link that is slower than any of the stacks, so that they have to share it out.
func fairWire() wiring {
	return through(shape.Direction{Rate: shape.Mbit(fairMbit), Delay: time.Millisecond})
}

// mark is how many messages of each of two protocols had arrived when a large one was complete.
type mark struct {
	at           time.Time
	small, large int64
}

// marks notes the moments at which a large message is complete, so that a share can be told without parts of one.
type marks struct {
	small counter
	mu    sync.Mutex
	seen  []mark // guarded by mu
}

func (m *marks) large(e *stack.End) error {
	for n := int64(1); ; n++ {
		if _, _, err := e.RW.Skip(); err != nil {
			return err
		}
		m.note(mark{time.Now(), m.small.n.Load(), n})
	}
}

func (m *marks) note(x mark) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.seen = append(m.seen, x)
}

// between returns the first and the last mark from start to end, the same if there are fewer than two.
func (m *marks) between(start, end time.Time) (first, last mark) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, x := range m.seen {
		if x.at.Before(start) || x.at.After(end) {
			continue
		}
		if first.at.IsZero() {
			first = x
		}
		last = x
	}
	return first, last
}

// share returns what part of the bytes between two marks the small messages are and how many MB/s both make: NaN if the
// large ones did not get on.
func share(first, last mark) (small, rate float64) {
	if last.large == first.large {
		return math.NaN(), math.NaN()
	}
	bytes := float64(last.small-first.small) * smallBulk
	both := bytes + float64(last.large-first.large)*largeBulk
	return bytes / both, both / 1e6 / last.at.Sub(first.at).Seconds()
}

// shareOfLink returns a run that measures how two protocols share a link that both would fill, one with small and one with
// large messages, of which the former has that weight and the latter one.
func shareOfLink(weight int) func(variant, options) (sample, error) {
	return func(v variant, o options) (sample, error) {
		var m marks
		p, err := v.link(v, fairWire(), []proto{
			{name: "small", weight: weight, dialer: stack.Sink, listener: m.small.count}, {name: "large", dialer: stack.Sink, listener: m.large}})
		if err != nil {
			return nil, err
		}
		var stop atomic.Bool
		var wg sync.WaitGroup
		wg.Go(func() { write(p.Dialer["small"].RW, random(smallBulk), &stop) })
		wg.Go(func() { write(p.Dialer["large"].RW, random(largeBulk), &stop) })
		time.Sleep(o.dur) // what the sockets and the windows took at first has passed
		start := time.Now()
		time.Sleep(time.Duration(fairLonger+weight) * o.dur)
		end := time.Now()
		stop.Store(true)
		p.close()
		wg.Wait()
		s := sample{}
		s["share"], s["mb_s"] = share(m.between(start, end))
		return s, nil
	}
}
