package main

import (
	"flag"
	"math"
	"os"
	"strings"
	"testing"
	"time"
)

// TestMain lets the test's binary be the child process that some rows start.
func TestMain(m *testing.M) {
	child := flag.String("child", "", "be the remote end of many links")
	flag.Parse()
	if *child == "" {
		os.Exit(m.Run())
	}
	if err := runChild(*child, os.Stdin, os.Stdout); err != nil {
		panic(err)
	}
}

// TestEveryRowMeasuresWhatItsLinesShow runs the whole table for a moment. Figures are not looked at, but that they are there.
func TestEveryRowMeasuresWhatItsLinesShow(t *testing.T) {
	o := options{rounds: 1, dur: 50 * time.Millisecond, warm: 20 * time.Millisecond}
	results, err := measure(rows(), o, "")
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range results {
		for _, l := range r.lines {
			ours := l.ours
			if ours == "" {
				ours = oursName
			}
			for _, variant := range []string{refName, ours} {
				if _, ok := r.median(variant)[l.metric]; !ok {
					t.Errorf("row %s, %s: no %s", r.id, variant, l.metric)
				}
			}
		}
	}
	if text := report(results, o, time.Minute); strings.Count(text, "\n| ") < 30 {
		t.Errorf("the report:\n%s", text)
	}
}

func TestMedianAndSpread(t *testing.T) {
	r := result{samples: map[string][]sample{"a": {{"x": 3}, {"x": math.NaN()}, {"x": 1200}, {"x": 0.5}, {"x": 20}}}}
	if got, want := r.cell("a", "x"), "20.0 (0.500 to none)"; got != want {
		t.Errorf("cell is %q, not %q", got, want)
	}
	if got := r.median("a")["x"]; got != 20 {
		t.Errorf("median is %v", got)
	}
	if got := r.cell("b", "x"); got != "-" {
		t.Errorf("cell of nothing is %q", got)
	}
}

func TestRatiosAreThoseOfEachRound(t *testing.T) {
	r := result{samples: map[string][]sample{
		refName: {{"x": 1, "y": 4}, {"x": 10, "y": 4}, {"x": 100, "y": 4}}, oursName: {{"x": 3, "y": 1}, {"x": 20, "y": 2}, {"x": 500, "y": 12}}}}
	got := r.ratios(oursName)
	if got["x"] != 3 || got["y"] != 0.5 {
		t.Errorf("ratios are %v", got)
	}
	if !timesRef("x", 3)(nil, got) || timesRef("x", 3.1)(nil, got) || timesRefAtMost("y", 0.4)(nil, got) || !timesRefAtMost("y", 0.5)(nil, got) {
		t.Error("goals are not judged by the ratios")
	}
}

func TestNumbers(t *testing.T) {
	for x, want := range map[float64]string{0: "0", 0.07: "0.070", 2: "2", 2.5: "2.50", 99.94: "99.9", 123.4: "123", 1234567: "1,234,567", -4321: "-4,321", math.NaN(): "none"} {
		if got := number(x); got != want {
			t.Errorf("number(%v) is %q, not %q", x, got, want)
		}
	}
}

func TestUnknownRowsAreRefused(t *testing.T) {
	if _, err := choose(rows(), "small,nothing"); err == nil {
		t.Error("a row that does not exist is accepted")
	}
	if got, err := choose(rows(), "ping, small"); err != nil || len(got) != 2 || got[0].id != "small" {
		t.Errorf("chosen are %v, error %v", got, err)
	}
}
