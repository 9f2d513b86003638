package shape

import (
	"bytes"
	"io"
	"math/rand/v2"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func random(n int) []byte {
	b := make([]byte, n)
	src := rand.NewChaCha8([32]byte{7})
	_, _ = src.Read(b)
	return b
}

// echoServer echoes connections until the test ends and returns its address.
func echoServer(t *testing.T) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var running sync.WaitGroup
	running.Go(func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			running.Go(func() {
				_, _ = io.Copy(c, c)
				c.Close()
			})
		}
	})
	t.Cleanup(func() {
		ln.Close()
		running.Wait()
	})
	return ln.Addr().String()
}

// dial starts a proxy before an echo server and connects to it.
func dial(t *testing.T, up, down Direction) (*Proxy, *net.TCPConn) {
	t.Helper()
	p, err := Listen(echoServer(t), up, down)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	c, err := net.Dial("tcp", p.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return p, c.(*net.TCPConn)
}

func TestWhatPassesIsUnchangedAndCounted(t *testing.T) {
	for _, tt := range []struct {
		name     string
		up, down Direction
		size     int
	}{
		{"not shaped", Direction{}, Direction{}, 8 << 20},
		{"shaped", Direction{Rate: 20 << 20, Delay: time.Millisecond}, Direction{Rate: 10 << 20, Delay: 2 * time.Millisecond, Queue: 10_000}, 1 << 20},
		{"only delayed", Direction{Delay: 5 * time.Millisecond}, Direction{Delay: 5 * time.Millisecond}, 1 << 20},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p, c := dial(t, tt.up, tt.down)
			sent := random(tt.size)
			var writing sync.WaitGroup
			defer writing.Wait()
			writing.Go(func() {
				if _, err := c.Write(sent); err == nil {
					_ = c.CloseWrite()
				}
			})
			got, err := io.ReadAll(c)
			if err != nil || !bytes.Equal(got, sent) {
				t.Fatalf("%d bytes came back of %d, error %v", len(got), len(sent), err)
			}
			if up, down := p.Counts(); up != int64(tt.size) || down != int64(tt.size) {
				t.Errorf("counted %d up and %d down, not %d", up, down, tt.size)
			}
		})
	}
}

// TestASlowLinkTakesItsTime uses real sockets and judges by what no machine can do: be faster than the link.
func TestASlowLinkTakesItsTime(t *testing.T) {
	const size, delay = 100_000, 20 * time.Millisecond
	_, c := dial(t, Direction{Rate: 1_000_000, Delay: delay}, Direction{Delay: delay})
	start := time.Now()
	var writing sync.WaitGroup
	defer writing.Wait()
	writing.Go(func() { _, _ = c.Write(random(size)) })
	if _, err := io.ReadFull(c, make([]byte, size)); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(start); took < 100*time.Millisecond+2*delay {
		t.Errorf("100 kB at 1 MB/s and 40 ms of delay took %v", took)
	}
}

// piped passes bytes between two pipes whose far ends it returns; end ends that.
func piped(d Direction, count *atomic.Int64) (in, out net.Conn, end func()) {
	in, src := net.Pipe()
	dst, out := net.Pipe()
	stop := make(chan struct{})
	go pass(dst, src, d, count, stop)
	return in, out, func() {
		close(stop)
		in.Close()
		out.Close()
	}
}

func TestBytesArriveWhenRateAndDelaySay(t *testing.T) {
	for _, tt := range []struct {
		d    Direction
		n    int
		want time.Duration
	}{
		{Direction{}, 1000, 0},
		{Direction{Delay: 25 * time.Millisecond}, 1000, 25 * time.Millisecond},
		{Direction{Rate: 1_000_000}, 1000, time.Millisecond},
		{Direction{Rate: 1_250_000, Delay: 25 * time.Millisecond}, 125_000, 125 * time.Millisecond},
		{Direction{Rate: 1_250_000, Delay: 25 * time.Millisecond, Queue: 1}, 125_000, 125 * time.Millisecond},
	} {
		synctest.Test(t, func(t *testing.T) {
			var count atomic.Int64
			in, out, end := piped(tt.d, &count)
			defer end()
			start := time.Now()
			go func() {
				_, _ = in.Write(make([]byte, tt.n))
				in.Close()
			}()
			if n, err := io.Copy(io.Discard, out); n != int64(tt.n) || err != nil {
				t.Fatalf("%d bytes arrived of %d, error %v", n, tt.n, err)
			}
			took := time.Since(start)
			if slack := 2 * time.Millisecond; took < tt.want || took > tt.want+slack {
				t.Errorf("%d bytes over %+v took %v, not %v", tt.n, tt.d, took, tt.want)
			}
		})
	}
}

