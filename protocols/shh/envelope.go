package shh

import (
	"errors"
	"fmt"
	"io"
	"math"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/rlp"
)

// Envelope is an encrypted message on its way, as every node sees it: [expiry, ttl, topic, data, nonce] in RLP (EIP-627). One
// that was received or sealed must not be changed.
type Envelope struct {
	Expiry uint32 // when it ceases to exist, in Unix seconds
	TTL    uint32 // for how long it exists, in seconds; Expiry - TTL is when it was sent
	Topic  Topic
	Data   []byte // the ciphertext
	Nonce  uint64 // the proof of work

	raw  []byte // the encoding; nil if it has none yet
	hash common.Hash
}

// headerLength stands for everything but the data in the rules of sizes.
const headerLength = 20

// The errors of decoding. They are in the chain of what the decoders return.
var (
	errEnvelope = errors.New("malformed envelope")
	errPacket   = errors.New("malformed list of envelopes")
)

// DecodeEnvelope reads an envelope from its RLP, to which nothing may be appended. The envelope keeps raw, which must not be
// changed afterwards.
func DecodeEnvelope(raw []byte) (*Envelope, error) {
	content, rest, err := rlp.SplitList(raw)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errEnvelope, err)
	}
	if len(rest) > 0 {
		return nil, fmt.Errorf("%w: %d bytes after its end", errEnvelope, len(rest))
	}
	e := &Envelope{raw: raw}
	if e.Expiry, content, err = splitUint32(content); err != nil {
		return nil, fmt.Errorf("%w: expiry: %w", errEnvelope, err)
	}
	if e.TTL, content, err = splitUint32(content); err != nil {
		return nil, fmt.Errorf("%w: ttl: %w", errEnvelope, err)
	}
	topic, content, err := rlp.SplitString(content)
	if err == nil && len(topic) != TopicSize {
		err = fmt.Errorf("%d bytes, want %d", len(topic), TopicSize)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: topic: %w", errEnvelope, err)
	}
	e.Topic = Topic(topic)
	if e.Data, content, err = rlp.SplitString(content); err != nil {
		return nil, fmt.Errorf("%w: data: %w", errEnvelope, err)
	}
	if e.Nonce, content, err = rlp.SplitUint64(content); err != nil {
		return nil, fmt.Errorf("%w: nonce: %w", errEnvelope, err)
	}
	if len(content) > 0 {
		return nil, fmt.Errorf("%w: more than five items", errEnvelope)
	}
	e.hash = crypto.Keccak256Hash(raw)
	return e, nil
}

func splitUint32(b []byte) (uint32, []byte, error) {
	n, rest, err := rlp.SplitUint64(b)
	if err == nil && n > math.MaxUint32 {
		err = errors.New("larger than 32 bits")
	}
	return uint32(n), rest, err
}

// readEnvelopes reads a list of envelopes from a payload of that size and hands each one's encoding to take, which may keep it.
// Memory is taken for one envelope at a time. An error of the list has errPacket in its chain; one of take ends it as well.
func readEnvelopes(payload io.Reader, size uint32, take func(raw []byte) error) error {
	s := rlp.NewStream(payload, uint64(size))
	if _, err := s.List(); err != nil {
		return fmt.Errorf("%w: %w", errPacket, err)
	}
	for {
		raw, err := s.Raw()
		if errors.Is(err, rlp.EOL) {
			break
		}
		if err != nil {
			return fmt.Errorf("%w: %w", errPacket, err)
		}
		if err := take(raw); err != nil {
			return err
		}
	}
	if err := s.ListEnd(); err != nil {
		return fmt.Errorf("%w: %w", errPacket, err)
	}
	if _, _, err := s.Kind(); !errors.Is(err, io.EOF) {
		return fmt.Errorf("%w: something follows its end", errPacket)
	}
	return nil
}

// Hash returns the Keccak-256 of the envelope's encoding, which is its name.
func (e *Envelope) Hash() common.Hash {
	if e.raw == nil {
		return crypto.Keccak256Hash(e.encode())
	}
	return e.hash
}

// Encoding returns the envelope's RLP, which must not be changed.
func (e *Envelope) Encoding() []byte {
	if e.raw == nil {
		return e.encode()
	}
	return e.raw
}

// Sent returns when the envelope was sent by its own account, in Unix seconds. The subtraction may wrap, as everywhere.
func (e *Envelope) Sent() uint32 { return e.Expiry - e.TTL }

// finish settles the encoding.
func (e *Envelope) finish() {
	e.raw = e.encode()
	e.hash = crypto.Keccak256Hash(e.raw)
}

func (e *Envelope) encode() []byte {
	size := e.contentSize() + rlp.IntSize(e.Nonce)
	b := e.appendContentHead(appendListHead(make([]byte, 0, listHeadMax+size), size))
	return rlp.AppendUint64(append(b, e.Data...), e.Nonce)
}

// appendShort appends what proof of work is about: the list without its nonce.
func (e *Envelope) appendShort(b []byte) []byte { return append(e.appendShortHead(b), e.Data...) }

// appendShortHead appends what comes before the data in it.
func (e *Envelope) appendShortHead(b []byte) []byte {
	return e.appendContentHead(appendListHead(b, e.contentSize()))
}

// shortSize returns the length of what appendShort appends.
func (e *Envelope) shortSize() int { return int(rlp.ListSize(uint64(e.contentSize()))) }

func (e *Envelope) contentSize() int {
	return rlp.IntSize(uint64(e.Expiry)) + rlp.IntSize(uint64(e.TTL)) + 1 + TopicSize + int(rlp.BytesSize(e.Data))
}

// appendContentHead appends the items before the data and the head of the data, which a single small byte does not have.
func (e *Envelope) appendContentHead(b []byte) []byte {
	b = rlp.AppendUint64(b, uint64(e.Expiry))
	b = rlp.AppendUint64(b, uint64(e.TTL))
	b = append(append(b, 0x80+TopicSize), e.Topic[:]...)
	if len(e.Data) == 1 && e.Data[0] < 0x80 {
		return b
	}
	return appendHead(b, 0x80, len(e.Data))
}

// listHeadMax is the size of the largest head of a list.
const listHeadMax = 9

func appendListHead(b []byte, size int) []byte { return appendHead(b, 0xc0, size) }

// appendHead appends the head of an RLP string (base 0x80) or list (base 0xc0).
func appendHead(b []byte, base byte, size int) []byte {
	if size < 56 {
		return append(b, base+byte(size))
	}
	start := len(b)
	b = append(b, 0)
	for shift := 56; shift >= 0; shift -= 8 {
		if digit := byte(size >> shift); digit != 0 || len(b) > start+1 {
			b = append(b, digit)
		}
	}
	b[start] = base + 55 + byte(len(b)-start-1)
	return b
}
