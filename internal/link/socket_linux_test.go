package link

import (
	"io"
	"net"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestAReaderThatStopsAfterMuchTrafficLeavesNoMoreThanItsWindowInTheKernel(t *testing.T) {
	const least = classicWindow
	bound := 2*least + unsent(batchSize) + 128<<10 // what is under way and what the kernel rounds up
	if held := heldAfterTraffic(t, func(net.Conn) {}); held <= bound {
		t.Skipf("this kernel holds only %d bytes by itself: nothing to be seen here", held)
	}
	if held := heldAfterTraffic(t, func(c net.Conn) { tuneSocket(c, least) }); held > bound {
		t.Errorf("%d bytes wait in the kernel, want at most %d", held, bound)
	}
}

// heldAfterTraffic returns how many bytes a connection takes that is not read any more, after 128 MiB that were.
func heldAfterTraffic(t *testing.T, tune func(net.Conn)) int {
	t.Helper()
	a, b := tcpPair(t)
	tune(b)
	limitUnsent(a, unsent(batchSize))
	const traffic = 128 << 20
	piece := make([]byte, batchSize)
	sent := make(chan error)
	go func() {
		for range traffic / len(piece) {
			if _, err := a.Write(piece); err != nil {
				sent <- err
				return
			}
		}
		sent <- nil
	}()
	b.SetReadDeadline(time.Now().Add(30 * time.Second))
	if _, err := io.CopyN(io.Discard, b, traffic); err != nil {
		t.Fatal(err)
	}
	if err := <-sent; err != nil {
		t.Fatal(err)
	}
	held := 0
	for {
		a.SetWriteDeadline(time.Now().Add(200 * time.Millisecond))
		n, err := a.Write(piece)
		held += n
		if isTimeout(err) {
			return held
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

func TestAReceiveBufferLargerThanTheSystemAllowsIsLeftToTheKernel(t *testing.T) {
	_, b := tcpPair(t)
	withSocket(b, func(fd int) {
		for _, step := range []struct {
			window int
			locked bool
		}{{96 << 10, true}, {1 << 30, false}, {128 << 10, true}} {
			setReceiveBuffer(fd, step.window)
			lock, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_BUF_LOCK)
			if err != nil {
				t.Skip("SO_BUF_LOCK needs Linux 5.14:", err)
			}
			const receiveLock = 2 // SOCK_RCVBUF_LOCK
			if got := lock&receiveLock != 0; got != step.locked {
				t.Errorf("window of %d bytes: the buffer is fixed: %v, want %v", step.window, got, step.locked)
			}
		}
	})
}
