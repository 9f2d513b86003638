package p2p

import (
	"container/list"
	"context"
	"errors"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/ethereum/go-ethereum/p2p/netutil"
)

// The gate bounds inbound connections that are not peers yet.
//
// Connecting costs an attacker nothing, so somebody who connects and says nothing must not keep others out. A connection
// therefore goes through two bounds. It enters the waiting room, where it costs a socket, a small stack and a handshake
// packet of 2 KiB, and where it may stay silent. Once its handshake packet is complete it needs one of the slots
// (Config.MaxPendingPeers) to have it answered. Whoever arrives when the room is full takes the place of the connection
// that deserves it least: a silent one, first of the same address if that has more than its share, the oldest first. If
// there is none, accepting pauses: all in the room make progress then, or give up within handshakeTimeout. Whoever needs
// a slot when all are taken waits for one, and takes it from somebody whose Hello doesn't come.
//
// A dialer sends its handshake along with the last packet of the TCP handshake, so a silent connection is either idle on
// purpose or delayed by a lost packet; it keeps its place for minSilentAge at least, for which accepting pauses if it
// must.
const (
	maxWaitingRoom = 2048                   // connections; about 8 KiB each at most, sockets aside
	maxRoomPerAddr = maxWaitingRoom / 2     // of one IPv4 address or IPv6 /64
	minSilentAge   = 100 * time.Millisecond // before a silent connection makes room
	minHelloAge    = time.Second            // before a Hello that doesn't come makes room
	slotRetry      = 50 * time.Millisecond  // between two looks for one that doesn't
)

var (
	errEvicted = errors.New("made room for another connection before it was a peer")
	errNoSlot  = errors.New("no handshake slot became free")
)

// gateStage is how far a connection in the gate has got; the earlier, the sooner it makes room.
type gateStage uint8

const (
	stageLeaving gateStage = iota // told to go; we wait for it to read that
	stageSilent                   // its handshake packet is not complete
	stageNew                      // accepted just now: its goroutine has not looked what has come yet
	stageReady                    // waits for a slot
	stageCrypto                   // has a slot, and waits for a worker or is being worked on
	stageHello                    // the handshake is done, its Hello has not come
	stageChecks                   // its Hello has come
)

type gate struct {
	slots chan struct{} // one element per connection that holds a slot; never closed

	mu    sync.Mutex
	room  *list.List // Guarded by mu. *halfOpen, in the order of arrival.
	addrs map[netip.Addr]int
}

// halfOpen is a connection in the gate.
type halfOpen struct {
	// Static after construction.
	gate *gate
	fd   net.Conn
	addr netip.Addr // that counts against maxRoomPerAddr
	elem *list.Element
	gone chan struct{} // closed on eviction

	// Guarded by gate.mu.
	stage   gateStage
	since   time.Time // of the stage
	evicted bool

	slot bool // owned by the goroutine that sets the connection up
}

func newGate(slots int) *gate {
	return &gate{
		slots: make(chan struct{}, slots),
		room:  list.New(),
		addrs: make(map[netip.Addr]int),
	}
}

// roomKey returns what an address is counted by: a host with IPv6 usually has a whole /64.
func roomKey(addr net.Addr) netip.Addr {
	ip := netutil.AddrAddr(addr).Unmap()
	if ip.Is6() {
		if p, err := ip.WithZone("").Prefix(64); err == nil {
			return p.Addr()
		}
	}
	return ip
}

// enter takes a connection into the waiting room, closing another one if there is none. It waits minSilentAge at most,
// and returns an error only if ctx ends.
func (g *gate) enter(ctx context.Context, fd net.Conn) (*halfOpen, error) {
	h := &halfOpen{gate: g, fd: fd, addr: roomKey(fd.RemoteAddr()), gone: make(chan struct{}), stage: stageNew}
	for {
		victim, wait := g.tryEnter(h)
		if victim != nil {
			victim.fd.Close()
		}
		if wait <= 0 {
			return h, nil
		}
		if err := sleep(ctx, wait); err != nil {
			return nil, err
		}
	}
}

// tryEnter puts h into the room. It returns the connection that has to be closed for it, or how long to wait and try
// again.
func (g *gate) tryEnter(h *halfOpen) (victim *halfOpen, wait time.Duration) {
	g.mu.Lock()
	defer g.mu.Unlock()
	now := time.Now()
	var full bool
	switch {
	case g.addrs[h.addr] >= maxRoomPerAddr:
		victim, full = g.worstLocked(func(o *halfOpen) bool { return o.addr == h.addr }), true
	case g.room.Len() >= maxWaitingRoom:
		victim, full = g.worstLocked(func(*halfOpen) bool { return true }), true
	}
	if full && victim == nil {
		return nil, minSilentAge // all are new or in the middle of the handshake
	}
	if victim != nil {
		if age := now.Sub(victim.since); age < minSilentAge {
			return nil, minSilentAge - age
		}
		g.evictLocked(victim)
	}
	h.since = now
	h.elem = g.room.PushBack(h)
	g.addrs[h.addr]++
	return victim, 0
}

