package file

import (
	"math/bits"

	"github.com/sennit-net/sennit/protocols/bzz/chunk"
)

// Sizes of references in bytes.
const (
	plainSize     = chunk.AddressSize
	encryptedSize = chunk.AddressSize + KeySize
)

// shape is the shape of trees whose references have that many bytes. A chunk of level 0 is a leaf and holds content. One
// of level n holds references to chunks of lower levels, and its capacity is what it can have below it:
//
//	capacity(n) = 4096 * branches^n
//
// Every child but the last is of the next lower level and full. The last one has the rest below it; where the rest is
// smaller than the capacity of the level below, levels are left out.
type shape int

func shapeOf(encrypted bool) shape {
	if encrypted {
		return encryptedSize
	}
	return plainSize
}

func (s shape) branches() int { return chunk.MaxPayload / int(s) }

// capacity returns how many bytes of content a chunk of a level can stand for, or the largest number there is.
func (s shape) capacity(level int) uint64 {
	c := uint64(chunk.MaxPayload)
	for range level {
		high, low := bits.Mul64(c, uint64(s.branches()))
		if high > 0 {
			return 1<<64 - 1
		}
		c = low
	}
	return c
}

// level returns the level of a root above size bytes.
func (s shape) level(size uint64) int {
	level := 0
	for s.capacity(level) < size {
		level++
	}
	return level
}

// restLevel returns the level of a child that could have level at most and has size bytes below it.
func (s shape) restLevel(size uint64, most int) int {
	for most > 0 && size < s.capacity(most-1) {
		most--
	}
	return most
}

// children returns how many children a chunk of a level above 0 has with size bytes below it.
func (s shape) children(size uint64, level int) int {
	each := s.capacity(level - 1)
	n := size / each
	if size%each > 0 {
		n++
	}
	return int(n)
}

// payload returns how many bytes of references a chunk of a level above 0 has with size bytes below it, or how many bytes
// of content a leaf has.
func (s shape) payload(size uint64, level int) int {
	if level == 0 {
		return int(size)
	}
	return s.children(size, level) * int(s)
}
