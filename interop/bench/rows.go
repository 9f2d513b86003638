package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/sennit-net/sennit/interop/stack"
)

// sample is what one run of one variant gave, by metric.
type sample map[string]float64

func (s sample) String() string {
	var b strings.Builder
	for _, k := range slices.Sorted(maps.Keys(s)) {
		fmt.Fprintf(&b, "%s %.4g  ", k, s[k])
	}
	return b.String()
}

// variant is one of the things a row compares.
type variant struct {
	name     string
	stack    stack.Stack
	overload stack.Overload
}

// row is one kind of work.
type row struct {
	id, title string
	variants  []variant
	run       func(variant, options) (sample, error)
	lines     []line
}

// line is one line of the table: a metric of the reference beside one of ours.
type line struct {
	metric, label string
	ours          string // variant of ours; "" is plain
	goal          string
	met           func(ours, ratio sample) bool // of medians; nil: no goal
}

const (
	refName  = "go-ethereum"
	oursName = "sennit"
	waitFor  = 500 * time.Millisecond // OverloadWait of row "wait"
)

func both() []variant {
	return []variant{{name: refName, stack: stack.Geth{}}, {name: oursName, stack: stack.Sennit{}}}
}

func policies() []variant {
	v := []variant{{name: refName, stack: stack.Geth{}}}
	for _, p := range []struct {
		name   string
		policy stack.Policy
	}{{"drop newest", stack.PolicyDropNewest}, {"drop oldest", stack.PolicyDropOldest}, {"stop", stack.PolicyStop}} {
		v = append(v, variant{oursName + " " + p.name, stack.Sennit{}, stack.Overload{Policy: p.policy}})
	}
	return v
}

// timesRef asks for at least x times the reference.
func timesRef(metric string, x float64) func(ours, ratio sample) bool {
	return func(_, ratio sample) bool { return ratio[metric] >= x }
}

// timesRefAtMost asks for at most x times the reference.
func timesRefAtMost(metric string, x float64) func(ours, ratio sample) bool {
	return func(_, ratio sample) bool { return ratio[metric] <= x }
}

// atMost asks for at most x.
func atMost(metric string, x float64) func(ours, ratio sample) bool {
	return func(ours, _ sample) bool { return ours[metric] <= x }
}

// rows returns the whole table.
func rows() []row {
	return slices.Concat(throughputRows(), latencyRows(), overloadRows(), manyPeerRows(), memoryRows())
}

func throughputRows() []row {
	floors := []line{
		{metric: "floor_us", label: "us of CPU for MAC and cipher alone"},
		{metric: "floor", label: "MAC and cipher, of all CPU"},
	}
	cost := append([]line{{metric: "allocs", label: "allocations per message, both ends"}, {metric: "cpu_us", label: "us of CPU per message, both ends"}}, floors...)
	goal := func(x float64, more ...line) []line {
		return append([]line{{metric: "msg_s", label: "messages/s", goal: fmt.Sprintf("at least %.1f times", x), met: timesRef("msg_s", x)}}, more...)
	}
	small := []line{{metric: "allocs", label: "allocations per message, both ends", goal: "0 once warm", met: atMost("allocs", 0.01)}, cost[1], floors[0], floors[1]}
	return []row{
		{"small", "64 B messages one way, one protocol, one writer", both(), oneWay(64, 1, 1), goal(3.3, small...)},
		{"small6", "64 B messages, 3 protocols with 2 writers each", both(), oneWay(64, 3, 2), goal(3.4, cost...)},
		{"kib", "1 KiB messages one way", both(), oneWay(1<<10, 1, 1), goal(2.5, cost...)},
		{"mib", "1 MiB messages one way, incompressible", both(), oneWay(1<<20, 1, 1), []line{
			{metric: "mb_s", label: "MB/s"},
			{metric: "keccak", label: "of the speed of Keccak-256 alone", goal: "at least 0.92", met: func(ours, _ sample) bool { return ours["keccak"] >= 0.92 }},
			{metric: "keccak_mb_s", label: "Keccak-256 alone, MB/s"},
			floors[1],
		}},
	}
}

