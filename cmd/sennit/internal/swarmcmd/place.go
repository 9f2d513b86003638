// Package swarmcmd is what `sennit swarm` does: put files where their chunks are kept, and get them from there. That is the
// local store ([OpenLocal]), a node that runs ([Connect]), or the network that other nodes are links to ([Dial]).
package swarmcmd

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/sennit-net/sennit/cmd/sennit/internal/config"
	"github.com/sennit-net/sennit/protocols/bzz"
	"github.com/sennit-net/sennit/protocols/bzz/chunk"
	"github.com/sennit-net/sennit/protocols/bzz/store"
)

// Place is where chunks are put and come from. Put and Get are safe for concurrent use.
type Place interface {
	// Put hands over a chunk.
	Put(context.Context, chunk.Chunk) error

	// Get returns a chunk that has been verified.
	Get(context.Context, chunk.Address) (chunk.Chunk, error)

	// Finish waits until what was put is safe where it belongs. told, if not nil, is told how many chunks of how many are,
	// now and then.
	Finish(ctx context.Context, told func(done, total int64)) error

	// Close gives up the place. It waits for what it has started.
	Close() error

	// String says in a few words where that is.
	String() string
}

// Say is told in a line of text, now and then, what takes a while or is not as it should be. It is called from several
// goroutines, at the same time if it comes to that, and must not wait for the place. A nil Say is told nothing.
type Say func(text string)

func (s Say) tell(format string, args ...any) {
	if s != nil {
		s(fmt.Sprintf(format, args...))
	}
}

// local is the store of the data directory.
type local struct {
	*store.Store
	dir  string
	puts atomic.Int64
}

// OpenLocal opens the store that a node of this configuration has, with the key that it has; both are made if missing.
// capacity is that of the store, in bytes; 0 means as it was, or if the index has to be made anew what [store.Options] says. say is told if the store's index has to be made anew.
func OpenLocal(c *config.Config, capacity int64, say Say) (Place, error) {
	l, err := openLocal(c, capacity, say)
	if err != nil {
		return nil, err // and no place that is nil
	}
	return l, nil
}

func openLocal(c *config.Config, capacity int64, say Say) (*local, error) {
	key, _, err := c.Key()
	if err != nil {
		return nil, err
	}
	dir, err := c.ChunkDir()
	if err != nil {
		return nil, err
	}
	rebuilding := func(r store.Rebuild) {
		switch {
		case r.Total == 0:
			say.tell("the store in %s: %v; it begins anew", dir, r.Cause)
		case r.Done == 0:
			say.tell("the store in %s: %v; it is made anew from the file of chunks, %d MiB", dir, r.Cause, r.Total*store.SlotSize>>20)
		}
	}
	chunks, err := store.Open(dir, store.Options{Base: bzz.OverlayOf(&key.PublicKey), Capacity: capacity, Rebuilding: rebuilding})
	if errors.Is(err, store.ErrInUse) {
		return nil, fmt.Errorf("chunks: %w; if that is a node that runs, go through it, without --node, or name another --datadir", err)
	} else if err != nil {
		return nil, fmt.Errorf("chunks: %w", err)
	}
	if n := chunks.Stats().Rebuilt; n > 0 {
		say.tell("the store in %s: %d chunks were found; from now on it may hold %d MiB", dir, n, chunks.Stats().Capacity*store.SlotSize>>20)
	}
	return &local{Store: chunks, dir: dir}, nil
}

// Put keeps a chunk.
func (l *local) Put(ctx context.Context, c chunk.Chunk) error {
	l.puts.Add(1)
	_, err := l.Store.Put(ctx, c)
	return err
}

// Get returns a chunk. That it is missing is said with what could be done.
func (l *local) Get(ctx context.Context, addr chunk.Address) (chunk.Chunk, error) {
	c, err := l.Store.Get(ctx, addr)
	if errors.Is(err, store.ErrNotFound) {
		err = fmt.Errorf("%w in %s; with --node other nodes are asked, and so are they by a running node ('sennit run --bzz')", err, l)
	}
	return c, err
}

// Finish waits for the disk, and looks whether the store was large enough.
func (l *local) Finish(ctx context.Context, _ func(done, total int64)) error {
	if n, most := l.puts.Load(), l.Stats().Capacity; n > most {
		return fmt.Errorf("%s has room for %d chunks (%d MiB), and these were %d: the first have left again; see --capacity", l, most, most*store.SlotSize>>20, n)
	}
	return l.Sync(ctx)
}

// String names the directory.
func (l *local) String() string { return "the store in " + l.dir }
