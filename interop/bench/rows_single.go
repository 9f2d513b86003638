package main

import (
	"fmt"
	"time"

	"github.com/sennit-net/sennit/interop/stack"
)

// waitFor is OverloadWait of row "wait".
const waitFor = 500 * time.Millisecond

func throughputRows() []row {
	cpu := line{metric: "cpu_us", label: "us of CPU per message, both ends"}
	cost := []line{
		{metric: "allocs", label: "allocations per message, both ends"},
		cpu,
		{metric: "floor_us", label: "us of CPU for RLPx's MAC and cipher alone"},
		{metric: "floor", label: "MAC and cipher, of all CPU"},
	}
	rate := func(goal string, met func(judge) bool, more ...line) []line {
		return append([]line{{metric: "msg_s", label: "messages/s", goal: goal, met: met}}, more...)
	}
	classic := func(x float64) []line {
		return rate(fmt.Sprintf("at least %.1f times", x), timesRef("msg_s", x), cost...)
	}
	none := line{metric: "allocs", label: "allocations per message, both ends", goal: "0 once warm"}
	small := classic(3.3)
	small[1] = none
	small[1].met = atMost("allocs", 0.01)
	none.met = lanesAtMost("allocs", 0.01)
	return []row{
		{id: "small", title: "64 B messages one way, one protocol, one writer", variants: all(), run: oneWay(64, 1, 1), classic: small,
			lanes: rate("at least 2,500,000 /s and 5 times go-libp2p", func(j judge) bool {
				return j.value(lanesName, "msg_s") >= 2.5e6 && j.ratio(lanesName, libp2pName, "msg_s") >= 5
			}, none, cpu)},
		{id: "small6", title: "64 B messages, 3 protocols with 2 writers each", variants: all(), run: oneWay(64, 3, 2), classic: classic(3.4),
			lanes: rate("no less than one protocol's rate (0.95)", func(j judge) bool {
				return at(j.median(lanesName), "msg_s") >= 0.95*at(j.others["small"].median(lanesName), "msg_s")
			}, cpu)},
		{id: "kib", title: "1 KiB messages one way", variants: all(), run: oneWay(1<<10, 1, 1), classic: classic(2.5), lanes: rate("", nil, cpu)},
		{id: "mib", title: "1 MiB messages one way, incompressible", variants: all(), run: oneWay(1<<20, 1, 1), classic: []line{
			{metric: "mb_s", label: "MB/s"},
			{metric: "keccak", label: "of the speed of Keccak-256 alone", goal: "at least 0.92", met: atLeast("keccak", 0.92)},
			{metric: "keccak_mb_s", label: "Keccak-256 alone, MB/s"},
			{metric: "floor", label: "MAC and cipher, of all CPU"},
		}, lanes: []line{
			{metric: "mb_s", label: "MB/s", goal: "at least go-libp2p's and 3.5 times go-ethereum", met: func(j judge) bool {
				return j.ratio(lanesName, libp2pName, "mb_s") >= 1 && j.ratio(lanesName, gethName, "mb_s") >= 3.5
			}},
			cpu,
		}},
	}
}

func latencyRows() []row {
	p50, p99 := line{metric: "p50_us", label: "p50, us"}, line{metric: "p99_us", label: "p99, us"}
	with := func(l line, goal string, met func(judge) bool) line {
		l.goal, l.met = goal, met
		return l
	}
	rate := line{metric: "bulk_mb_s", label: "bulk, MB/s"}
	return []row{
		{id: "ping", title: "ping-pong 64 B, idle link", variants: all(), run: pingIdle,
			classic: []line{
				with(p50, "no slower (1.05)", timesRefAtMost("p50_us", 1.05)),
				with(p99, "no slower (1.05)", timesRefAtMost("p99_us", 1.05)),
			},
			lanes: []line{
				with(p50, "at most 1.1 times go-libp2p", func(j judge) bool { return j.ratio(lanesName, libp2pName, "p50_us") <= 1.1 }),
				p99,
			}},
		{id: "bulk", title: "ping-pong 64 B beside 1 MiB bulk of another protocol", variants: all(), run: pingBesideBulk,
			classic: []line{
				with(p50, "no slower", timesRefAtMost("p50_us", 1)),
				with(p99, "at most 0.35", timesRefAtMost("p99_us", 0.35)),
				with(rate, "no slower (0.95)", timesRef("bulk_mb_s", 0.95)),
			},
			lanes: []line{
				p50,
				with(p99, "at most 1 ms", lanesAtMost("p99_us", 1000)),
				rate,
				{metric: "kept", label: "bulk, of its rate alone", goal: "at least 0.80", met: lanesAtLeast("kept", 0.8)},
			}},
	}
}

// policies are the ways a classic link meets a flood; a link of lanes needs none of them.
func policies() []variant {
	return []variant{
		geth(),
		ours(" drop newest", stack.Overload{Policy: stack.PolicyDropNewest}),
		ours(" drop oldest", stack.Overload{Policy: stack.PolicyDropOldest}),
		ours(" stop", stack.Overload{Policy: stack.PolicyStop}),
		lanes(),
	}
}

func overloadRows() []row {
	var lines []line
	for _, v := range policies()[1:4] {
		lines = append(lines,
			line{metric: "p99_us", label: "p99, us: " + v.name, own: v.name, goal: "at most max(1 ms, 2 x idle)", met: func(j judge) bool {
				return j.value(v.name, "trips") > 0 && j.value(v.name, "p99_us") <= max(1000, 2*j.value(v.name, "idle_p99_us"))
			}},
			line{metric: "trips", label: "round trips: " + v.name, own: v.name})
	}
	wait := ours(fmt.Sprintf(" wait %v", waitFor), stack.Overload{Policy: stack.PolicyWait, Wait: waitFor})
	waitLanes := lanes()
	waitLanes.overload = wait.overload
	limit := float64((waitFor + 50*time.Millisecond).Milliseconds())
	return []row{
		{id: "sleeper", title: "ping-pong beside a protocol that sleeps 20 ms per 1 KiB message while flooded, inbox 4 MiB",
			variants: policies(), run: pingBesideSleeper, most: 3, classic: lines},
		{id: "wait", title: fmt.Sprintf("the same, policy Wait(%v)", waitFor), variants: []variant{geth(), wait, waitLanes}, run: pingBesideSleeper, most: 2, classic: []line{
			{metric: "stall_ms", label: "held up in all, ms", own: wait.name, goal: fmt.Sprintf("at most %.0f", limit), met: atMost("stall_ms", limit)},
			{metric: "alive", label: "round trips at the end (1: yes)", own: wait.name, goal: "the link lives", met: atLeast("alive", 1)},
			{metric: "stopped", label: "slow protocol was stopped (1: yes)", own: wait.name, goal: "stopped", met: atLeast("stopped", 1)},
		}},
		{id: "unread", title: "ping-pong beside a protocol that never reads, flooded with 1 KiB messages",
			variants: []variant{geth(), libp2p(), lanes()}, run: pingBesideUnread, most: 3, lanes: []line{
				{metric: "p50_us", label: "p50, us"},
				{metric: "p99_us", label: "p99, us"},
				{metric: "of_idle", label: "p99, of p99 before the flood", goal: "at most 1.5", met: lanesAtMost("of_idle", 1.5)},
				{metric: "grown_kib", label: "KiB the heap grew by meanwhile", goal: "flat (256)", met: lanesAtMost("grown_kib", 256)},
				{metric: "lost", label: "messages lost or out of order, once it reads", goal: "0", met: lanesAtMost("lost", 0)},
			}},
	}
}
