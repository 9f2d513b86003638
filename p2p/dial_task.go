package p2p

import (
	"context"
	"fmt"
	"net/netip"
	"time"

	"github.com/ethereum/go-ethereum/common/mclock"
	"github.com/ethereum/go-ethereum/p2p/enode"
	"github.com/ethereum/go-ethereum/p2p/enr"
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
	found      *enode.Node // with the address that DNS or the DHT has told of last, or nil
	lookupAt   mclock.AbsTime
	lookupWait time.Duration // until the next lookup may begin; 0: none was made
}

// known returns t's node with the newest address known of it, if there is one.
func (t *dialTask) known() *enode.Node {
	if t.found != nil {
		return t.found
	}
	return t.node
}

// attempt dials t's node and sets the connection up. A static node that can't be reached is looked up in the DHT, and
// dialed once more if it has moved.
func (d *dialScheduler) attempt(t *dialTask) error {
	dest, err := d.destination(t)
	if err != nil {
		d.cfg.failed(t.node, err)
		return err
	}
	connected, err := d.connect(t, dest)
	if err == nil || connected || !t.flags.is(staticDialedConn) || !d.lookup(t) || sameEndpoint(dest, t.found) {
		return err
	}
	_, err = d.connect(t, t.found)
	return err
}

func sameEndpoint(a, b *enode.Node) bool {
	return a.IPAddr() == b.IPAddr() && a.TCP() == b.TCP()
}

// destination returns t's node with an address to dial: from DNS if it has a host name, else the one that is known, and
// for a static node from the DHT if none is.
func (d *dialScheduler) destination(t *dialTask) (*enode.Node, error) {
	err := errNoAddress
	if t.node.Hostname() != "" {
		var ip netip.Addr
		if ip, err = d.resolveHost(t); err == nil {
			t.found = withAddr(t.known(), ip).WithHostname(t.node.Hostname())
			return t.found, nil
		}
		d.cfg.log.Debug("Node's host name is of no use", "id", t.node.ID(), "err", err)
	}
	if t.known().IPAddr().IsValid() || (t.flags.is(staticDialedConn) && d.lookup(t)) {
		return t.known(), nil
	}
	return nil, err
}

// resolveHost asks DNS for the address of t's node, before every dial, since names are used for nodes that move.
func (d *dialScheduler) resolveHost(t *dialTask) (netip.Addr, error) {
	host := t.node.Hostname()
	ctx, cancel := context.WithTimeout(d.ctx, hostLookupTimeout)
	defer cancel()
	ips, err := d.cfg.hosts.LookupNetIP(ctx, "ip", host)
	if err == nil && len(ips) == 0 {
		err = errNoAddress
	}
	if err != nil {
		return netip.Addr{}, fmt.Errorf("resolving %q: %w", host, err)
	}
	ip := ips[0].Unmap()
	for _, a := range ips { // as other clients do, IPv4 first: more hosts have a working route
		if a = a.Unmap(); a.Is4() {
			ip = a
			break
		}
	}
	// The rules for addresses read nothing that changes, so they may be asked from here.
	err = d.plan.checkAddr(ip, t.node.TCP(), "")
	if err == nil && !t.flags.is(staticDialedConn) {
		err = d.plan.checkScope(ip)
	}
	if err != nil {
		return netip.Addr{}, fmt.Errorf("%q is %v: %w", host, ip, err)
	}
	return ip, nil
}

// withAddr returns n with ip for its only address and everything else of its record, but for the signature unless ip is
// what it has already.
func withAddr(n *enode.Node, ip netip.Addr) *enode.Node {
	if n.IPAddr() == ip {
		return n
	}
	r := new(enr.Record)
	r.SetSeq(n.Seq())
	for entries := n.Record().AppendElements(nil)[1:]; len(entries) >= 2; entries = entries[2:] {
		if key := entries[0].(string); key != "ip" && key != "ip6" { // none can be taken out of a record
			r.Set(enr.WithEntry(key, entries[1]))
		}
	}
	if ip.Is4() {
		r.Set(enr.IPv4Addr(ip))
	} else {
		r.Set(enr.IPv6Addr(ip))
	}
	return enode.SignNull(r, n.ID())
}

// lookup asks the DHT for t's node and reports whether it has found an address. Lookups cost the network many packets,
// so after one that failed the next waits, 60 s at first and twice as long each time, up to an hour.
func (d *dialScheduler) lookup(t *dialTask) bool {
	now := d.cfg.clock.Now()
	if d.cfg.resolver == nil || (t.lookupWait > 0 && now.Sub(t.lookupAt) < t.lookupWait) {
		return false
	}
	t.lookupAt = now
	n := d.cfg.resolver.Resolve(t.known())
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
		d.cfg.failed(dest, err)
		return false, err
	}
	return true, d.cfg.setup(fd, t.flags, dest)
}
