package file

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/binary"

	"github.com/sennit-net/sennit/protocols/bzz/chunk"
	"github.com/sennit-net/sennit/protocols/bzz/internal/keccak"
)

// Where the key streams begin, in segments: the one for the payload, and the one for the span.
const (
	payloadStream = 0
	spanStream    = 64
)

// crypter encrypts and decrypts chunks (bzz fact sheet, section 8): data is combined by XOR with
//
//	keccak256(keccak256(key || number of the segment, 4 bytes little-endian))
//
// for each segment of 32 bytes. The zero value is ready. It is not safe for concurrent use.
type crypter struct {
	keccak keccak.Hasher
	blocks [keccak.Lanes * keccak.BlockSize]byte
	stream [keccak.Lanes * keccak.Size]byte
}

// xor combines src with the key stream that begins at a segment. dst has the length of src and may be the same memory.
func (c *crypter) xor(dst, src []byte, key Key, segment uint32) {
	for len(src) > 0 {
		n := min(keccak.Lanes, (len(src)+keccak.Size-1)/keccak.Size)
		for i := range n {
			block := c.blocks[i*keccak.BlockSize:]
			copy(block, key[:])
			binary.LittleEndian.PutUint32(block[KeySize:], segment)
			segment++
		}
		c.keccak.Blocks(c.stream[:], c.blocks[:], n, KeySize+4)
		for i := range n {
			copy(c.blocks[i*keccak.BlockSize:], c.stream[i*keccak.Size:][:keccak.Size])
		}
		c.keccak.Blocks(c.stream[:], c.blocks[:], n, keccak.Size)
		done := subtle.XORBytes(dst, src, c.stream[:n*keccak.Size])
		dst, src = dst[done:], src[done:]
	}
}

// encrypt makes, from the data of a chunk, that of the encrypted one and its key. Encrypted chunks are always full.
func (c *crypter) encrypt(data []byte) ([]byte, Key) {
	var key Key
	rand.Read(key[:]) // does not fail
	sealed := make([]byte, chunk.MaxDataSize)
	c.xor(sealed[:chunk.SpanSize], data[:chunk.SpanSize], key, spanStream)
	c.xor(sealed[chunk.SpanSize:len(data)], data[chunk.SpanSize:], key, payloadStream)
	rand.Read(sealed[len(data):])
	return sealed, key
}

// span decrypts the span of a chunk.
func (c *crypter) span(data []byte, key Key) uint64 {
	var plain [chunk.SpanSize]byte
	c.xor(plain[:], data[:chunk.SpanSize], key, spanStream)
	return binary.LittleEndian.Uint64(plain[:])
}

// payload decrypts the first n bytes of a payload, into memory of its own.
func (c *crypter) payload(payload []byte, key Key, n int) []byte {
	plain := make([]byte, n)
	c.xor(plain, payload[:n], key, payloadStream)
	return plain
}
