package swarmcmd

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ethereum/go-ethereum/log"
	"github.com/ethereum/go-ethereum/p2p/enode"
	"github.com/ethereum/go-ethereum/p2p/netutil"

	"github.com/sennit-net/sennit/cmd/sennit/internal/config"
	"github.com/sennit-net/sennit/cmd/sennit/internal/ends"
	"github.com/sennit-net/sennit/p2p"
	"github.com/sennit-net/sennit/protocols/bzz"
	"github.com/sennit-net/sennit/protocols/bzz/chunk"
	"github.com/sennit-net/sennit/trace"
)

// Purpose is what a [Place] is wanted for.
type Purpose int

// The purposes.
const (
	ToGet Purpose = iota // ask the nodes for chunks
	ToPut                // have the nodes take chunks
)

const (
	tick      = 50 * time.Millisecond  // how often it is looked whether something has happened that nobody tells of
	syncDelay = 200 * time.Millisecond // before the nodes are asked to take chunks
)

// Tests shorten these.
var (
	// quiet is how long nothing has happened, after the nodes have answered for all chunks, when it is believed that no other
	// of them links any more.
	quiet = 2 * time.Second

	// stall is how long nothing may happen before it is given up; a lost link has been dialed again by then.
	stall = 40 * time.Second

	// throttle is how long a node at a public address refuses connections from where there was one: 30 s, in go-ethereum
	// since 1.9.
	throttle = 31 * time.Second
)

// linked is a node of this process that other nodes are linked to, and keeps chunks in the local store.
type linked struct {
	*local
	node   *bzz.Node
	server *p2p.Server
	shelf  *shelf // what is offered; nil if nothing is
	nodes  []*enode.Node
	say    Say
	ends   *reasons

	ctx     context.Context         // ends when the links are given up, and with Close
	give    context.CancelCauseFunc // ends it
	watched sync.WaitGroup          // the goroutine of watch
}

// dialects are what is offered, in this order until there is a link. To put, the early one comes first even to nodes that
// speak both: there, who has chunks decides when they are taken, and in the later one it is the taker, in its own time.
var dialects = map[Purpose][]bzz.Dialects{ToGet: {bzz.Early | bzz.Later}, ToPut: {bzz.Early, bzz.Later}}

// Dial opens the local store and links to nodes with the configuration's key, and returns when Swarm runs on a link to one
// of them. That may take timeout for each dialect, not counting how long the store takes to open, nor the half minute until a node at a
// public address can be asked for another dialect; 0 is no limit. capacity and say are as for [OpenLocal]; say is also told when the
// links are lost, and when one is back. The error says why on none Swarm runs.
func Dial(ctx context.Context, c *config.Config, capacity int64, purpose Purpose, nodes []*enode.Node, timeout time.Duration, say Say) (Place, error) {
	l, err := openLocal(c, capacity, say)
	if err != nil {
		return nil, err
	}
	d := &linked{local: l, nodes: nodes, say: say}
	if err := d.dial(ctx, c, purpose, timeout); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	d.ctx, d.give = context.WithCancelCause(context.Background())
	d.watched.Go(d.watch)
	return d, nil
}

// dial links to one of the nodes in the first of the dialects that one of them speaks.
func (d *linked) dial(ctx context.Context, c *config.Config, purpose Purpose, timeout time.Duration) error {
	var failed error
	for i, speak := range dialects[purpose] {
		if i > 0 {
			if err := d.pause(ctx); err != nil {
				return errors.Join(failed, err)
			}
		}
		err := d.start(ctx, c, purpose, speak, timeout)
		if err == nil {
			return nil
		}
		if failed != nil {
			err = fmt.Errorf("%w; and before, in an earlier dialect: %w", err, failed)
		}
		if failed = err; !d.ends.useless.Load() {
			break // another dialect would not help
		}
	}
	return failed
}

