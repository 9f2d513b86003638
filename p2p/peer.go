package p2p

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"sync"

	"github.com/ethereum/go-ethereum/common/mclock"
	"github.com/ethereum/go-ethereum/event"
	"github.com/ethereum/go-ethereum/log"
	"github.com/ethereum/go-ethereum/p2p/enode"
	"github.com/ethereum/go-ethereum/p2p/enr"

	"github.com/sennit-net/sennit/internal/link"
	"github.com/sennit-net/sennit/trace"
)

// Peer is a remote node and the link to it. All methods are safe for concurrent use.
type Peer struct {
	// Static after construction.
	conn      *conn
	log       func() log.Logger
	created   mclock.AbsTime
	protocols []*protoRW // in code order
	opts      peerOptions
	link      *link.Link     // nil for a peer made for tests
	pipe      *MsgPipeRW     // of NewPeerPipe, else nil
	running   sync.WaitGroup // one for each protocol's Run; run waits for it
}

// peerOptions is what the peers of a server share.
type peerOptions struct {
	ledger   *link.Ledger   // memory budget; nil for none
	recorder trace.Recorder // nil for none
	events   *event.Feed    // takes message events; nil for none
}

// newPeer makes a peer of a connection whose Hellos have been exchanged. The connection belongs to the peer from now on.
func newPeer(logger log.Logger, c *conn, matched []matchedProtocol, opts peerOptions) *Peer {
	p := &Peer{conn: c, created: mclock.Now(), opts: opts}
	p.log = sync.OnceValue(func() log.Logger {
		return logger.New("id", c.id, "conn", c.flags.String())
	})
	s := c.rlpx.Detach()
	cfg := link.Config{
		Conn: c.fd, Framing: c.lanes.framing(s), Unread: s.Buffered,
		Ledger: opts.ledger, Recorder: opts.recorder, ID: c.link(),
	}
	cfg.Lanes = make([]link.LaneConfig, 0, len(matched))
	for i := range matched {
		m := &matched[i]
		cfg.Lanes = append(cfg.Lanes, link.LaneConfig{
			Name: m.Name, Version: m.Version, Offset: m.offset, Length: m.Length,
			Policy: m.Overload.policy(), Inbox: m.InboxBytes, Outbox: m.OutboxBytes, Weight: m.Weight,
		})
	}
	p.link = link.New(cfg)
	p.protocols = make([]*protoRW, 0, len(matched))
	for i, lane := range p.link.Lanes() {
		p.protocols = append(p.protocols, &protoRW{Protocol: matched[i].Protocol, lane: lane, peer: p})
	}
	return p
}

// NewPeer returns a peer for tests: it has no connection, and Disconnect does nothing. All of caps count as running, of
// each name the highest version; nobody can read or write their messages.
func NewPeer(id enode.ID, name string, caps []Cap) *Peer {
	fd, _ := net.Pipe()
	caps = slices.SortedFunc(slices.Values(caps), Cap.Cmp)
	c := &conn{fd: fd, id: id, name: name, caps: caps}
	c.node.Store(enode.SignNull(new(enr.Record), id))
	p := &Peer{conn: c, created: mclock.Now()}
	p.log = func() log.Logger { return log.Root().New("id", id, "conn", c.flags.String()) }
	local := make([]Protocol, len(caps))
	for i, c := range caps {
		local[i] = Protocol{Name: c.Name, Version: c.Version}
	}
	for _, m := range matchProtocols(local, caps) {
		p.protocols = append(p.protocols, &protoRW{Protocol: m.Protocol, peer: p})
	}
	return p
}

// NewPeerPipe returns a peer for tests whose connection is a message pipe: Disconnect closes it.
func NewPeerPipe(id enode.ID, name string, caps []Cap, pipe *MsgPipeRW) *Peer {
	p := NewPeer(id, name, caps)
	p.pipe = pipe
	return p
}

// ID returns the node's ID.
func (p *Peer) ID() enode.ID { return p.conn.id }

// Node returns the node: the one that was dialed, or for an inbound peer one made of its key and the address and port
// the connection comes from.
func (p *Peer) Node() *enode.Node { return p.conn.known() }

// maxShortName is how much of a client name [Peer.Name] shows, in bytes.
const maxShortName = 20

// Name returns the client name the remote announced, cut to 20 bytes. It is untrusted text.
func (p *Peer) Name() string {
	if s := p.conn.name; len(s) > maxShortName {
		return s[:maxShortName] + "..."
	}
	return p.conn.name
}

// Fullname returns the client name the remote announced, uncut. It is untrusted text.
func (p *Peer) Fullname() string { return p.conn.name }

