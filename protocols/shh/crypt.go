package shh

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/ecdsa"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"

	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/crypto/ecies"
)

// SymKeySize is the size of a symmetric key, in bytes.
const SymKeySize = 32

// gcmNonceSize is the size of the nonce at the end of symmetrically encrypted data.
const gcmNonceSize = 12

// keyRounds is how often a password is hashed. 65,536 was meant, perhaps, but this is what everybody does.
const keyRounds = 65356

var errUndecryptable = errors.New("not for this key")

// SymKeyFromPassword returns the symmetric key of a password: PBKDF2 with HMAC-SHA-256, 65,356 rounds and no salt, which takes
// some 20 ms.
func SymKeyFromPassword(password string) ([]byte, error) {
	return pbkdf2.Key(sha256.New, password, nil, keyRounds, SymKeySize)
}

// NewSymKey returns a random symmetric key.
func NewSymKey() []byte {
	key := make([]byte, SymKeySize)
	rand.Read(key)
	return key
}

func checkSymKey(key []byte) error {
	if len(key) != SymKeySize {
		return fmt.Errorf("invalid symmetric key: %d bytes, want %d", len(key), SymKeySize)
	}
	if allZero(key) {
		return errors.New("invalid symmetric key: all zeros")
	}
	return nil
}

func checkPublicKey(key *ecdsa.PublicKey) error {
	_, err := parsePublicKey(crypto.FromECDSAPub(key))
	return err
}

func allZero(b []byte) bool {
	for _, c := range b {
		if c != 0 {
			return false
		}
	}
	return true
}

func newGCM(key []byte) (cipher.AEAD, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}

// encryptSymmetric returns ciphertext · tag(16) · nonce(12), as AES-256-GCM.
func encryptSymmetric(key, plain []byte) ([]byte, error) {
	if err := checkSymKey(key); err != nil {
		return nil, err
	}
	aead, err := newGCM(key)
	if err != nil {
		return nil, err
	}
	var nonce [gcmNonceSize]byte
	rand.Read(nonce[:])
	out := make([]byte, 0, len(plain)+aead.Overhead()+gcmNonceSize)
	return append(aead.Seal(out, nonce[:], plain, nil), nonce[:]...), nil
}

// decryptSymmetric undoes encryptSymmetric. It does not change data.
func decryptSymmetric(aead cipher.AEAD, data []byte) ([]byte, error) {
	split := len(data) - gcmNonceSize
	if split < aead.Overhead() {
		return nil, fmt.Errorf("%w: %d bytes are too few", errUndecryptable, len(data))
	}
	plain, err := aead.Open(nil, data[split:], data[:split], nil)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errUndecryptable, err)
	}
	return plain, nil
}

// encryptAsymmetric returns what only the owner of the key can read, as ECIES without shared information.
func encryptAsymmetric(to *ecdsa.PublicKey, plain []byte) ([]byte, error) {
	if err := checkPublicKey(to); err != nil {
		return nil, err
	}
	return ecies.Encrypt(rand.Reader, ecies.ImportECDSAPublic(to), plain, nil, nil)
}

func decryptAsymmetric(key *ecdsa.PrivateKey, data []byte) ([]byte, error) {
	plain, err := ecies.ImportECDSA(key).Decrypt(data, nil, nil)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errUndecryptable, err)
	}
	return plain, nil
}
