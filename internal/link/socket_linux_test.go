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

func TestAReceiveBufferLargerThanTheSystemAllowsIsLeftToTheKernelIfTheRemoteIsFarAway(t *testing.T) {
	_, b := tcpPair(t)
	withSocket(b, func(fd int) {
		const least = 96 << 10
		for _, step := range []struct {
			window, least int
			locked        bool
		}{{least, least, true}, {1 << 30, least, false}, {2 * least, least, true}, {1 << 30, 1 << 30, true}} {
			setReceiveBuffer(fd, step.window, step.least)
			lock, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_BUF_LOCK)
			if err != nil {
				t.Skip("SO_BUF_LOCK needs Linux 5.14:", err)
			}
			const receiveLock = 2 // SOCK_RCVBUF_LOCK
			if got := lock&receiveLock != 0; got != step.locked {
				t.Errorf("window of %d bytes, at least %d: the buffer is fixed: %v, want %v", step.window, step.least, got, step.locked)
			}
		}
	})
}

func TestALinkFixesTheReceiveBufferOfItsConnection(t *testing.T) {
	for _, kind := range framingKinds {
		t.Run(kind.name, func(t *testing.T) {
			ca, cb := tcpPair(t)
			a, b := linkPair(t, ca, cb, true, lanesNamed("aaa"), func(a, b *Config) { a.Framing, b.Framing = kind.pair(t) })
			must(t, a.Lanes()[0].Write(1, 3, &plainReader{[]byte("abc")}))
			m, err := b.Lanes()[0].Read() // so it runs
			must(t, err)
			m.Discard()
			withSocket(cb, func(fd int) {
				if _, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_BUF_LOCK); err != nil {
					t.Skip("SO_BUF_LOCK needs Linux 5.14:", err)
				}
				want := 2 * min(b.framing.Shape().Window, largestReceiveBuffer()) // the kernel doubles it
				if got, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF); err != nil || got != want {
					t.Errorf("a receive buffer of %d bytes, error %v, want %d", got, err, want)
				}
			})
		})
	}
}
