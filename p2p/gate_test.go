package p2p

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ethereum/go-ethereum/common/mclock"
)

// fakeFD is a socket that only knows where it comes from and whether it was closed.
type fakeFD struct {
	net.Conn
	addr   net.TCPAddr
	closed atomic.Bool
}

func fdFrom(ip string) *fakeFD { return &fakeFD{addr: net.TCPAddr{IP: net.ParseIP(ip), Port: 1}} }

func (f *fakeFD) RemoteAddr() net.Addr { return &f.addr }
func (f *fakeFD) Close() error         { f.closed.Store(true); return nil }

func enter(t *testing.T, g *gate, ip string) (*halfOpen, *fakeFD) {
	t.Helper()
	fd := fdFrom(ip)
	h, err := g.enter(context.Background(), fd)
	if err != nil {
		t.Fatal(err)
	}
	h.enterStage(stageSilent)
	return h, fd
}

func TestTheOldestSilentConnectionOfTheSameAddressMakesRoomFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGate(50)
		_, other := enter(t, g, "5.0.0.1")
		spoken, spokenFD := enter(t, g, "127.0.0.1")
		spoken.enterStage(stageReady)
		var flood []*fakeFD
		for range maxRoomPerAddr - 1 {
			_, fd := enter(t, g, "127.0.0.1")
			flood = append(flood, fd)
		}
		time.Sleep(minSilentAge)
		enter(t, g, "127.0.0.1")
		if other.closed.Load() || spokenFD.closed.Load() || !flood[0].closed.Load() || flood[1].closed.Load() {
			t.Error("it was not the oldest silent connection of the address that was closed")
		}
		if g.places != maxRoomPerAddr+1 {
			t.Errorf("%d connections in the room", g.places)
		}
	})
}

func TestAFullWaitingRoomClosesTheOldestSilentConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGate(50)
		first, firstFD := enter(t, g, "5.0.0.1")
		first.enterStage(stageReady)
		_, second := enter(t, g, "5.0.0.2")
		for i := range maxWaitingRoom - 2 {
			enter(t, g, fmt.Sprintf("6.0.%d.%d", i/250, i%250))
		}
		time.Sleep(minSilentAge)
		enter(t, g, "7.0.0.1")
		if firstFD.closed.Load() || !second.closed.Load() {
			t.Errorf("closed the one that spoke: %v, the oldest silent one: %v", firstFD.closed.Load(), second.closed.Load())
		}
	})
}

func TestASilentConnectionKeepsItsPlaceForAMoment(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGate(50)
		start := time.Now()
		for range 10 * maxRoomPerAddr {
			enter(t, g, "127.0.0.1")
		}
		if d, want := time.Since(start), 9*minSilentAge; d != want {
			t.Errorf("%d connections were accepted in %v, want %v", 10*maxRoomPerAddr, d, want)
		}
	})
}

func TestAnAddressWhoseConnectionsWaitForASlotIsRefusedAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGate(50)
		var waiting []*fakeFD
		for range maxRoomPerAddr - 1 {
			h, fd := enter(t, g, "127.0.0.1")
			h.enterStage(stageReady)
			waiting = append(waiting, fd)
		}
		_, silent := enter(t, g, "127.0.0.1")
		start := time.Now()
		if _, err := g.enter(t.Context(), fdFrom("127.0.0.1")); err != errAddrRoom {
			t.Errorf("beside one that is silent for a moment: got %v, want %v", err, errAddrRoom)
		}
		if d := time.Since(start); d != 0 {
			t.Errorf("accepting paused for %v", d)
		}
		time.Sleep(minSilentAge)
		late, _ := enter(t, g, "127.0.0.1")
		if !silent.closed.Load() {
			t.Error("the silent one has kept its place")
		}
		late.enterStage(stageReady)
		start = time.Now()
		if _, err := g.enter(t.Context(), fdFrom("127.0.0.1")); err != errAddrRoom {
			t.Errorf("beside none that is silent: got %v, want %v", err, errAddrRoom)
		}
		enter(t, g, "5.0.0.1") // of another address: there is room
		if d := time.Since(start); d != 0 {
			t.Errorf("accepting paused for %v", d)
		}
		for _, fd := range waiting {
			if fd.closed.Load() {
				t.Fatal("one that waits for a slot was closed")
			}
		}
	})
}

