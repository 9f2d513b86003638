package file

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
)

// Ahead is how many leaves a [Reader] has in memory or on their way at most, 512 KiB of content. Of the nodes above them
// there are two for each level of the tree, of which there are at most nine.
const Ahead = 128

// Reader reads a part of a file from its beginning to its end, while chunks that come next are on their way. It is not
// safe for concurrent use, but Close may be called at any time. Whoever made it closes it: it has goroutines of its own.
type Reader struct {
	// Static after construction.
	file     *File
	from, to uint64
	cancel   context.CancelCauseFunc
	pieces   chan *piece    // closed by walk's goroutine; its capacity is what bounds the memory
	wg       sync.WaitGroup // walk and the fetches

	// Written before pieces is closed, read after that.
	end error // why walk ended

	// Owned by the caller of Read.
	current []byte
	err     error
}

var errClosed = errors.New("reader closed")

// piece is a leaf on its way.
type piece struct {
	done    chan struct{} // closed when content or err are there
	content []byte        // only what is to be read
	err     error
}

// pending is a node on its way.
type pending struct {
	done chan struct{} // closed when node or err are there
	node node
	err  error
}

// NewReader returns a reader of length bytes from an offset, or of what the file has of them. A negative length means all
// there is. A negative offset is 0. The end of ctx ends the reader.
func (f *File) NewReader(ctx context.Context, off, length int64) *Reader {
	off = min(max(off, 0), f.Size())
	to := f.Size()
	if length >= 0 && length < to-off {
		to = off + length
	}
	return f.section(ctx, off, to)
}

func (f *File) section(ctx context.Context, from, to int64) *Reader {
	ctx, cancel := context.WithCancelCause(ctx)
	r := &Reader{file: f, from: uint64(from), to: uint64(to), cancel: cancel, pieces: make(chan *piece, Ahead-2)}
	r.wg.Go(func() {
		defer close(r.pieces)
		if from < to {
			r.end = r.walk(ctx, f.root, 0)
		}
	})
	return r
}

// Read reads content. Errors are io.EOF at the end, those of the file's GetFunc, [ErrMalformed], that of the context, and
// one that says that the reader is closed. After an error there is nothing more to read.
func (r *Reader) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	if err := r.next(); err != nil {
		return 0, err
	}
	n := copy(p, r.current)
	r.current = r.current[n:]
	return n, nil
}

// WriteTo writes everything that has not been read to w, as [io.WriterTo] says.
func (r *Reader) WriteTo(w io.Writer) (int64, error) {
	total := int64(0)
	for {
		if err := r.next(); errors.Is(err, io.EOF) {
			return total, nil
		} else if err != nil {
			return total, err
		}
		n, err := w.Write(r.current)
		total += int64(n)
		r.current = r.current[n:]
		if err != nil {
			return total, err
		}
	}
}

// next waits until there is something in r.current.
func (r *Reader) next() error {
	for len(r.current) == 0 && r.err == nil {
		p, ok := <-r.pieces
		if !ok {
			if r.err = r.end; r.err == nil {
				r.err = io.EOF
			}
			break
		}
		<-p.done
		r.current, r.err = p.content, p.err
	}
	if len(r.current) > 0 {
		return nil
	}
	return r.err
}

// Close ends the reader and waits for its goroutines. It returns nil.
func (r *Reader) Close() error {
	r.cancel(errClosed)
	r.wg.Wait()
	return nil
}

// walk sends what is to be read below a node whose content begins at start, in order.
func (r *Reader) walk(ctx context.Context, n node, start uint64) error {
	if n.level == 0 {
		return r.deliver(ctx, r.cut(n.payload, start))
	}
	each := r.file.shape.capacity(n.level - 1)
	first, last := 0, r.file.shape.children(n.size, n.level)-1
	if r.from > start {
		first = int((r.from - start) / each)
	}
	if end := r.to - 1 - start; end/each < uint64(last) {
		last = int(end / each)
	}
	if n.level == 1 {
		return r.walkLeaves(ctx, n, start, first, last)
	}
	// While one child is read, the next is on its way.
	ahead := r.start(ctx, n, first)
	for i := first; i <= last; i++ {
		p := ahead
		if i < last {
			ahead = r.start(ctx, n, i+1)
		}
		<-p.done
		if p.err != nil {
			return p.err
		}
		if err := r.walk(ctx, p.node, start+uint64(i)*each); err != nil {
			return err
		}
	}
	return nil
}

// start begins to fetch a child that may be a node.
func (r *Reader) start(ctx context.Context, n node, i int) *pending {
	t, _ := r.file.child(n, i)
	p := &pending{done: make(chan struct{})}
	r.wg.Go(func() {
		defer close(p.done)
		p.node, p.err = r.file.fetch(ctx, t)
	})
	return p
}

// walkLeaves sends the children first to last of a node of level 1.
func (r *Reader) walkLeaves(ctx context.Context, n node, start uint64, first, last int) error {
	for i := first; i <= last; i++ {
		t, at := r.file.child(n, i)
		p := &piece{done: make(chan struct{})}
		if err := r.send(ctx, p); err != nil {
			return err
		}
		r.wg.Go(func() {
			defer close(p.done)
			leaf, err := r.file.fetch(ctx, t)
			p.content, p.err = r.cut(leaf.payload, start+at), err
		})
	}
	return nil
}

// deliver sends content that is there.
func (r *Reader) deliver(ctx context.Context, content []byte) error {
	p := &piece{done: make(chan struct{}), content: content}
	close(p.done)
	return r.send(ctx, p)
}

func (r *Reader) send(ctx context.Context, p *piece) error {
	select {
	case r.pieces <- p:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("file: reading ended: %w", context.Cause(ctx))
	}
}

// cut returns what is to be read of content that begins at start.
func (r *Reader) cut(content []byte, start uint64) []byte {
	from, to := uint64(0), uint64(len(content))
	if r.from > start {
		from = min(r.from-start, to)
	}
	if r.to < start+to {
		to = r.to - start
	}
	return content[from:to]
}
