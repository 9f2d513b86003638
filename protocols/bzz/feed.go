package bzz

import (
	"bytes"
	"encoding/binary"

	"github.com/ethereum/go-ethereum/crypto"

	"github.com/sennit-net/sennit/protocols/bzz/chunk"
)

// What a chunk with an update of a feed is made of, in bytes. Its address does not follow from all of its data, but from
// whose feed it is and when the update was made:
//
//	data      8 zero bytes, topic, user, time (little-endian), level, content, signature by user of the hash of all before
//	address   keccak256(topic, user, time with its lowest level bits cleared, level)
const (
	feedHeader    = 8
	feedTopic     = 32
	feedUser      = 20
	feedTime      = 7
	feedFixed     = feedHeader + feedTopic + feedUser + feedTime + 1
	feedSignature = crypto.SignatureLength
)

// isFeedUpdate reports whether data is an update of a feed and has the address addr.
func isFeedUpdate(addr chunk.Address, data []byte) bool {
	if len(data) < feedFixed+feedSignature {
		return false
	}
	id := bytes.Clone(data[feedHeader:feedFixed])
	user, level := id[feedTopic:feedTopic+feedUser], id[len(id)-1]
	if level > 63 {
		return false
	}
	epoch := id[feedTopic+feedUser:] // time and level
	began := (binary.LittleEndian.Uint64(epoch) & (1<<56 - 1)) >> level << level
	binary.LittleEndian.PutUint64(epoch, began|uint64(level)<<56)
	if chunk.Address(crypto.Keccak256(id)) != addr {
		return false
	}
	signed, signature := data[:len(data)-feedSignature], data[len(data)-feedSignature:]
	key, err := crypto.SigToPub(crypto.Keccak256(signed), signature)
	return err == nil && bytes.Equal(crypto.PubkeyToAddress(*key).Bytes(), user)
}
