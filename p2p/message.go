package p2p

import (
	"bytes"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/ethereum/go-ethereum/rlp"
)

// HandleHistName is the prefix that go-ethereum gives the names of its histograms of serving times. It is here so that
// programs that name theirs after it still compile; this package does not keep histograms under it.
const HandleHistName = "p2p/handle"

// Msg is one message of a protocol. It can be sent or read once, since that consumes Payload; to send the same bytes to
// several peers, make a Msg with a reader of its own for each.
//
// A Msg that was received must have its payload read to the end or discarded, and Payload must not be kept after that:
// its memory is used again.
type Msg struct {
	Code       uint64    // within the protocol, from 0
	Size       uint32    // of the payload, uncompressed, in bytes
	Payload    io.Reader // the message's RLP; exactly Size bytes
	ReceivedAt time.Time // when the link has read the message; zero for one to be sent
}

// Decode decodes the payload, which must be one RLP value, into val, a pointer; package rlp has the rules. An error that
// a protocol's Run hands on tells the peer that it broke the protocol ([DiscProtocolError]).
func (msg Msg) Decode(val interface{}) error {
	s := streams.Get().(*rlp.Stream)
	s.Reset(msg.Payload, uint64(msg.Size))
	err := s.Decode(val)
	s.Reset(noBytes, 0) // do not keep the payload alive
	streams.Put(s)
	if err != nil {
		return errInvalidMsg(msg, err)
	}
	return nil
}

var (
	streams = sync.Pool{New: func() any { return new(rlp.Stream) }}
	noBytes = bytes.NewReader(nil)
)

// String returns the code and size of the message: "msg #5 (12 bytes)".
func (msg Msg) String() string {
	return fmt.Sprintf("msg #%v (%v bytes)", msg.Code, msg.Size)
}

// Discard reads what is left of the payload and forgets it.
func (msg Msg) Discard() error {
	_, err := io.Copy(io.Discard, msg.Payload)
	return err
}

// Time returns ReceivedAt.
func (msg Msg) Time() time.Time { return msg.ReceivedAt }

// MsgReader is where messages come from.
type MsgReader interface {
	// ReadMsg returns the next message, and blocks until there is one. It returns an error once and for all when
	// there will be no more: io.EOF when the link has ended, or one with [ErrProtocolStopped] in its chain.
	ReadMsg() (Msg, error)
}

// MsgWriter is where messages go.
type MsgWriter interface {
	// WriteMsg sends a message and has read its payload when it returns. On a link it returns when the message has
	// been accepted within [Protocol.OutboxBytes], before it is on the wire, and a failure of the link is returned by
	// a later call; on a [MsgPipe] it returns when the other end has consumed the payload.
	WriteMsg(Msg) error
}

// MsgReadWriter is what a protocol's Run speaks to its peer through. Both methods may be called from several goroutines
// at the same time.
type MsgReadWriter interface {
	MsgReader
	MsgWriter
}

// Send sends data, encoded as RLP, as the payload of a message with the given code. By devp2p's custom data should
// encode as a list.
func Send(w MsgWriter, msgcode uint64, data interface{}) error {
	size, r, err := rlp.EncodeToReader(data)
	if err != nil {
		return err
	}
	return w.WriteMsg(Msg{Code: msgcode, Size: uint32(size), Payload: r})
}

// SendItems sends a message whose payload is the RLP list of elems. SendItems(w, code, "a", 1) sends ["a", 1].
func SendItems(w MsgWriter, msgcode uint64, elems ...interface{}) error {
	return Send(w, msgcode, elems)
}

// ExpectMsg reads a message and returns an error unless it has the given code and its payload is the RLP of content.
// If content is nil the payload is discarded. It is meant for tests.
func ExpectMsg(r MsgReader, code uint64, content interface{}) error {
	msg, err := r.ReadMsg()
	if err != nil {
		return err
	}
	if msg.Code != code {
		return fmt.Errorf("message code %d received, %d expected", msg.Code, code)
	}
	if content == nil {
		return msg.Discard()
	}
	want, err := rlp.EncodeToBytes(content)
	if err != nil {
		return fmt.Errorf("the expected content does not encode: %w", err)
	}
	if int(msg.Size) != len(want) {
		return fmt.Errorf("message of %d bytes received, %d expected", msg.Size, len(want))
	}
	got, err := io.ReadAll(msg.Payload)
	if err != nil {
		return err
	}
	if !bytes.Equal(got, want) {
		return fmt.Errorf("message payload %x received, %x expected", got, want)
	}
	return nil
}
