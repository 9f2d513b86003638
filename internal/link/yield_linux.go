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
	p, _ := pollers.Get().(*poller)
	if p == nil {
		if p = newPoller(); p == nil {
			runtime.Gosched()
			return
		}
	}
	if !p.processorIsIdle() {
		p.wait()
	}
	pollers.Put(p)
}

var pollers sync.Pool

// poller is an event counter that one goroutine at a time waits for. The garbage collector closes it.
type poller struct {
	file *os.File
	raw  syscall.RawConn
	step func(fd uintptr) bool // as a value, so that waiting allocates nothing
	told bool
	word [8]byte

	processors [3]metrics.Sample
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
	for i, name := range []string{"/sched/gomaxprocs:threads", "/sched/goroutines/running:goroutines", "/sched/goroutines/not-in-go:goroutines"} {
		p.processors[i].Name = name
	}
	return p
}

// processorIsIdle tells whether there surely is a processor that runs no goroutine and no system call of one.
func (p *poller) processorIsIdle() bool {
	metrics.Read(p.processors[:])
	for i := range p.processors {
		if p.processors[i].Value.Kind() != metrics.KindUint64 {
			return false // this runtime does not count them
		}
	}
	all, running, inSystem := &p.processors[0].Value, &p.processors[1].Value, &p.processors[2].Value
	return running.Uint64()+inSystem.Uint64() < all.Uint64()
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
