package frame

import (
	"crypto/cipher"
	"crypto/subtle"
	"encoding"
	"fmt"
	"hash"
)

// chain is the MAC of one direction (rlpx.md, "MAC"): a Keccak-256 state that is fed every ciphertext and, at the end
// of each header and body, a block made of its own digest.
//
// It keeps the last digest. Nothing is fed between the end of a body and the next header, so that digest is where the
// next header starts from, and a frame takes three digests instead of four.
type chain struct {
	hash   hash.Hash
	states encoding.BinaryAppender // the hash, if two digests at a time are faster than one after the other
	block  cipher.Block
	digest [32]byte        // of everything fed so far; stale between feed and finishBody
	first  [MACSize]byte   // of the header, while that of the body is computed
	mixed  [blockSize]byte // a field, not a variable: it passes through interfaces and would be allocated each time
}

// init takes over the running hash h, which the handshake has seeded.
func (c *chain) init(block cipher.Block, h hash.Hash) error {
	if h == nil {
		return fmt.Errorf("frame: no MAC state")
	}
	if h.Size() != len(c.digest) {
		return fmt.Errorf("frame: MAC state has a digest of %d bytes, not %d", h.Size(), len(c.digest))
	}
	c.hash, c.block = h, block
	h.Sum(c.digest[:0])
	c.states = statesOf(h, c.digest[:])
	return nil
}

// mix ends a header or body: it feeds the encrypted digest, mixed with seed. The digest is the MAC then.
func (c *chain) mix(seed []byte) {
	c.block.Encrypt(c.mixed[:], c.digest[:blockSize])
	subtle.XORBytes(c.mixed[:], c.mixed[:], seed[:blockSize])
	c.hash.Write(c.mixed[:])
}

// header computes the MAC of a header's ciphertext. The result is valid until the next call.
func (c *chain) header(ciphertext []byte) []byte {
	c.mix(ciphertext)
	c.hash.Sum(c.digest[:0])
	return c.digest[:MACSize]
}

// feed adds a piece of a body's ciphertext.
func (c *chain) feed(ciphertext []byte) {
	c.hash.Write(ciphertext)
}

// finishBody computes the MAC of the body fed since the header. The result is valid until the next call.
func (c *chain) finishBody() []byte {
	c.hash.Sum(c.digest[:0])
	return c.mixBody()
}

func (c *chain) mixBody() []byte {
	c.mix(c.digest[:])
	c.hash.Sum(c.digest[:0])
	return c.digest[:MACSize]
}

// frame computes the MACs of a header's and a body's ciphertext when both are at hand. The results are valid until the next
// call.
func (c *chain) frame(header, body []byte) (headerMAC, bodyMAC []byte) {
	if c.states == nil {
		copy(c.first[:], c.header(header))
		c.feed(body)
		return c.first[:], c.finishBody()
	}
	t := twins.Get().(*twin)
	defer twins.Put(t)
	// Both loads succeed, as the one of init did: the hash itself takes no encoding of another length back.
	c.mix(header)
	t.load(0, c.states)
	c.feed(body)
	t.load(1, c.states)
	t.permute()
	t.digest(c.first[:], 0)
	t.digest(c.digest[:], 1)
	return c.first[:], c.mixBody()
}
