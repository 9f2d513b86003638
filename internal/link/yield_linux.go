package link

import (
	"os"
	"runtime"
	"runtime/metrics"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// yield lets others run: goroutines that are ready, and those that wait for a socket which has become ready meanwhile.
//
// The scheduler looks at the sockets when a processor has nothing else to run, or after 10 ms. With a reader and a writer
// that always have something to do that means 10 ms for every message of another link, and runtime.Gosched does not change
// it, as the goroutine that yields is itself something to run. So this one waits for a file that is ready: it goes on when
// the scheduler has looked at the sockets.
//
// An idle processor looks by itself. The one that yields would go on in another thread then, and the kernel may start that on
// a processor which is taken, and leave it there for milliseconds: a quarter of the throughput of small messages.
func yield() {
	if processorIsIdle() {
		return
	}
	p := <-pollers
	if p == nil {
		p = newPoller()
	}
	if p == nil {
		runtime.Gosched()
	} else {
		p.wait()
	}
	pollers <- p
}

// pollers are as many event counters as goroutines may wait for them at a time, nil as long as they have not been needed.
// More wait for one of these: they too go on when the scheduler has looked at the sockets.
var pollers = func() chan *poller {
	c := make(chan *poller, maxPollers)
	for range maxPollers {
		c <- nil
	}
	return c
}()

const maxPollers = 8

// processorIsIdle tells whether there is a processor that runs no goroutine. One whose goroutine is in a system call counts as
// idle: there is no telling it from a goroutine that waits in the system for good, as that of os/signal does, and the
// calls of links do not count (see newStream).
func processorIsIdle() bool {
	p, _ := processors.Get().(*[2]metrics.Sample)
	if p == nil {
		p = &[2]metrics.Sample{{Name: "/sched/gomaxprocs:threads"}, {Name: "/sched/goroutines/running:goroutines"}}
	}
	defer processors.Put(p)
	metrics.Read(p[:])
	if p[1].Value.Kind() != metrics.KindUint64 {
		return false // this runtime does not count them
	}
	return p[1].Value.Uint64() < p[0].Value.Uint64()
}

var processors sync.Pool

// poller is an event counter that one goroutine at a time waits for.
type poller struct {
	file *os.File
	raw  syscall.RawConn
	step func(fd uintptr) bool // as a value, so that waiting allocates nothing
	told bool
	word [8]byte
}

func newPoller() *poller {
	fd, err := unix.Eventfd(0, unix.EFD_NONBLOCK|unix.EFD_CLOEXEC)
	if err != nil {
		return nil
	}
	p := &poller{file: os.NewFile(uintptr(fd), "eventfd")}
	if p.raw, err = p.file.SyscallConn(); err != nil {
		p.file.Close()
		return nil
	}
	p.step = p.once
	return p
}

func (p *poller) wait() {
	p.told = false
	p.raw.Read(p.step)
}

// once makes the file ready and asks to wait for that; the second time it makes it unready again.
func (p *poller) once(fd uintptr) bool {
	if p.told {
		unix.Read(int(fd), p.word[:])
		return true
	}
	p.told = true
	p.word = [8]byte{0: 1}
	_, err := unix.Write(int(fd), p.word[:])
	return err != nil
}
