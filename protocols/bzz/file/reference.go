package file

import (
	"encoding/hex"
	"fmt"

	"github.com/sennit-net/sennit/protocols/bzz/chunk"
)

// KeySize is the length of a [Key] in bytes.
const KeySize = 32

// Key is what a chunk is encrypted with.
type Key [KeySize]byte

// Reference names a file, or a part of one: the address of the chunk on top, and the key that decrypts it if the file is
// encrypted. Who has the reference can read the file. The zero value refers to nothing that is known.
type Reference struct {
	Address   chunk.Address
	Key       Key  // zero unless Encrypted
	Encrypted bool // the reference has 64 bytes and not 32
}

// ParseReference reads 64 hexadecimal digits of either case for a plain file, 128 for an encrypted one; a leading 0x is
// allowed.
func ParseReference(s string) (Reference, error) {
	digits := s
	if len(digits) > 2 && digits[0] == '0' && digits[1]|0x20 == 'x' {
		digits = digits[2:]
	}
	if len(digits) != 2*plainSize && len(digits) != 2*encryptedSize {
		return Reference{}, fmt.Errorf("file: reference of %d digits, want %d, or %d for an encrypted file", len(digits), 2*plainSize, 2*encryptedSize)
	}
	b, err := hex.DecodeString(digits)
	if err != nil {
		return Reference{}, fmt.Errorf("file: reference: %w", err)
	}
	return takeReference(b, len(b)), nil
}

// takeReference reads the reference of size bytes that b begins with.
func takeReference(b []byte, size int) Reference {
	r := Reference{Address: chunk.Address(b)}
	if size == encryptedSize {
		r.Key, r.Encrypted = Key(b[chunk.AddressSize:]), true
	}
	return r
}

func (r Reference) append(b []byte) []byte {
	b = append(b, r.Address[:]...)
	if r.Encrypted {
		b = append(b, r.Key[:]...)
	}
	return b
}

// String returns 64 hexadecimal digits, or 128 if the file is encrypted: then it is a secret.
func (r Reference) String() string { return hex.EncodeToString(r.append(nil)) }

// MarshalText returns what [Reference.String] does. It never fails.
func (r Reference) MarshalText() ([]byte, error) { return hex.AppendEncode(nil, r.append(nil)), nil }

// UnmarshalText is [ParseReference].
func (r *Reference) UnmarshalText(text []byte) (err error) {
	*r, err = ParseReference(string(text))
	return err
}
