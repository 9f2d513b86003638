//lint:file-ignore SA1019 the replacements know only the NIST curves

package rlpx

import (
	"crypto/rand"
	"fmt"
	"math/big"

	"github.com/ethereum/go-ethereum/crypto"
)

// Ephemeral keys. A handshake costs little more than its multiplications on the curve, so we make do with fewer public
// keys than one might expect, two for both ends instead of four:
//
//   - The initiator's ephemeral key has no public half here. It is not sent: the recipient recovers it from the signature.
//   - The recipient's ephemeral key is also the R of the ECIES packet that brings it. It is then used for two
//     Diffie-Hellman operations, one with the initiator's static and one with its ephemeral key, whose results go through
//     hashes of different form: what the Noise protocols do with their one ephemeral key per end ("es" and "ee"). That R
//     can be seen in passing reveals a public key and nothing else. It is forgotten after the handshake like any other.
//
// The initiator's ephemeral key signs, so it is not used as an R: signatures and encryption keep to keys of their own.

// newSecret returns a random private key.
func newSecret() *secret {
	s, n := new(secret), new(big.Int)
	for {
		rand.Read(s[:]) // never fails
		if n.SetBytes(s[:]); n.Sign() > 0 && n.Cmp(order) < 0 {
			return s
		}
	}
}

// keyPair is an ephemeral key with both its halves. Each serves one handshake.
type keyPair struct {
	secret secret
	public point
}

// newKeyPair returns a fresh key pair.
func newKeyPair() (*keyPair, error) {
	key, err := crypto.GenerateKey()
	if err != nil {
		return nil, fmt.Errorf("rlpx: making an ephemeral key: %w", err)
	}
	pair := &keyPair{public: point{key.X, key.Y}}
	key.D.FillBytes(pair.secret[:])
	return pair, nil
}
