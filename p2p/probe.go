package p2p

import (
	"context"
	"crypto/ecdsa"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"time"

	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/p2p/enode"

	"github.com/sennit-net/sennit/internal/frame"
	"github.com/sennit-net/sennit/p2p/rlpx"
)

// ProbeConfig is how [Probe] presents itself. Its zero value probes with a key of its own for the one call, without a
// name or capabilities, over TCP.
type ProbeConfig struct {
	// PrivateKey is the identity to use. If nil, one is made for the call.
	PrivateKey *ecdsa.PrivateKey

	// Name is the client name in our Hello.
	Name string

	// Caps are the capabilities in our Hello. A node that shares none of them may refuse us as useless.
	Caps []Cap

	// NoLanes keeps lanes/1 out of our Hello: the link is plain RLPx then.
	NoLanes bool

	// Dialer, if not nil, makes the connection.
	Dialer NodeDialer
}

// ProbeResult is what [Probe] found out.
type ProbeResult struct {
	Name       string // client name, as the remote sent it: it may hold any bytes
	Version    uint64 // of devp2p; 0 if there was no Hello
	Caps       []Cap  // as the remote sent them: names may hold any bytes
	ListenPort uint64 // in the Hello; most clients send 0
	Framing    string // how messages travel on the link: "rlpx" or "lanes/1"; empty if there was no Hello

	RTT           time.Duration // of one ping; 0 if the remote did not answer it
	HandshakeTime time.Duration // of the RLPx handshake and the exchange of Hellos, without the dialing

	LocalAddr, RemoteAddr net.Addr

	// Refused is the reason of the Disconnect that the remote sent, or nil if it kept the link.
	Refused *DiscReason
}

// ProbeError is the error of [Probe]: the stage that failed, and why.
type ProbeError struct {
	// Stage is "node" (it cannot be dialed as it is), "dial", "rlpx", "hello" or "ping".
	Stage string

	// Err is the cause. A refusal by the remote has its DiscReason in the chain, an end of the context the context's
	// error.
	Err error
}

// Error returns the stage and the cause.
func (e *ProbeError) Error() string { return e.Stage + ": " + e.Err.Error() }

// Unwrap returns the cause.
func (e *ProbeError) Unwrap() error { return e.Err }

// How long the stages of a probe may take, if the context does not end earlier.
const (
	probeDialTimeout  = 15 * time.Second
	probeRLPxTimeout  = 5 * time.Second
	probeHelloTimeout = 30 * time.Second
	probePingTimeout  = 15 * time.Second
	probeByeTimeout   = time.Second
)

// probeSkipped is how many messages of other kinds a remote may send before its Pong.
const probeSkipped = 64

// probeReadLimit is how many bytes are read after the remote's Hello. What a protocol says first is far smaller, so a
// remote that sends more is not one to take memory for.
const probeReadLimit = 256 << 10

// Probe connects to node, does the RLPx handshake, exchanges Hellos, measures the round-trip time of one ping and takes
// leave. It needs no server, and runs no protocol. Of what the remote sends it reads no more than a handshake packet and
// the largest Hello (4,169 bytes), and after the Hello 256 KiB.
//
// The result is nil only if there was no connection; otherwise it has what was learnt until the end. The error is a
// [*ProbeError]; it is nil if the remote has sent its Hello and answered the ping, or has refused us after its Hello,
// which [ProbeResult.Refused] tells. Probe returns soon after ctx ends.
func Probe(ctx context.Context, cfg ProbeConfig, node *enode.Node) (*ProbeResult, error) {
	p := &prober{cfg: cfg, key: cfg.PrivateKey, result: new(ProbeResult)}
	if p.key == nil {
		key, err := crypto.GenerateKey()
		if err != nil {
			return nil, &ProbeError{"node", err}
		}
		p.key = key
	}
	fd, err := p.dial(ctx, node)
	if err != nil {
		return nil, err
	}
	// Closing is the one way to end whatever stage is under way, whichever deadlines it sets.
	closed := make(chan struct{})
	stop := context.AfterFunc(ctx, func() { fd.Close(); close(closed) })
	err = p.run(fd, node.Pubkey())
	if !stop() {
		<-closed
	}
	fd.Close()
	var failed *ProbeError
	if errors.As(err, &failed) && ctx.Err() != nil {
		failed.Err = fmt.Errorf("%w (%w)", context.Cause(ctx), failed.Err)
	}
	return p.result, err
}

// prober is one call of Probe.
type prober struct {
	cfg    ProbeConfig
	key    *ecdsa.PrivateKey
	result *ProbeResult
}

// dial connects to the node.
func (p *prober) dial(ctx context.Context, node *enode.Node) (net.Conn, error) {
	if node.Pubkey() == nil {
		return nil, &ProbeError{"node", errors.New("its record has no secp256k1 key")}
	}
	ctx, cancel := context.WithTimeout(ctx, probeDialTimeout)
	defer cancel()
	if p.cfg.Dialer != nil {
		fd, err := p.cfg.Dialer.Dial(ctx, node)
		if err != nil {
			return nil, &ProbeError{"dial", err}
		}
		return fd, nil
	}
	addr, err := dialAddress(node)
	if err != nil {
		return nil, &ProbeError{"node", err}
	}
	fd, err := new(net.Dialer).DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, &ProbeError{"dial", err}
	}
	return fd, nil
}

