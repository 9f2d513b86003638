// Package buffer lends byte buffers in size classes, each with one owner at a time.
//
// A buffer is taken with [Get] and given back with [Buffer.Free] by whoever owns it then; ownership moves with the
// pointer. Free buffers stand in pools that the garbage collector empties, so nothing is kept for long on an idle process.
//
// Buffers are not wiped. Their contents come from other links, so a borrower must write each byte before it reads it or
// hands it on: one that fills a buffer from a reader uses only what the reader has returned, one that encodes appends from
// the start, and padding is written as zeros.
package buffer

import (
	"math/bits"
	"sync"
	"sync/atomic"
)

const (
	// smallest is the size of the first class; each further class is twice as large. A class is a quarter larger than a
	// power of two, so that a message of a round size still fits with its frame and with what an incompressible payload
	// grows by under Snappy (a sixth).
	smallest = 640
	classes  = 16

	// MaxSize is the largest buffer there is, in bytes: 20 MiB, enough for the largest RLPx frame around the largest
	// message however badly it compresses.
	MaxSize = smallest << (classes - 1)
)

// Buffer is a borrowed slice of bytes. It is not safe for concurrent use.
type Buffer struct {
	// B is the memory. Its owner may reslice it within its capacity; the contents of a fresh buffer are arbitrary.
	B []byte

	// Next is for its owner to make chains of buffers with; it is nil in a fresh one.
	Next *Buffer

	class int
	lent  atomic.Bool // false while in a pool: a second Free is a bug that must not go unnoticed
}

var pools [classes]sync.Pool

// Get returns a buffer with len(B) == n. It panics if n is negative or larger than [MaxSize]: sizes that come from a
// remote must have been checked before.
func Get(n int) *Buffer {
	c := classOf(n)
	b, _ := pools[c].Get().(*Buffer)
	if b == nil {
		b = &Buffer{B: make([]byte, smallest<<c), class: c}
	}
	b.lent.Store(true)
	b.B = b.B[:n]
	return b
}

// Free gives the buffer back; the caller must not touch it or any slice of it again. It panics when called twice or when
// B was replaced by other memory. Free of a nil buffer does nothing.
func (b *Buffer) Free() {
	if b == nil {
		return
	}
	if !b.lent.CompareAndSwap(true, false) {
		panic("buffer: freed twice")
	}
	if cap(b.B) != smallest<<b.class {
		panic("buffer: freed with memory of another size")
	}
	b.Next = nil
	pools[b.class].Put(b)
}

// FreeChain gives back a buffer and all that follow it.
func (b *Buffer) FreeChain() {
	for b != nil {
		next := b.Next
		b.Free()
		b = next
	}
}

// ClassSize returns how much memory a buffer of n bytes takes, in bytes: what a budget is charged.
func ClassSize(n int) int { return smallest << classOf(n) }

func classOf(n int) int {
	if n < 0 || n > MaxSize {
		panic("buffer: size out of range")
	}
	if n <= smallest {
		return 0
	}
	return bits.Len(uint((n - 1) / smallest))
}
