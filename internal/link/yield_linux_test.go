package link

import (
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

func TestAProcessorIsIdleUnlessAllAreTaken(t *testing.T) {
	p := newPoller()
	if p == nil {
		t.Fatal("no event counter")
	}
	defer p.file.Close()
	eventually := func(want bool, when string) {
		t.Helper()
		for end := time.Now().Add(10 * time.Second); p.processorIsIdle() != want; runtime.Gosched() {
			if time.Now().After(end) {
				t.Fatalf("%s: a processor is idle: %v, want %v", when, !want, want)
			}
		}
	}
	if runtime.GOMAXPROCS(0) > 1 {
		eventually(true, "nothing else runs")
	}
	var stop atomic.Bool
	var busy sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		busy.Go(func() {
			for !stop.Load() {
			}
		})
	}
	eventually(false, "there is something to run for each")
	stop.Store(true)
	busy.Wait()
}

func TestWhetherAProcessorIsIdleIsFoundOutWithoutAllocating(t *testing.T) {
	p := newPoller()
	if p == nil {
		t.Fatal("no event counter")
	}
	defer p.file.Close()
	if n := testing.AllocsPerRun(100, func() { p.processorIsIdle() }); n != 0 {
		t.Errorf("%v allocations, want none", n)
	}
}
