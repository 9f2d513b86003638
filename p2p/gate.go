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
// that deserves it least, which is the one that has been silent longest. If there is none, accepting pauses: all in the
// room make progress then, or give up within handshakeTimeout. Whoever needs a slot when all are taken waits for one, and
// takes it from somebody whose Hello doesn't come.
//
// An address that has its share of the room takes the place of one of its own, and is refused if none of those is silent:
// what a single address does must not make accepting pause for everybody.
//
// A dialer sends its handshake along with the last packet of the TCP handshake, so a silent connection is either idle on
// purpose or delayed by a lost packet; it keeps its place for minSilentAge at least, for which accepting pauses if it
// must: for a single address only where the pause frees many places at once.
const (
	maxWaitingRoom = 2048                   // connections; about 8 KiB each at most, sockets aside
	maxRoomPerAddr = maxWaitingRoom / 2     // of one IPv4 address or IPv6 /64
	manySilent     = maxRoomPerAddr / 2     // of one address: worth a pause
	minSilentAge   = 100 * time.Millisecond // before a silent connection makes room
	minHelloAge    = time.Second            // before a Hello that doesn't come makes room
	slotRetry      = 50 * time.Millisecond  // between two looks for one that doesn't
)

var (
	errEvicted  = errors.New("made room for another connection before it was a peer")
	errNoSlot   = errors.New("no handshake slot became free")
	errAddrRoom = errors.New("address has too many connections that are not peers yet")
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
	// Static after construction.
	slots chan struct{} // one element per connection that holds a slot; never closed
	watch chan struct{} // one element while somebody looks for stalled handshakes; never closed

	// Guarded by mu.
	mu     sync.Mutex
	stages [stageChecks + 1]list.List // *halfOpen; those in each stage, in the order in which they entered it
	places int                        // taken in the waiting room: the length of all those lists
	addrs  map[netip.Addr]int         // of them, by roomKey
}

// halfOpen is a connection in the gate.
type halfOpen struct {
	// Static after construction.
	gate *gate
	fd   net.Conn
	addr netip.Addr    // that counts against maxRoomPerAddr
	gone chan struct{} // closed on eviction

	// Guarded by gate.mu.
	stage   gateStage
	since   time.Time     // of the stage
	elem    *list.Element // in gate.stages[stage]; nil if it is not in the room
	evicted bool

	// Owned by the goroutine that sets the connection up.
	slot bool // it has one
}

func newGate(slots int) *gate {
	return &gate{
		slots: make(chan struct{}, slots),
		watch: make(chan struct{}, 1),
		addrs: make(map[netip.Addr]int),
	}
}

// roomKey returns what an address is counted by: a host with IPv6 usually has a whole /64.
func roomKey(ip netip.Addr) netip.Addr {
	ip = ip.Unmap()
	if ip.Is6() {
		if p, err := ip.WithZone("").Prefix(64); err == nil {
			return p.Addr()
		}
	}
	return ip
}

// enter takes a connection into the waiting room, closing another one if there is no place. The error, errAddrRoom or
// errServerStopped, is why it has got none.
func (g *gate) enter(ctx context.Context, fd net.Conn) (*halfOpen, error) {
	addr := roomKey(netutil.AddrAddr(fd.RemoteAddr()))
	h := &halfOpen{gate: g, fd: fd, addr: addr, gone: make(chan struct{}), stage: stageNew}
	for {
		victim, wait, err := g.tryEnter(h)
		if victim != nil {
			victim.fd.Close()
		}
		if err != nil {
			return nil, err
		}
		if wait <= 0 {
			return h, nil
		}
		if sleep(ctx, wait) != nil {
			return nil, errServerStopped
		}
	}
}

// tryEnter puts h into the room. It returns the connection that has to be closed for it, or how long to wait and try
// again, or why it is refused.
func (g *gate) tryEnter(h *halfOpen) (victim *halfOpen, wait time.Duration, err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	now := time.Now()
	switch {
	case g.addrs[h.addr] >= maxRoomPerAddr:
		var silent int
		victim, silent = g.silentLocked(manySilent, func(o *halfOpen) bool { return o.addr == h.addr })
		if victim == nil || (silent < manySilent && now.Sub(victim.since) < minSilentAge) {
			return nil, 0, errAddrRoom
		}
	case g.places >= maxWaitingRoom:
		if victim, _ = g.silentLocked(1, func(*halfOpen) bool { return true }); victim == nil {
			return nil, minSilentAge, nil // all are new or in the middle of the handshake
		}
	}
	if victim != nil {
		if age := now.Sub(victim.since); age < minSilentAge {
			return nil, minSilentAge - age, nil
		}
		g.evictLocked(victim)
	}
	h.since = now
	h.elem = g.stages[h.stage].PushBack(h)
	g.places++
	g.addrs[h.addr]++
	return victim, 0, nil
}

