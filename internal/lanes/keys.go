package lanes

import (
	"crypto/hkdf"
	"crypto/sha256"
)

const (
	keySize = 32
	ivSize  = 12

	labelOut  = "devp2p lanes/1 i2r"
	labelIn   = "devp2p lanes/1 r2i"
	labelNext = "devp2p lanes/1 next"
)

// Key is the secret of one direction, between two ratchets: an AES-256 key and the constant part of the nonces.
type Key struct {
	Key [keySize]byte
	IV  [ivSize]byte
}

// Derive returns the first secrets of both directions (lanes.md, "Keys"): of records from the initiator of the RLPx
// handshake to its recipient, and back. Secret is the RLPx ephemeral key, transcript the SHA-256 of auth packet, ack
// packet, and the two Hellos. It fails only where Go's FIPS 140 mode refuses the length of the secret.
func Derive(secret []byte, transcript [sha256.Size]byte) (toRecipient, toInitiator Key, err error) {
	prk, err := hkdf.Extract(sha256.New, secret, transcript[:])
	if err != nil {
		return Key{}, Key{}, err
	}
	defer clear(prk)
	if toRecipient, err = expand(prk, labelOut); err != nil {
		return Key{}, Key{}, err
	}
	toInitiator, err = expand(prk, labelIn)
	return toRecipient, toInitiator, err
}

// next replaces the secret by its successor, from which it cannot be computed.
func (k *Key) next() error {
	old := append(k.Key[:], k.IV[:]...)
	prk, err := hkdf.Extract(sha256.New, old, nil)
	clear(old)
	if err != nil {
		return err
	}
	defer clear(prk)
	*k, err = expand(prk, labelNext)
	return err
}

func expand(prk []byte, label string) (k Key, err error) {
	out, err := hkdf.Expand(sha256.New, prk, label, keySize+ivSize)
	if err != nil {
		return Key{}, err
	}
	copy(k.Key[:], out)
	copy(k.IV[:], out[keySize:])
	clear(out)
	return k, nil
}
