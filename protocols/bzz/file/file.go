package file

import (
	"context"
	"fmt"
	"io"
	"math"
	"sync"

	"github.com/sennit-net/sennit/protocols/bzz/chunk"
)

// File is content that is there as a tree of chunks. It is safe for concurrent use.
//
// Both forms of plain trees are read: that of go-ethereum 1.8.27, which [Split] makes, and the later one, in which a rest
// of exactly one full child hangs below its parent without a node of its own. Encrypted trees are read in the first form:
// their chunks all have the same length, which is what tells the forms apart.
type File struct {
	ctx   context.Context
	get   GetFunc
	shape shape
	root  node
}

// subtree is a part of a tree whose top chunk has not been looked at.
type subtree struct {
	ref   Reference
	size  uint64 // bytes of content below it
	level int    // that it can have at most
}

// node is a chunk of a tree, decrypted and checked against its place in it.
type node struct {
	size    uint64
	level   int
	payload []byte // of a leaf: size bytes of content; of others: a reference for each child
}

var crypters = sync.Pool{New: func() any { return new(crypter) }}

// Open gets the chunk on top of a file. ctx also bounds what the file's ReadAt does later. Errors are those of get,
// and [ErrMalformed], also for a file of more than 1<<63-1 bytes.
func Open(ctx context.Context, get GetFunc, ref Reference) (*File, error) {
	f := &File{ctx: ctx, get: get, shape: shapeOf(ref.Encrypted)}
	c, err := f.chunk(ctx, ref)
	if err != nil {
		return nil, err
	}
	size := f.span(c, ref)
	if size > math.MaxInt64 {
		return nil, fmt.Errorf("%w: a size of %d bytes", ErrMalformed, size)
	}
	f.root, err = f.node(c, subtree{ref, size, f.shape.level(size)})
	if err != nil {
		return nil, err
	}
	return f, nil
}

// Size returns how many bytes the content has, by the account of the chunk on top. Reading tells whether that is true.
func (f *File) Size() int64 { return int64(f.root.size) }

// ReadAt reads len(p) bytes from an offset, as [io.ReaderAt] says. Chunks that are needed are got at the same time, but no
// more than [Ahead] of them, until the context that the file was opened with ends. Errors are as those of [Reader.Read].
func (f *File) ReadAt(p []byte, off int64) (int, error) {
	if off < 0 {
		return 0, fmt.Errorf("file: offset %d is negative", off)
	}
	if off >= f.Size() {
		if len(p) == 0 {
			return 0, nil
		}
		return 0, io.EOF
	}
	there := p[:min(int64(len(p)), f.Size()-off)]
	r := f.section(f.ctx, off, off+int64(len(there)))
	defer r.Close()
	n, err := io.ReadFull(r, there)
	if err == nil && n < len(p) {
		err = io.EOF
	}
	return n, err
}

// fetch gets the top chunk of a subtree and checks it.
func (f *File) fetch(ctx context.Context, t subtree) (node, error) {
	c, err := f.chunk(ctx, t.ref)
	if err != nil {
		return node{}, err
	}
	return f.node(c, t)
}

func (f *File) chunk(ctx context.Context, ref Reference) (chunk.Chunk, error) {
	c, err := f.get(ctx, ref.Address)
	switch {
	case err != nil:
		return chunk.Chunk{}, fmt.Errorf("file: chunk %v: %w", ref.Address, err)
	case c.IsZero() || c.Address() != ref.Address:
		return chunk.Chunk{}, fmt.Errorf("file: chunk %v: got chunk %v instead", ref.Address, c.Address())
	case ref.Encrypted && len(c.Data()) != chunk.MaxDataSize:
		return chunk.Chunk{}, fmt.Errorf("%w: encrypted chunk %v of %d bytes, want %d", ErrMalformed, ref.Address, len(c.Data()), chunk.MaxDataSize)
	}
	return c, nil
}

// span returns the span of a chunk.
func (f *File) span(c chunk.Chunk, ref Reference) uint64 {
	if !ref.Encrypted {
		return c.Span()
	}
	d := crypters.Get().(*crypter)
	defer crypters.Put(d)
	return d.span(c.Data(), ref.Key)
}

// node checks that a chunk can be the top of t, and finds out its level.
func (f *File) node(c chunk.Chunk, t subtree) (node, error) {
	if span := f.span(c, t.ref); span != t.size {
		return node{}, fmt.Errorf("%w: chunk %v says that %d bytes are below it, its place in the tree that it is %d", ErrMalformed, t.ref.Address, span, t.size)
	}
	level := f.shape.restLevel(t.size, t.level)
	if level > 0 && t.size == f.shape.capacity(level-1) && !t.ref.Encrypted && len(c.Payload()) == chunk.MaxPayload {
		level-- // the later form: a full chunk that is not the only child of another
	}
	n := f.shape.payload(t.size, level)
	if n > len(c.Payload()) {
		return node{}, fmt.Errorf("%w: chunk %v has a payload of %d bytes, its span demands %d", ErrMalformed, t.ref.Address, len(c.Payload()), n)
	}
	payload := c.Payload()[:n] // what follows means nothing
	if t.ref.Encrypted {
		d := crypters.Get().(*crypter)
		defer crypters.Put(d)
		payload = d.payload(payload, t.ref.Key, n)
	}
	return node{t.size, level, payload}, nil
}

// child returns the child number i of a node that is no leaf, and where in the node's content it begins.
func (f *File) child(n node, i int) (t subtree, start uint64) {
	each := f.shape.capacity(n.level - 1)
	start = uint64(i) * each
	ref := takeReference(n.payload[i*int(f.shape):], int(f.shape))
	return subtree{ref, min(each, n.size-start), n.level - 1}, start
}
