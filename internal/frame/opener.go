package frame

import (
	"crypto/cipher"
	"crypto/subtle"
)

// Opener is the read half of a connection. It verifies and decrypts frames in the order in which the remote sealed them:
// Open, and if the frame is not whole OpenBody once or more and OpenMAC. Make one with [NewOpener]; the zero value is not
// usable. It is not safe for concurrent use, but independent of the [Sealer] of the same connection. It allocates nothing
// per frame.
type Opener struct {
	stream cipher.Stream
	mac    chain
	header [blockSize]byte // ciphertext of the one that is being opened
	err    error           // first error; ends the direction
}

// Open opens the frame that buf begins with, in place, and returns the length of its data, 1..[MaxSize]. Buf holds the
// [HeaderSize] bytes of the header at least, and may hold more of what has come in. If it holds the whole frame,
// [SealedSize](n) bytes, then whole is true and the data are the n bytes behind the header. Otherwise only the header is
// opened; [PaddedSize](n) bytes of body follow, then [MACSize] bytes. A whole frame takes less time than one in pieces.
//
// It returns [ErrBadMAC] or [ErrEmptyFrame]; every later call then returns the same error, and what is in buf is not to be
// trusted.
func (o *Opener) Open(buf []byte) (n int, whole bool, err error) {
	if o.err != nil {
		return 0, false, o.err
	}
	headerMAC := buf[blockSize:HeaderSize]
	copy(o.header[:], buf)
	o.stream.XORKeyStream(buf[:blockSize], buf[:blockSize])
	// Not verified yet, the length decides only how much of what is in buf goes into the MAC of the body.
	n = headerLength(buf)
	whole = n > 0 && SealedSize(n) <= len(buf)
	var good int
	if whole {
		body, bodyMAC := buf[HeaderSize:][:PaddedSize(n)], buf[HeaderSize+PaddedSize(n):][:MACSize]
		header, rest := o.mac.frame(o.header[:], body)
		good = subtle.ConstantTimeCompare(header, headerMAC) & subtle.ConstantTimeCompare(rest, bodyMAC)
		o.stream.XORKeyStream(body, body)
	} else {
		good = subtle.ConstantTimeCompare(o.mac.header(o.header[:]), headerMAC)
	}
	switch {
	case good != 1:
		o.err = ErrBadMAC
	case n == 0:
		o.err = ErrEmptyFrame
	default:
		return n, whole, nil
	}
	return 0, false, o.err
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
