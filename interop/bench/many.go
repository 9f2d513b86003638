package main

import (
	"bytes"
	"crypto/ecdsa"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sennit-net/sennit/interop/stack"
)

const (
	fanoutPeers      = 100
	fanoutSize       = 256
	handshakeDialers = 8
	keysPerDialer    = 64 // a dialer comes back with the same key only after that many others
)

// fanout measures one goroutine that writes a message to each of many peers in turn, again and again.
func fanout(v variant, o options) (sample, error) {
	hub, err := stack.NewHost(v.stack, stack.Config{MaxPeers: 2 * fanoutPeers}, stack.Serving{
		Protocol: stack.Protocol{Name: "gossip", Version: 1, Length: 4}, Serve: stack.Sink})
	if err != nil {
		return nil, err
	}
	defer hub.Stop()
	counters := make([]counter, fanoutPeers)
	for i := range counters {
		spoke, err := stack.NewHost(v.stack, stack.Config{NoListen: true}, stack.Serving{
			Protocol: stack.Protocol{Name: "gossip", Version: 1, Length: 4}, Serve: counters[i].count})
		if err != nil {
			return nil, err
		}
		defer spoke.Stop()
		spoke.AddPeer(hub.Self())
	}
	ends, err := hub.Ends(fanoutPeers, setupTime)
	if err != nil {
		return nil, err
	}
	var stop atomic.Bool
	var wg sync.WaitGroup
	wg.Go(func() { writeRound(ends, random(fanoutSize), &stop) })
	time.Sleep(o.warm)
	total := func() (n int64) {
		for i := range counters {
			n += counters[i].n.Load()
		}
		return n
	}
	n0, m0 := total(), readMeter()
	time.Sleep(o.dur)
	n1, m1 := total(), readMeter()
	stop.Store(true)
	wg.Wait()
	n := float64(n1 - n0)
	return sample{
		"msg_s":  n / m1.at.Sub(m0.at).Seconds(),
		"cpu_us": (m1.cpu - m0.cpu).Seconds() * 1e6 / n,
		"allocs": float64(m1.mallocs-m0.mallocs) / n,
	}, nil
}

// writeRound writes the payload to one end after the other until told to stop.
func writeRound(ends []*stack.End, payload []byte, stop *atomic.Bool) {
	r := bytes.NewReader(payload)
	for {
		for _, e := range ends {
			r.Reset(payload)
			if stop.Load() || e.RW.Write(0, uint32(len(payload)), r) != nil {
				return
			}
		}
	}
}

// handshakes measures how many dialers a second get as far as the node's Hello.
func handshakes(v variant, o options) (sample, error) {
	h, err := stack.NewHost(v.stack, stack.Config{MaxPeers: 2 * handshakeDialers * keysPerDialer}, stack.Serving{
		Protocol: stack.Protocol{Name: "knock", Version: 1, Length: 4}, Serve: stack.Sink})
	if err != nil {
		return nil, err
	}
	defer h.Stop()
	var (
		stop   atomic.Bool
		n      counter
		wg     sync.WaitGroup
		failed = make(chan error, handshakeDialers)
	)
	for range handshakeDialers {
		keys := make([]*ecdsa.PrivateKey, keysPerDialer)
		for i := range keys {
			keys[i] = stack.NewKey()
		}
		wg.Go(func() {
			for i := 0; !stop.Load(); i++ {
				if err := knock(v, h, keys[i%len(keys)]); err != nil {
					failed <- err
					return
				}
				n.n.Add(1)
			}
		})
	}
	time.Sleep(o.warm)
	n0, m0 := n.n.Load(), readMeter()
	time.Sleep(o.dur)
	n1, m1 := n.n.Load(), readMeter()
	stop.Store(true)
	wg.Wait()
	select {
	case err := <-failed:
		return nil, err
	default:
	}
	done := float64(n1 - n0)
	return sample{
		"hs_s":   done / m1.at.Sub(m0.at).Seconds(),
		"cpu_us": (m1.cpu - m0.cpu).Seconds() * 1e6 / done,
	}, nil
}

// knock dials, shakes hands, exchanges Hellos and leaves; for lanes/1, it leaves before the first record.
func knock(v variant, h *stack.Host, key *ecdsa.PrivateKey) error {
	c, err := stack.DialRaw(v.stack, h.Self(), key, setupTime)
	if err != nil {
		return err
	}
	defer c.Close()
	caps := []stack.Cap{{Name: "knock", Version: 1}}
	if v.name == lanesName {
		caps = append(caps, stack.Cap{Name: "lanes", Version: 1})
	}
	_, err = stack.ExchangeHello(c, stack.NewHello(key, 5, caps...))
	var early *stack.EarlyEnd
	if errors.As(err, &early) {
		return fmt.Errorf("the node refused a dialer: %w", err)
	}
	return err
}
