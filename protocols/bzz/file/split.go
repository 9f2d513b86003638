package file

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"runtime"
	"sync"

	"github.com/sennit-net/sennit/protocols/bzz/chunk"
)

// SplitOptions say how [Split] works. The zero value makes a plain tree on all processors.
type SplitOptions struct {
	// Encrypt makes an encrypted tree: each chunk has a random key, so splitting the same content again gives other
	// chunks and another reference.
	Encrypt bool

	// Workers is how many goroutines hash and call the PutFunc; 0 means as many as there are processors to use. Each has
	// about 1 MiB of content in memory.
	Workers int
}

// Splitting is a line with three stations:
//
//	reading, in the caller's goroutine: one job is what hangs below one full node of level 1
//	workers: make the leaves of a job, and the node above them if it is full
//	assembling, in the order of the jobs: nodes of higher levels, and what remains at the end
//
// Jobs go round: as many as there are, so much content is in memory.
type splitter struct {
	// Static after construction.
	shape shape
	put   PutFunc

	jobs  chan *job // to workers; closed by the reading side
	order chan *job // to the assembler, in order; closed by the reading side
	free  chan *job // never closed
}

// job is content that is split by one worker.
type job struct {
	content []byte // at most what a node of level 1 can have below it
	n       int    // how much of it is used
	items   []item // the node, if it is full, else the leaves
	err     error
	done    chan struct{} // of 1, never closed: items or err are there
}

// item is a subtree that has been put.
type item struct {
	ref  Reference
	size uint64 // bytes of content below it
}

// Split reads r to its end, puts the chunks of the tree above what it has read, and returns the reference of that tree
// and its size in bytes. Plain trees are those of go-ethereum 1.8.27: equal content has equal references there and here.
//
// Content without a byte is [ErrEmpty]. Other errors are those of r, of put, and that of ctx, which does not interrupt a
// call of Read. When Split returns, put is not called any more.
func Split(ctx context.Context, r io.Reader, put PutFunc, opts SplitOptions) (Reference, int64, error) {
	workers := opts.Workers
	if workers <= 0 {
		workers = runtime.GOMAXPROCS(0)
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	n := workers + 2
	s := &splitter{
		shape: shapeOf(opts.Encrypt), put: put,
		jobs: make(chan *job), order: make(chan *job, n), free: make(chan *job, n),
	}
	for range n {
		s.free <- &job{done: make(chan struct{}, 1)}
	}
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() { s.work(ctx) })
	}
	var root item
	wg.Go(func() {
		var err error
		if root, err = s.assemble(ctx); err != nil {
			cancel(err)
		}
	})
	err := s.read(ctx, r)
	if err != nil {
		cancel(err)
	}
	close(s.jobs)
	close(s.order)
	wg.Wait()
	if err := context.Cause(ctx); err != nil {
		return Reference{}, 0, err
	}
	return root.ref, int64(root.size), nil
}

// read makes jobs of what r has.
func (s *splitter) read(ctx context.Context, r io.Reader) error {
	for {
		var j *job
		select {
		case j = <-s.free:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		n, err := j.fill(r, s.shape)
		if n > 0 {
			s.order <- j // has room for all jobs
			select {
			case s.jobs <- j:
			case <-ctx.Done():
				return context.Cause(ctx)
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return fmt.Errorf("file: reading the content: %w", err)
		}
	}
}

// fill reads a job's content. Its memory grows with what there is, so that small content needs little.
func (j *job) fill(r io.Reader, s shape) (int, error) {
	j.n = 0
	full := int(s.capacity(1))
	for j.n < full {
		if j.n == len(j.content) {
			larger := make([]byte, min(full, max(chunk.MaxPayload, 4*len(j.content))))
			copy(larger, j.content)
			j.content = larger
		}
		n, err := io.ReadFull(r, j.content[j.n:])
		j.n += n
		if errors.Is(err, io.ErrUnexpectedEOF) {
			err = io.EOF
		}
		if err != nil {
			return j.n, err
		}
	}
	return j.n, nil
}

// work does jobs until there are no more.
func (s *splitter) work(ctx context.Context) {
	m := &maker{shape: s.shape, put: s.put}
	for j := range s.jobs {
		j.items, j.err = m.leaves(ctx, j.content[:j.n], j.items[:0])
		if j.err == nil && j.n == int(s.shape.capacity(1)) {
			var node item
			node, j.err = m.node(ctx, j.items)
			j.items = append(j.items[:0], node)
		}
		j.done <- struct{}{}
	}
}

// assemble takes the jobs in order and returns the root.
func (s *splitter) assemble(ctx context.Context) (item, error) {
	a := assembler{shape: s.shape, maker: &maker{shape: s.shape, put: s.put}}
	for j := range s.order {
		select {
		case <-j.done:
		case <-ctx.Done():
			return item{}, context.Cause(ctx)
		}
		err := j.err
		level := 0
		if j.n == int(s.shape.capacity(1)) {
			level = 1
		}
		for i := 0; err == nil && i < len(j.items); i++ {
			err = a.add(ctx, level, j.items[i])
		}
		if err != nil {
			return item{}, err
		}
		s.free <- j // has room for all jobs
	}
	return a.finish(ctx)
}

// maker makes chunks and puts them. It is not safe for concurrent use.
type maker struct {
	shape   shape
	put     PutFunc
	hasher  chunk.Hasher
	crypter crypter
	refs    []byte
}

// leaves puts the leaves of content and appends them to items.
func (m *maker) leaves(ctx context.Context, content []byte, items []item) ([]item, error) {
	for len(content) > 0 {
		if err := ctx.Err(); err != nil {
			return nil, context.Cause(ctx)
		}
		n := min(len(content), chunk.MaxPayload)
		leaf, err := m.chunk(ctx, uint64(n), content[:n])
		if err != nil {
			return nil, err
		}
		items = append(items, leaf)
		content = content[n:]
	}
	return items, nil
}

// node puts the chunk above children.
func (m *maker) node(ctx context.Context, children []item) (item, error) {
	m.refs = m.refs[:0]
	size := uint64(0)
	for _, child := range children {
		m.refs = child.ref.append(m.refs)
		size += child.size
	}
	return m.chunk(ctx, size, m.refs)
}

// chunk puts a chunk with a copy of payload.
func (m *maker) chunk(ctx context.Context, size uint64, payload []byte) (item, error) {
	data := make([]byte, chunk.SpanSize+len(payload))
	binary.LittleEndian.PutUint64(data, size)
	copy(data[chunk.SpanSize:], payload)
	var ref Reference
	if m.shape == encryptedSize {
		data, ref.Key = m.crypter.encrypt(data)
		ref.Encrypted = true
	}
	ref.Address = m.hasher.HashData(data)
	c, err := chunk.Trusted(ref.Address, data)
	if err == nil {
		err = m.put(ctx, c)
	}
	return item{ref, size}, err
}
