// Package file turns content of any length into a tree of chunks, and such a tree into content again (bzz fact sheet,
// section 7), plain or encrypted (section 8).
//
// [Split] reads a stream whose length need not be known and puts the chunks somewhere. [Open] finds a file by its
// [Reference] and reads it from any place, with the chunks that come next on their way already.
//
// Trees come from others. Each chunk that is read must have the span that follows from the root's and its place in the
// tree, so a tree that lies about sizes is an error at the place where it does so, and costs no more memory than any other.
package file

import (
	"context"
	"errors"

	"github.com/sennit-net/sennit/protocols/bzz/chunk"
)

var (
	// ErrEmpty is returned for content without a byte: Swarm has no chunk for it, and so no reference.
	ErrEmpty = errors.New("file: empty content has no reference")

	// ErrMalformed is what a tree is whose chunks do not fit together. Errors wrap it.
	ErrMalformed = errors.New("file: malformed tree")
)

// PutFunc takes a chunk of a file. It is called by several goroutines at once, in no particular order; a chunk may come
// more than once if content repeats itself. Its error ends the splitting.
type PutFunc func(ctx context.Context, c chunk.Chunk) error

// GetFunc returns the chunk with an address, whose data it has verified. It is called by several goroutines at once. Its
// error ends the reading that needs the chunk.
type GetFunc func(ctx context.Context, addr chunk.Address) (chunk.Chunk, error)
