package lanes

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/binary"
	"fmt"
)

// ratchetAfter is how many records one secret seals.
const ratchetAfter = 1 << 20

// half is one direction of a connection: its secret and where it is in the sequence of records.
type half struct {
	aead   cipher.AEAD
	secret Key
	number uint64 // of the next record under this secret
	nonce  [ivSize]byte
}

func (h *half) init(k Key) (err error) {
	h.secret = k
	h.aead, err = newAEAD(&k)
	return err
}

func newAEAD(k *Key) (cipher.AEAD, error) {
	block, err := aes.NewCipher(k.Key[:])
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}

// nextNonce returns the nonce of the next record.
func (h *half) nextNonce() []byte {
	binary.BigEndian.PutUint64(h.nonce[ivSize-8:], h.number)
	copy(h.nonce[:], h.secret.IV[:4])
	for i := 4; i < ivSize; i++ {
		h.nonce[i] ^= h.secret.IV[i]
	}
	return h.nonce[:]
}

// advance counts a record, and replaces the secret when it has sealed enough.
func (h *half) advance() error {
	if h.number++; h.number < ratchetAfter {
		return nil
	}
	if err := h.secret.next(); err != nil {
		return err
	}
	h.number = 0
	return h.init(h.secret)
}

// Sealer is the write half of a connection. Records must go out in the order in which they were sealed. Make one with
// [NewSealer]. It is not safe for concurrent use, but independent of the [Opener] of the same connection.
type Sealer struct{ half half }

// NewSealer returns a Sealer that starts with the secret k.
func NewSealer(k Key) (*Sealer, error) {
	s := new(Sealer)
	if err := s.half.init(k); err != nil {
		return nil, err
	}
	return s, nil
}

// Seal makes a record of buf in place and returns it: buf holds [PrefixSize] bytes of room and then the plaintext, and
// has the capacity for [TagSize] bytes more. It panics if the plaintext is empty or larger than [MaxPlaintext], or the
// capacity too small, which are mistakes of the caller. It allocates nothing, but for one record in 2^20, after which the
// secret is replaced.
func (s *Sealer) Seal(buf []byte) []byte {
	n := len(buf) - PrefixSize
	if n < 1 || n > MaxPlaintext || cap(buf)-len(buf) < TagSize {
		panic(fmt.Sprintf("lanes: plaintext of %d bytes in a buffer of %d", n, cap(buf)))
	}
	length := n + TagSize
	prefix := [PrefixSize]byte{byte(length >> 16), byte(length >> 8), byte(length)}
	copy(buf, prefix[:])
	s.half.aead.Seal(buf[PrefixSize:PrefixSize], s.half.nextNonce(), buf[PrefixSize:], buf[:PrefixSize])
	if err := s.half.advance(); err != nil {
		panic(err) // the first secret was derived in the same way
	}
	return buf[:PrefixSize+length]
}

// Opener is the read half of a connection. Make one with [NewOpener]. It is not safe for concurrent use.
type Opener struct{ half half }

// NewOpener returns an Opener that starts with the secret k.
func NewOpener(k Key) (*Opener, error) {
	o := new(Opener)
	if err := o.half.init(k); err != nil {
		return nil, err
	}
	return o, nil
}

// RecordSize returns the size of a whole record from its first [PrefixSize] bytes, which nothing vouches for yet. The
// error is [ErrRecord] if no record has that size.
func RecordSize(prefix []byte) (int, error) {
	length := int(prefix[0])<<16 | int(prefix[1])<<8 | int(prefix[2])
	if length < 1+TagSize || length > MaxPlaintext+TagSize {
		return 0, ErrRecord
	}
	return PrefixSize + length, nil
}

// Open opens a whole record, whose size is what [RecordSize] says, in place and returns the plaintext. After an error,
// [ErrRecord], nothing more can be opened. It allocates nothing, but for one record in 2^20.
func (o *Opener) Open(record []byte) ([]byte, error) {
	sealed := record[PrefixSize:]
	plain, err := o.half.aead.Open(sealed[:0], o.half.nextNonce(), sealed, record[:PrefixSize])
	if err != nil {
		return nil, ErrRecord
	}
	if err := o.half.advance(); err != nil {
		return nil, err
	}
	return plain, nil
}