// Caps returns the capabilities the remote announced, sorted. The caller must not change the slice.
func (p *Peer) Caps() []Cap { return p.conn.caps }

// RunningCap tells whether a protocol of that name in one of the versions runs on the link.
func (p *Peer) RunningCap(protocol string, versions []uint) bool {
	return slices.ContainsFunc(p.protocols, func(rw *protoRW) bool {
		return rw.Name == protocol && slices.Contains(versions, rw.Version)
	})
}

// RemoteAddr returns the remote end of the connection.
func (p *Peer) RemoteAddr() net.Addr { return p.conn.fd.RemoteAddr() }

// LocalAddr returns the local end of the connection.
func (p *Peer) LocalAddr() net.Addr { return p.conn.fd.LocalAddr() }

// Disconnect ends the link: what the protocols' WriteMsg have accepted is still sent, then the reason, all within a
// second, while every ReadMsg and WriteMsg fails. It does not wait for that, and never blocks. Of several calls, and
// other causes, the first decides the reason.
func (p *Peer) Disconnect(reason DiscReason) {
	switch {
	case p.pipe != nil:
		p.pipe.Close()
	case p.link != nil:
		p.link.End(uint8(reason), reason, "")
	}
}

// Flush waits until the remote node has received what the protocols' WriteMsg have accepted so far: until all has been sent and
// a ping that was sent after it has been answered. It looks for a moment in which no
// protocol of the link has anything unsent, so one that always has makes it wait until ctx ends. That it has arrived does not say that the remote's protocols have read it. The error is that of ctx, or
// [ErrShuttingDown] after the end of the link; there is none for a peer made for tests.
func (p *Peer) Flush(ctx context.Context) error {
	if p.link == nil {
		return nil
	}
	err := p.link.Flush(ctx)
	if errors.Is(err, link.ErrEnded) {
		return ErrShuttingDown
	}
	return err
}

// Inbound tells whether the remote dialed.
func (p *Peer) Inbound() bool { return p.conn.flags.is(inboundConn) }

// Trusted tells whether the node is a trusted one at the moment.
func (p *Peer) Trusted() bool { return p.conn.flags.is(trustedConn) }

// DynDialed tells whether the node was dialed because discovery or a protocol suggested it.
func (p *Peer) DynDialed() bool { return p.conn.flags.is(dynDialedConn) }

// StaticDialed tells whether the node was dialed because it is a static one.
func (p *Peer) StaticDialed() bool { return p.conn.flags.is(staticDialedConn) }

// Lifetime returns for how long the peer has existed.
func (p *Peer) Lifetime() mclock.AbsTime { return mclock.Now() - p.created }

// Log returns the peer's logger: the server's, with the node's ID.
func (p *Peer) Log() log.Logger { return p.log() }

// String names the peer by the first bytes of its ID and its address.
func (p *Peer) String() string {
	id := p.ID()
	return fmt.Sprintf("Peer %x %v", id[:8], p.RemoteAddr())
}

// Info returns what admin_peers shows of the peer.
func (p *Peer) Info() *PeerInfo {
	node := p.Node()
	info := &PeerInfo{
		Enode: node.URLv4(), ID: node.ID().String(), Name: p.Fullname(),
		Framing: p.framing(), Protocols: make(map[string]interface{}, len(p.protocols)),
	}
	if node.Seq() > 0 {
		info.ENR = node.String()
	}
	for _, c := range p.Caps() {
		info.Caps = append(info.Caps, c.String())
	}
	info.Network.LocalAddress = p.LocalAddr().String()
	info.Network.RemoteAddress = p.RemoteAddr().String()
	info.Network.Inbound = p.Inbound()
	info.Network.Trusted = p.Trusted()
	info.Network.Static = p.StaticDialed()
	for _, rw := range p.protocols {
		info.Protocols[rw.Name] = rw.info(node.ID())
	}
	return info
}

// framing returns how messages travel on the link; "" for a peer made for tests.
func (p *Peer) framing() string {
	if p.link == nil {
		return ""
	}
	return p.link.Framing()
}

// Stats returns what the link has carried so far and holds at the moment; all zero for a peer made for tests.
func (p *Peer) Stats() PeerStats {
	if p.link == nil {
		return PeerStats{}
	}
	s := p.link.Stats()
	stats := PeerStats{RTT: s.RTT, MinRTT: s.MinRTT, WireBytesIn: s.BytesIn, WireBytesOut: s.BytesOut}
	for _, rw := range p.protocols {
		stats.Protocols = append(stats.Protocols, rw.stats())
	}
	return stats
}
