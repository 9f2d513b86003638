package p2p

import (
	"context"
	"crypto/ecdsa"
	"errors"
	"net"
	"time"

	"github.com/ethereum/go-ethereum/p2p/enode"
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

	// Dialer, if not nil, makes the connection.
	Dialer NodeDialer
}

// ProbeResult is what [Probe] found out.
type ProbeResult struct {
	Name       string // client name, as the remote sent it: it may hold any bytes
	Version    uint64 // of devp2p
	Caps       []Cap  // as the remote sent them
	ListenPort uint64 // 0 unless the remote is an old client

	RTT           time.Duration // of one ping; 0 if the remote did not answer it
	HandshakeTime time.Duration // of the RLPx handshake and the exchange of Hellos, without the dialing

	LocalAddr, RemoteAddr net.Addr

	// Refused is the reason of the Disconnect that the remote sent, or nil. What it sent after its Hello leaves the
	// fields above set.
	Refused *DiscReason
}

// Probe dials node.
func Probe(ctx context.Context, cfg ProbeConfig, node *enode.Node) (*ProbeResult, error) {
	return nil, errors.New("not yet")
}
