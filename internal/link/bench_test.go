package link

import (
	"bytes"
	"crypto/rand"
	"errors"
	"testing"
)

var errTestOver = errors.New("test is over")

func lanesNamed(names ...string) []LaneConfig {
	var lanes []LaneConfig
	for i, n := range names {
		lanes = append(lanes, LaneConfig{Name: n, Version: 1, Offset: 16 + uint64(i)*4, Length: 4})
	}
	return lanes
}

// BenchmarkOneWay sends messages over TCP from one writer to one reader of one protocol.
func BenchmarkOneWay(b *testing.B) {
	forFramings(b, func(b *testing.B, framing func(a, b *Config)) {
		for _, size := range []int{64, 1 << 10, 1 << 20} {
			b.Run(map[int]string{64: "64B", 1 << 10: "1KiB", 1 << 20: "1MiB"}[size], func(b *testing.B) { oneWay(b, framing, size) })
		}
	})
}

func oneWay(b *testing.B, framing func(a, b *Config), size int) {
	ca, cb := tcpPair(b)
	l, r := linkPair(b, ca, cb, true, lanesNamed("aaa"), framing)
	data := make([]byte, size)
	rand.Read(data)
	done := make(chan error, 1)
	b.SetBytes(int64(size))
	b.ReportAllocs()
	b.ResetTimer()
	go func() {
		for range b.N {
			m, err := r.Lanes()[0].Read()
			if err != nil {
				done <- err
				return
			}
			m.Discard()
		}
		done <- nil
	}()
	payload := bytes.NewReader(data)
	for range b.N {
		payload.Reset(data)
		if err := l.Lanes()[0].Write(1, uint32(size), payload); err != nil {
			b.Fatal(err)
		}
	}
	if err := <-done; err != nil {
		b.Fatal(err)
	}
}

// forFramings runs a benchmark once for each framing in use between two nodes of today.
func forFramings(b *testing.B, run func(b *testing.B, framing func(a, b *Config))) {
	for _, kind := range framingKinds {
		if kind.name == "rlpx" {
			continue
		}
		b.Run(kind.name, func(b *testing.B) {
			run(b, func(l, r *Config) { l.Framing, r.Framing = kind.pair(b) })
		})
	}
}

// BenchmarkPingPong sends one message there and back.
func BenchmarkPingPong(b *testing.B) { forFramings(b, pingPong) }

func pingPong(b *testing.B, framing func(a, b *Config)) {
	ca, cb := tcpPair(b)
	l, r := linkPair(b, ca, cb, true, lanesNamed("aaa"), framing)
	go func() {
		for {
			m, err := r.Lanes()[0].Read()
			if err != nil {
				return
			}
			if r.Lanes()[0].Write(m.Code, m.Size, m) != nil {
				return
			}
		}
	}()
	data := make([]byte, 64)
	payload := bytes.NewReader(data)
	b.ReportAllocs()
	for b.Loop() {
		payload.Reset(data)
		if err := l.Lanes()[0].Write(1, 64, payload); err != nil {
			b.Fatal(err)
		}
		m, err := l.Lanes()[0].Read()
		if err != nil {
			b.Fatal(err)
		}
		m.Discard()
	}
}
