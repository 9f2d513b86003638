package link

import (
	"errors"
	"io"
	"net"
	"os"
	"syscall"
	"testing"

	"github.com/sennit-net/sennit/trace"
)

// givenUp is a connection that the kernel gives up: it says so once, and then reads end.
type givenUp struct {
	net.Conn
	told bool
}

func (c *givenUp) Read(p []byte) (int, error) {
	if c.told {
		return 0, io.EOF
	}
	c.told = true
	return 0, &net.OpError{Op: "read", Net: "tcp", Err: os.NewSyscallError("read", syscall.ETIMEDOUT)}
}

func TestAConnectionThatTheKernelGivesUpEndsWithThatCause(t *testing.T) {
	ca, cb := memPipe(1<<20, 0)
	defer ca.Close()
	framing, _ := framings(t, true)
	cause := New(Config{Conn: &givenUp{Conn: cb}, Framing: framing, Lanes: lanesNamed("aaa")}).Run()
	if cause.Side != trace.SideNetwork || !errors.Is(cause.Err, syscall.ETIMEDOUT) {
		t.Errorf("ended by %v: %v, want the network's time-out", cause.Side, cause.Err)
	}
}
