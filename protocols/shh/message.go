package shh

import (
	"crypto/ecdsa"
	"crypto/rand"
	"errors"
	"fmt"

	"github.com/ethereum/go-ethereum/crypto"
)

// The plaintext in an envelope (EIP-627):
//
//	flags(1) · size of the payload(0 to 3, little-endian) · payload · padding · signature(65, if signed)
const (
	flagSizeMask  = 3 // how many bytes the size field has
	flagSigned    = 4
	signatureSize = crypto.SignatureLength

	// paddingUnit is what sizes of plaintexts are rounded up to, so that they tell little of the payload.
	paddingUnit = 256

	// maxPayload is the largest payload that a size field of 3 bytes can tell.
	maxPayload = 1<<24 - 1
)

var errPlaintext = errors.New("malformed plaintext")

// plaintext is the content of a message.
type plaintext struct {
	payload, padding []byte
	signed           []byte // what the signature is over; nil without one
	signature        []byte
}

// sizeFieldLength returns how many bytes the size field takes.
func sizeFieldLength(payload int) int {
	n := 1
	for payload >= 1<<(8*n) {
		n++
	}
	return n
}

// encodePlaintext returns the plaintext of a payload, signed if there is a signer. Without padding it takes random bytes, 1
// to 256, up to a multiple of 256 bytes.
func encodePlaintext(payload, padding []byte, signer *ecdsa.PrivateKey) ([]byte, error) {
	if len(payload) > maxPayload {
		return nil, fmt.Errorf("a payload of %d bytes, want at most %d", len(payload), maxPayload)
	}
	n := sizeFieldLength(len(payload))
	size := 1 + n + len(payload)
	if signer != nil {
		size += signatureSize
	}
	if padding == nil {
		padding = make([]byte, paddingUnit-size%paddingUnit)
		rand.Read(padding)
	}
	b := make([]byte, 0, size+len(padding))
	b = append(b, byte(n))
	for i := range n {
		b = append(b, byte(len(payload)>>(8*i)))
	}
	b = append(append(b, payload...), padding...)
	if signer == nil {
		return b, nil
	}
	b[0] |= flagSigned
	signature, err := crypto.Sign(crypto.Keccak256(b), signer)
	if err != nil {
		return nil, fmt.Errorf("signing: %w", err)
	}
	return append(b, signature...), nil
}

// decodePlaintext takes a plaintext apart; what it returns lies in b.
func decodePlaintext(b []byte) (plaintext, error) {
	var p plaintext
	if len(b) == 0 {
		return p, fmt.Errorf("%w: empty", errPlaintext)
	}
	flags := b[0]
	if flags&flagSigned != 0 {
		end := len(b) - signatureSize
		if end <= 1 {
			return p, fmt.Errorf("%w: %d bytes are too few for a signature", errPlaintext, len(b))
		}
		p.signed, p.signature, b = b[:end], b[end:], b[:end]
	}
	n := int(flags & flagSizeMask)
	b = b[1:]
	if len(b) < n {
		return p, fmt.Errorf("%w: the size field is cut off", errPlaintext)
	}
	size := 0
	for i := range n {
		size |= int(b[i]) << (8 * i)
	}
	b = b[n:]
	if size > len(b) {
		return p, fmt.Errorf("%w: a payload of %d bytes in %d", errPlaintext, size, len(b))
	}
	p.payload, p.padding = b[:size], b[size:]
	return p, nil
}

// signer returns the key that signed the plaintext; nil if nobody did.
func (p *plaintext) signer() (*ecdsa.PublicKey, error) {
	if p.signature == nil {
		return nil, nil
	}
	signature := [signatureSize]byte(p.signature)
	if signature[64] >= 27 {
		signature[64] -= 27 // as in EIP-627; go-ethereum's are 0 and 1
	}
	key, err := crypto.SigToPub(crypto.Keccak256(p.signed), signature[:])
	if err != nil {
		return nil, fmt.Errorf("%w: signature: %w", errPlaintext, err)
	}
	return key, nil
}
