package chunk

import (
	"encoding/hex"
	"fmt"
	"math/bits"
)

// AddressSize is the length of an [Address] in bytes.
const AddressSize = 32

// Address names a chunk, and a place in the address space that nodes have theirs in as well (bzz fact sheet, sections 3
// and 6). The zero value is an address like any other, which no chunk is known to have. Addresses compare with ==.
type Address [AddressSize]byte

// ParseAddress reads 64 hexadecimal digits of either case; a leading 0x is allowed.
func ParseAddress(s string) (Address, error) {
	var a Address
	digits := s
	if len(digits) > 2 && digits[0] == '0' && digits[1]|0x20 == 'x' {
		digits = digits[2:]
	}
	if len(digits) != 2*AddressSize {
		return a, fmt.Errorf("chunk: address of %d digits, want %d", len(digits), 2*AddressSize)
	}
	if _, err := hex.Decode(a[:], []byte(digits)); err != nil {
		return Address{}, fmt.Errorf("chunk: address: %w", err)
	}
	return a, nil
}

// String returns 64 hexadecimal digits in lower case.
func (a Address) String() string { return hex.EncodeToString(a[:]) }

// MarshalText returns what [Address.String] does. It never fails.
func (a Address) MarshalText() ([]byte, error) { return hex.AppendEncode(nil, a[:]), nil }

// UnmarshalText is [ParseAddress].
func (a *Address) UnmarshalText(text []byte) (err error) {
	*a, err = ParseAddress(string(text))
	return err
}

// PO returns the proximity order of two addresses: how many leading bits they share, from 0 to 256.
func (a Address) PO(other Address) int {
	for i := range a {
		if x := a[i] ^ other[i]; x != 0 {
			return 8*i + bits.LeadingZeros8(x)
		}
	}
	return 8 * AddressSize
}