// silentLocked returns the connection that deserves its place least, or nil if all are new or make progress: of those
// that are silent or about to leave, the one that has been so for longest. It also counts them, up to enough of a kind.
func (g *gate) silentLocked(enough int, among func(*halfOpen) bool) (longest *halfOpen, n int) {
	for s := stageLeaving; s <= stageSilent; s++ {
		found := 0
		for e := g.stages[s].Front(); e != nil && found < enough; e = e.Next() {
			h := e.Value.(*halfOpen)
			if !among(h) {
				continue
			}
			if longest == nil || h.since.Before(longest.since) {
				longest = h
			}
			found++
		}
		n += found
	}
	return longest, n
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
	g.stages[h.stage].Remove(h.elem)
	h.elem = nil
	g.places--
	if g.addrs[h.addr]--; g.addrs[h.addr] == 0 {
		delete(g.addrs, h.addr)
	}
}

// shed closes silent connections when the process is out of sockets, the oldest first: as many as half of those in the room,
// if there are that many.
func (g *gate) shed() {
	var victims []*halfOpen
	g.mu.Lock()
	for n := (g.places + 1) / 2; n > 0; n-- {
		h, _ := g.silentLocked(1, func(*halfOpen) bool { return true })
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
	defer h.gate.mu.Unlock()
	if h.elem != nil {
		h.gate.stages[h.stage].Remove(h.elem)
		h.elem = h.gate.stages[s].PushBack(h)
	}
	h.stage, h.since = s, time.Now()
}

// commit notes that nothing more is waited for: from now on h is not evicted. It returns an error if it has been.
func (h *halfOpen) commit() error {
	h.enterStage(stageChecks)
	return h.explain(nil)
}

// takeSlot waits for a slot until the deadline. Of all who wait, one takes slots from stalled handshakes.
func (h *halfOpen) takeSlot(ctx context.Context, deadline time.Time) error {
	h.enterStage(stageReady)
	select {
	case h.gate.slots <- struct{}{}:
		h.gotSlot()
		return nil
	default:
	}
	timeout := time.NewTimer(time.Until(deadline))
	defer timeout.Stop()
	watch := h.gate.watch
	var look <-chan time.Time // nil unless it is h that watches
	for {
		select {
		case h.gate.slots <- struct{}{}:
			h.gotSlot()
			return nil
		case watch <- struct{}{}:
			defer func() { <-h.gate.watch }()
			ticker := time.NewTicker(slotRetry)
			defer ticker.Stop()
			watch, look = nil, ticker.C
			h.gate.freeSlots()
		case <-look:
			h.gate.freeSlots()
		case <-timeout.C:
			return errNoSlot
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

// freeSlots closes stalled handshakes, as many as there are connections that wait for a slot.
func (g *gate) freeSlots() {
	g.mu.Lock()
	waiting := g.stages[stageReady].Len()
	g.mu.Unlock()
	for range waiting {
		h := g.evictStalled()
		if h == nil {
			return
		}
		h.fd.Close()
	}
}

// evictStalled takes the connection that uses its slot least out of the gate and returns it, or nil. The slot becomes
// free when its goroutine notices.
func (g *gate) evictStalled() *halfOpen {
	g.mu.Lock()
	defer g.mu.Unlock()
	e := g.stages[stageLeaving].Front()
	if e == nil {
		e = g.stages[stageHello].Front()
	}
	if e == nil {
		return nil
	}
	h := e.Value.(*halfOpen)
	if h.stage == stageHello && time.Since(h.since) < minHelloAge {
		return nil
	}
	g.evictLocked(h)
	return h
}

// leave ends h's time in the gate: it has become a peer or has been closed. Calling it again does nothing.
func (h *halfOpen) leave() {
	if h == nil {
		return
	}
	h.gate.mu.Lock()
	h.gate.removeLocked(h)
	h.gate.mu.Unlock()
	h.leaveSlot()
}

// leaveSlot gives h's slot back, if it has one.
func (h *halfOpen) leaveSlot() {
	if h != nil && h.slot {
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
