package main

import (
	"fmt"
	"math"
	"slices"
	"strings"
)

// result is a row and its samples by variant.
type result struct {
	row
	samples map[string][]sample
}

// median returns the median of every metric of a variant.
func (r result) median(variant string) sample {
	out := sample{}
	for metric := range r.first(variant) {
		out[metric] = r.sorted(variant, metric)[(len(r.samples[variant])-1)/2]
	}
	return out
}

func (r result) first(variant string) sample {
	if s := r.samples[variant]; len(s) > 0 {
		return s[0]
	}
	return nil
}

func (r result) sorted(variant, metric string) []float64 {
	var v []float64
	for _, s := range r.samples[variant] {
		v = append(v, s[metric])
	}
	slices.SortFunc(v, func(a, b float64) int {
		switch { // a run without a single round trip is the slowest of all
		case math.IsNaN(a) && math.IsNaN(b):
			return 0
		case math.IsNaN(a):
			return 1
		case math.IsNaN(b):
			return -1
		case a < b:
			return -1
		case a > b:
			return 1
		}
		return 0
	})
	return v
}

// at returns a metric of a sample, NaN if it is not there.
func at(s sample, metric string) float64 {
	if x, ok := s[metric]; ok {
		return x
	}
	return math.NaN()
}

// ratios returns, for every metric, the median of what a variant makes of another of the same round: the two were measured
// one soon after the other, so that a machine that is slower for a while is slower for both.
func (r result) ratios(variant, to string) sample {
	ref, own := r.samples[to], r.samples[variant]
	pairs := result{samples: map[string][]sample{}}
	for i := range min(len(ref), len(own)) {
		s := sample{}
		for metric, y := range own[i] {
			s[metric] = y / at(ref[i], metric)
		}
		pairs.samples[variant] = append(pairs.samples[variant], s)
	}
	return pairs.median(variant)
}

// cell returns "median (least to most)".
func (r result) cell(variant, metric string) string {
	if _, ok := r.first(variant)[metric]; !ok {
		return "-"
	}
	v := r.sorted(variant, metric)
	mid := number(v[(len(v)-1)/2])
	if len(v) == 1 {
		return mid
	}
	return fmt.Sprintf("%s (%s to %s)", mid, number(v[0]), number(v[len(v)-1]))
}

// number prints three significant digits, without exponents.
func number(x float64) string {
	switch a := math.Abs(x); {
	case math.IsNaN(x):
		return "none"
	case a >= 1000:
		return thousands(int64(math.Round(x)))
	case a >= 100:
		return fmt.Sprintf("%.0f", x)
	case a >= 10:
		return fmt.Sprintf("%.1f", x)
	case a >= 1 || a == 0:
		return strings.TrimSuffix(fmt.Sprintf("%.2f", x), ".00")
	}
	return fmt.Sprintf("%.3f", x)
}

func thousands(n int64) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
