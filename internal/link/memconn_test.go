package link

import (
	"io"
	"net"
	"os"
	"sync"
	"time"
)

// memPipe returns the two ends of a connection in memory that behaves like TCP: each direction holds limit bytes,
// delivers them after delay, may be closed for itself and has deadlines. All its waiting is durable for synctest.
func memPipe(limit int, delay time.Duration) (a, b *memConn) {
	ab, ba := newMemHalf(limit, delay), newMemHalf(limit, delay)
	return &memConn{out: ab, in: ba}, &memConn{out: ba, in: ab}
}

type memConn struct{ in, out *memHalf }

func (c *memConn) Read(p []byte) (int, error)         { return c.in.read(p) }
func (c *memConn) Write(p []byte) (int, error)        { return c.out.write(p) }
func (c *memConn) CloseWrite() error                  { c.out.end(io.EOF, false); return nil }
func (c *memConn) SetReadDeadline(t time.Time) error  { c.in.deadline(&c.in.readBy, t); return nil }
func (c *memConn) SetWriteDeadline(t time.Time) error { c.out.deadline(&c.out.writeBy, t); return nil }
func (c *memConn) LocalAddr() net.Addr                { return &net.TCPAddr{} }
func (c *memConn) RemoteAddr() net.Addr               { return &net.TCPAddr{} }

func (c *memConn) SetDeadline(t time.Time) error {
	c.SetReadDeadline(t)
	return c.SetWriteDeadline(t)
}

func (c *memConn) Close() error {
	c.out.end(io.EOF, false)
	c.in.end(net.ErrClosed, true)
	c.in.deadline(&c.in.readBy, time.Time{})
	c.out.deadline(&c.out.writeBy, time.Time{})
	return nil
}

// memHalf is one direction.
type memHalf struct {
	limit int
	delay time.Duration

	mu              sync.Mutex
	changed         sync.Cond
	chunks          []memChunk
	held            int
	readErr         error // once the chunks are read
	writeErr        error
	readBy, writeBy memDeadline
}

type memChunk struct {
	at   time.Time
	data []byte
}

type memDeadline struct {
	at    time.Time
	timer *time.Timer
}

func (d *memDeadline) passed() bool { return !d.at.IsZero() && !time.Now().Before(d.at) }

func newMemHalf(limit int, delay time.Duration) *memHalf {
	h := &memHalf{limit: limit, delay: delay}
	h.changed.L = &h.mu
	return h
}

func (h *memHalf) wakeUp() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.changed.Broadcast()
}

func (h *memHalf) deadline(d *memDeadline, t time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if d.timer != nil {
		d.timer.Stop()
		d.timer = nil
	}
	if d.at = t; !t.IsZero() && time.Until(t) > 0 {
		d.timer = time.AfterFunc(time.Until(t), h.wakeUp)
	}
	h.changed.Broadcast()
}

// end closes the direction: cut by the one who reads, so that writes fail and nothing more is read, else by the one who
// writes.
func (h *memHalf) end(err error, cut bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.readErr == nil || cut {
		h.readErr = err
	}
	if cut {
		h.chunks, h.held = nil, 0
	}
	h.writeErr = io.ErrClosedPipe
	h.changed.Broadcast()
}

func (h *memHalf) read(p []byte) (int, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for {
		if h.readBy.passed() {
			return 0, os.ErrDeadlineExceeded
		}
		if len(h.chunks) > 0 {
			c := &h.chunks[0]
			if wait := time.Until(c.at); wait > 0 {
				t := time.AfterFunc(wait, h.wakeUp)
				h.changed.Wait()
				t.Stop()
				continue
			}
			n := copy(p, c.data)
			if c.data = c.data[n:]; len(c.data) == 0 {
				h.chunks = h.chunks[1:]
			}
			h.held -= n
			h.changed.Broadcast()
			return n, nil
		}
		if h.readErr != nil {
			return 0, h.readErr
		}
		h.changed.Wait()
	}
}

func (h *memHalf) write(p []byte) (n int, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for n < len(p) {
		switch {
		case h.writeErr != nil:
			return n, h.writeErr
		case h.writeBy.passed():
			return n, os.ErrDeadlineExceeded
		case h.held == h.limit:
			h.changed.Wait()
			continue
		}
		m := min(len(p)-n, h.limit-h.held)
		h.chunks = append(h.chunks, memChunk{time.Now().Add(h.delay), append([]byte(nil), p[n:n+m]...)})
		h.held += m
		n += m
		h.changed.Broadcast()
	}
	return n, nil
}
