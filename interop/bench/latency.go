package main

import (
	"bytes"
	"math"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sennit-net/sennit/interop/stack"
)

const (
	pingSize = 64
	// sleepPerMessage and floodSize are the slow protocol.
	sleepPerMessage = 20 * time.Millisecond
	floodSize       = 1 << 10
	sleeperInbox    = 4 << 20
	// slowLonger is how much longer the rows beside a slow protocol run: long enough that a policy that waits has had its time.
	slowLonger = 3
	// bulkLonger is how much longer the row beside bulk measures: its round trips are few.
	bulkLonger = 2
	bulkSize   = 1 << 20
	// held is the round trip from which a link counts as held up: a flood alone makes a queue in the sockets that takes
	// some ten milliseconds to pass.
	held = 100 * time.Millisecond
)

// pinger sends round trips one after the other and notes how long each took.
type pinger struct {
	rw   stack.ReadWriter
	stop atomic.Bool
	done chan struct{}

	// Owned by run; others read them after done.
	trips []time.Duration
	last  time.Time     // when the last round trip ended
	cut   time.Duration // how long the one under way at the end had taken
}

func startPinger(rw stack.ReadWriter) *pinger {
	p := &pinger{rw: rw, done: make(chan struct{}), trips: make([]time.Duration, 0, 1<<18)}
	go p.run()
	return p
}

func (p *pinger) run() {
	defer close(p.done)
	payload := random(pingSize)
	r := bytes.NewReader(payload)
	for !p.stop.Load() {
		start := time.Now()
		r.Reset(payload)
		err := p.rw.Write(0, pingSize, r)
		if err == nil {
			_, _, err = p.rw.Skip()
		}
		if err != nil {
			p.cut = time.Since(start)
			return
		}
		p.last = time.Now()
		p.trips = append(p.trips, p.last.Sub(start))
	}
}

// halt asks the pinger to stop and waits for it a moment; false: its round trip does not end.
func (p *pinger) halt() bool {
	p.stop.Store(true)
	select {
	case <-p.done:
		return true
	case <-time.After(200 * time.Millisecond):
		return false
	}
}

// quantile returns the q-quantile in microseconds, NaN of nothing.
func quantile(d []time.Duration, q float64) float64 {
	if len(d) == 0 {
		return math.NaN()
	}
	s := slices.Sorted(slices.Values(d))
	return float64(s[int(q*float64(len(s)-1))].Nanoseconds()) / 1e3
}

func pingProto() proto { return proto{name: "ping", dialer: stack.Hold, listener: stack.Echo} }

// pingIdle measures round trips on a link that carries nothing else.
func pingIdle(v variant, o options) (sample, error) {
	p, err := newPair(v, pingProto())
	if err != nil {
		return nil, err
	}
	defer p.close()
	return pingFor(p, o.dur, o.warm), nil
}

// pingFor measures round trips for a while, after warming up. No round trip at all gives NaN.
func pingFor(p *pair, d, warm time.Duration) sample {
	pings := func(d time.Duration) []time.Duration {
		ping := startPinger(p.Dialer["ping"].RW)
		time.Sleep(d)
		if !ping.halt() {
			return nil
		}
		return ping.trips
	}
	pings(warm)
	trips := pings(d)
	return sample{"p50_us": quantile(trips, 0.5), "p99_us": quantile(trips, 0.99), "trips": float64(len(trips))}
}

// pingBesideBulk measures round trips while another protocol sends 1 MiB messages the same way, and what that costs it.
func pingBesideBulk(v variant, o options) (sample, error) {
	var got counter
	p, err := newPair(v, pingProto(), proto{name: "bulk", dialer: stack.Sink, listener: got.count})
	if err != nil {
		return nil, err
	}
	var stop atomic.Bool
	var wg sync.WaitGroup
	wg.Go(func() { write(p.Dialer["bulk"].RW, random(bulkSize), &stop) })
	rate := func(measure func()) float64 {
		n0, t0 := got.n.Load(), time.Now()
		measure()
		return float64(got.n.Load()-n0) * bulkSize / 1e6 / time.Since(t0).Seconds()
	}
	time.Sleep(o.warm)
	alone := rate(func() { time.Sleep(o.dur) })
	var s sample
	beside := rate(func() { s = pingFor(p, bulkLonger*o.dur, o.warm) })
	s["bulk_mb_s"], s["alone_mb_s"], s["kept"] = beside, alone, beside/alone
	stop.Store(true)
	p.close()
	wg.Wait()
	return s, nil
}

// pingBesideSleeper measures round trips while another protocol is flooded and sleeps over each message.
func pingBesideSleeper(v variant, o options) (sample, error) {
	var closing, stopped atomic.Bool
	sleeper := func(e *stack.End) error {
		for {
			if _, _, err := e.RW.Skip(); err != nil {
				stopped.Store(!closing.Load())
				return err
			}
			time.Sleep(sleepPerMessage)
		}
	}
	p, err := newPair(v, pingProto(), proto{name: "slow", overload: v.overload, inbox: sleeperInbox, dialer: stack.Sink, listener: sleeper})
	if err != nil {
		return nil, err
	}
	idle := pingFor(p, o.dur/3, o.warm/3)

	var stop atomic.Bool
	var wg sync.WaitGroup
	wg.Go(func() { write(p.Dialer["slow"].RW, random(floodSize), &stop) })
	if v.overload.Policy != stack.PolicyWait {
		time.Sleep(o.warm) // the inbox fills; a policy that waits is watched from the start
	}
	start := time.Now()
	ping := startPinger(p.Dialer["ping"].RW)
	time.Sleep(slowLonger * o.dur)
	ended := ping.halt()
	closing.Store(true)
	stop.Store(true)
	p.close()
	wg.Wait()
	<-ping.done

	s := sample{"idle_p99_us": idle["p99_us"], "trips": float64(len(ping.trips)), "alive": 0, "stopped": 0,
		"p50_us": quantile(ping.trips, 0.5), "p99_us": quantile(ping.trips, 0.99)}
	s["stall_ms"] = heldUp(ping, ended).Seconds() * 1e3
	if ping.last.Sub(start) > slowLonger*o.dur-held {
		s["alive"] = 1
	}
	if stopped.Load() {
		s["stopped"] = 1
	}
	return s, nil
}

// heldUp adds up the round trips that show the link at a standstill.
func heldUp(p *pinger, ended bool) (sum time.Duration) {
	for _, t := range p.trips {
		if t > held {
			sum += t
		}
	}
	if !ended {
		sum += p.cut
	}
	return sum
}
