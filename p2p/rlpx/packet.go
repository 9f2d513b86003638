package rlpx

import (
	"crypto/rand"
	"encoding/binary"

	"github.com/ethereum/go-ethereum/rlp"
)

// Handshake packets, EIP-8 form: size of the rest 2, big-endian | ECIES of body and padding, its shared information the
// size. Plain form, from before EIP-8: ECIES of fields without any framing.
const (
	prefixSize    = 2
	maxPacketSize = 2048 // of an EIP-8 packet without the prefix
	minPadding    = 100  // makes an EIP-8 packet longer than a plain one, by which old nodes tell them apart
	paddingSpread = 100  // padding is random up to this much longer

	plainAuthBody = signatureSize + secretSize + pointSize + secretSize + 1 // sig | hash of ephemeral key | key | nonce | flag
	plainAckBody  = pointSize + secretSize + 1                              // ephemeral key | nonce | flag
	plainAuthSize = plainAuthBody + eciesOverhead                           // 307
	plainAckSize  = plainAckBody + eciesOverhead                            // 210

	authBodySize = 169
	ackBodySize  = 102

	handshakeVersion = 4
)

// MaxPacketSize is the length in bytes of the longest handshake packet that is read (EIP-8 sets no limit; go-ethereum has
// the same).
const MaxPacketSize = prefixSize + maxPacketSize

// AuthSize returns the length in bytes of the auth packet that starts with begin, for who wants to wait for all of it before
// the handshake. It is what the remote claims, and may be beyond [MaxPacketSize].
//
// If the recipient accepts legacy packets, one that may have that form counts as such: they have no size, and start with
// the first byte of a point, as the sizes from 0x0400 to 0x04ff do. Plain then says so. Such a packet may turn out to be a
// longer one in the usual form.
func AuthSize(begin [2]byte, legacy bool) (size int, plain bool) {
	if legacy && begin[0] == uncompressed {
		return plainAuthSize, true
	}
	return prefixSize + int(binary.BigEndian.Uint16(begin[:])), false
}

// authBody is what an initiator says. The version that follows in an EIP-8 packet, and all that may follow that, has no
// meaning and is ignored.
type authBody struct {
	signature [signatureSize]byte // by the ephemeral key, over static shared secret ^ nonce
	static    [pointSize]byte
	nonce     [secretSize]byte
}

// ackBody is what a recipient answers.
type ackBody struct {
	ephemeral [pointSize]byte
	nonce     [secretSize]byte
}

// encode appends the EIP-8 form: [signature, static, nonce, version].
func (b *authBody) encode(dst []byte) []byte {
	dst = append(dst, 0xf8, authBodySize-2)
	dst = append(append(dst, 0xb8, signatureSize), b.signature[:]...)
	dst = append(append(dst, 0xb8, pointSize), b.static[:]...)
	dst = append(append(dst, 0x80+secretSize), b.nonce[:]...)
	return append(dst, handshakeVersion)
}

// encode appends the EIP-8 form: [ephemeral, nonce, version].
func (b *ackBody) encode(dst []byte) []byte {
	dst = append(dst, 0xf8, ackBodySize-2)
	dst = append(append(dst, 0xb8, pointSize), b.ephemeral[:]...)
	dst = append(append(dst, 0x80+secretSize), b.nonce[:]...)
	return append(dst, handshakeVersion)
}

// encodePlain appends the plain form.
func (b *ackBody) encodePlain(dst []byte) []byte {
	return append(append(append(dst, b.ephemeral[:]...), b.nonce[:]...), 0)
}

// decode reads the EIP-8 form. What follows the fields in the list, and behind the list, is ignored.
func (b *authBody) decode(text []byte) bool {
	return decodeFields(text, b.signature[:], b.static[:], b.nonce[:])
}

// decode reads the EIP-8 form likewise.
func (b *ackBody) decode(text []byte) bool {
	return decodeFields(text, b.ephemeral[:], b.nonce[:])
}

// decodeFields reads the strings at the beginning of an RLP list, each as long as its field, and the version behind them.
func decodeFields(text []byte, fields ...[]byte) bool {
	rest, _, err := rlp.SplitList(text)
	for _, field := range fields {
		if err != nil {
			return false
		}
		var value []byte
		if value, rest, err = rlp.SplitString(rest); err == nil && len(value) != len(field) {
			return false
		}
		copy(field, value)
	}
	if err != nil {
		return false
	}
	_, _, err = rlp.SplitUint64(rest)
	return err == nil
}

// decodePlain reads the plain form. The hash of the ephemeral key and the flag are redundant.
func (b *authBody) decodePlain(text []byte) bool {
	if len(text) != plainAuthBody {
		return false
	}
	n := copy(b.signature[:], text)
	n += secretSize
	n += copy(b.static[:], text[n:])
	copy(b.nonce[:], text[n:])
	return true
}

// sealPacket encrypts a body of the given size, written by encode, as an EIP-8 packet.
func sealPacket(size int, encode func([]byte) []byte, r *keyPair, to point) []byte {
	var random [1]byte
	rand.Read(random[:]) // never fails
	size += minPadding + int(random[0])%paddingSpread + eciesOverhead
	packet := make([]byte, prefixSize+size)
	binary.BigEndian.PutUint16(packet, uint16(size))
	encode(packet[:prefixSize+textOffset])
	eciesSeal(packet[prefixSize:], r, to, packet[:prefixSize])
	return packet
}

// sealPlainAck encrypts an answer to a plain auth.
func sealPlainAck(b *ackBody, r *keyPair, to point) []byte {
	packet := make([]byte, plainAckSize)
	b.encodePlain(packet[:textOffset])
	eciesSeal(packet, r, to, nil)
	return packet
}

// readPacket reads an EIP-8 packet, prefix included, which is valid until the next fill. A size beyond the limit is refused
// before memory is taken for it.
func readPacket(in *input) ([]byte, error) {
	if err := in.fill(prefixSize); err != nil {
		return nil, err
	}
	size := int(binary.BigEndian.Uint16(in.unread()))
	if size > maxPacketSize {
		return nil, ErrHandshake
	}
	if err := in.fill(prefixSize + size); err != nil {
		return nil, err
	}
	return in.take(prefixSize + size), nil
}

// openPacket decrypts an EIP-8 packet.
func openPacket(packet []byte, key *secret) ([]byte, bool) {
	return eciesOpen(packet[prefixSize:], key, packet[:prefixSize])
}
