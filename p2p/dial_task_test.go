package p2p

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/p2p/enode"
	"github.com/ethereum/go-ethereum/p2p/enr"
	"github.com/ethereum/go-ethereum/p2p/netutil"
)

// fakeDHT answers lookups with node, which may be nil. Owned by the test while nothing is dialed.
type fakeDHT struct {
	node    *enode.Node
	lookups int
}

func (f *fakeDHT) Resolve(*enode.Node) *enode.Node {
	f.lookups++
	return f.node
}

func TestAStaticNodeWithoutAddressIsLookedUpWithBackOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dht := new(fakeDHT)
		b := newDialBench(t, func(c *dialConfig) { c.resolver = dht })
		defer b.stop()
		b.run([]dialRound{{static: []*enode.Node{nodeAt(1, "")}}})
		// Dials are due every 35 s, lookups are allowed 60, 120, 240 s ... after the last one.
		var at []int
		for i := range 500 {
			if dht.lookups > len(at) {
				at = append(at, i*35)
			}
			b.run([]dialRound{{after: dialHistoryTime}})
		}
		if want := []int{0, 70, 210, 455, 945, 1925, 3850, 7455, 11060, 14665}; !slices.Equal(at, want) {
			t.Errorf("lookups at %v s, want %v", at, want)
		}
		dht.node = nodeAt(1, "5.0.0.1:1")
		b.run([]dialRound{{after: maxNodeLookupWait, want: []byte{1}}})
	})
}

func TestAStaticNodeThatHasMovedIsDialedAtItsNewAddress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dht := &fakeDHT{node: nodeAt(1, "5.0.0.2:1")}
		b := newDialBench(t, func(c *dialConfig) { c.resolver = dht })
		defer b.stop()
		b.run([]dialRound{
			{static: publicNodes(1, 1), want: []byte{1}},
			{failed: []byte{1}, want: []byte{1}}, // the lookup has told of another address
			{failed: []byte{1}},                  // one lookup, one more dial
			{after: dialHistoryTime, want: []byte{1}},
		})
		var got []string
		for _, n := range b.dests {
			got = append(got, n.IPAddr().String())
		}
		if want := []string{"5.0.0.1", "5.0.0.2", "5.0.0.2"}; !slices.Equal(got, want) {
			t.Errorf("dialed %v, want %v", got, want)
		}
		if dht.lookups != 1 {
			t.Errorf("%d lookups", dht.lookups)
		}
	})
}

func TestACandidateThatCannotBeReachedIsNotLookedUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dht := &fakeDHT{node: nodeAt(1, "5.0.0.2:1")}
		b := newDialBench(t, func(c *dialConfig) { c.resolver = dht })
		defer b.stop()
		b.run([]dialRound{{found: publicNodes(1, 1), want: []byte{1}}, {failed: []byte{1}}})
		if dht.lookups != 0 {
			t.Errorf("%d lookups", dht.lookups)
		}
	})
}

// fakeDNS answers with the next element at each query; an empty one is an error.
type fakeDNS struct {
	answers [][]string
	asked   []string
}

func (f *fakeDNS) LookupNetIP(_ context.Context, network, host string) (ips []netip.Addr, err error) {
	f.asked = append(f.asked, host)
	answer := f.answers[0]
	f.answers = f.answers[1:]
	for _, a := range answer {
		ips = append(ips, netip.MustParseAddr(a))
	}
	if answer == nil {
		return nil, errors.New("no such host")
	}
	return ips, nil
}

func TestAHostNameIsResolvedBeforeEveryDial(t *testing.T) {
	key, err := crypto.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	restrict, err := netutil.ParseNetlist("5.0.0.0/8,2001:db8::/32")
	if err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		dns := &fakeDNS{answers: [][]string{
			{"2001:db8::1", "5.0.0.1"}, {"5.0.0.2"}, nil, {}, {"6.0.0.1"}, {"2001:db8::2"},
		}}
		b := newDialBench(t, func(c *dialConfig) { c.hosts, c.netRestrict = dns, restrict })
		defer b.stop()
		b.d.addStatic(enode.NewV4(&key.PublicKey, nil, 30303, 30303).WithHostname("node.example"))
		synctest.Wait()
		id := enode.PubkeyToIDV4(&key.PublicKey)
		for range 6 {
			b.mu.Lock()
			if end := b.flight[id]; end != nil {
				end <- errDialTest
				delete(b.flight, id)
			}
			b.mu.Unlock()
			synctest.Wait()
			b.clock.Run(dialHistoryTime - time.Second)
			synctest.Wait()
			if len(dns.answers) > 0 {
				b.clock.Run(time.Second)
				synctest.Wait()
			}
		}
		var got []string
		for _, n := range b.dests {
			got = append(got, n.IPAddr().String())
			if n.TCP() != 30303 || n.Hostname() != "node.example" {
				t.Errorf("dialed port %d of %q", n.TCP(), n.Hostname())
			}
		}
		// No such host, no address, and an address outside of NetRestrict leave the one that is known.
		if want := []string{"5.0.0.1", "5.0.0.2", "5.0.0.2", "5.0.0.2", "5.0.0.2", "2001:db8::2"}; !slices.Equal(got, want) {
			t.Errorf("dialed %v, want %v", got, want)
		}
		if len(dns.asked) != 6 || dns.asked[0] != "node.example" {
			t.Errorf("asked for %v", dns.asked)
		}
	})
}