// worstLocked returns the connection that deserves its place least, or nil if all are new or make progress.
func (g *gate) worstLocked(among func(*halfOpen) bool) *halfOpen {
	var worst *halfOpen
	for e := g.room.Front(); e != nil; e = e.Next() {
		h := e.Value.(*halfOpen)
		if h.stage > stageSilent || !among(h) || (worst != nil && h.stage >= worst.stage) {
			continue
		}
		worst = h
		if h.stage <= stageSilent {
			break // the list is in the order of arrival, so this is the oldest
		}
	}
	return worst
}

// evictLocked takes h out of the room. The caller closes its socket after unlocking.
func (g *gate) evictLocked(h *halfOpen) {
	h.evicted = true
	close(h.gone)
	g.removeLocked(h)
}

func (g *gate) removeLocked(h *halfOpen) {
	if h.elem == nil {
		return
	}
	g.room.Remove(h.elem)
	h.elem = nil
	if g.addrs[h.addr]--; g.addrs[h.addr] == 0 {
		delete(g.addrs, h.addr)
	}
}

// shed closes half of the silent connections, the oldest ones, when the process is out of sockets.
func (g *gate) shed() {
	var victims []*halfOpen
	g.mu.Lock()
	for n := (g.room.Len() + 1) / 2; n > 0; n-- {
		h := g.worstLocked(func(o *halfOpen) bool { return o.stage <= stageSilent })
		if h == nil {
			break
		}
		g.evictLocked(h)
		victims = append(victims, h)
	}
	g.mu.Unlock()
	for _, h := range victims {
		h.fd.Close()
	}
}

// enterStage notes that h has got further.
func (h *halfOpen) enterStage(s gateStage) {
	if h == nil {
		return
	}
	h.gate.mu.Lock()
	h.stage, h.since = s, time.Now()
	h.gate.mu.Unlock()
}

// commit notes that nothing more is waited for: from now on h is not evicted. It returns an error if it has been.
func (h *halfOpen) commit() error {
	h.enterStage(stageChecks)
	return h.explain(nil)
}

// takeSlot waits for a slot until the deadline, and takes one from a stalled handshake if it can.
func (h *halfOpen) takeSlot(ctx context.Context, deadline time.Time) error {
	h.enterStage(stageReady)
	select {
	case h.gate.slots <- struct{}{}:
		h.gotSlot()
		return nil
	default:
	}
	retry := time.NewTicker(slotRetry)
	defer retry.Stop()
	for {
		if v := h.gate.evictStalled(); v != nil {
			v.fd.Close()
		}
		select {
		case h.gate.slots <- struct{}{}:
			h.gotSlot()
			return nil
		case now := <-retry.C:
			if !now.Before(deadline) {
				return errNoSlot
			}
		case <-h.gone:
			return errEvicted
		case <-ctx.Done():
			return errServerStopped
		}
	}
}

func (h *halfOpen) gotSlot() {
	h.slot = true
	h.enterStage(stageCrypto)
}

// evictStalled takes the connection that uses its slot least out of the gate and returns it, or nil. The slot becomes
// free when its goroutine notices.
func (g *gate) evictStalled() *halfOpen {
	g.mu.Lock()
	defer g.mu.Unlock()
	now := time.Now()
	var worst *halfOpen
	for e := g.room.Front(); e != nil; e = e.Next() {
		h := e.Value.(*halfOpen)
		stalls := h.stage == stageLeaving || (h.stage == stageHello && now.Sub(h.since) >= minHelloAge)
		if stalls && (worst == nil || h.stage < worst.stage) {
			worst = h
		}
	}
	if worst != nil {
		g.evictLocked(worst)
	}
	return worst
}

// leave ends h's time in the gate: it has become a peer or has been closed. Calling it again does nothing.
func (h *halfOpen) leave() {
	if h == nil {
		return
	}
	h.gate.mu.Lock()
	h.gate.removeLocked(h)
	h.gate.mu.Unlock()
	if h.slot {
		h.slot = false
		<-h.gate.slots
	}
}

// explain returns why the connection ended: if we closed it to make room, that, and err otherwise.
func (h *halfOpen) explain(err error) error {
	if h == nil {
		return err
	}
	h.gate.mu.Lock()
	defer h.gate.mu.Unlock()
	if h.evicted {
		return errEvicted
	}
	return err
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
