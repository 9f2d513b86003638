package p2p

import (
	"context"
	"fmt"
	"net/netip"
	"time"

	"github.com/ethereum/go-ethereum/common/mclock"
	"github.com/ethereum/go-ethereum/p2p/enode"
)

const (
	hostLookupTimeout = 5 * time.Second // of one DNS query for a node's host name
	minNodeLookupWait = 60 * time.Second
	maxNodeLookupWait = time.Hour
)

// nodeResolver finds the current address of a node; *discover.UDPv4 is one.
type nodeResolver interface {
	Resolve(*enode.Node) *enode.Node
}

// hostResolver finds the addresses of a DNS name; *net.Resolver is one.
type hostResolver interface {
	LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error)
}

// dialTask is a node that is dialed: once, or again and again if it is static.
type dialTask struct {
	// Static after construction.
	node  *enode.Node
	flags connFlag

	readyIndex int // position in dialPlan.ready or -1; owned by the plan

	// Owned by the goroutine of the dial, of which there is at most one at a time.
	found      *enode.Node // result of the last successful lookup in the DHT, or nil
	lookupAt   mclock.AbsTime
	lookupWait time.Duration // until the next lookup may begin; 0: none was made
}

// attempt dials t's node and sets the connection up. A static node that can't be reached is looked up in the DHT, and
// dialed once more if it has moved.
func (d *dialScheduler) attempt(t *dialTask) error {
	dest, err := d.destination(t)
	if err != nil {
		d.cfg.failed(t.node, t.flags, err)
		return err
	}
	connected, err := d.connect(t, dest)
	if err == nil || connected || !t.flags.is(staticDialedConn) || t.node.Hostname() != "" || !d.lookup(t) {
		return err
	}
	if sameEndpoint(dest, t.found) {
		return err
	}
	_, err = d.connect(t, t.found)
	return err
}

func sameEndpoint(a, b *enode.Node) bool {
	return a.IPAddr() == b.IPAddr() && a.TCP() == b.TCP()
}

// destination returns t's node with an address to dial.
func (d *dialScheduler) destination(t *dialTask) (*enode.Node, error) {
	switch {
	case t.node.Hostname() != "":
		return d.resolveHost(t)
	case t.found != nil:
		return t.found, nil
	case t.node.IPAddr().IsValid():
		return t.node, nil
	case t.flags.is(staticDialedConn) && d.lookup(t):
		return t.found, nil
	}
	return nil, errNoAddress
}

// resolveHost asks DNS for the address of t's node, before every dial, since names are used for nodes that move.
func (d *dialScheduler) resolveHost(t *dialTask) (*enode.Node, error) {
	n := t.node
	ctx, cancel := context.WithTimeout(d.ctx, hostLookupTimeout)
	defer cancel()
	ips, err := d.cfg.hosts.LookupNetIP(ctx, "ip", n.Hostname())
	if err != nil {
		return nil, fmt.Errorf("resolving %q: %w", n.Hostname(), err)
	}
	if len(ips) == 0 {
		return nil, fmt.Errorf("resolving %q: %w", n.Hostname(), errNoAddress)
	}
	ip := ips[0].Unmap()
	for _, a := range ips { // as other clients do, IPv4 first: more hosts have a working route
		if a = a.Unmap(); a.Is4() {
			ip = a
			break
		}
	}
	// The rules for addresses read nothing that changes, so they may be asked from here.
	if err := d.plan.checkAddr(ip, n.TCP(), ""); err != nil {
		return nil, err
	}
	if !t.flags.is(staticDialedConn) {
		if err := d.plan.checkScope(ip); err != nil {
			return nil, err
		}
	}
	return enode.NewV4(n.Pubkey(), ip.AsSlice(), n.TCP(), n.UDP()).WithHostname(n.Hostname()), nil
}

// lookup asks the DHT for t's node and reports whether it has found an address. Lookups cost the network many packets,
// so after one that failed the next waits, 60 s at first and twice as long each time, up to an hour.
func (d *dialScheduler) lookup(t *dialTask) bool {
	now := d.cfg.clock.Now()
	if d.cfg.resolver == nil || (t.lookupWait > 0 && now.Sub(t.lookupAt) < t.lookupWait) {
		return false
	}
	t.lookupAt = now
	n := d.cfg.resolver.Resolve(t.node)
	if n == nil || !n.IPAddr().IsValid() || d.plan.checkAddr(n.IPAddr(), n.TCP(), "") != nil {
		t.lookupWait = min(max(2*t.lookupWait, minNodeLookupWait), maxNodeLookupWait)
		return false
	}
	t.lookupWait = minNodeLookupWait
	t.found = n
	return true
}

// connect dials dest and sets the connection up; connected tells which of the two an error comes from.
func (d *dialScheduler) connect(t *dialTask, dest *enode.Node) (connected bool, err error) {
	fd, err := d.cfg.dialer.Dial(d.ctx, dest)
	if err != nil {
		d.cfg.failed(dest, t.flags, err)
		return false, err
	}
	return true, d.cfg.setup(fd, t.flags, dest)
}
