package wire

import (
	"errors"
	"fmt"

	"github.com/ethereum/go-ethereum/rlp"

	"github.com/sennit-net/sennit/protocols/bzz/chunk"
)

// ErrMalformed is what a message is that does not have the form its code asks for. Errors wrap it.
var ErrMalformed = errors.New("bzz: malformed message")

// items reads the items of an RLP list one after the other. The first thing that is wrong is kept in err, and all that
// is read from then on is zero. It is handed on by pointer and never outlives the parse.
type items struct {
	what string // the message, for errors
	rest []byte
	err  error
}

// openList starts to read a message that is one list.
func openList(what string, data []byte) items {
	content, rest, err := rlp.SplitList(data)
	r := items{what: what, rest: content}
	switch {
	case err != nil:
		r.fail("the list", err)
	case len(rest) > 0:
		r.fail("the list", fmt.Errorf("%d bytes follow it", len(rest)))
	}
	return r
}

func (r *items) fail(field string, err error) {
	if r.err == nil {
		r.err = fmt.Errorf("%w: %s: %s: %w", ErrMalformed, r.what, field, err)
		r.rest = nil
	}
}

// more reports whether there is another item.
func (r *items) more() bool { return len(r.rest) > 0 }

// bytes reads a string of at most limit bytes.
func (r *items) bytes(field string, limit int) []byte {
	if r.err != nil {
		return nil
	}
	b, rest, err := rlp.SplitString(r.rest)
	switch {
	case err != nil:
		r.fail(field, err)
		return nil
	case len(b) > limit:
		r.fail(field, fmt.Errorf("%d bytes, at most %d are allowed", len(b), limit))
		return nil
	}
	r.rest = rest
	return b
}

// uint reads a number up to limit.
func (r *items) uint(field string, limit uint64) uint64 {
	if r.err != nil {
		return 0
	}
	x, rest, err := rlp.SplitUint64(r.rest)
	switch {
	case err != nil:
		r.fail(field, err)
		return 0
	case x > limit:
		r.fail(field, fmt.Errorf("%d, at most %d is allowed", x, limit))
		return 0
	}
	r.rest = rest
	return x
}

func (r *items) bool(field string) bool { return r.uint(field, 1) == 1 }

func (r *items) address(field string) (a chunk.Address) {
	b := r.bytes(field, chunk.AddressSize)
	if r.err == nil && len(b) != chunk.AddressSize {
		r.fail(field, fmt.Errorf("%d bytes, an address has %d", len(b), chunk.AddressSize))
		return a
	}
	copy(a[:], b)
	return a
}

// list reads a list and returns its content, to be read with [items.within].
func (r *items) list(field string) []byte {
	if r.err != nil {
		return nil
	}
	content, rest, err := rlp.SplitList(r.rest)
	if err != nil {
		r.fail(field, err)
		return nil
	}
	r.rest = rest
	return content
}

// within has f read the items of an inner list.
func (r *items) within(field string, f func(*items)) {
	inner := items{what: r.what, rest: r.list(field)}
	if r.err != nil {
		return
	}
	f(&inner)
	inner.end()
	if inner.err != nil {
		r.err, r.rest = inner.err, nil
	}
}

// each has f read an inner list again and again, up to limit times, until nothing of it is left.
func (r *items) each(field string, limit int, f func(*items)) {
	n := 0
	r.within(field, func(r *items) {
		for r.more() {
			if n++; n > limit {
				r.fail(field, fmt.Errorf("more than %d", limit))
				return
			}
			f(r)
		}
	})
}

// end refuses items that are left over, and returns what was wrong first.
func (r *items) end() error {
	if r.err == nil && len(r.rest) > 0 {
		n, _ := rlp.CountValues(r.rest)
		r.fail("the list", fmt.Errorf("%d items too many", n))
	}
	return r.err
}

// appendHead appends the head of a string (short 0x80) or list (short 0xc0) of size bytes.
func appendHead(dst []byte, short byte, size int) []byte {
	if size < 56 {
		return append(dst, short+byte(size))
	}
	n := 1
	for x := size >> 8; x > 0; x >>= 8 {
		n++
	}
	dst = append(dst, short+55+byte(n))
	for i := n - 1; i >= 0; i-- {
		dst = append(dst, byte(size>>(8*i)))
	}
	return dst
}
