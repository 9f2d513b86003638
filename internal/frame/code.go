package frame

import (
	"errors"
	"math/bits"
)

// ErrBadCode says that the data of a frame does not start with a message code: an unsigned integer of at most 64 bits in
// canonical RLP.
var ErrBadCode = errors.New("frame: invalid message code")

// MaxCodeSize is the length in bytes of the longest message code on the wire.
const MaxCodeSize = 9

// rlpString is the RLP prefix of an empty string, and of the integer 0. Prefixes of strings up to 55 bytes count on
// from it.
const rlpString = 0x80

// AppendCode appends the RLP encoding of a message code to dst and returns the extended slice: one byte for codes up to
// 127, at most [MaxCodeSize].
func AppendCode(dst []byte, code uint64) []byte {
	if code == 0 {
		return append(dst, rlpString)
	}
	if code < rlpString {
		return append(dst, byte(code))
	}
	size := (bits.Len64(code) + 7) / 8
	dst = append(dst, rlpString+byte(size))
	for shift := 8 * (size - 1); shift >= 0; shift -= 8 {
		dst = append(dst, byte(code>>shift))
	}
	return dst
}

// SplitCode splits the data of a frame into message code and payload, which shares memory with data. It returns
// [ErrBadCode] unless the code is canonical RLP: there is exactly one encoding for each code, so that no two
// implementations can read different codes from one frame.
func SplitCode(data []byte) (code uint64, payload []byte, err error) {
	if len(data) == 0 {
		return 0, nil, ErrBadCode
	}
	prefix := data[0]
	switch {
	case prefix == 0 || prefix >= rlpString+MaxCodeSize:
		return 0, nil, ErrBadCode
	case prefix < rlpString:
		return uint64(prefix), data[1:], nil
	case prefix == rlpString:
		return 0, data[1:], nil
	}
	size := int(prefix - rlpString)
	if len(data) < 1+size || data[1] == 0 {
		return 0, nil, ErrBadCode
	}
	for _, b := range data[1 : 1+size] {
		code = code<<8 | uint64(b)
	}
	if code < rlpString {
		return 0, nil, ErrBadCode
	}
	return code, data[1+size:], nil
}