func TestAcceptingPausesWhileAllInTheRoomMakeProgress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGate(50)
		for i := range maxWaitingRoom {
			h, _ := enter(t, g, fmt.Sprintf("6.0.%d.%d", i/250, i%250))
			h.enterStage(stageReady)
		}
		ctx, cancel := context.WithTimeout(t.Context(), handshakeTimeout)
		defer cancel()
		if _, err := g.enter(ctx, fdFrom("5.0.0.1")); err != errServerStopped {
			t.Errorf("got %v, want %v", err, errServerStopped)
		}
	})
}

func TestWhoeverWatchesForStalledHandshakesHasASuccessor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGate(3)
		for _, h := range fillSlots(t, g, 3, stageHello) {
			go func() {
				<-h.gone
				h.leave()
			}()
		}
		start := time.Now()
		first, rest := make(chan error, 1), make(chan error, 4)
		var wg sync.WaitGroup
		for i := range 5 {
			h, _ := enter(t, g, "5.0.0.2")
			wg.Go(func() {
				if i == 0 { // it watches until then
					first <- h.takeSlot(t.Context(), start.Add(minHelloAge/2))
					h.leave()
					return
				}
				rest <- h.takeSlot(t.Context(), start.Add(2*minHelloAge))
			})
			synctest.Wait()
		}
		time.Sleep(minHelloAge + slotRetry)
		synctest.Wait()
		if err := <-first; err != errNoSlot {
			t.Errorf("the first has got %v", err)
		}
		if len(rest) != 3 {
			t.Fatalf("%d of three slots that became free at once were taken", len(rest))
		}
		for range 3 {
			if err := <-rest; err != nil {
				t.Errorf("one of the rest has got %v", err)
			}
		}
		wg.Wait()
		if len(g.watch) != 0 {
			t.Error("somebody still watches")
		}
	})
}

// A look for a stalled handshake must not cost a walk of the room.
func BenchmarkLookForAStalledHandshake(b *testing.B) {
	g := newGate(1)
	for i := range maxWaitingRoom {
		h, err := g.enter(b.Context(), fdFrom(fmt.Sprintf("6.0.%d.%d", i/250, i%250)))
		if err != nil {
			b.Fatal(err)
		}
		if h.enterStage(stageReady); i == 0 {
			h.enterStage(stageHello)
		}
		h.since = h.since.Add(time.Hour) // so that none is found
	}
	for b.Loop() {
		if g.evictStalled() != nil {
			b.Fatal("found one")
		}
	}
}

func TestOfStalledHandshakesTheOneThatLeavesGoesFirstThenTheOldest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGate(4)
		hs := fillSlots(t, g, 4, stageCrypto)
		for _, i := range []int{2, 0, 1} { // not in the order of arrival
			hs[i].enterStage(stageHello)
			time.Sleep(minHelloAge)
		}
		hs[3].enterStage(stageLeaving)
		for _, i := range []int{3, 2, 0, 1} {
			if g.evictStalled() != hs[i] {
				t.Errorf("it was not connection %d that was taken out", i)
			}
		}
		if h := g.evictStalled(); h != nil || g.places != 0 {
			t.Errorf("%d places taken, another one is to go: %v", g.places, h != nil)
		}
	})
}

func TestIPv6AddressesOfOneHostCountTogether(t *testing.T) {
	for _, test := range []struct{ a, b string }{
		{"2001:db8::1", "2001:db8::ffff:1"}, {"5.0.0.1", "::ffff:5.0.0.1"},
	} {
		if a, b := roomKey(netip.MustParseAddr(test.a)), roomKey(netip.MustParseAddr(test.b)); a != b {
			t.Errorf("%s counts as %v, %s as %v", test.a, a, test.b, b)
		}
	}
	if roomKey(netip.MustParseAddr("2001:db8::1")) == roomKey(netip.MustParseAddr("2001:db8:0:1::1")) {
		t.Error("two IPv6 networks count together")
	}
}

// fillSlots lets n connections take a slot and enter the stage.
func fillSlots(t *testing.T, g *gate, n int, stage gateStage) []*halfOpen {
	t.Helper()
	var hs []*halfOpen
	for range n {
		h, _ := enter(t, g, "5.0.0.1")
		if err := h.takeSlot(context.Background(), time.Now().Add(handshakeTimeout)); err != nil {
			t.Fatal(err)
		}
		h.enterStage(stage)
		hs = append(hs, h)
	}
	return hs
}

