package shape

import (
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// chunk is some bytes and when they arrive.
type chunk struct {
	data []byte
	due  time.Time
}

// pacer works out when bytes have been sent at a rate. The zero rate sends them at once.
type pacer struct {
	rate  int
	queue time.Duration // what may wait to be sent, as the time that takes
	free  time.Time     // when everything so far has been sent
	late  time.Duration // how far free may lie back: lateness, if the last read left more to read
}

// lateness is how long the proxy may wait for a processor while there is something to send, before that costs the link
// some of its rate.
const lateness = 20 * time.Millisecond

func newPacer(d Direction) pacer {
	p := pacer{rate: d.Rate}
	if d.Rate > 0 {
		queue := d.Queue
		if queue == 0 {
			queue = max(smallestWait, d.Rate/250)
		}
		p.queue = p.takes(queue)
	}
	return p
}

// takes returns how long n bytes take to send.
func (p *pacer) takes(n int) time.Duration {
	if p.rate == 0 {
		return 0
	}
	return time.Duration(float64(n) / float64(p.rate) * float64(time.Second))
}

// send returns when n bytes that are read now have been sent; more says that there is more to read already.
func (p *pacer) send(now time.Time, n int, more bool) time.Time {
	if earliest := now.Add(-p.late); p.free.Before(earliest) {
		p.free = earliest
	}
	p.late = 0
	if more {
		p.late = lateness
	}
	p.free = p.free.Add(p.takes(n))
	return p.free
}

// wait returns how long it is until more may come.
func (p *pacer) wait(now time.Time) time.Duration {
	if p.free.Before(now) {
		return 0
	}
	return p.free.Sub(now) - p.queue
}

// chunkSize is how much is read at once.
func (d Direction) chunkSize() int {
	if d.Rate == 0 {
		return largestChunk
	}
	return min(max(d.Rate/1000, smallestRead), largestChunk)
}

// chunks is how many chunks may be on their way: what fits into the delay, so that the queue of bytes that wait to be sent
// is the only limit as long as the receiver reads.
func (d Direction) chunks() int {
	perSecond := 1000 // without a rate, a chunk per millisecond of delay
	if d.Rate > 0 {
		perSecond = d.Rate/d.chunkSize() + 1
	}
	return inFlight + int(d.Delay.Seconds()*float64(perSecond)*2)
}

// nap sleeps; false: stop was closed meanwhile.
func nap(d time.Duration, stop <-chan struct{}) bool {
	if d <= 0 {
		return true
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-stop:
		return false
	}
}

// pass passes bytes from src to dst. The end of src is passed on as well, in its turn, while the other direction goes on; if
// either fails, both are closed. At most d.chunks() chunks of d.chunkSize() bytes are on their way; when they are, src is
// not read. Whoever closes stop closes src and dst too.
func pass(dst, src net.Conn, d Direction, count *atomic.Int64, stop <-chan struct{}) {
	n := d.chunks()
	free, way := make(chan []byte, n), make(chan chunk, n)
	for range n {
		free <- nil // memory comes with use
	}
	var arriving sync.WaitGroup
	arriving.Go(func() { arrive(dst, src, way, free, stop) })
	pace, size := newPacer(d), d.chunkSize()
	var end error
	for buf := range free {
		if buf == nil {
			buf = make([]byte, size)
		}
		if !nap(pace.wait(time.Now()), stop) {
			break
		}
		got, err := src.Read(buf[:size])
		if got > 0 {
			count.Add(int64(got))
			way <- chunk{buf[:got], pace.send(time.Now(), got, got == size).Add(d.Delay)}
		}
		if err != nil {
			end = err
			break
		}
	}
	close(way)
	arriving.Wait()
	if half, ok := dst.(*net.TCPConn); ok && end == io.EOF && half.CloseWrite() == nil {
		return
	}
	dst.Close()
	src.Close()
}

// arrive writes chunks to dst when they are due and gives their memory back; on an error it closes src, so that the reader
// ends, and lets the rest go.
func arrive(dst, src net.Conn, way <-chan chunk, free chan<- []byte, stop <-chan struct{}) {
	var failed bool
	for c := range way {
		if !failed {
			failed = !nap(time.Until(c.due), stop)
		}
		if !failed {
			if _, err := dst.Write(c.data); err != nil {
				failed = true
				src.Close()
			}
		}
		free <- c.data[:cap(c.data)]
	}
}
