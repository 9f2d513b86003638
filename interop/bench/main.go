// Bench measures go-ethereum's p2p, go-libp2p and ours side by side: the same work on the same machine in the same run, one after
// the other, several rounds. Only the ratios mean anything beyond the machine it ran on.
//
//	go run ./bench                       every row, table to standard output and to ../docs/benchmarks.md
//	go run ./bench -rows small,ping      some rows, table to standard output only
//	go run ./bench -list                 the rows there are
package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"runtime/pprof"
	"strings"
	"time"
)

// options are what the flags say.
type options struct {
	rounds int
	dur    time.Duration // measured time of one sample, after warming up
	warm   time.Duration
}

func main() {
	var (
		o       options
		rowList = flag.String("rows", "", "rows to measure, separated by commas (default all)")
		only    = flag.String("variants", "", "measure only variants whose name contains this")
		list    = flag.Bool("list", false, "list the rows and stop")
		out     = flag.String("out", "", `file for the table; "none" writes none (default ../docs/benchmarks.md if all rows are measured)`)
		profile = flag.String("cpuprofile", "", "write a CPU profile of the whole run to this file")
		heap    = flag.String("memprofile", "", "write an allocation profile of the whole run to this file")
		child   = flag.String("child", "", "internal: be the remote end of many idle links")
	)
	flag.IntVar(&o.rounds, "rounds", 5, "samples of each variant")
	flag.DurationVar(&o.dur, "time", 600*time.Millisecond, "measured time of one sample")
	flag.Parse()
	o.warm = o.dur / 3

	err := func() error {
		switch {
		case *child != "":
			return runChild(*child, os.Stdin, os.Stdout)
		case *list:
			for _, r := range rows() {
				fmt.Printf("%-12s %s\n", r.id, r.title)
			}
			return nil
		}
		if *heap != "" {
			runtime.MemProfileRate = 1
			defer writeHeapProfile(*heap)
		}
		stop, err := startProfile(*profile)
		if err != nil {
			return err
		}
		defer stop()
		return run(o, *rowList, *only, *out)
	}()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// run measures the chosen rows and writes the table.
func run(o options, rowList, only, out string) error {
	chosen, err := choose(rows(), rowList)
	if err != nil {
		return err
	}
	complete := rowList == "" && only == ""
	if out == "" {
		out = "none"
		if complete {
			out = "../docs/benchmarks.md"
		}
	}
	start := time.Now()
	results, err := measure(chosen, o, only)
	if err != nil {
		return err
	}
	text := report(results, o, time.Since(start))
	fmt.Print("\n", text)
	if out == "none" {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(out), 0o755); err != nil {
		return err
	}
	return os.WriteFile(out, []byte(text), 0o644)
}

// choose returns the rows that list names, in the table's order.
func choose(all []row, list string) ([]row, error) {
	if list == "" {
		return all, nil
	}
	want := map[string]bool{}
	for id := range strings.SplitSeq(list, ",") {
		want[strings.TrimSpace(id)] = true
	}
	var out []row
	for _, r := range all {
		if want[r.id] {
			out = append(out, r)
			delete(want, r.id)
		}
	}
	for id := range want {
		return nil, fmt.Errorf("no row is called %q (see -list)", id)
	}
	return out, nil
}

// measure runs every variant of every row in turn, round after round.
func measure(rows []row, o options, only string) ([]result, error) {
	var results []result
	for _, r := range rows {
		res := result{row: r, samples: map[string][]sample{}}
		for round := range r.rounds(o) {
			for _, v := range r.variants {
				if !strings.Contains(v.name, only) {
					continue
				}
				runtime.GC()
				s, err := r.run(v, o)
				if err != nil {
					return nil, fmt.Errorf("row %s, %s, round %d: %w", r.id, v.name, round+1, err)
				}
				res.samples[v.name] = append(res.samples[v.name], s)
				fmt.Fprintf(os.Stderr, "%-10s %-22s %s\n", r.id, v.name, s)
			}
		}
		results = append(results, res)
	}
	return results, nil
}

// rounds returns how often a row is measured.
func (r row) rounds(o options) int {
	if r.most > 0 {
		return min(o.rounds, r.most)
	}
	return o.rounds
}

func startProfile(path string) (stop func(), err error) {
	if path == "" {
		return func() {}, nil
	}
	f, err := os.Create(path)
	if err != nil {
		return nil, err
	}
	if err := pprof.StartCPUProfile(f); err != nil {
		return nil, err
	}
	return func() { pprof.StopCPUProfile(); f.Close() }, nil
}

func writeHeapProfile(path string) {
	f, err := os.Create(path)
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		return
	}
	defer f.Close()
	_ = pprof.Lookup("allocs").WriteTo(f, 0)
}
