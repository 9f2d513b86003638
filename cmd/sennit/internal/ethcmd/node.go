// Package ethcmd is what `sennit eth` does: ask a node for its head, headers, blocks and transactions, and watch what nodes
// say, over links of this process ([Dial], [Watch]) or through a node that runs ([Connect]).
package ethcmd

import (
	"context"
	"crypto/ecdsa"
	"errors"
	"fmt"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/log"
	"github.com/ethereum/go-ethereum/p2p/enode"

	"github.com/sennit-net/sennit/cmd/sennit/internal/ends"
	"github.com/sennit-net/sennit/p2p"
	"github.com/sennit-net/sennit/protocols/eth"
)

// Node is who is asked: one node, or the peers of a running one.
type Node interface {
	// States describes the node, or the peers of the running node that speak eth, the highest head first.
	States(context.Context) ([]*eth.PeerState, error)

	// Headers returns the headers that the node, or the peer with the highest head, has.
	Headers(context.Context, eth.HeadersRequest) ([]*types.Header, error)

	// Block returns a block; nil if it is not there.
	Block(context.Context, eth.HeadersRequest) (*eth.Block, error)

	// Transaction returns a transaction that waits to be in a block; nil if it is not there.
	Transaction(context.Context, common.Hash) (*types.Transaction, error)

	// Watch hands on what is said until ctx ends, and returns its cause, or got returns an error, which it returns. While got
	// is slow records are lost, and one of the event "lost" comes instead.
	Watch(ctx context.Context, got func(*eth.EventRecord) error) error

	// Close takes leave.
	Close()
}

// DialConfig is how [Dial] and [Listen] present themselves. All of it is needed but Versions and Network.
type DialConfig struct {
	Name     string            // client name
	Key      *ecdsa.PrivateKey // identity
	Versions []uint            // to offer; empty: all
	Network  string            // of eth.Networks, to be found by discovery; empty: none is looked for
}

// direct is a node of this process.
type direct struct {
	handler *eth.Handler
	server  *p2p.Server
	ended   *ends.Ends
	peer    *eth.Peer // nil with several links
	events  *eth.Subscription
}

// start starts a node that is about to have up to so many peers.
func start(c DialConfig, cfg eth.Config, server p2p.Config) (*direct, error) {
	cfg.Versions, cfg.Logger = c.Versions, log.NewLogger(log.DiscardHandler())
	h, err := eth.New(cfg)
	if err != nil {
		return nil, err
	}
	d := &direct{handler: h, ended: ends.New(1), events: h.Subscribe(0)}
	server.PrivateKey, server.Name, server.Protocols, server.Logger = c.Key, c.Name, h.Protocols(), cfg.Logger
	if server.Recorder == nil {
		server.Recorder = d.ended
	}
	d.server = &p2p.Server{Config: server}
	if err := d.server.Start(); err != nil {
		h.Close()
		return nil, err
	}
	h.Attach(d.server)
	return d, nil
}

// Dial links to a node, and returns when eth runs on the link. The error says why it does not. We say to be on whatever chain
// the node is on, and to have its genesis block only.
func Dial(ctx context.Context, c DialConfig, target *enode.Node) (Node, error) {
	d, err := start(c, eth.Config{AnyChain: true}, p2p.Config{MaxPeers: 1, NoDiscovery: true})
	if err != nil {
		return nil, err
	}
	d.server.AddPeer(target)
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	stop := d.ended.Tell(cancel)
	defer stop()
	for e := range d.events.Events(ctx) {
		if joined, ok := e.(*eth.PeerJoined); ok {
			d.peer = joined.Peer
			return d, nil
		}
	}
	d.Close()
	return nil, fmt.Errorf("no eth with %v: %w", target.ID().TerminalString(), context.Cause(ctx))
}

// Close takes leave of all nodes.
func (d *direct) Close() {
	d.server.Stop()
	d.handler.Close()
}

// why makes the error of a request that failed because the link has ended say why that was.
func (d *direct) why(err error) error {
	if errors.Is(err, eth.ErrGone) {
		if cause := d.ended.First(); cause != nil {
			return cause
		}
	}
	return err
}

// States asks for the number of the head if the version does not tell it.
func (d *direct) States(ctx context.Context) ([]*eth.PeerState, error) {
	state := d.peer.State()
	if state.Number == 0 && state.Version < 69 {
		request := eth.HeadersRequest{Hash: &state.Head, Amount: 1}
		headers, err := d.Headers(ctx, request)
		if err != nil {
			return nil, err
		}
		if len(headers) == 1 {
			state.Number = headers[0].Number.Uint64()
		}
	}
	return []*eth.PeerState{state}, nil
}

func (d *direct) Headers(ctx context.Context, r eth.HeadersRequest) ([]*types.Header, error) {
	headers, err := d.peer.Headers(ctx, r.Query(d.peer))
	return headers, d.why(err)
}

func (d *direct) Block(ctx context.Context, r eth.HeadersRequest) (*eth.Block, error) {
	block, err := d.peer.Block(ctx, r.Query(d.peer).Start)
	return block, d.why(err)
}

func (d *direct) Transaction(ctx context.Context, hash common.Hash) (*types.Transaction, error) {
	tx, err := d.peer.Transaction(ctx, hash)
	return tx, d.why(err)
}