func TestAHandshakeThatStallsLosesItsSlot(t *testing.T) {
	for _, test := range []struct {
		stage gateStage
		after time.Duration // until the slot is free; 0: not at all
	}{
		{stageLeaving, 0 * time.Second},
		{stageHello, minHelloAge},
	} {
		synctest.Test(t, func(t *testing.T) {
			g := newGate(3)
			for _, h := range fillSlots(t, g, 3, test.stage) {
				go func() { // as its goroutine would when its socket has been closed
					<-h.gone
					h.leave()
				}()
			}
			start := time.Now()
			late, _ := enter(t, g, "5.0.0.2")
			if err := late.takeSlot(context.Background(), start.Add(handshakeTimeout)); err != nil {
				t.Fatal(err)
			}
			if d := time.Since(start); d < test.after || d > test.after+slotRetry {
				t.Errorf("stage %d: took %v to get a slot, want %v", test.stage, d, test.after)
			}
			if n := g.places; n != 3 {
				t.Errorf("stage %d: %d connections left, want 3", test.stage, n)
			}
			g.shed()
			late.leave()
			for g.evictStalled() != nil {
			}
		})
	}
}

func TestAHandshakeThatIsWorkedOnKeepsItsSlot(t *testing.T) {
	for _, stage := range []gateStage{stageCrypto, stageChecks} {
		synctest.Test(t, func(t *testing.T) {
			g := newGate(3)
			hs := fillSlots(t, g, 3, stage)
			late, _ := enter(t, g, "5.0.0.2")
			if err := late.takeSlot(context.Background(), time.Now().Add(handshakeTimeout)); err != errNoSlot {
				t.Errorf("got %v, want %v", err, errNoSlot)
			}
			for _, h := range hs {
				if h.explain(nil) != nil {
					t.Error("a handshake was ended")
				}
				h.leave()
			}
		})
	}
}

func TestAConnectionThatWasEvictedDoesNotBecomeAPeer(t *testing.T) {
	g := newGate(1)
	h, _ := enter(t, g, "5.0.0.1")
	g.shed()
	if err := h.commit(); err != errEvicted {
		t.Errorf("got %v, want %v", err, errEvicted)
	}
	if err := h.explain(errors.New("closed")); err != errEvicted {
		t.Errorf("explained as %v", err)
	}
}

func TestAnAddressConnectsOnceInThirtySeconds(t *testing.T) {
	clock := new(mclock.Simulated)
	throttle := newInboundThrottle(clock)
	addr := netip.MustParseAddr
	for i, step := range []struct {
		ip    string
		after time.Duration
		want  error
	}{
		{ip: "5.0.0.1"},
		{ip: "5.0.0.1", want: errThrottled},
		{ip: "5.0.0.2", after: 29 * time.Second},
		{ip: "5.0.0.1", want: errThrottled},
		{ip: "5.0.0.1", after: time.Second},
		{ip: "5.0.0.2", want: errThrottled},
		{ip: "127.0.0.1"}, {ip: "127.0.0.1"},
		{ip: "10.0.0.1"}, {ip: "10.0.0.1"},
		{ip: "169.254.0.1"}, {ip: "169.254.0.1"},
		{ip: "::1"}, {ip: "::1"},
		{ip: "2001:db8::1"}, // documentation addresses count as public
		{ip: "2001:db8::ffff:2", want: errThrottled},
		{ip: "2001:db8:0:1::1"},
	} {
		clock.Run(step.after)
		if err := throttle.check(addr(step.ip)); err != step.want {
			t.Errorf("step %d, %s: got %v, want %v", i, step.ip, err, step.want)
		}
	}
}

func TestTheThrottleForgetsTheOldestAddressWhenItIsFull(t *testing.T) {
	throttle := newInboundThrottle(new(mclock.Simulated))
	ip := func(i int) netip.Addr { return netip.AddrFrom4([4]byte{5, byte(i >> 16), byte(i >> 8), byte(i)}) }
	for i := range maxThrottled + 1 {
		if err := throttle.check(ip(i)); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(throttle.recent.seen); n != maxThrottled {
		t.Errorf("%d addresses remembered", n)
	}
	if throttle.check(ip(2)) != errThrottled || throttle.check(ip(0)) != nil {
		t.Error("it was not the oldest address that was forgotten")
	}
}
