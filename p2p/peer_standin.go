package p2p

// To be deleted on merge: a Peer that is just enough to test the server until the real one is there.

import (
	"sync"
	"time"

	"github.com/ethereum/go-ethereum/log"
	"github.com/ethereum/go-ethereum/p2p/enode"

	"github.com/sennit-net/sennit/p2p/rlpx"
)

type peerOptions struct{}

func (r *runningServer) peerOptions() peerOptions { return peerOptions{} }

// Peer is a connected remote node.
type Peer struct {
	c      *conn
	rlpx   *rlpx.Conn
	once   sync.Once
	cause  error
	reason chan DiscReason
}

func newPeer(_ log.Logger, c *conn, _ []matchedProtocol, _ peerOptions) *Peer {
	return &Peer{c: c, rlpx: c.rlpx, reason: make(chan DiscReason, 1)}
}

// ID returns the node ID.
func (p *Peer) ID() enode.ID { return p.c.node.ID() }

// Info describes the peer.
func (p *Peer) Info() *PeerInfo { return &PeerInfo{ID: p.ID().String()} }

// Disconnect ends the peer.
func (p *Peer) Disconnect(reason DiscReason) {
	select {
	case p.reason <- reason:
		p.c.fd.SetReadDeadline(time.Unix(1, 0))
	default:
	}
}

func (p *Peer) run() (cause error, remoteRequested bool) {
	defer p.c.fd.Close()
	for {
		code, data, _, err := p.rlpx.Read()
		if err == nil && code == discMsg {
			return decodeDisconnect(data), true
		}
		if err != nil {
			select {
			case r := <-p.reason:
				p.rlpx.SetWriteDeadline(time.Now().Add(time.Second))
				p.rlpx.Write(discMsg, encodeDisconnect(r))
				return r, false
			default:
			}
			return err, false
		}
	}
}
