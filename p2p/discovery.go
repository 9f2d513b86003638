package p2p

import (
	"fmt"
	"net"
	"net/netip"

	"github.com/ethereum/go-ethereum/p2p/discover"
	"github.com/ethereum/go-ethereum/p2p/enode"
)

// discovery is the node discovery of a server: v4, v5, both on one socket, or neither.
type discovery struct {
	v4   *discover.UDPv4
	v5   *discover.UDPv5
	boot []netip.Addr // addresses of the bootstrap nodes of what runs
}

// sharedPackets is how many packets that v4 could not read may wait for v5; further ones are lost, as UDP packets are.
const sharedPackets = 100

// startDiscovery opens the UDP socket and starts what is configured.
func (r *runningServer) startDiscovery() error {
	if r.cfg.NoDiscovery || !(r.cfg.DiscoveryV4 || r.cfg.DiscoveryV5) {
		return nil
	}
	conn, err := r.listenUDP()
	if err != nil {
		return err
	}
	if err := r.disc.start(r.cfg, conn, r.local); err != nil {
		conn.Close()
		return err
	}
	return nil
}

// listenUDP opens the socket of discovery: at DiscAddr, or else at the address of the listener.
func (r *runningServer) listenUDP() (*net.UDPConn, error) {
	addr := r.cfg.ListenAddr
	if r.cfg.DiscAddr != "" {
		addr = r.cfg.DiscAddr
	}
	udpAddr, err := net.ResolveUDPAddr("udp", addr)
	if err != nil {
		return nil, fmt.Errorf("discovery address %q: %w", addr, err)
	}
	conn, err := net.ListenUDP("udp", udpAddr)
	if err != nil {
		return nil, err
	}
	local := conn.LocalAddr().(*net.UDPAddr)
	r.local.SetFallbackUDP(local.Port)
	r.ports.add(portMapping{protocol: "UDP", name: "ethereum peer discovery", ip: local.IP, port: local.Port})
	return conn, nil
}

// start runs what cfg says on conn, which it owns when it succeeds. v4 reads the socket first and hands on what it can't
// read.
func (d *discovery) start(cfg *Config, conn *net.UDPConn, local *enode.LocalNode) error {
	var (
		unhandled chan discover.ReadPacket
		v5Conn    discover.UDPConn = conn
	)
	if cfg.DiscoveryV4 && cfg.DiscoveryV5 {
		unhandled = make(chan discover.ReadPacket, sharedPackets)
		v5Conn = &discover.SharedUDPConn{UDPConn: conn, Unhandled: unhandled}
	}
	if cfg.DiscoveryV4 {
		v4, err := discover.ListenV4(conn, local, discover.Config{
			PrivateKey: cfg.PrivateKey, NetRestrict: cfg.NetRestrict, Bootnodes: cfg.BootstrapNodes,
			Unhandled: unhandled, Log: cfg.Logger, Clock: cfg.clock,
		})
		if err != nil {
			return fmt.Errorf("starting discovery v4: %w", err)
		}
		d.v4 = v4
		d.noteBootNodes(cfg.BootstrapNodes)
	}
	if cfg.DiscoveryV5 {
		v5, err := discover.ListenV5(v5Conn, local, discover.Config{
			PrivateKey: cfg.PrivateKey, NetRestrict: cfg.NetRestrict, Bootnodes: cfg.BootstrapNodesV5,
			Log: cfg.Logger, Clock: cfg.clock,
		})
		if err != nil {
			d.stop()
			return fmt.Errorf("starting discovery v5: %w", err)
		}
		d.v5 = v5
		d.noteBootNodes(cfg.BootstrapNodesV5)
	}
	return nil
}

// unread yields nothing, and closes iterators that nobody reads.
type unread struct {
	enode.Iterator
	sources []enode.Iterator
}

func (u unread) Close() {
	u.Iterator.Close()
	for _, source := range u.sources {
		source.Close()
	}
}

func (d *discovery) noteBootNodes(nodes []*enode.Node) {
	for _, n := range nodes {
		if ip := n.IPAddr(); ip.IsValid() {
			d.boot = append(d.boot, ip)
		}
	}
}

func (d *discovery) runs() bool { return d.v4 != nil || d.v5 != nil }

// stop ends discovery and waits for it. v4 goes first, because it feeds v5.
func (d *discovery) stop() {
	if d.v4 != nil {
		d.v4.Close()
	}
	if d.v5 != nil {
		d.v5.Close()
	}
}

// candidates returns the nodes to dial: those which the protocols propose, one source for each protocol name, or if
// there is none, random nodes of the network. With NoDiscovery there are none. The caller closes the iterator, and so those
// of the protocols.
func (d *discovery) candidates(cfg *Config) enode.Iterator {
	mix := enode.NewFairMix(0) // 0: draw from whichever source has a node
	var sources []enode.Iterator
	named := make(map[string]bool)
	for i := range cfg.Protocols {
		if p := &cfg.Protocols[i]; p.DialCandidates != nil && !named[p.Name] {
			named[p.Name] = true
			sources = append(sources, p.DialCandidates)
		}
	}
	if cfg.NoDiscovery {
		return unread{mix, sources}
	}
	for _, source := range sources {
		mix.AddSource(source)
	}
	if len(sources) == 0 {
		if d.v4 != nil {
			mix.AddSource(enode.WithSourceName("discv4", d.v4.RandomNodes()))
		}
		if d.v5 != nil {
			mix.AddSource(enode.WithSourceName("discv5", d.v5.RandomNodes()))
		}
	}
	return mix
}

// candidateScope is candidateScope for what the server knows now.
func (r *runningServer) candidateScope() addrScope {
	var listen netip.Addr
	if r.listener != nil {
		listen = r.listener.Addr().(*net.TCPAddr).AddrPort().Addr()
	}
	return candidateScope(r.disc.runs(), listen, r.local.Node().IPAddr(), r.disc.boot)
}
