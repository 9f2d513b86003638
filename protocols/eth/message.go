package eth

import (
	"errors"
	"fmt"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/rlp"
)

// Message is a message of the protocol: one of [*Status], [*NewBlockHashes], [*Transactions], [*NewBlock], [*Announcement],
// [*BlockRange], the requests [*GetBlockHeaders], [*GetByHash], [*GetReceipts] and [*GetCells], and the answers [*Items],
// [*Receipts] and [*Cells]. Messages are plain data: nothing in them is safe for use while somebody changes them.
type Message interface {
	// Code is the code of the message within the protocol.
	Code() uint64

	// encode writes what is inside the message's list.
	encode(w rlp.EncoderBuffer, version uint)
	// decode reads it.
	decode(content []byte, version uint) error
}

// DecodeError says what is wrong with a message that a peer has sent.
type DecodeError struct {
	Version uint
	Code    uint64
	Err     error // never nil
}

// Error names the message and what is wrong with it: "eth/69 BlockHeaders: request id: rlp: ...".
func (e *DecodeError) Error() string {
	return fmt.Sprintf("eth/%d %s: %v", e.Version, CodeName(e.Code), e.Err)
}

// Unwrap returns what the decoder said.
func (e *DecodeError) Unwrap() error { return e.Err }

// What a message can have wrong, beside RLP that is none. They are in the chain of a [DecodeError].
var (
	errUnknownCode = errors.New("no message of this version has this code")
	errTooLarge    = fmt.Errorf("larger than %d bytes", MaxMessage)
	errTrailing    = errors.New("more items than the message has")
	errHashes      = errors.New("not a list of 32-byte hashes")
)

// Encode returns the payload of a message in the layout of a version. It fails only for a message that the version does
// not have.
func Encode(version uint, m Message) ([]byte, error) {
	if !Knows(version, m.Code()) {
		return nil, &DecodeError{version, m.Code(), errUnknownCode}
	}
	w := rlp.NewEncoderBuffer(nil)
	list := w.List()
	m.encode(w, version)
	w.ListEnd(list)
	payload := w.ToBytes()
	return payload, w.Flush()
}

// Decode reads the payload of a message in the layout of a version. It is strict: the payload is one RLP list with exactly
// the items of the layout, in canonical RLP, and nothing after it. What is handed through as raw RLP, such as headers and
// transactions, is checked at its outermost level only. The message refers to the bytes of payload, which must not be
// changed any more. The error is a [*DecodeError]. Nothing is allocated that is much larger than payload.
func Decode(version uint, code uint64, payload []byte) (Message, error) {
	if !Knows(version, code) {
		return nil, &DecodeError{version, code, errUnknownCode}
	}
	m := codes[code].newMessage()
	if err := decodeInto(m, version, payload); err != nil {
		return nil, err
	}
	return m, nil
}

// decodeInto reads a payload into a message, whose slices it may use again.
func decodeInto(m Message, version uint, payload []byte) error {
	err := errTooLarge
	if len(payload) <= MaxMessage {
		var content []byte
		if content, err = wholeList(payload); err == nil {
			err = m.decode(content, version)
		}
	}
	if err != nil {
		return &DecodeError{version, m.Code(), err}
	}
	return nil
}

// wholeList returns the content of the list that b is, and nothing else.
func wholeList(b []byte) ([]byte, error) {
	content, rest, err := rlp.SplitList(b)
	if err != nil {
		return nil, err
	}
	if len(rest) > 0 {
		return nil, errTrailing
	}
	return content, nil
}

// in names the part of a message that an error is about.
func in(part string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", part, err)
}

// splitUint takes an integer from b.
func splitUint(b []byte, part string) (uint64, []byte, error) {
	x, rest, err := rlp.SplitUint64(b)
	return x, rest, in(part, err)
}

// splitHash takes a hash from b.
func splitHash(b []byte, part string) (common.Hash, []byte, error) {
	s, rest, err := rlp.SplitString(b)
	if err == nil && len(s) != common.HashLength {
		err = fmt.Errorf("%d bytes, not %d", len(s), common.HashLength)
	}
	if err != nil {
		return common.Hash{}, b, in(part, err)
	}
	return common.Hash(s), rest, nil
}

// splitBool takes a flag from b, which is 0 or 1.
func splitBool(b []byte, part string) (bool, []byte, error) {
	x, rest, err := rlp.SplitUint64(b)
	if err == nil && x > 1 {
		err = fmt.Errorf("%d is neither 0 nor 1", x)
	}
	return x == 1, rest, in(part, err)
}

// end is the error of b if it is not empty.
func end(b []byte) error {
	if len(b) > 0 {
		return errTrailing
	}
	return nil
}

// splitID takes the request id and returns what is left of the message: for a version without ids that is all of it.
func splitID(content []byte, version uint) (id uint64, rest []byte, err error) {
	if !hasIDs(version) {
		return 0, content, nil
	}
	return splitUint(content, "request id")
}

// splitIDAndList takes the request id and returns what is inside the list that is all the rest of the message. In a version
// without ids the message is that list.
func splitIDAndList(content []byte, version uint) (id uint64, inner []byte, err error) {
	id, rest, err := splitID(content, version)
	if err != nil || !hasIDs(version) {
		return id, rest, err
	}
	inner, err = wholeList(rest)
	return id, inner, err
}

// hashes reads the content of a list of hashes.
func hashes(content []byte) ([]common.Hash, error) {
	const size = 1 + common.HashLength
	if len(content)%size != 0 {
		return nil, errHashes
	}
	list := make([]common.Hash, len(content)/size)
	for i := range list {
		if content[i*size] != 0x80+common.HashLength {
			return nil, errHashes
		}
		copy(list[i][:], content[i*size+1:])
	}
	return list, nil
}

// items reads the content of a list of at most limit items, which are taken as they are; ok judges each by its kind. The
// limit is looked at before there is memory for the items, since the smallest ones are one byte on the wire and 24 here.
func items(content []byte, limit int, ok func(rlp.Kind) bool) ([]rlp.RawValue, error) {
	n, err := rlp.CountValues(content)
	if err != nil {
		return nil, err
	}
	if n > limit {
		return nil, fmt.Errorf("%d items, more than %d", n, limit)
	}
	list := make([]rlp.RawValue, n)
	for i := range list {
		kind, _, rest, err := rlp.Split(content)
		if err != nil {
			return nil, in(fmt.Sprintf("item %d", i), err)
		}
		if !ok(kind) {
			return nil, fmt.Errorf("item %d is %s", i, kindText[kind])
		}
		size := len(content) - len(rest)
		list[i], content = content[:size:size], rest
	}
	return list, nil
}

var kindText = map[rlp.Kind]string{rlp.Byte: "a byte", rlp.String: "a string", rlp.List: "a list"}

// Which kinds the items of a list may have.
func isList(k rlp.Kind) bool   { return k == rlp.List }
func isString(k rlp.Kind) bool { return k != rlp.List }

// writeList writes a list of raw items.
func writeList(w rlp.EncoderBuffer, items []rlp.RawValue) {
	list := w.List()
	for _, item := range items {
		w.Write(item)
	}
	w.ListEnd(list)
}

// writeHashes writes a list of hashes.
func writeHashes(w rlp.EncoderBuffer, hashes []common.Hash) {
	list := w.List()
	for i := range hashes {
		w.WriteBytes(hashes[i][:])
	}
	w.ListEnd(list)
}
