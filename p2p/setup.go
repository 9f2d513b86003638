package p2p

import (
	"crypto/ecdsa"
	"errors"
	"io"
	"math"
	"net"
	"slices"
	"time"

	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/p2p/enode"

	"github.com/sennit-net/sennit/p2p/rlpx"
	"github.com/sennit-net/sennit/trace"
)

// The way of a connection to a peer. Each stage may end it; before the checks nothing is said to the remote, after them
// it is told the reason.
//
//	handshake  RLPx; the remote has proven its key                              5 s    close
//	checks     room for it, not a peer yet, not ourselves                              Disconnect instead of our Hello
//	hello      what both can do                                                 5 s    close
//	checks     the same key as before, a protocol in common, the first checks          Disconnect
//	launch     registered, announced, and run in a goroutine of its own
//
// All of it happens in one goroutine, which ends with the launch.
const (
	handshakeTimeout = 5 * time.Second
	// helloTimeout bounds the exchange of Hellos. go-ethereum waits 30 s (5 s until v1.9.21); a Hello follows the
	// handshake at once in every implementation, so 5 s leave room for two lost packets.
	helloTimeout = 5 * time.Second

	// rivalTimeout bounds the wait for another connection with the same node.
	rivalTimeout = 2 * time.Second

	refusalWriteTimeout = time.Second
	// lingerTimeout is how long we wait, after a Disconnect, for the remote to close the connection. Closing at once
	// while its Hello is on the way would reset the connection, and the remote might never see the reason.
	lingerTimeout = 300 * time.Millisecond
)

var (
	errServerStopped = errors.New("server is not running")
	errNoPublicKey   = errors.New("node to dial has no public key")
)

// setupError is why a connection did not become a peer.
type setupError struct {
	stage string // of trace.LinkRefused
	err   error
}

func (e *setupError) Error() string { return e.stage + ": " + e.err.Error() }
func (e *setupError) Unwrap() error { return e.err }

// setup makes a peer of a connection or closes it. dest is the node that was dialed, nil if it is inbound; h is its
// place in the gate, nil if it did not come through the listener.
func (r *runningServer) setup(fd net.Conn, flags connFlag, dest *enode.Node, h *halfOpen) error {
	c := &conn{fd: fd, bounded: newBoundedFD(fd), seq: linkSeq.Add(1), opened: time.Now(), flags: flags}
	if dest != nil {
		c.setupID, c.id = dest.ID(), dest.ID()
		c.node.Store(dest)
	}
	if !r.peers.begin(c) {
		fd.Close()
		h.leave()
		return errServerStopped
	}
	defer r.peers.end(c)
	refusal := r.setupStages(c, dest, h)
	h.leave()
	if refusal == nil {
		return nil
	}
	fd.Close()
	r.refused(c, h, refusal)
	return refusal
}

// setupStages returns nil once the peer is launched.
func (r *runningServer) setupStages(c *conn, dest *enode.Node, h *halfOpen) *setupError {
	if err := r.handshake(c, dest, h); err != nil {
		return &setupError{"rlpx", err}
	}
	if c.flags.is(inboundConn) {
		r.dialer.inboundPending(c.id, +1)
		defer r.dialer.inboundPending(c.id, -1)
	}
	if err := r.peers.check(c); err != nil {
		r.sendRefusal(c, h, err)
		return &setupError{"checks", err}
	}
	h.enterStage(stageHello)
	theirs, err := exchangeHello(c.rlpx, r.hello, helloTimeout)
	if err == nil {
		err = h.commit()
	}
	if err != nil {
		return &setupError{"hello", err}
	}
	c.bounded.left = math.MaxInt
	slices.SortFunc(theirs.Caps, Cap.Cmp)
	c.version, c.name, c.caps = theirs.Version, theirs.Name, theirs.Caps
	if c.lanes, err = agreeOnLanes(c.rlpx, !c.flags.is(inboundConn), r.hello, theirs); err != nil {
		return &setupError{"hello", err}
	}
	matched, entry, err := r.admit(c, theirs)
	if err != nil {
		r.sendRefusal(c, h, err)
		return &setupError{"checks", err}
	}
	r.launch(entry, matched)
	return nil
}

// handshake runs RLPx and learns, or confirms, the remote's key.
func (r *runningServer) handshake(c *conn, dest *enode.Node, h *halfOpen) error {
	deadline := c.opened.Add(handshakeTimeout)
	if err := c.fd.SetDeadline(deadline); err != nil {
		return err
	}
	if dest != nil {
		destKey := dest.Pubkey()
		if destKey == nil {
			return errNoPublicKey
		}
		c.rlpx = rlpx.NewConn(c.bounded, destKey)
		_, err := c.rlpx.Handshake(r.cfg.PrivateKey)
		return err
	}
	key, err := r.answerHandshake(c, h, deadline, r.cfg.LegacyHandshake)
	if errors.Is(err, errAuthIncomplete) && c.bounded.plain {
		h.leaveSlot()
		key, err = r.answerHandshake(c, h, deadline, false)
	}
	c.bounded.auth = nil
	if err != nil {
		return err
	}
	c.key = crypto.FromECDSAPub(key)
	c.id = enode.PubkeyToIDV4(key)
	return nil
}

