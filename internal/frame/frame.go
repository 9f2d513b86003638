// Package frame seals and opens RLPx frames: bytes in, bytes out, no socket and no goroutine.
//
// One frame carries one message (devp2p rlpx.md, "Framing"):
//
//	header ciphertext 16 | header MAC 16 | body ciphertext, padded to 16 | body MAC 16
//
// The plaintext of the header is the length of the body (3 bytes, big-endian) and a constant; that of the body is the
// RLP encoding of the message code followed by the payload, then zeros up to a multiple of 16.
//
// Cipher and MAC both run on from frame to frame. A frame therefore has to be sealed or opened exactly in its turn, and
// after an error the direction is lost for good.
package frame

import "errors"

const (
	// HeaderSize is the length in bytes of a sealed header: ciphertext and MAC, 16 bytes each.
	HeaderSize = 2 * blockSize
	// MACSize is the length in bytes of the MAC at the end of a frame.
	MACSize = 16
	// MaxSize is the largest length in bytes of a frame's data, message code and payload together: the header has
	// three bytes for it.
	MaxSize = 1<<24 - 1
	// SecretSize is the length in bytes of the AES secret and of the MAC secret of a connection; both are AES-256 keys.
	SecretSize = 32

	blockSize = 16
)

// Errors of the read half. They end the direction: nothing after the frame at fault can be opened.
var (
	// ErrBadMAC says that a frame is not what the remote sealed, or not its next one.
	ErrBadMAC = errors.New("frame: MAC does not match")
	// ErrEmptyFrame says that a header with a good MAC announces no data, so that not even a message code can follow.
	ErrEmptyFrame = errors.New("frame: frame without a message code")
)

// PaddedSize returns the length on the wire of a body with n bytes of data: n rounded up to a multiple of 16.
func PaddedSize(n int) int {
	return (n + blockSize - 1) &^ (blockSize - 1)
}

// SealedSize returns the length of the whole frame around n bytes of data.
func SealedSize(n int) int {
	return HeaderSize + PaddedSize(n) + MACSize
}

// headerTail follows the length in the plaintext of a header. It is the RLP list [0, 0], once a capability and a
// context id; receivers ignore it, but some refuse a frame where it is absent.
var headerTail = [3]byte{0xc2, 0x80, 0x80}

// putHeader writes the plaintext of the header for n bytes of data.
func putHeader(hdr []byte, n int) {
	_ = hdr[blockSize-1]
	hdr[0], hdr[1], hdr[2] = byte(n>>16), byte(n>>8), byte(n)
	copy(hdr[3:], headerTail[:])
	clear(hdr[6:blockSize])
}

// headerLength reads the length out of the plaintext of a header. The rest of a header means nothing and is not looked at.
func headerLength(hdr []byte) int {
	return int(hdr[0])<<16 | int(hdr[1])<<8 | int(hdr[2])
}
