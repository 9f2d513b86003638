package main

import (
	"bytes"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ethereum/go-ethereum/crypto/keccak"

	"github.com/sennit-net/sennit/interop/stack"
)

// oneWay measures messages of one size sent one way as fast as they go.
func oneWay(size, protos, writers int) func(variant, options) (sample, error) {
	return func(v variant, o options) (sample, error) {
		s, err := floors(v, size, o.dur/4)
		if err != nil {
			return nil, err
		}
		counters := make([]counter, protos)
		var ps []proto
		for i := range protos {
			ps = append(ps, proto{name: fmt.Sprintf("flow%d", i), dialer: stack.Sink, listener: counters[i].count})
		}
		p, err := newPair(v, ps...)
		if err != nil {
			return nil, err
		}
		var stop atomic.Bool
		var wg sync.WaitGroup
		for _, e := range p.Dialer {
			for range writers {
				wg.Go(func() { write(e.RW, random(size), &stop) })
			}
		}
		time.Sleep(o.warm)
		total := func() (n int64) {
			for i := range counters {
				n += counters[i].n.Load()
			}
			return n
		}
		n0, m0 := total(), readMeter()
		time.Sleep(o.dur)
		for late := time.Now().Add(setupTime); total() == n0 && time.Now().Before(late); {
			time.Sleep(o.dur) // large messages on a busy machine
		}
		n1, m1 := total(), readMeter()
		stop.Store(true)
		p.close()
		wg.Wait()

		n := float64(n1 - n0)
		if n == 0 {
			return nil, fmt.Errorf("no message arrived in %v", setupTime)
		}
		s["msg_s"] = n / m1.at.Sub(m0.at).Seconds()
		s["mb_s"] = s["msg_s"] * float64(size) / 1e6
		s["allocs"] = float64(m1.mallocs-m0.mallocs) / n
		s["cpu_us"] = (m1.cpu - m0.cpu).Seconds() * 1e6 / n
		if least, ok := s["floor_us"]; ok {
			s["floor"] = least / s["cpu_us"]
		}
		if k, ok := s["keccak_mb_s"]; ok {
			s["keccak"] = s["mb_s"] / k
		}
		return s, nil
	}
}

// floors measures what bounds messages of that size on a classic link; nothing for other links.
func floors(v variant, size int, d time.Duration) (sample, error) {
	s := sample{}
	if v.stack == nil || v.name == lanesName {
		return s, nil
	}
	if size >= 1<<20 {
		s["keccak_mb_s"] = keccakSpeed(d)
	}
	var err error
	s["floor_us"], err = floor(size, d)
	return s, err
}

// write sends the payload again and again until told to stop or the link ends.
func write(rw stack.ReadWriter, payload []byte, stop *atomic.Bool) {
	r := bytes.NewReader(payload)
	for !stop.Load() {
		r.Reset(payload)
		if rw.Write(0, uint32(len(payload)), r) != nil {
			return
		}
	}
}

// keccakSpeed returns the MB/s of go-ethereum's Keccak-256 over 1 MiB blocks on one core: the floor that RLPx's MAC sets.
func keccakSpeed(d time.Duration) float64 {
	h := keccak.NewLegacyKeccak256()
	block := random(1 << 20)
	var sum [32]byte
	start, n := time.Now(), 0
	for time.Since(start) < d {
		h.Reset()
		h.Write(block)
		h.Sum(sum[:0])
		n++
	}
	return float64(n) * float64(len(block)) / 1e6 / time.Since(start).Seconds()
}