// answerHandshake is the handshake of an inbound connection. Its elliptic curve operations cost most of a millisecond of
// CPU, so only as many run at a time as there are CPUs, and none of those waits for the remote: the error is
// errAuthIncomplete if, with plain accepted, what has been waited for is only the beginning of a packet.
func (r *runningServer) answerHandshake(c *conn, h *halfOpen, deadline time.Time, plain bool) (*ecdsa.PublicKey, error) {
	h.enterStage(stageSilent)
	if err := c.bounded.awaitAuth(plain); err != nil {
		return nil, err
	}
	c.rlpx = rlpx.NewConn(c.bounded, nil)
	c.rlpx.AcceptLegacy(plain)
	c.rlpx.DelayAck(true) // whatever comes next, Hello or a refusal, is written at once
	if h != nil {
		if err := h.takeSlot(r.ctx, deadline); err != nil {
			return nil, err
		}
	}
	select {
	case r.workers <- struct{}{}:
	case <-r.ctx.Done():
		return nil, errServerStopped
	}
	c.bounded.held = true
	defer func() {
		c.bounded.held = false
		<-r.workers
	}()
	return c.rlpx.Handshake(r.cfg.PrivateKey)
}

// admit makes the checks that need the remote's Hello, and registers the connection as a peer-to-be.
func (r *runningServer) admit(c *conn, theirs *hello) ([]matchedProtocol, *peerEntry, error) {
	if theirs.nodeID() != c.id {
		return nil, nil, DiscUnexpectedIdentity
	}
	matched := matchProtocols(r.cfg.Protocols, c.caps)
	if len(r.cfg.Protocols) > 0 && len(matched) == 0 {
		return nil, nil, DiscUselessPeer
	}
	entry, err := r.awaitRival(c)
	if err != nil {
		return nil, nil, err
	}
	return matched, entry, nil
}

// awaitRival registers c. When two nodes dial each other at the same time, each must refuse one of the two connections,
// and if they don't refuse the same one they lose both. So both prefer the one that was dialed by the node with the lower
// ID: the other one waits until that has become a peer or failed. Waiting never refuses anybody, so with an
// implementation that takes what comes first (go-ethereum does) it makes nothing worse.
func (r *runningServer) awaitRival(c *conn) (*peerEntry, error) {
	timeout := time.NewTimer(rivalTimeout)
	defer timeout.Stop()
	for {
		entry, rival, err := r.peers.admit(c, true)
		if rival == nil {
			return entry, err
		}
		select {
		case <-rival:
		case <-timeout.C:
			entry, _, err = r.peers.admit(c, false)
			return entry, err
		case <-r.ctx.Done():
			return nil, DiscQuitting
		}
	}
}

// sendRefusal tells the remote why it is refused, if there is a reason it can be told, and gives it the time to read it.
func (r *runningServer) sendRefusal(c *conn, h *halfOpen, err error) {
	reason, ok := err.(DiscReason)
	if !ok {
		return
	}
	h.enterStage(stageLeaving)
	if sayDisconnect(c.rlpx, c.fd, c.lanes, reason, refusalWriteTimeout) != nil {
		return
	}
	if half, ok := c.fd.(interface{ CloseWrite() error }); !ok || half.CloseWrite() != nil {
		return
	}
	c.fd.SetReadDeadline(time.Now().Add(lingerTimeout))
	io.Copy(io.Discard, io.LimitReader(c.fd, setupReadLimit))
}

// refused tells the log and the recorder of a connection that did not become a peer.
func (r *runningServer) refused(c *conn, h *halfOpen, why *setupError) {
	r.cfg.Logger.Trace("Connection refused", "addr", c.fd.RemoteAddr(), "conn", &c.flags, "stage", why.stage, "err", why.err)
	r.record(&trace.LinkRefused{
		Link: c.link(), Local: c.fd.LocalAddr(), Remote: c.fd.RemoteAddr(), Stage: why.stage, Err: h.explain(why.err),
	})
}

// dialFailed is refused for a dial that got no connection.
func (r *runningServer) dialFailed(dest *enode.Node, err error) {
	ev := &trace.LinkRefused{Link: trace.Link{Seq: linkSeq.Add(1), Peer: dest.ID()}, Stage: "dial", Err: err}
	if addr, ok := dest.TCPEndpoint(); ok {
		ev.Remote = net.TCPAddrFromAddrPort(addr)
	}
	r.record(ev)
}

func (r *runningServer) record(ev trace.Event) {
	if r.cfg.Recorder != nil {
		r.cfg.Recorder.Record(ev)
	}
}

// setUpOutside is [Server.SetupConn]: a connection that somebody else has made. A DiscReason is returned bare, as
// callers written for go-ethereum compare it.
func (r *runningServer) setUpOutside(fd net.Conn, flags connFlag, dest *enode.Node) error {
	if dest == nil {
		flags |= inboundConn
	}
	err := r.setup(fd, flags, dest, nil)
	var se *setupError
	if errors.As(err, &se) && se.stage == "checks" {
		return se.err
	}
	return err
}

// publicKeyID returns the node ID that belongs to our own key.
func publicKeyID(key *ecdsa.PrivateKey) enode.ID {
	return enode.PubkeyToIDV4(&key.PublicKey)
}
