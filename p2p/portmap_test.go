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
	"github.com/ethereum/go-ethereum/p2p/enr"
	"github.com/ethereum/go-ethereum/p2p/nat"
)

// fakeGateway is a NAT device that keeps a record of what it was asked.
type fakeGateway struct {
	mu    sync.Mutex
	ip    net.IP // nil: unknown
	shift int    // external ports are this much higher than asked for
	away  bool   // no call succeeds
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
	if g.away {
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
	if g.ip == nil || g.away {
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
	local.Set(enr.TCP(30303))
	clock := new(mclock.Simulated)
	return startPortMapper(g, local, clock, log.New()), local, clock
}

// runFor lets time pass in steps that let the mapper work.
func runFor(clock *mclock.Simulated, d time.Duration) {
	const step = 30 * time.Second
	for range d / step {
		clock.Run(step)
		synctest.Wait()
	}
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
		wantCalls(t, g, "add TCP 31303 30303 10m0s", "add UDP 31304 30304 10m0s")
		if ip := local.Node().IPAddr(); ip.String() != "5.0.0.2" {
			t.Errorf("our record says %v", ip)
		}
		for range 4 {
			clock.Run(2 * time.Minute)
			synctest.Wait()
		}
		wantCalls(t, g, "add TCP 31303 30303 10m0s", "add UDP 31304 30304 10m0s")
		m.stop()
		m.wait(time.Second)
		wantCalls(t, g, "delete TCP 31303 30303", "delete UDP 31304 30304")
	})
}

func TestAGatewayThatRefusesIsAskedEveryFiveMinutes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &fakeGateway{away: true}
		m, local, clock := mapperBench(t, g)
		m.add(portMapping{protocol: "TCP", port: 30303, ip: net.IPv4zero})
		wantCalls(t, g, "add TCP 30303 30303 10m0s")
		runFor(clock, 10*time.Hour)
		if n := len(g.take()); n != 120 {
			t.Errorf("%d more attempts, want one in five minutes", n)
		}
		if n := local.Node(); n.TCP() != 30303 || n.IPAddr().String() != "127.0.0.1" {
			t.Errorf("our record says %v", n)
		}
		m.stop()
		m.wait(time.Second)
		wantCalls(t, g) // there is nothing to remove
	})
}

func TestAMappingOutlivesSomeFailuresToRefreshItAndIsMadeAnewWhenTheGatewayComesBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &fakeGateway{ip: net.IP{5, 0, 0, 1}, shift: 1000}
		m, local, clock := mapperBench(t, g)
		m.add(portMapping{protocol: "TCP", port: 30303, ip: net.IPv4zero})
		wantCalls(t, g, "add TCP 30303 30303 10m0s")
		announced := func(ip string, port int) {
			t.Helper()
			if n := local.Node(); n.TCP() != port || n.IPAddr().String() != ip {
				t.Errorf("our record says %v, want port %d and %s", n, port, ip)
			}
		}
		refresh := "add TCP 31303 30303 10m0s"

		g.away = true
		runFor(clock, mapRefreshTime)
		wantCalls(t, g, refresh)
		runFor(clock, 90*time.Second)
		wantCalls(t, g, refresh, refresh, refresh)
		announced("5.0.0.1", 31303)
		runFor(clock, mapRenewTime) // and the mapping ends by itself
		wantCalls(t, g, refresh, "delete TCP 31303 30303")
		announced("5.0.0.1", 30303)

		runFor(clock, 24*time.Hour)
		if n := len(g.take()); n != 24*12 {
			t.Errorf("%d attempts in a day, want one in five minutes", n)
		}
		g.away, g.ip = false, net.IP{5, 0, 0, 2}
		runFor(clock, externalIPPeriod)
		wantCalls(t, g, "add TCP 30303 30303 10m0s")
		announced("5.0.0.2", 31303)
		m.stop()
		m.wait(time.Second)
		wantCalls(t, g, "delete TCP 31303 30303")
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

func TestAGatewayThatHangsHoldsUpNeitherStartNorStop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &fakeGateway{block: make(chan struct{})}
		m, _, _ := mapperBench(t, g)
		m.add(portMapping{protocol: "TCP", port: 30303, ip: net.IPv4zero})
		synctest.Wait()
		m.add(portMapping{protocol: "UDP", port: 30303, ip: net.IPv4zero}) // does not hold up Start either
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
