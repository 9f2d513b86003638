package store

import "sync"

// changes tells those who wait that a bin has a new chunk.
type changes struct {
	// Guarded by mu.
	mu     sync.Mutex
	wait   map[int]chan struct{} // one for each bin somebody asked about, closed and removed by the next chunk
	closed bool
}

func newChanges() *changes { return &changes{wait: make(map[int]chan struct{})} }

// of returns a channel that is closed by the next notify of bin, or already if the store is closed.
func (c *changes) of(bin int) <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	ch := c.wait[bin]
	if ch == nil {
		ch = make(chan struct{})
		if c.closed {
			close(ch)
			return ch
		}
		c.wait[bin] = ch
	}
	return ch
}

// notify wakes everybody who waits for bin.
func (c *changes) notify(bin int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if ch := c.wait[bin]; ch != nil {
		close(ch)
		delete(c.wait, bin)
	}
}

// close wakes everybody, now and from now on.
func (c *changes) close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
	for bin, ch := range c.wait {
		close(ch)
		delete(c.wait, bin)
	}
}
