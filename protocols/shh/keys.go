package shh

import (
	"crypto/ecdsa"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"slices"
	"sync"

	"github.com/ethereum/go-ethereum/crypto"
)

// keyring holds the keys that JSON-RPC names by ids of 64 hex digits. It is safe for concurrent use.
type keyring struct {
	mu        sync.Mutex // guards what follows
	pairs     map[string]*ecdsa.PrivateKey
	symmetric map[string][]byte
}

// maxKeys is how many keys of a kind there may be.
const maxKeys = 1 << 16

func newKeyring() *keyring {
	return &keyring{pairs: make(map[string]*ecdsa.PrivateKey), symmetric: make(map[string][]byte)}
}

func newID() string {
	var b [32]byte
	rand.Read(b[:])
	return hex.EncodeToString(b[:])
}

func (k *keyring) addPair(key *ecdsa.PrivateKey) (string, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return put(k.pairs, key)
}

func (k *keyring) addSymmetric(key []byte) (string, error) {
	if err := checkSymKey(key); err != nil {
		return "", err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	return put(k.symmetric, slices.Clone(key))
}

// put adds a key and returns its id. The caller holds the lock.
func put[K any](keys map[string]K, key K) (string, error) {
	if len(keys) >= maxKeys {
		return "", fmt.Errorf("there are %d keys already", len(keys))
	}
	id := newID()
	keys[id] = key
	return id, nil
}

func (k *keyring) pair(id string) (*ecdsa.PrivateKey, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if key, ok := k.pairs[trimHex(id)]; ok {
		return key, nil
	}
	return nil, fmt.Errorf("there is no key pair %q", id)
}

func (k *keyring) symmetricKey(id string) ([]byte, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if key, ok := k.symmetric[trimHex(id)]; ok {
		return key, nil
	}
	return nil, fmt.Errorf("there is no symmetric key %q", id)
}

func (k *keyring) deletePair(id string) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	_, ok := k.pairs[trimHex(id)]
	delete(k.pairs, trimHex(id))
	return ok
}

func (k *keyring) deleteSymmetric(id string) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	_, ok := k.symmetric[trimHex(id)]
	delete(k.symmetric, trimHex(id))
	return ok
}

// parsePublicKey reads a public key of 65 bytes.
func parsePublicKey(b []byte) (*ecdsa.PublicKey, error) {
	key, err := crypto.UnmarshalPubkey(b)
	if err != nil {
		return nil, fmt.Errorf("invalid public key: %w", err)
	}
	return key, nil
}