// pause waits until nodes let who has just been there in again.
func (d *linked) pause(ctx context.Context) error {
	if !slices.ContainsFunc(d.nodes, isPublic) {
		return nil
	}
	d.say.tell("%s may speak the dialect of Swarm 0.5; that is tried in %v, as nodes refuse who comes again sooner", d, throttle)
	select {
	case <-time.After(throttle):
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// isPublic tells whether a node may see us at a public address, since it may have one itself. Only there it counts who comes.
func isPublic(n *enode.Node) bool {
	return !netutil.AddrIsLAN(n.IPAddr()) // nor is a name, which may stand for any
}

// reasons is what is known of why links, or dials, ended.
type reasons struct {
	*ends.Ends
	useless atomic.Bool // a node spoke no protocol that it was offered
}

// Record keeps the cause of an end.
func (r *reasons) Record(event trace.Event) {
	if e, ok := event.(*trace.LinkRefused); ok && errors.Is(e.Err, p2p.DiscUselessPeer) {
		r.useless.Store(true)
	}
	r.Ends.Record(event)
}

func (d *linked) start(ctx context.Context, c *config.Config, purpose Purpose, speak bzz.Dialects, timeout time.Duration) error {
	d.ends = &reasons{Ends: ends.New(len(d.nodes))}
	if timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, timeout, fmt.Errorf("no answer in %v", timeout))
		defer cancel()
	}
	key, _, err := c.Key()
	if err != nil {
		return err
	}
	settings := bzz.Config{
		Overlay: bzz.OverlayOf(&key.PublicKey), NetworkID: c.Bzz.NetworkID, LaterNetworkID: c.Bzz.LaterNetworkID, Dialects: speak,
		Store: d.local.Store, NoDial: true, SyncDelay: syncDelay, Logger: log.NewLogger(log.DiscardHandler()),
	}
	if purpose == ToPut {
		d.shelf = newShelf(settings.Overlay, d.local.Store)
		settings.Store = d.shelf
	} else {
		settings.Light = true // nobody counts on a node that will be gone
	}
	if d.node, err = bzz.New(settings); err != nil {
		return err
	}
	d.server = &p2p.Server{Config: p2p.Config{
		PrivateKey: key, Name: c.Node.Name, MaxPeers: len(d.nodes), DialRatio: 1, NoDiscovery: true, Protocols: d.node.Protocols(), Recorder: d.ends,
		Logger: settings.Logger,
	}}
	if err := d.server.Start(); err != nil {
		return err
	}
	err = d.node.Start(d.server)
	for _, n := range d.nodes {
		d.server.AddPeer(n)
	}
	if err == nil {
		err = d.await(ctx)
	}
	if err != nil {
		d.stop()
	}
	return err
}

// await waits until Swarm runs on a link.
func (d *linked) await(ctx context.Context) error {
	ticker := time.NewTicker(tick)
	defer ticker.Stop()
	for d.node.Stats().Peers == 0 {
		select {
		case <-ticker.C:
		case <-d.ends.Done():
			_, cause := d.ends.Last()
			return fmt.Errorf("no Swarm with %s: %w", d, cause)
		case <-ctx.Done():
			_, cause := d.ends.Last()
			return fmt.Errorf("no Swarm with %s: %w", d, errors.Join(context.Cause(ctx), cause))
		}
	}
	return nil
}

func (d *linked) stop() {
	d.node.Stop()
	d.server.Stop()
}

// Put keeps a chunk, to be offered when all are there.
func (d *linked) Put(ctx context.Context, c chunk.Chunk) error {
	if err := d.local.Put(ctx, c); err != nil {
		return err
	}
	d.shelf.add(c.Address())
	return nil
}

// Get returns a chunk from the local store, or from a node. While the links are lost it waits for one to come back, or to be
// given up.
func (d *linked) Get(ctx context.Context, addr chunk.Address) (chunk.Chunk, error) {
	ctx, release := d.within(ctx)
	defer release()
	ticker := time.NewTicker(tick)
	defer ticker.Stop()
	for {
		lost := d.node.Stats().Peers == 0
		c, err := d.node.Get(ctx, addr)
		switch lost = lost || d.node.Stats().Peers == 0; {
		case err == nil:
			return c, nil
		case ctx.Err() != nil:
			return c, context.Cause(ctx)
		case !lost || !errors.Is(err, bzz.ErrNotFound):
			return c, err
		}
		for d.node.Stats().Peers == 0 && ctx.Err() == nil {
			select {
			case <-ticker.C:
			case <-ctx.Done():
			}
		}
	}
}

// Close takes leave and closes the store.
func (d *linked) Close() error {
	d.give(nil)
	d.watched.Wait()
	d.stop()
	return d.local.Close()
}

// String says how many nodes there are.
func (d *linked) String() string {
	if len(d.nodes) == 1 {
		return "the node"
	}
	return fmt.Sprintf("the %d nodes", len(d.nodes))
}