func TestAReceiverThatDoesNotReadStopsTheProxyFromReading(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := Direction{Rate: 1_000_000, Delay: 10 * time.Millisecond}
		var count atomic.Int64
		in, _, end := piped(d, &count)
		defer end()
		go func() {
			buf := make([]byte, 1000)
			for {
				if _, err := in.Write(buf); err != nil {
					return
				}
			}
		}()
		time.Sleep(time.Hour)
		synctest.Wait()
		most := int64(d.chunks() * d.chunkSize())
		if n := count.Load(); n == 0 || n > most {
			t.Errorf("%d bytes were read in an hour, at most %d may be on their way", n, most)
		}
	})
}

func TestTheQueueIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := Direction{Rate: 1_000_000, Delay: time.Second, Queue: 8000}
		var count atomic.Int64
		in, _, end := piped(d, &count)
		defer end()
		go func() {
			buf := make([]byte, 1000)
			for {
				if _, err := in.Write(buf); err != nil {
					return
				}
			}
		}()
		time.Sleep(100 * time.Millisecond) // nothing has arrived yet
		synctest.Wait()
		if n := count.Load(); n < 100_000 || n > 100_000+int64(d.Queue)+int64(d.chunkSize()) {
			t.Errorf("%d bytes were read in 100 ms at 1 MB/s with a queue of %d", n, d.Queue)
		}
	})
}

func TestCloseDoesNotWaitForBytesOnTheirWay(t *testing.T) {
	p, c := dial(t, Direction{Delay: time.Minute}, Direction{})
	if _, err := c.Write([]byte("x")); err != nil {
		t.Fatal(err)
	}
	c.Close()
	p.Close() // the minute is for the byte, not for Close
	p.Close()
	if err := p.Err(); err != nil {
		t.Errorf("the error is %v", err)
	}
}

func TestATargetThatRefusesEndsTheConnection(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	target := ln.Addr().String()
	ln.Close()
	p, err := Listen(target, Direction{}, Direction{})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	c, err := net.Dial("tcp", p.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if n, err := c.Read(make([]byte, 1)); err == nil {
		t.Errorf("%d bytes came from nowhere", n)
	}
	if err := p.Err(); err == nil || !strings.Contains(err.Error(), target) {
		t.Errorf("the error is %v", err)
	}
}

func TestALinkThatIsBusyMakesUpForTimeItWasNotRead(t *testing.T) {
	start := time.Now()
	for _, tt := range []struct {
		name string
		gap  time.Duration // after a first chunk of a millisecond
		more bool          // there was more to read
		want time.Duration // when a second one has been sent
	}{
		{"read in time", time.Millisecond, true, 2 * time.Millisecond},
		{"read late", 11 * time.Millisecond, true, 2 * time.Millisecond},
		{"read far too late", time.Second, true, time.Second + time.Millisecond - lateness},
		{"nothing to read", 11 * time.Millisecond, false, 12 * time.Millisecond},
	} {
		p := newPacer(Direction{Rate: 1_000_000})
		p.send(start, 1000, tt.more)
		if got := p.send(start.Add(tt.gap), 1000, false).Sub(start); got != tt.want {
			t.Errorf("%s: sent after %v, not %v", tt.name, got, tt.want)
		}
	}
}

func TestDirectionsThatMakeNoSenseAreRefused(t *testing.T) {
	for _, d := range []Direction{{Rate: -1}, {Delay: -1}, {Queue: -1}} {
		if _, err := Listen("127.0.0.1:1", Direction{}, d); err == nil || !strings.Contains(err.Error(), "down") {
			t.Errorf("%+v: error %v", d, err)
		}
	}
}
