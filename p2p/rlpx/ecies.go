package rlpx

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
)

// Layout of an ECIES ciphertext (rlpx.md, "ECIES Encryption"):
//
//	R 65: ephemeral public key, uncompressed | iv 16 | ciphertext | tag 32
const (
	ivOffset      = 1 + pointSize
	ivSize        = aes.BlockSize
	textOffset    = ivOffset + ivSize
	tagSize       = sha256.Size
	eciesOverhead = textOffset + tagSize
)

// eciesKeys derives the keys of cipher (AES-128) and tag (HMAC-SHA256) from a Diffie-Hellman secret: one round of the
// concatenation KDF of NIST SP 800-56, half of it hashed once more for the tag.
func eciesKeys(z [secretSize]byte) (encKey [16]byte, macKey [sha256.Size]byte) {
	round := [4 + secretSize]byte{3: 1}
	copy(round[4:], z[:])
	k := sha256.Sum256(round[:])
	copy(encKey[:], k[:16])
	return encKey, sha256.Sum256(k[16:])
}

// eciesTag computes the tag over iv and ciphertext, and the shared information that is not sent along.
func eciesTag(key [sha256.Size]byte, text, info []byte) []byte {
	h := hmac.New(sha256.New, key[:])
	h.Write(text)
	h.Write(info)
	return h.Sum(nil)
}

// eciesCrypt encrypts or decrypts text into dst, which may be text itself.
func eciesCrypt(key [16]byte, iv, dst, text []byte) {
	block, err := aes.NewCipher(key[:])
	if err != nil {
		panic(err) // the key has the right length by its type
	}
	cipher.NewCTR(block, iv).XORKeyStream(dst, text)
}

// eciesSeal encrypts in place for the owner of to: buf holds the plaintext between textOffset and tagSize bytes of room
// at the end. R must be an ephemeral key of this handshake, and sign nothing.
func eciesSeal(buf []byte, r *keyPair, to point, info []byte) {
	end := len(buf) - tagSize
	buf[0] = uncompressed
	r.public.put(buf[1:])
	rand.Read(buf[ivOffset:textOffset]) // never fails
	encKey, macKey := eciesKeys(r.secret.shared(to))
	eciesCrypt(encKey, buf[ivOffset:textOffset], buf[textOffset:end], buf[textOffset:end])
	copy(buf[end:], eciesTag(macKey, buf[ivOffset:end], info))
}

// eciesOpen decrypts buf into fresh memory. It checks the tag before it decrypts. If anything is wrong it returns false
// after the same point multiplication.
func eciesOpen(buf []byte, key *secret, info []byte) ([]byte, bool) {
	if len(buf) < eciesOverhead {
		key.shared(generator)
		return nil, false
	}
	r, ok := parsePrefixedPoint(buf[:ivOffset])
	encKey, macKey := eciesKeys(key.shared(r))
	end := len(buf) - tagSize
	ok = hmac.Equal(eciesTag(macKey, buf[ivOffset:end], info), buf[end:]) && ok
	if !ok {
		return nil, false
	}
	text := make([]byte, end-textOffset)
	eciesCrypt(encKey, buf[ivOffset:textOffset], text, buf[textOffset:end])
	return text, true
}
