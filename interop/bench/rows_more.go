package main

import (
	"fmt"
	"math"
	"time"

	"github.com/sennit-net/sennit/interop/stack"
)

// linkRows are those that look at the wire, or put a slower one between the ends.
func linkRows() []row {
	shares := func(goal float64) []line {
		return []line{
			{metric: "share", label: "share of the bytes that the 1 KiB messages get", goal: fmt.Sprintf("%.2f, 5 %% of it either way", goal),
				met: func(j judge) bool { return math.Abs(j.value(lanesName, "share")/goal-1) <= 0.05 }},
			{metric: "mb_s", label: "both together, MB/s"},
		}
	}
	round := fmt.Sprintf("p99 under %v", slowRound+slowMore)
	return []row{
		{id: "wire", title: "64 B messages in a stream, incompressible: bytes on the wire", variants: all(), run: bytesOnWire, most: 1, lanes: []line{
			{metric: "bytes", label: "bytes sent per message", goal: "at most 80", met: lanesAtMost("bytes", 80)},
			{metric: "back", label: "bytes that came back per message"},
		}},
		{id: "slow", title: fmt.Sprintf("ping-pong beside bulk on a link of %d Mbit/s and %v round trip", slowMbit, slowRound), variants: all(), run: pingOnSlowLink, most: 2, lanes: []line{
			{metric: "p50_ms", label: "p50, ms"},
			{metric: "p99_ms", label: "p99, ms", goal: round, met: lanesAtMost("p99_ms", float64((slowRound + slowMore).Milliseconds()))},
			{metric: "most_ms", label: "longest, ms"},
			{metric: "used", label: "bulk, of what the link can carry"},
		}},
		{id: "fair", title: fmt.Sprintf("two bulk protocols, 1 KiB against 4 MiB messages, on a link of %d Mbit/s", fairMbit), variants: all(), run: shareOfLink(1), most: 3, lanes: shares(0.5)},
		{id: "weights", title: "the same, the 1 KiB messages with three times the weight of the others", variants: []variant{ours("", stack.Overload{}), lanes()}, run: shareOfLink(3), most: 2, lanes: shares(0.75)},
	}
}

func manyPeerRows() []row {
	return []row{
		{id: "fanout", title: fmt.Sprintf("256 B to %d peers, one after the other", fanoutPeers), variants: devp2p(), run: fanout, classic: []line{
			{metric: "msg_s", label: "deliveries/s", goal: "at least 1.8 times", met: timesRef("msg_s", 1.8)},
			{metric: "cpu_us", label: "us of CPU per delivery, both ends"},
		}},
		{id: "handshake", title: fmt.Sprintf("inbound handshakes (RLPx and Hello), %d dialers", handshakeDialers), variants: devp2p(), run: handshakes, classic: []line{
			{metric: "hs_s", label: "handshakes/s", goal: "at least 1.15 times", met: timesRef("hs_s", 1.15)},
			{metric: "cpu_us", label: "us of CPU per handshake, both ends"},
		}},
	}
}

func memoryRows() []row {
	return []row{
		{id: "idle", title: fmt.Sprintf("idle peer with 2 protocols, server side, of %d", idlePeers), variants: devp2p(), run: idleCost, most: 3, classic: []line{
			{metric: "kib", label: "KiB of heap and stack per peer", goal: "at most 15", met: atMost("kib", 15)},
			{metric: "heap_kib", label: "of it heap, KiB"},
			{metric: "stack_kib", label: "of it stack, KiB"},
			{metric: "goroutines", label: "goroutines per peer", goal: "at most 3", met: atMost("goroutines", 3.05)},
		}},
		{id: "kept", title: "heap kept per link after one 1 MiB message, above idle", variants: devp2p(), run: heapKept, most: 3, classic: []line{
			{metric: "in_kib", label: "KiB, received", goal: "at most 64", met: atMost("in_kib", 64)},
			{metric: "out_kib", label: "KiB, received and sent", goal: "at most 64", met: atMost("out_kib", 64)},
		}},
	}
}

// what the slow link is, and how much longer than its round trip a message may take.
const (
	slowMbit  = 10
	slowRound = 50 * time.Millisecond
	slowMore  = 60 * time.Millisecond
	fairMbit  = 200
)