// dialAddress returns the TCP address of a node; a host name in it is resolved by the dialer.
func dialAddress(node *enode.Node) (string, error) {
	if node.TCP() == 0 {
		return "", errors.New("it has no TCP port")
	}
	if name := node.Hostname(); name != "" {
		return net.JoinHostPort(name, strconv.Itoa(node.TCP())), nil
	}
	endpoint, ok := node.TCPEndpoint()
	if !ok {
		return "", errors.New("it has no IP address")
	}
	return endpoint.String(), nil
}

// run goes through the stages on a connection.
func (p *prober) run(fd net.Conn, remote *ecdsa.PublicKey) error {
	p.result.LocalAddr, p.result.RemoteAddr = fd.LocalAddr(), fd.RemoteAddr()
	bounded := newBoundedFD(fd)
	conn := rlpx.NewConn(bounded, remote)
	start := time.Now()
	conn.SetDeadline(start.Add(probeRLPxTimeout))
	if _, err := conn.Handshake(p.key); err != nil {
		return &ProbeError{"rlpx", explainHandshakeError(err)}
	}
	caps := p.cfg.Caps
	if !p.cfg.NoLanes {
		caps = withLanes(caps)
	}
	ours := newHello(&p.key.PublicKey, p.cfg.Name, caps)
	theirs, err := exchangeHello(conn, ours, probeHelloTimeout)
	p.result.HandshakeTime = time.Since(start)
	if err != nil {
		p.refused(err)
		return &ProbeError{"hello", err}
	}
	r := p.result
	r.Name, r.Version, r.Caps, r.ListenPort = theirs.Name, theirs.Version, theirs.Caps, theirs.ListenPort
	codec, err := agreeOnLanes(conn, true, ours, theirs)
	if err != nil {
		return &ProbeError{"hello", err}
	}
	r.Framing = codec.name()
	if theirs.nodeID() != enode.PubkeyToIDV4(remote) {
		sayDisconnect(conn, bounded, codec, DiscUnexpectedIdentity, probeByeTimeout)
		return &ProbeError{"hello", errors.New("the Hello names another node key than the handshake")}
	}
	bounded.left = probeReadLimit
	if codec == nil {
		r.RTT, err = pingOnce(conn)
	} else {
		r.RTT, err = pingLanes(conn, bounded, codec, time.Now())
	}
	if err != nil {
		if p.refused(err) {
			return nil
		}
		return &ProbeError{"ping", err}
	}
	// Whether that arrives makes no difference to the result.
	sayDisconnect(conn, bounded, codec, DiscQuitting, probeByeTimeout)
	return nil
}

// refused takes down the reason if err is a Disconnect of the remote.
func (p *prober) refused(err error) bool {
	var refused *refusedError
	if !errors.As(err, &refused) {
		return false
	}
	p.result.Refused = &refused.reason
	return true
}

// pingOnce sends a ping and returns how long the answer takes.
func pingOnce(conn *rlpx.Conn) (rtt time.Duration, err error) {
	start := time.Now()
	conn.SetDeadline(start.Add(probePingTimeout))
	err = writeWhile(conn, pingMsg, frame.EmptyList, func() (err error) {
		rtt, err = awaitPong(conn, start)
		return err
	})
	return rtt, err
}

// awaitPong reads up to the Pong or a Disconnect. What comes in between, such as the first message of a protocol we have
// claimed to have, is of no interest.
func awaitPong(conn *rlpx.Conn, start time.Time) (time.Duration, error) {
	for range probeSkipped {
		code, data, _, err := conn.Read()
		if errors.Is(err, errSetupReadLimit) {
			return 0, fmt.Errorf("no answer among %d bytes", probeReadLimit)
		}
		if err != nil {
			return 0, fmt.Errorf("awaiting the answer: %w", err)
		}
		switch code {
		case pongMsg:
			return time.Since(start), nil
		case discMsg:
			return 0, &refusedError{decodeDisconnect(data)}
		}
	}
	return 0, fmt.Errorf("no answer among %d messages", probeSkipped)
}

// explainHandshakeError says what a failure of the RLPx handshake most likely means. A node that is dialed with a wrong
// key cannot read our first packet, and closes without a word.
func explainHandshakeError(err error) error {
	var network net.Error
	switch {
	case errors.Is(err, rlpx.ErrHandshake):
		return fmt.Errorf("what answered is not the node of this key, or no devp2p node: %w", err)
	case errors.Is(err, net.ErrClosed), errors.As(err, &network) && network.Timeout():
		return fmt.Errorf("the node accepted the connection but did not answer the handshake: is it a devp2p port? (%w)", err)
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.As(err, &network):
		return fmt.Errorf("the node closed the connection during the handshake: is the node key in the enode right? (%w)", err)
	}
	return err
}