func TestAHostNameThatIsNoUseLeavesTheOtherWaysToANode(t *testing.T) {
	const known, inDHT, inDNS = "5.0.0.1", "5.0.0.2", "5.0.0.3"
	for _, test := range []struct {
		name       string
		ip         string     // in the node's record
		dns        [][]string // answers
		dht        string
		candidate  bool // rather than static
		want       []string
		dnsRefuses bool // the error names the query
	}{
		{name: "known address", ip: known, dns: [][]string{nil}, want: []string{known}},
		{name: "known address, then the DHT", ip: known, dns: [][]string{nil}, dht: inDHT, want: []string{known, inDHT}},
		{name: "the DHT", dns: [][]string{nil}, dht: inDHT, want: []string{inDHT}},
		{name: "DNS, then the DHT", dns: [][]string{{inDNS}}, dht: inDHT, want: []string{inDNS, inDHT}},
		{name: "DNS before the record", ip: known, dns: [][]string{{inDNS}}, want: []string{inDNS}},
		{name: "nothing", dns: [][]string{nil}, dnsRefuses: true},
		{name: "candidate, known address", ip: known, dns: [][]string{nil}, dht: inDHT, candidate: true, want: []string{known}},
		{name: "candidate", dns: [][]string{nil}, dht: inDHT, candidate: true, dnsRefuses: true},
	} {
		synctest.Test(t, func(t *testing.T) {
			dht := new(fakeDHT)
			if test.dht != "" {
				dht.node = nodeAt(1, test.dht+":30303")
			}
			b := newDialBench(t, func(c *dialConfig) { c.hosts, c.resolver = &fakeDNS{answers: test.dns}, dht })
			defer b.stop()
			n := nodeAt(1, "")
			if test.ip != "" {
				n = nodeAt(1, test.ip+":30303")
			}
			r := n.Record()
			r.Set(enr.TCP(30303))
			n = enode.SignNull(r, n.ID()).WithHostname("node.example")
			if test.candidate {
				b.found <- n
			} else {
				b.d.addStatic(n)
			}
			synctest.Wait()
			for range test.want {
				b.end(1, errDialTest)
				synctest.Wait()
			}
			var got []string
			for _, n := range b.dests {
				got = append(got, n.IPAddr().String())
			}
			if !slices.Equal(got, test.want) || len(b.flight) > 0 {
				t.Errorf("%s: dialed %v, want %v", test.name, got, test.want)
			}
			if err := b.refused[enode.ID{1}]; test.dnsRefuses == errors.Is(err, errDialTest) {
				t.Errorf("%s: ended with %v", test.name, err)
			}
		})
	}
}

func TestANodeFoundByDNSKeepsTheRestOfItsRecord(t *testing.T) {
	for _, test := range []struct{ ip, want string }{
		{"5.0.0.2", "5.0.0.2"}, {"2001:db8::2", "2001:db8::2"},
		{"5.0.0.1", "5.0.0.1"}, // unchanged
	} {
		key := newKey(t)
		var r enr.Record
		r.SetSeq(7)
		r.Set(enr.IPv4Addr(netip.MustParseAddr("5.0.0.1")))
		r.Set(enr.IPv6Addr(netip.MustParseAddr("2001:db8::1")))
		r.Set(enr.TCP(1))
		r.Set(enr.UDP(2))
		r.Set(enr.WithEntry("eth", []string{"fork"}))
		if err := enode.SignV4(&r, key); err != nil {
			t.Fatal(err)
		}
		before, err := enode.New(enode.ValidSchemes, &r)
		if err != nil {
			t.Fatal(err)
		}
		ip := netip.MustParseAddr(test.ip)
		n := withAddr(before, ip)
		var eth []string
		if err := n.Load(enr.WithEntry("eth", &eth)); err != nil || !slices.Equal(eth, []string{"fork"}) {
			t.Errorf("%v: entry %v, %v", ip, eth, err)
		}
		if n.ID() != before.ID() || n.Seq() != before.Seq() || n.Pubkey() == nil || !n.Pubkey().Equal(&key.PublicKey) {
			t.Errorf("%v: became %v", ip, n)
		}
		if n.IPAddr() != ip || n.TCP() != 1 || n.UDP() != 2 {
			t.Errorf("%v: is at %v, ports %d and %d", ip, n.IPAddr(), n.TCP(), n.UDP())
		}
		if (n == before) != (ip == before.IPAddr()) {
			t.Errorf("%v: the signature was thrown away without need, or kept", ip)
		}
	}
}

