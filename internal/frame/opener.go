package frame

import (
	"crypto/cipher"
	"crypto/subtle"
)

// Opener is the read half of a connection. It verifies and decrypts frames in the order in which the remote sealed them:
// OpenHeader, OpenBody once or more, OpenMAC. Make one with [NewOpener]; the zero value is not usable. It is not safe
// for concurrent use, but independent of the [Sealer] of the same connection. It allocates nothing per frame.
type Opener struct {
	stream cipher.Stream
	mac    chain
	err    error // first error; ends the direction
}

// OpenHeader verifies the [HeaderSize] bytes of hdr, then decrypts the first 16 of them in place and returns the length
// of the data, 1..[MaxSize]. [PaddedSize] of that many bytes of body follow, then [MACSize] bytes.
//
// It returns [ErrBadMAC] without decrypting anything, or [ErrEmptyFrame]; every later call then returns the same error.
func (o *Opener) OpenHeader(hdr []byte) (n int, err error) {
	if o.err != nil {
		return 0, o.err
	}
	_ = hdr[HeaderSize-1]
	if subtle.ConstantTimeCompare(o.mac.header(hdr[:blockSize]), hdr[blockSize:HeaderSize]) != 1 {
		o.err = ErrBadMAC
		return 0, o.err
	}
	o.stream.XORKeyStream(hdr[:blockSize], hdr[:blockSize])
	if n = headerLength(hdr); n == 0 {
		o.err = ErrEmptyFrame
		return 0, o.err
	}
	return n, nil
}

// OpenBody takes the next piece of the body and decrypts it in place. Pieces may have any length as long as together
// they have the padded length of the body. The plaintext is not to be trusted, or used for anything, before OpenMAC has
// returned nil.
func (o *Opener) OpenBody(piece []byte) {
	o.mac.feed(piece)
	o.stream.XORKeyStream(piece, piece)
}

// OpenMAC ends the frame: it returns nil if the [MACSize] bytes of mac match the body, and else [ErrBadMAC], as does
// every later call. The MAC covers the padding too.
func (o *Opener) OpenMAC(mac []byte) error {
	if o.err != nil {
		return o.err
	}
	if subtle.ConstantTimeCompare(o.mac.finishBody(), mac[:MACSize]) != 1 {
		o.err = ErrBadMAC
	}
	return o.err
}
