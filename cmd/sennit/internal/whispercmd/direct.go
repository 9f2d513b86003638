// Package whispercmd is what `sennit whisper` does: post a message and wait for messages, at a node that this process links to
// itself ([Dial]) or through one that runs ([Connect]).
package whispercmd

import (
	"context"
	"crypto/ecdsa"
	"fmt"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/log"
	"github.com/ethereum/go-ethereum/p2p/enode"

	"github.com/sennit-net/sennit/cmd/sennit/internal/ends"
	"github.com/sennit-net/sennit/p2p"
	"github.com/sennit-net/sennit/protocols/shh"
)

// Node is where messages are posted and come from.
type Node interface {
	// Send posts a message and returns the hash of its envelope once another node has it, or the running node does. slow, if
	// not nil, is told once when the proof of work takes long; it is not called after Send has returned.
	Send(ctx context.Context, m shh.Outgoing, slow func(text string)) (common.Hash, error)

	// Listen hands on the messages that a filter lets pass until ctx ends or got returns an error, which it returns.
	Listen(ctx context.Context, f shh.Filter, got func(*shh.ReceivedMessage) error) error

	// Close takes leave.
	Close()
}

// DialConfig is how [Dial] presents itself. All of it is needed.
type DialConfig struct {
	Name  string            // client name
	Key   *ecdsa.PrivateKey // identity
	Topic *shh.Topic        // the only topic to be sent messages of; nil: all
}

// objection is how long a node that has received an envelope gets to end the link for it.
const objection = 300 * time.Millisecond

// tick is how often it is looked whether something has happened that nobody tells of.
const tick = 10 * time.Millisecond

// direct is a node of this process with one link.
type direct struct {
	whisper *shh.Whisper
	server  *p2p.Server
	target  *enode.Node
	ended   *ends.Ends
}

// Dial links to a node, and returns when Whisper runs on the link. The error says why it does not.
func Dial(ctx context.Context, c DialConfig, target *enode.Node) (Node, error) {
	// A leaf of the network takes whatever its one peer relays.
	settings := shh.Config{MinWork: -1, Logger: log.NewLogger(log.DiscardHandler())}
	if c.Topic != nil {
		bloom := shh.BloomOf(*c.Topic)
		settings.Bloom = &bloom
	}
	w, err := shh.New(settings)
	if err != nil {
		return nil, err
	}
	d := &direct{whisper: w, target: target, ended: ends.New(1)}
	d.server = &p2p.Server{Config: p2p.Config{
		PrivateKey: c.Key, Name: c.Name, MaxPeers: 1, NoDiscovery: true, Protocols: w.Protocols(), Recorder: d.ended, Logger: settings.Logger,
	}}
	if err := d.server.Start(); err != nil {
		return nil, err
	}
	d.server.AddPeer(target)
	if err := d.await(ctx, func() bool { return len(w.Peers()) > 0 }); err != nil {
		d.Close()
		return nil, fmt.Errorf("no Whisper with %v: %w", target.ID().TerminalString(), err)
	}
	return d, nil
}

func (d *direct) Close() { d.server.Stop() }

// await waits until something is so, the link has ended or ctx has.
func (d *direct) await(ctx context.Context, done func() bool) error {
	ticker := time.NewTicker(tick)
	defer ticker.Stop()
	for !done() {
		select {
		case <-ticker.C:
		case <-d.ended.Done():
			return d.ended.First()
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return nil
}

// Send posts a message with at least as much proof of work as the peer asks for.
func (d *direct) Send(ctx context.Context, m shh.Outgoing, slow func(string)) (common.Hash, error) {
	peers := d.whisper.Peers()
	if len(peers) == 0 {
		return common.Hash{}, d.await(ctx, func() bool { return false })
	}
	if m.Work == 0 {
		m.Work = max(shh.DefaultMinWork, peers[0].MinWork)
	}
	var e *shh.Envelope
	err := sealing(slow, m.WorkTime, func() (err error) {
		e, err = d.whisper.Post(ctx, m)
		return err
	})
	if err != nil {
		return common.Hash{}, err
	}
	if err := d.await(ctx, func() bool { return d.whisper.Holders(e.Hash()) > 0 }); err != nil {
		return common.Hash{}, fmt.Errorf("the node did not take the message, for its topic or its proof of work of %+v: %w", e.Work(), err)
	}
	if err := d.arrive(ctx); err != nil {
		return common.Hash{}, fmt.Errorf("the node has not confirmed that the message has arrived: %w", err)
	}
	select {
	case <-d.ended.Done():
		return common.Hash{}, fmt.Errorf("the node took offence: %w", d.ended.First())
	case <-time.After(objection):
	}
	return e.Hash(), nil
}

// arrive waits until the node has received what it was sent.
func (d *direct) arrive(ctx context.Context) error {
	for _, peer := range d.server.Peers() {
		if peer.Flush(ctx) == nil {
			return nil
		}
	}
	return d.await(ctx, func() bool { return false }) // the link has ended
}

// Listen waits for messages.
func (d *direct) Listen(ctx context.Context, f shh.Filter, got func(*shh.ReceivedMessage) error) error {
	sub, err := d.whisper.Subscribe(f)
	if err != nil {
		return err
	}
	defer sub.Close()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer d.ended.Tell(cancel)()
	for {
		m, err := sub.Next(ctx)
		if err != nil {
			return err
		}
		if err := got(shh.NewReceivedMessage(m)); err != nil {
			return err
		}
	}
}