// A record needs no secp256k1 key; a handshake does.
func TestAHostNameOfANodeWithoutKeyFailsItsDial(t *testing.T) {
	rec := new(refusals)
	target := startTestServer(t, nil)
	var r enr.Record
	r.Set(enr.TCP(target.Self().TCP()))
	n := enode.SignNull(&r, enode.ID{1}).WithHostname("localhost")
	srv := startTestServer(t, func(srv *Server) { srv.Recorder, srv.NoDial, srv.ListenAddr = rec, false, "" })
	srv.AddPeer(n)
	if ev := rec.last(t, 1); ev.Err != errNoPublicKey || ev.Stage != "rlpx" {
		t.Errorf("recorded %+v", ev)
	}
}

func TestADialThatFailsInItsHandshakeIsReportedWithTheNodeThatWasMeant(t *testing.T) {
	rec := new(refusals)
	target := startTestServer(t, nil)
	other := enode.NewV4(&newKey(t).PublicKey, net.IP{127, 0, 0, 1}, target.Self().TCP(), 0)
	srv := startTestServer(t, func(srv *Server) { srv.Recorder, srv.NoDial, srv.ListenAddr = rec, false, "" })
	srv.AddPeer(other)
	if ev := rec.last(t, 1); ev.Stage != "rlpx" || ev.Link.Peer != other.ID() {
		t.Errorf("recorded %+v, want node %v", ev, other.ID())
	}
}

func TestAHostNameFromAnIteratorDoesNotLeadIntoOurNetwork(t *testing.T) {
	key, err := crypto.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		dns := &fakeDNS{answers: [][]string{{"10.0.0.1"}}}
		b := newDialBench(t, func(c *dialConfig) {
			c.hosts, c.scope = dns, func() addrScope { return scopePublic }
		})
		defer b.stop()
		n := enode.NewV4(&key.PublicKey, nil, 30303, 30303).WithHostname("node.example")
		b.run([]dialRound{{found: []*enode.Node{n}}})
		if err := b.refused[n.ID()]; !errors.Is(err, errSpecialUse) {
			t.Errorf("refused with %v", err)
		}
	})
}

func TestCandidateScopeIsThatOfOurOwnNetwork(t *testing.T) {
	ip := func(s string) netip.Addr {
		if s == "" {
			return netip.Addr{}
		}
		return netip.MustParseAddr(s)
	}
	for _, test := range []struct {
		name           string
		discovery      bool
		listen, record string
		boot           []string
		want           addrScope
	}{
		{name: "without discovery the application knows", want: scopeLoopback},
		{name: "wildcard, nothing known", discovery: true, listen: "0.0.0.0", record: "127.0.0.1", want: scopePublic},
		{name: "IPv6 wildcard", discovery: true, listen: "::", record: "127.0.0.1", want: scopePublic},
		{name: "no listener", discovery: true, record: "127.0.0.1", want: scopePublic},
		{name: "listening on loopback", discovery: true, listen: "127.0.0.1", record: "127.0.0.1", want: scopeLoopback},
		{name: "listening on a LAN", discovery: true, listen: "192.168.1.2", record: "127.0.0.1", want: scopeLAN},
		{name: "our record has a LAN address", discovery: true, listen: "::", record: "10.0.0.3", want: scopeLAN},
		{name: "public record", discovery: true, listen: "::", record: "5.5.5.5", boot: []string{"6.6.6.6"}, want: scopePublic},
		{name: "a boot node on a LAN", discovery: true, listen: "::", record: "127.0.0.1", boot: []string{"6.6.6.6", "172.16.0.1"}, want: scopeLAN},
		{name: "a boot node on this host", discovery: true, listen: "::", record: "127.0.0.1", boot: []string{"::1"}, want: scopeLoopback},
	} {
		var boot []netip.Addr
		for _, b := range test.boot {
			boot = append(boot, ip(b))
		}
		if got := candidateScope(test.discovery, ip(test.listen), ip(test.record), boot); got != test.want {
			t.Errorf("%s: got %d, want %d", test.name, got, test.want)
		}
	}
}
