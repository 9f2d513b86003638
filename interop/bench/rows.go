package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"

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
	stack    stack.Stack // nil if the stack is none of devp2p
	link     linker
	overload stack.Overload
}

// Names of variants.
const (
	gethName   = "go-ethereum"
	libp2pName = "go-libp2p"
	oursName   = "sennit"       // classic RLPx
	lanesName  = "sennit lanes" // lanes/1
)

func geth() variant   { return variant{name: gethName, stack: stack.Geth{}, link: linkStack} }
func libp2p() variant { return variant{name: libp2pName, link: linkLibp2p} }
func lanes() variant {
	return variant{name: lanesName, stack: stack.Sennit{}, link: linkStack}
}

// ours is classic Sennit with a policy; more goes into its name.
func ours(more string, o stack.Overload) variant {
	return variant{name: oursName + more, stack: stack.Sennit{NoLanes: true}, link: linkStack, overload: o}
}

// devp2p are the variants of rows that ask for devp2p.
func devp2p() []variant { return []variant{geth(), ours("", stack.Overload{}), lanes()} }

// all are the variants of rows that every stack can do.
func all() []variant { return slices.Insert(devp2p(), 1, libp2p()) }

// row is one kind of work.
type row struct {
	id, title string
	variants  []variant
	run       func(variant, options) (sample, error)
	most      int // samples at most, where more would show the same; 0 is no limit

	classic []line // its lines in the table of classic links
	lanes   []line // its lines in the table of lanes/1
}

// line is one line of a table: a metric of every column's variant.
type line struct {
	metric, label string
	own           string // the variant in the column of classic Sennit; "" is oursName
	goal          string
	met           func(judge) bool // nil: no goal
}

// judge is what a goal is judged by: medians of a row's variants, and what the rounds' own ratios have as their median.
type judge struct {
	result
	others map[string]result // the other rows that were measured, by id
	own    string            // the line's variant of classic Sennit
}

// value returns the median of a metric of a variant.
func (j judge) value(variant, metric string) float64 { return at(j.median(variant), metric) }

// ratio returns the median of what a variant makes of another in the same round.
func (j judge) ratio(variant, to, metric string) float64 { return at(j.ratios(variant, to), metric) }

// timesRef asks for at least x times go-ethereum on a classic link.
func timesRef(metric string, x float64) func(judge) bool {
	return func(j judge) bool { return j.ratio(j.own, gethName, metric) >= x }
}

// timesRefAtMost asks for at most x times go-ethereum on a classic link.
func timesRefAtMost(metric string, x float64) func(judge) bool {
	return func(j judge) bool { return j.ratio(j.own, gethName, metric) <= x }
}

// atLeast asks for at least x on a classic link.
func atLeast(metric string, x float64) func(judge) bool {
	return func(j judge) bool { return j.value(j.own, metric) >= x }
}

// atMost asks for at most x on a classic link.
func atMost(metric string, x float64) func(judge) bool {
	return func(j judge) bool { return j.value(j.own, metric) <= x }
}

// lanesAtMost asks for at most x on a link of lanes.
func lanesAtMost(metric string, x float64) func(judge) bool {
	return func(j judge) bool { return j.value(lanesName, metric) <= x }
}

// lanesAtLeast asks for at least x on a link of lanes.
func lanesAtLeast(metric string, x float64) func(judge) bool {
	return func(j judge) bool { return j.value(lanesName, metric) >= x }
}

// rows returns everything there is to measure, in the tables' order.
func rows() []row {
	return slices.Concat(throughputRows(), latencyRows(), overloadRows(), linkRows(), manyPeerRows(), memoryRows())
}
