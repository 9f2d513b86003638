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
		for _, l := range r.classic {
			needMetric(t, r, gethName, l)
			needMetric(t, r, l.variant(), l)
		}
		for _, l := range r.lanes {
			needMetric(t, r, lanesName, l)
		}
	}
	if text := report(results, o, time.Minute); strings.Count(text, "\n| ") < 70 || strings.Count(text, "\n## ") != 2 {
		t.Errorf("the report:\n%s", text)
	}
}

func needMetric(t *testing.T, r result, variant string, l line) {
	t.Helper()
	if _, ok := r.median(variant)[l.metric]; !ok {
		t.Errorf("row %s, %s: no %s", r.id, variant, l.metric)
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
		gethName:  {{"x": 1, "y": 4}, {"x": 10, "y": 4}, {"x": 100, "y": 4}},
		oursName:  {{"x": 3, "y": 1}, {"x": 20, "y": 2}, {"x": 500, "y": 12}},
		lanesName: {{"x": 8, "z": 1}, {"x": 90, "z": 2}, {"x": 100, "z": 3}},
	}}
	j := judge{result: r, own: oursName}
	if x, y := j.ratio(oursName, gethName, "x"), j.ratio(oursName, gethName, "y"); x != 3 || y != 0.5 {
		t.Errorf("ratios are %v and %v", x, y)
	}
	for _, tt := range []struct {
		name string
		met  func(judge) bool
		want bool
	}{
		{"three times", timesRef("x", 3), true},
		{"a little more", timesRef("x", 3.1), false},
		{"half at most", timesRefAtMost("y", 0.5), true},
		{"less than half", timesRefAtMost("y", 0.4), false},
		{"the median at least", atLeast("x", 20), true},
		{"the median at most", atMost("x", 19), false},
		{"of lanes at least", lanesAtLeast("x", 90), true},
		{"of lanes at most", lanesAtMost("z", 1), false},
		{"what was not measured", atMost("z", 1e9), false},
		{"a ratio to what was not measured", func(j judge) bool { return j.ratio(lanesName, libp2pName, "x") <= 1e9 }, false},
	} {
		if got := tt.met(j); got != tt.want {
			t.Errorf("%s: %v", tt.name, got)
		}
	}
}

func TestATableShowsItsColumnsAndJudges(t *testing.T) {
	r := result{
		row: row{id: "r", title: "work", lanes: []line{{metric: "x", label: "speed", goal: "twice", met: func(j judge) bool {
			return j.ratio(lanesName, libp2pName, "x") >= 2
		}}}},
		samples: map[string][]sample{gethName: {{"x": 1}}, libp2pName: {{"x": 2}}, lanesName: {{"x": 4}}},
	}
	classic, lanes := tables()[0], tables()[1]
	if text := classic.text([]result{r}, nil); text != "" {
		t.Errorf("a table without lines is\n%s", text)
	}
	want := "| work | measured | go-ethereum | go-libp2p | sennit lanes | to go-ethereum | to go-libp2p | goal | met |\n" +
		"|---|---|---|---|---|---|---|---|---|\n| work | speed | 1 | 2 | 4 | 4 | 2 | twice | yes |\n"
	if text := lanes.text([]result{r}, nil); !strings.HasSuffix(text, want) {
		t.Errorf("the table is\n%s", text)
	}
}

func TestARowCanLimitItsSamples(t *testing.T) {
	for _, tt := range []struct{ most, rounds, want int }{{0, 5, 5}, {2, 5, 2}, {2, 1, 1}} {
		if got := (row{most: tt.most}).rounds(options{rounds: tt.rounds}); got != tt.want {
			t.Errorf("%+v: %d samples", tt, got)
		}
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
