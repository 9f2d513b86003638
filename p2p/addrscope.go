package p2p

import (
	"net/netip"

	"github.com/ethereum/go-ethereum/p2p/netutil"
)

// addrScope orders addresses by how far they reach.
type addrScope int

const (
	scopeNone     addrScope = iota // no host has it: unspecified, multicast, documentation, benchmarks
	scopeLoopback                  // this host
	scopeLAN                       // private, link-local and carrier-grade NAT ranges
	scopePublic
)

var carrierNAT = netip.MustParsePrefix("100.64.0.0/10") // RFC 6598

func scopeOf(ip netip.Addr) addrScope {
	ip = ip.Unmap()
	switch {
	case !ip.IsValid() || ip.IsUnspecified() || ip.IsMulticast() || netutil.AddrIsSpecialNetwork(ip):
		return scopeNone
	case ip.IsLoopback():
		return scopeLoopback
	case netutil.AddrIsLAN(ip) || ip.IsLinkLocalUnicast() || carrierNAT.Contains(ip):
		return scopeLAN
	}
	return scopePublic
}

// candidateScope returns the narrowest scope that candidates from the iterators may have to be dialed.
//
// Addresses learned from strangers must not make us connect to hosts of our own network: poisoned tables have led to
// port-scan complaints by hosting companies. On the other hand a network may live on a LAN or on one host altogether.
// So a node dials candidates of its own scope or wider, and its own scope is the narrowest of
//
//   - the address the listener is bound to, if it is not a wildcard;
//   - the address of our node record, unless it is the fallback 127.0.0.1 that stands there as long as nothing is known;
//   - the addresses of the bootstrap nodes: who enters through a private address is in a private network.
//
// Without discovery all candidates come from the application's own iterators, not from strangers, and may be anywhere.
// NetRestrict overrides all this (see dialPlan.checkScope), and so do static nodes, which the operator has named.
func candidateScope(discovery bool, listen, record netip.Addr, boot []netip.Addr) addrScope {
	if !discovery {
		return scopeLoopback
	}
	own := scopePublic
	narrow := func(ip netip.Addr) {
		if s := scopeOf(ip); s != scopeNone {
			own = min(own, s)
		}
	}
	narrow(listen)
	if !record.IsLoopback() {
		narrow(record)
	}
	for _, ip := range boot {
		narrow(ip)
	}
	return own
}
