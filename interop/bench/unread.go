package main

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"runtime"
	"sync/atomic"
	"time"

	"github.com/sennit-net/sennit/interop/stack"
)

const (
	// unreadLonger is how much longer the row beside a protocol that never reads measures.
	unreadLonger = 2
	// drainTime is how long the flood's rest may take to arrive once it is read, with the time of the flood itself.
	drainTime = 5 * time.Second
)

// deaf is a protocol that does not read until it is told to, and then looks at the numbers of the messages.
type deaf struct {
	hear chan struct{}
	got  atomic.Uint64 // messages that have come
	back atomic.Uint64 // of them, those that came after a later one
	next atomic.Uint64 // the number after the last one's
}

func (d *deaf) serve(e *stack.End) error {
	select {
	case <-d.hear:
	case err := <-e.Return:
		return err
	}
	var number [8]byte
	for {
		m, err := e.RW.Read()
		if err != nil {
			return err
		}
		if err := readNumber(m, number[:]); err != nil {
			return err
		}
		n := binary.BigEndian.Uint64(number[:])
		if n < d.next.Load() {
			d.back.Add(1)
		}
		d.got.Add(1)
		d.next.Store(n + 1)
	}
}

// readNumber reads the start of a payload into number and the rest into nothing.
func readNumber(m stack.Msg, number []byte) error {
	var rest [floodSize]byte
	for got := 0; got < int(m.Size); {
		n, err := m.Payload.Read(rest[:])
		if got == 0 && n >= len(number) {
			copy(number, rest[:])
		}
		if got += n; err != nil && got < int(m.Size) {
			return fmt.Errorf("a payload ended after %d of %d bytes: %w", got, m.Size, err)
		}
	}
	return nil
}

// flood sends numbered messages until told to stop or the link ends, and returns how many it has sent.
func flood(rw stack.ReadWriter, stop *atomic.Bool) (sent uint64) {
	payload := random(floodSize)
	r := bytes.NewReader(payload)
	for !stop.Load() {
		binary.BigEndian.PutUint64(payload, sent)
		r.Reset(payload)
		if rw.Write(0, floodSize, r) != nil {
			break
		}
		sent++
	}
	return sent
}

// pingBesideUnread measures round trips while another protocol is flooded and reads nothing, whether memory grows
// meanwhile, and whether the flood has arrived whole once it is read.
func pingBesideUnread(v variant, o options) (sample, error) {
	d := &deaf{hear: make(chan struct{})}
	p, err := newPair(v, pingProto(), proto{name: "deaf", dialer: stack.Sink, listener: d.serve})
	if err != nil {
		return nil, err
	}
	defer p.close()
	idle := pingFor(p, o.dur, o.warm)

	var stop atomic.Bool
	sent := make(chan uint64, 1)
	go func() { sent <- flood(p.Dialer["deaf"].RW, &stop) }()
	time.Sleep(o.warm)
	before := heapNow()
	s := pingFor(p, unreadLonger*o.dur, o.warm)
	s["of_idle"] = s["p99_us"] / idle["p99_us"]
	s["idle_p99_us"] = idle["p99_us"]
	s["grown_kib"] = max(0, heapNow()-before) / 1024
	if s["trips"] == 0 { // the pings that wait are what it grew by
		s["grown_kib"] = math.NaN()
	}

	stop.Store(true)
	close(d.hear)
	s["lost"], err = d.missing(sent)
	return s, err
}

// missing waits for the flood to end and for its messages to arrive, and returns how many did not, or not in their order.
func (d *deaf) missing(sent <-chan uint64) (float64, error) {
	limit := time.After(drainTime)
	var n uint64
	select {
	case n = <-sent:
	case <-limit:
		return 0, fmt.Errorf("the flood does not end, though it is read: %d messages have arrived", d.got.Load())
	}
	for waiting := true; waiting && d.next.Load() < n; {
		select {
		case <-limit:
			waiting = false
		case <-time.After(time.Millisecond):
		}
	}
	return float64(n - d.got.Load() + d.back.Load()), nil
}

// heapNow returns the bytes that are reachable now.
func heapNow() float64 {
	runtime.GC()
	runtime.GC() // what was in pools is gone after the second
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return float64(m.HeapAlloc)
}
