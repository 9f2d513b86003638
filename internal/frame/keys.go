package frame

import (
	"crypto/aes"
	"crypto/cipher"
	"fmt"
	"hash"
)

// keys are the expanded secrets of a connection. They are only read, so the two directions share them.
type keys struct {
	stream, mac cipher.Block
}

func newKeys(aesSecret, macSecret []byte) (k keys, err error) {
	if k.stream, err = newAES("AES", aesSecret); err != nil {
		return keys{}, err
	}
	k.mac, err = newAES("MAC", macSecret)
	return k, err
}

// newAES returns AES-256 under the connection secret called name.
func newAES(name string, secret []byte) (cipher.Block, error) {
	if len(secret) != SecretSize {
		return nil, fmt.Errorf("frame: %s secret has %d bytes, not %d", name, len(secret), SecretSize)
	}
	return aes.NewCipher(secret)
}

// newStream returns the key stream of one direction. Both directions of RLPx use the same key and a zero counter: a
// weakness of the protocol that a compatible implementation has to keep.
func (k keys) newStream() cipher.Stream { return cipher.NewCTR(k.stream, make([]byte, blockSize)) }

// NewPair returns both halves of a connection for the secrets of a handshake, with the rules of [NewSealer] and
// [NewOpener]. It costs less memory than making them one by one.
func NewPair(aesSecret, macSecret []byte, egress, ingress hash.Hash) (*Sealer, *Opener, error) {
	k, err := newKeys(aesSecret, macSecret)
	if err != nil {
		return nil, nil, err
	}
	sealer, err := k.newSealer(egress)
	if err != nil {
		return nil, nil, err
	}
	opener, err := k.newOpener(ingress)
	if err != nil {
		return nil, nil, err
	}
	return sealer, opener, nil
}

// NewSealer returns a Sealer for the secrets of a handshake, both of [SecretSize] bytes. It takes over egress, the
// seeded Keccak-256 state of this direction. It fails if a secret or the digest has another length.
func NewSealer(aesSecret, macSecret []byte, egress hash.Hash) (*Sealer, error) {
	k, err := newKeys(aesSecret, macSecret)
	if err != nil {
		return nil, err
	}
	return k.newSealer(egress)
}

// NewOpener returns an Opener for the secrets of a handshake, both of [SecretSize] bytes. It takes over ingress, the
// seeded Keccak-256 state of this direction. It fails if a secret or the digest has another length.
func NewOpener(aesSecret, macSecret []byte, ingress hash.Hash) (*Opener, error) {
	k, err := newKeys(aesSecret, macSecret)
	if err != nil {
		return nil, err
	}
	return k.newOpener(ingress)
}

func (k keys) newSealer(egress hash.Hash) (*Sealer, error) {
	s := &Sealer{stream: k.newStream()}
	if err := s.mac.init(k.mac, egress); err != nil {
		return nil, err
	}
	return s, nil
}

func (k keys) newOpener(ingress hash.Hash) (*Opener, error) {
	o := &Opener{stream: k.newStream()}
	if err := o.mac.init(k.mac, ingress); err != nil {
		return nil, err
	}
	return o, nil
}
