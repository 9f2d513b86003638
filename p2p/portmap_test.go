package p2p

import (
	"errors"
	"fmt"
	"net"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ethereum/go-ethereum/common/mclock"
	"github.com/ethereum/go-ethereum/log"
	"github.com/ethereum/go-ethereum/p2p/enode"
	"github.com/ethereum/go-ethereum/p2p/nat"
)

// fakeGateway is a NAT device that keeps a record of what it was asked.
type fakeGateway struct {
	mu    sync.Mutex
	ip    net.IP // nil: unknown
	shift int    // external ports are this much higher than asked for; negative: no mapping succeeds
	calls []string
	block chan struct{} // not nil: calls wait until it is closed
}

func (g *fakeGateway) note(format string, args ...any) {
	g.mu.Lock()
	g.calls = append(g.calls, fmt.Sprintf(format, args...))
	g.mu.Unlock()
	if g.block != nil {
		<-g.block
	}
}

func (g *fakeGateway) AddMapping(protocol string, ext, in int, _ string, lifetime time.Duration) (uint16, error) {
	g.note("add %s %d %d %v", protocol, ext, in, lifetime)
	if g.shift < 0 {
		return 0, errors.New("refused")
	}
	if ext == in {
		ext += g.shift
	}
	return uint16(ext), nil
}

func (g *fakeGateway) DeleteMapping(protocol string, ext, in int) error {
	g.note("delete %s %d %d", protocol, ext, in)
	return nil
}

func (g *fakeGateway) ExternalIP() (net.IP, error) {
	if g.ip == nil {
		return nil, errors.New("unknown")
	}
	return g.ip, nil
}

func (g *fakeGateway) String() string { return "fake" }

// take returns the calls since the last take.
func (g *fakeGateway) take() []string {
	synctest.Wait()
	g.mu.Lock()
	defer g.mu.Unlock()
	calls := g.calls
	g.calls = nil
	return calls
}

// mapperBench is, in a synctest bubble, a port mapper with a simulated clock and a local node that listens on TCP port 30303.
func mapperBench(t *testing.T, g nat.Interface) (*portMapper, *enode.LocalNode, *mclock.Simulated) {
	t.Helper()
	db, err := enode.OpenDB("")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		db.Close()
		time.Sleep(2 * time.Second) // of the bubble's time, for the database's goroutine to end in
	})
	local := enode.NewLocalNode(db, newKey(t))
	local.SetFallbackIP(net.IP{127, 0, 0, 1})
	clock := new(mclock.Simulated)
	return startPortMapper(g, local, clock, log.New()), local, clock
}

func wantCalls(t *testing.T, g *fakeGateway, want ...string) {
	t.Helper()
	if got := g.take(); !slices.Equal(got, want) {
		t.Errorf("the gateway was asked %q, want %q", got, want)
	}
}

func TestPortsAreMappedRefreshedAndRemoved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &fakeGateway{ip: net.IP{5, 0, 0, 1}, shift: 1000}
		m, local, clock := mapperBench(t, g)
		m.add(portMapping{protocol: "TCP", port: 30303, ip: net.IPv4zero})
		m.add(portMapping{protocol: "UDP", port: 30304, ip: net.IPv6unspecified})
		wantCalls(t, g, "add TCP 30303 30303 10m0s", "add UDP 30304 30304 10m0s")
		if n := local.Node(); n.TCP() != 31303 || n.UDP() != 31304 || n.IPAddr().String() != "5.0.0.1" {
			t.Errorf("our record says %v", n)
		}
		g.ip = net.IP{5, 0, 0, 2} // the provider has given us another address
		clock.Run(2 * time.Minute)
		wantCalls(t, g)
		if ip := local.Node().IPAddr(); ip.String() != "5.0.0.2" {
			t.Errorf("our record says %v", ip)
		}
		for range 3 { // until 8 minutes
			clock.Run(2 * time.Minute)
			synctest.Wait()
		}
		wantCalls(t, g, "add TCP 31303 30303 10m0s", "add UDP 31304 30304 10m0s")
		m.stop()
		m.wait(time.Second)
		wantCalls(t, g, "delete TCP 31303 30303", "delete UDP 31304 30304")
	})
}

func TestAGatewayThatRefusesIsGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &fakeGateway{shift: -1}
		m, local, clock := mapperBench(t, g)
		m.add(portMapping{protocol: "TCP", port: 30303, ip: net.IPv4zero})
		wantCalls(t, g, "add TCP 30303 30303 10m0s")
		for range 600 { // ten hours
			clock.Run(time.Minute)
			synctest.Wait()
		}
		if n := len(g.take()); n != mapMaxFailures-1 {
			t.Errorf("%d more attempts", n)
		}
		if n := local.Node(); n.TCP() != 30303 || n.IPAddr().String() != "127.0.0.1" {
			t.Errorf("our record says %v", n)
		}
		m.stop()
		m.wait(time.Second)
		wantCalls(t, g) // there is nothing to remove
	})
}

func TestPortsOnPrivateAddressesAreNotMapped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &fakeGateway{}
		m, _, _ := mapperBench(t, g)
		for _, ip := range []net.IP{{127, 0, 0, 1}, {10, 0, 0, 1}, {192, 168, 1, 1}} {
			m.add(portMapping{protocol: "TCP", port: 30303, ip: ip})
		}
		wantCalls(t, g)
		m.stop()
		m.wait(time.Second)
	})
}

func TestAGatewayThatHangsDoesNotHoldUpStop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &fakeGateway{block: make(chan struct{})}
		m, _, _ := mapperBench(t, g)
		m.add(portMapping{protocol: "TCP", port: 30303, ip: net.IPv4zero})
		synctest.Wait()
		start := time.Now()
		m.stop()
		m.wait(portMapWait)
		if d := time.Since(start); d != portMapWait {
			t.Errorf("waited %v", d)
		}
		close(g.block)
		m.wg.Wait()
	})
}

func TestAnExternalAddressThatIsGivenIsOursAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, local, _ := mapperBench(t, nat.ExtIP{5, 0, 0, 3})
		if m != nil || local.Node().IPAddr().String() != "5.0.0.3" {
			t.Errorf("our record says %v", local.Node())
		}
		m.add(portMapping{protocol: "TCP", port: 1}) // nobody maps anything
		m.stop()
		m.wait(time.Second)
	})
}
