package file

import (
	"bytes"
	"encoding/binary"
	"testing"

	"github.com/sennit-net/sennit/protocols/bzz/chunk"
)

// FuzzNode has a chunk be the top of a subtree that some parent promises. What is accepted must divide the content among
// children that can be there, without a gap.
func FuzzNode(f *testing.F) {
	data := func(span uint64, payload int) []byte {
		return append(binary.LittleEndian.AppendUint64(nil, span), bytes.Repeat([]byte{7}, payload)...)
	}
	for _, tt := range []struct {
		span           uint64
		payload, level int
	}{{3, 3, 0}, {4096, 4096, 0}, {4097, 64, 1}, {4096, 32, 1}, {4096, 4096, 1}, {1 << 19, 4096, 2}, {1 << 19, 32, 2}, {1<<63 - 1, 4096, 8}, {0, 1, 0}} {
		f.Add(data(tt.span, tt.payload), tt.span, uint8(tt.level), false)
	}
	f.Add(data(5, 4096), uint64(5), uint8(0), true)
	f.Fuzz(func(t *testing.T, data []byte, size uint64, level uint8, encrypted bool) {
		ref := Reference{Encrypted: encrypted}
		file := &File{shape: shapeOf(encrypted)}
		most := int(level % 10)
		if size > file.shape.capacity(most) || encrypted && len(data) != chunk.MaxDataSize {
			return // no parent promises that, and no such chunk is asked what it is
		}
		c, err := chunk.Trusted(ref.Address, data)
		if err != nil {
			return
		}
		if encrypted {
			size = min(file.span(c, ref), file.shape.capacity(most))
		}
		n, err := file.node(c, subtree{ref, size, most})
		if err != nil {
			return
		}
		if n.size != size || n.level > most || size > file.shape.capacity(n.level) {
			t.Fatalf("a node of level %d with %d bytes below it, promised were level %d and %d", n.level, n.size, most, size)
		}
		if n.level == 0 {
			if uint64(len(n.payload)) != size {
				t.Fatalf("a leaf with %d bytes, promised were %d", len(n.payload), size)
			}
			return
		}
		count, next := file.shape.children(size, n.level), uint64(0)
		if count < 1 || count > file.shape.branches() || len(n.payload) != count*int(file.shape) {
			t.Fatalf("%d children in %d bytes", count, len(n.payload))
		}
		for i := range count {
			child, start := file.child(n, i)
			if start != next || child.size == 0 || child.level != n.level-1 || child.size > file.shape.capacity(child.level) {
				t.Fatalf("child %d of %d begins at %d and not %d, with %d bytes and level %d", i, count, start, next, child.size, child.level)
			}
			next += child.size
		}
		if next != size {
			t.Fatalf("children have %d bytes, the node %d", next, size)
		}
	})
}