func latencyRows() []row {
	return []row{
		{"ping", "ping-pong 64 B, idle link", both(), pingIdle, []line{
			{metric: "p50_us", label: "p50, us", goal: "no slower (1.05)", met: timesRefAtMost("p50_us", 1.05)},
			{metric: "p99_us", label: "p99, us", goal: "no slower (1.05)", met: timesRefAtMost("p99_us", 1.05)},
		}},
		{"bulk", "ping-pong 64 B beside 1 MiB bulk of another protocol", both(), pingBesideBulk, []line{
			{metric: "p50_us", label: "p50, us", goal: "no slower", met: timesRefAtMost("p50_us", 1)},
			{metric: "p99_us", label: "p99, us", goal: "at most 0.35", met: timesRefAtMost("p99_us", 0.35)},
			{metric: "bulk_mb_s", label: "bulk, MB/s", goal: "no slower (0.95)", met: timesRef("bulk_mb_s", 0.95)},
		}},
	}
}

func overloadRows() []row {
	var lines []line
	for _, v := range policies()[1:] {
		lines = append(lines,
			line{metric: "p99_us", label: "p99, us: " + v.name, ours: v.name, goal: "at most max(1 ms, 2 x idle)",
				met: func(ours, _ sample) bool {
					return ours["trips"] > 0 && ours["p99_us"] <= max(1000, 2*ours["idle_p99_us"])
				}},
			line{metric: "trips", label: "round trips: " + v.name, ours: v.name})
	}
	wait := variant{fmt.Sprintf("%s wait %v", oursName, waitFor), stack.Sennit{}, stack.Overload{Policy: stack.PolicyWait, Wait: waitFor}}
	limit := float64((waitFor + 50*time.Millisecond).Milliseconds())
	return []row{
		{"sleeper", "ping-pong beside a protocol that sleeps 20 ms per 1 KiB message while flooded, inbox 4 MiB", policies(), pingBesideSleeper, lines},
		{"wait", fmt.Sprintf("the same, policy Wait(%v)", waitFor), []variant{{name: refName, stack: stack.Geth{}}, wait}, pingBesideSleeper, []line{
			{metric: "stall_ms", label: "held up in all, ms", ours: wait.name, goal: fmt.Sprintf("at most %.0f", limit), met: atMost("stall_ms", limit)},
			{metric: "alive", label: "round trips at the end (1: yes)", ours: wait.name, goal: "the link lives", met: func(ours, _ sample) bool { return ours["alive"] == 1 }},
			{metric: "stopped", label: "slow protocol was stopped (1: yes)", ours: wait.name, goal: "stopped", met: func(ours, _ sample) bool { return ours["stopped"] == 1 }},
		}},
	}
}

func manyPeerRows() []row {
	return []row{
		{"fanout", fmt.Sprintf("256 B to %d peers, one after the other", fanoutPeers), both(), fanout, []line{
			{metric: "msg_s", label: "deliveries/s", goal: "at least 1.8 times", met: timesRef("msg_s", 1.8)},
			{metric: "cpu_us", label: "us of CPU per delivery, both ends"},
		}},
		{"handshake", fmt.Sprintf("inbound handshakes (RLPx and Hello), %d dialers", handshakeDialers), both(), handshakes, []line{
			{metric: "hs_s", label: "handshakes/s", goal: "at least 1.15 times", met: timesRef("hs_s", 1.15)},
			{metric: "cpu_us", label: "us of CPU per handshake, both ends"},
		}},
	}
}

func memoryRows() []row {
	return []row{
		{"idle", fmt.Sprintf("idle peer with 2 protocols, server side, of %d", idlePeers), both(), idleCost, []line{
			{metric: "kib", label: "KiB of heap and stack per peer", goal: "at most 15", met: atMost("kib", 15)},
			{metric: "heap_kib", label: "of it heap, KiB"},
			{metric: "stack_kib", label: "of it stack, KiB"},
			{metric: "goroutines", label: "goroutines per peer", goal: "at most 3", met: atMost("goroutines", 3.05)},
		}},
		{"kept", "heap kept per link after one 1 MiB message, above idle", both(), heapKept, []line{
			{metric: "in_kib", label: "KiB, received", goal: "at most 64", met: atMost("in_kib", 64)},
			{metric: "out_kib", label: "KiB, received and sent", goal: "at most 64", met: atMost("out_kib", 64)},
		}},
	}
}
