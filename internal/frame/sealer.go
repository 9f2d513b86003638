package frame

import (
	"crypto/cipher"
	"fmt"
)

// Sealer is the write half of a connection. It turns messages into frames, which must go out in the order in which they
// were sealed. Make one with [NewSealer]; the zero value is not usable. It is not safe for concurrent use, but
// independent of the [Opener] of the same connection.
type Sealer struct {
	stream cipher.Stream
	mac    chain
}

// Seal seals a whole frame in place. Buf holds room for the header ([HeaderSize] bytes), n bytes of data from
// [AppendCode] on, and room for padding and MAC; its length must be [SealedSize](n). What the room holds does not
// matter. Seal panics if n is not in 1..[MaxSize] or buf has another length. It allocates nothing.
func (s *Sealer) Seal(buf []byte, n int) {
	checkSize(n)
	if len(buf) != SealedSize(n) {
		panic(fmt.Sprintf("frame: buffer of %d bytes for a frame of %d", len(buf), SealedSize(n)))
	}
	end := len(buf) - MACSize
	clear(buf[HeaderSize+n : end])

	// The header is encrypted where its MAC will be, next to the body: one call of the cipher instead of two.
	putHeader(buf[blockSize:], n)
	s.stream.XORKeyStream(buf[blockSize:end], buf[blockSize:end])
	copy(buf, buf[blockSize:HeaderSize])

	header, body := s.mac.frame(buf[:blockSize], buf[HeaderSize:end])
	copy(buf[blockSize:], header)
	copy(buf[end:], body)
}

// SealHeader starts a frame with n bytes of data that is sealed piece by piece, so that the first pieces can be sent
// before the last are sealed. It fills the [HeaderSize] bytes of hdr, and panics if n is not in 1..[MaxSize].
func (s *Sealer) SealHeader(hdr []byte, n int) {
	checkSize(n)
	_ = hdr[HeaderSize-1]
	putHeader(hdr, n)
	s.stream.XORKeyStream(hdr[:blockSize], hdr[:blockSize])
	copy(hdr[blockSize:HeaderSize], s.mac.header(hdr[:blockSize]))
}

// SealBody seals the next piece of the body in place. Pieces may have any length as long as together they have
// [PaddedSize](n) bytes, the padding being zeros that the caller provides; multiples of 16 are fastest.
func (s *Sealer) SealBody(piece []byte) {
	s.stream.XORKeyStream(piece, piece)
	s.mac.feed(piece)
}

// SealMAC ends the frame: it fills the [MACSize] bytes of mac.
func (s *Sealer) SealMAC(mac []byte) {
	copy(mac[:MACSize], s.mac.finishBody())
}

// checkSize panics on a length that a header cannot carry: cut short, it would desynchronise the link without a trace.
func checkSize(n int) {
	if n < 1 || n > MaxSize {
		panic(fmt.Sprintf("frame: %d bytes of data in a frame, allowed are 1 to %d", n, MaxSize))
	}
}
