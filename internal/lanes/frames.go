package lanes

import (
	"encoding/binary"
	"math/bits"
)

// Type is the type of a frame.
type Type byte

// The types of frames.
const (
	Padding    Type = 0
	Message    Type = 1
	Part       Type = 2
	Credit     Type = 3
	Ping       Type = 4
	Pong       Type = 5
	Disconnect Type = 6
)

// Encodings of a message's payload.
const (
	Plain  = 0 // as it is
	Snappy = 1 // one Snappy block
)

// OpaqueSize is the length in bytes of what a PING carries and its PONG brings back.
const OpaqueSize = 8

// MaxHead bounds what AppendMessage and AppendPart append, in bytes.
const MaxHead = 1 + binary.MaxVarintLen64 + binary.MaxVarintLen64 + 4 + 1 + 4 + 4

// Frame is a decoded frame. Which fields count depends on its type.
type Frame struct {
	Type     Type
	Lane     uint64 // MESSAGE, PART, CREDIT: from 1
	Code     uint64 // MESSAGE: relative to the protocol
	Size     int    // MESSAGE: bytes of the payload, decompressed
	Encoding byte   // MESSAGE: Plain or Snappy
	Total    int    // MESSAGE: bytes of the payload as it travels
	Data     []byte // MESSAGE and PART: the part; PING, PONG: the opaque bytes
	Value    uint64 // CREDIT: the limit; DISCONNECT: the reason
}

// Cost returns what the frame takes from its lane's credit.
func (f *Frame) Cost() uint64 {
	switch f.Type {
	case Message:
		return MessageCost + uint64(len(f.Data))
	case Part:
		return uint64(len(f.Data))
	}
	return 0
}

// AppendMessage appends the head of a MESSAGE frame, to be followed by the bytes of its first part.
func AppendMessage(dst []byte, lane, code uint64, size int, encoding byte, total, part int) []byte {
	dst = append(dst, byte(Message))
	dst = binary.AppendUvarint(dst, lane)
	dst = binary.AppendUvarint(dst, code)
	dst = binary.AppendUvarint(dst, uint64(size))
	dst = append(dst, encoding)
	dst = binary.AppendUvarint(dst, uint64(total))
	return binary.AppendUvarint(dst, uint64(part))
}

// AppendPart appends the head of a PART frame, to be followed by the bytes of the part.
func AppendPart(dst []byte, lane uint64, part int) []byte {
	dst = append(dst, byte(Part))
	dst = binary.AppendUvarint(dst, lane)
	return binary.AppendUvarint(dst, uint64(part))
}

// AppendCredit appends a CREDIT frame.
func AppendCredit(dst []byte, lane, limit uint64) []byte {
	dst = append(dst, byte(Credit))
	dst = binary.AppendUvarint(dst, lane)
	return binary.AppendUvarint(dst, limit)
}

// AppendPing appends a PING frame, or with [Pong] as its type the answer.
func AppendPing(dst []byte, t Type, opaque [OpaqueSize]byte) []byte {
	return append(append(dst, byte(t)), opaque[:]...)
}

// AppendDisconnect appends a DISCONNECT frame.
func AppendDisconnect(dst []byte, reason uint64) []byte {
	return binary.AppendUvarint(append(dst, byte(Disconnect)), reason)
}

// Parser reads the frames of one record's plaintext. What it returns points into the plaintext.
type Parser struct{ rest []byte }

// Parse returns a Parser of a plaintext.
func Parse(plaintext []byte) Parser { return Parser{plaintext} }

// Rest returns what has not been parsed.
func (p *Parser) Rest() []byte { return p.rest }

// Breaches that a single frame can be.
const (
	errUnknownType = Breach("frame of an unknown type")
	errCut         = Breach("frame is cut off by the end of its record")
	errUvarint     = Breach("uvarint is overlong or not in its shortest form")
	errSize        = Breach("size of a message is 2^24 or more")
	errTotal       = Breach("total of a message is 2^24 or more")
	errEncoding    = Breach("unknown encoding of a message")
	errPart        = Breach("part is longer than its message")
	errEmptyPart   = Breach("part is empty, but its message is not")
	errPlainSize   = Breach("message travels as it is, but its total is not its size")
)

// Next decodes the next frame into f; more is false at the end of the record. Padding ends it. The error is a [Breach].
func (p *Parser) Next(f *Frame) (more bool, err error) {
	if len(p.rest) == 0 || p.rest[0] == byte(Padding) {
		return false, nil
	}
	f.Type = Type(p.rest[0])
	p.rest = p.rest[1:]
	switch f.Type {
	case Message:
		err = p.message(f)
	case Part:
		if f.Lane, err = p.uvarint(); err == nil {
			err = p.data(f)
		}
		if err == nil && len(f.Data) == 0 {
			err = errEmptyPart
		}
	case Credit:
		if f.Lane, err = p.uvarint(); err == nil {
			f.Value, err = p.uvarint()
		}
	case Ping, Pong:
		if len(p.rest) < OpaqueSize {
			return false, errCut
		}
		f.Data, p.rest = p.rest[:OpaqueSize:OpaqueSize], p.rest[OpaqueSize:]
	case Disconnect:
		f.Value, err = p.uvarint()
	default:
		err = errUnknownType
	}
	return err == nil, err
}

// message decodes what follows the type of a MESSAGE, and checks what can be checked without knowing the link.
func (p *Parser) message(f *Frame) (err error) {
	var size, total uint64
	if f.Lane, err = p.uvarint(); err != nil {
		return err
	}
	if f.Code, err = p.uvarint(); err != nil {
		return err
	}
	if size, err = p.uvarint(); err != nil {
		return err
	}
	if len(p.rest) == 0 {
		return errCut
	}
	f.Encoding, p.rest = p.rest[0], p.rest[1:]
	if total, err = p.uvarint(); err != nil {
		return err
	}
	switch {
	case size > MaxSize:
		return errSize
	case total > MaxSize:
		return errTotal
	case f.Encoding > Snappy:
		return errEncoding
	case f.Encoding == Plain && total != size:
		return errPlainSize
	}
	f.Size, f.Total = int(size), int(total)
	if err := p.data(f); err != nil {
		return err
	}
	switch {
	case len(f.Data) > f.Total:
		return errPart
	case len(f.Data) == 0 && f.Total > 0:
		return errEmptyPart
	}
	return nil
}

// data decodes a part: its length and its bytes.
func (p *Parser) data(f *Frame) error {
	n, err := p.uvarint()
	if err != nil {
		return err
	}
	if n > uint64(len(p.rest)) {
		return errCut
	}
	f.Data, p.rest = p.rest[:n:n], p.rest[n:]
	return nil
}

// uvarint decodes an unsigned LEB128 integer of at most 64 bits in its shortest form.
func (p *Parser) uvarint() (uint64, error) {
	if len(p.rest) > 0 && p.rest[0] < 0x80 {
		v := uint64(p.rest[0])
		p.rest = p.rest[1:]
		return v, nil
	}
	v, n := binary.Uvarint(p.rest)
	switch {
	case n == 0 && len(p.rest) < binary.MaxVarintLen64:
		return 0, errCut
	case n <= 0 || n != uvarintSize(v):
		return 0, errUvarint
	}
	p.rest = p.rest[n:]
	return v, nil
}

// uvarintSize is the length of the shortest form of v, in bytes.
func uvarintSize(v uint64) int { return (bits.Len64(v|1) + 6) / 7 }
