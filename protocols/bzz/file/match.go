package file

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/sennit-net/sennit/protocols/bzz/chunk"
)

// Match returns how many bytes from the beginning of r, but no more than limit, are those of the file. Only whole leaves of
// 4096 bytes count. No leaf is got for that: what r has is hashed, and compared with what the nodes above the leaves say.
// told, if not nil, is called with the bytes that have matched so far. Errors are those of r but for io.EOF, those of the
// file's GetFunc, [ErrMalformed], and that of ctx.
func (f *File) Match(ctx context.Context, r io.ReaderAt, limit int64, told func(int64)) (int64, error) {
	if told == nil {
		told = func(int64) {}
	}
	m := &matcher{file: f, r: r, limit: uint64(max(min(limit, f.Size()), 0)), told: told}
	_, err := m.walk(ctx, f.root, 0)
	return int64(m.matched), err
}

// matcher compares content with a tree. It is not safe for concurrent use.
type matcher struct {
	file    *File
	r       io.ReaderAt
	limit   uint64
	matched uint64
	told    func(int64)

	hasher  chunk.Hasher
	crypter crypter
	data    [chunk.MaxDataSize]byte // of a leaf
}

// walk compares what is below a node whose content begins at start. It reports whether all of that matches.
func (m *matcher) walk(ctx context.Context, n node, start uint64) (bool, error) {
	if n.level == 0 {
		there, err := m.read(start, n.size)
		if there = there && string(m.data[chunk.SpanSize:]) == string(n.payload); there {
			m.matched += n.size
		}
		return there, err
	}
	for i := range m.file.shape.children(n.size, n.level) {
		t, at := m.file.child(n, i)
		if start+at+chunk.MaxPayload > m.limit {
			return false, nil // and no node is got for nothing
		}
		var (
			same bool
			err  error
		)
		if n.level == 1 {
			same, err = m.leaf(t, start+at)
		} else {
			var below node
			if below, err = m.file.fetch(ctx, t); err == nil {
				same, err = m.walk(ctx, below, start+at)
			}
		}
		if err != nil || !same {
			return false, err
		}
	}
	m.told(int64(m.matched))
	return true, ctx.Err()
}

// leaf compares a leaf.
func (m *matcher) leaf(t subtree, start uint64) (bool, error) {
	there, err := m.read(start, t.size)
	if err != nil || !there {
		return false, err
	}
	if t.ref.Encrypted {
		m.crypter.xor(m.data[:chunk.SpanSize], m.data[:chunk.SpanSize], t.ref.Key, spanStream)
		m.crypter.xor(m.data[chunk.SpanSize:], m.data[chunk.SpanSize:], t.ref.Key, payloadStream)
	}
	if m.hasher.HashData(m.data[:]) != t.ref.Address {
		return false, nil
	}
	m.matched += t.size
	return true, nil
}

// read makes the data of a leaf from what is there. It reports whether that is a full one: the others, if encrypted, end in
// random bytes that nobody knows without getting them.
func (m *matcher) read(start, size uint64) (bool, error) {
	if size != chunk.MaxPayload || start+size > m.limit {
		return false, nil
	}
	binary.LittleEndian.PutUint64(m.data[:], size)
	n, err := m.r.ReadAt(m.data[chunk.SpanSize:], int64(start))
	switch {
	case n == chunk.MaxPayload:
		return true, nil
	case errors.Is(err, io.EOF):
		return false, nil
	}
	return false, fmt.Errorf("file: reading what is there: %w", err)
}
