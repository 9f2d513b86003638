// Package lanes is the codec of lanes/1, the framing between two Sennit nodes: keys, records and frames; slices in,
// slices out, no socket and no goroutine. docs/spec/lanes.md is its specification.
//
// A connection carries records, each sealed with AES-256-GCM under a key of its direction:
//
//	length uint24 | GCM(plaintext), length bytes with its tag; associated data: the 3 length bytes
//
// The plaintext of a record is a sequence of frames, each whole inside its record:
//
//	0 PADDING     the rest of the record means nothing
//	1 MESSAGE     lane uvarint | code uvarint | size uvarint | encoding byte | total uvarint | part uvarint | part bytes
//	2 PART        lane uvarint | part uvarint | part bytes
//	3 CREDIT      lane uvarint | limit uvarint
//	4 PING        8 bytes
//	5 PONG        8 bytes
//	6 DISCONNECT  reason uvarint
//
// Errors are one of two kinds. [ErrRecord] says that bytes are not what the remote sealed; nobody can know who wrote
// them, so the connection is closed without a word. A [Breach] says that the remote itself broke the rules, and is
// answered with a DISCONNECT.
package lanes

import "errors"

const (
	// PrefixSize is the length in bytes of a record's length field.
	PrefixSize = 3
	// TagSize is the length in bytes of a record's tag.
	TagSize = 16
	// MaxPlaintext is the largest plaintext of a record, in bytes; the smallest has one.
	MaxPlaintext = 1 << 16
	// MaxRecord is the largest record on the wire, in bytes.
	MaxRecord = PrefixSize + MaxPlaintext + TagSize

	// InitialLimit is the credit of each lane and direction at the start of a link, in units of cost, which for large
	// messages are bytes.
	InitialLimit = 262144
	// MessageCost is what a MESSAGE frame costs on top of the bytes of its part. A PART frame costs its bytes alone.
	MessageCost = 64
	// MaxPings is how many PING frames may be unanswered.
	MaxPings = 4
	// MaxSize is the largest payload of a message, decompressed or as it travels, in bytes.
	MaxSize = 1<<24 - 1
)

// ErrRecord is the error of every record that cannot be opened, whatever is wrong with it.
var ErrRecord = errors.New("lanes: record is not what the remote sealed")

// Breach is a violation of the protocol by the remote, inside a record that it has sealed.
type Breach string

// Error says what the remote did.
func (b Breach) Error() string { return "lanes: " + string(b) }
