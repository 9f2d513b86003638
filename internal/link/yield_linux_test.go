package link

import (
	"os"
	"os/signal"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/sennit-net/sennit/internal/race"
)

func TestAProcessorIsIdleUnlessAllAreTaken(t *testing.T) {
	// Its goroutine waits in the system for as long as the process lives, as in every program that stops in an orderly way.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGUSR2)
	defer signal.Reset(syscall.SIGUSR2)
	eventually := func(want bool, when string) {
		t.Helper()
		for end := time.Now().Add(10 * time.Second); processorIsIdle() != want; runtime.Gosched() {
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
	if race.Enabled {
		t.Skip("under the race detector a pool loses what it is given")
	}
	if n := testing.AllocsPerRun(100, func() { processorIsIdle() }); n != 0 {
		t.Errorf("%v allocations, want none", n)
	}
}

func TestManyThatYieldAtOnceTakeFewFileDescriptors(t *testing.T) {
	open := func() int {
		t.Helper()
		fds, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Skip("cannot count file descriptors: ", err)
		}
		return len(fds)
	}
	before := open()
	var stop atomic.Bool
	var busy sync.WaitGroup
	for range 200 {
		busy.Go(func() {
			for !stop.Load() {
				yield()
			}
		})
	}
	most := 0
	for range 20 {
		yield()
		most = max(most, open())
	}
	stop.Store(true)
	busy.Wait()
	if most > before+maxPollers+1 { // one is the directory that is being read
		t.Errorf("%d file descriptors more than before, want at most %d", most-before, maxPollers)
	}
}
