package link

import (
	"os"
	"runtime"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// yield lets others run: goroutines that are ready, and those that wait for a socket which has become ready meanwhile.
//
// The scheduler looks at the sockets when it has nothing else to run, or after 10 ms. With a reader and a writer that
// always have something to do that means 10 ms for every message of another link, and runtime.Gosched does not change it,
// as the goroutine that yields is itself something to run. So this one waits for a file that is ready: it goes on when
// the scheduler has looked at the sockets.
func yield() {
	p, _ := pollers.Get().(*poller)
	if p == nil {
		if p = newPoller(); p == nil {
			runtime.Gosched()
			return
		}
	}
	p.wait()
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
