package p2p

import (
	"errors"
	"fmt"

	"github.com/sennit-net/sennit/internal/link"
)

// ErrShuttingDown is what WriteMsg returns once the link has begun to end.
var ErrShuttingDown = errors.New("shutting down")

// ErrProtocolStopped is in the chain of the errors that ReadMsg and WriteMsg return to a protocol that was stopped on a
// link because it did not keep up with its messages ([OverloadPolicy]). The link and its other protocols go on; the
// error's text names the cause.
var ErrProtocolStopped = link.ErrStopped

// errProtocolReturned is the end of a link one of whose protocols has returned nil.
var errProtocolReturned = errors.New("protocol returned")

// peerError is a breach of the rules of messages that only this package can judge: a payload that does not decode, a
// code that the protocol has not declared. A protocol that returns one has the peer told DiscProtocolError.
type peerError struct {
	kind   string // "invalid message" or "invalid message code"
	detail string
	cause  error // may be nil
}

func (e *peerError) Error() string { return e.kind + ": " + e.detail }

// Unwrap returns what the decoder said, if it was a decoder.
func (e *peerError) Unwrap() error { return e.cause }

// errInvalidMsg is the error of a payload that does not decode into what the protocol expected.
func errInvalidMsg(msg Msg, cause error) error {
	return &peerError{
		kind:   "invalid message",
		detail: fmt.Sprintf("(code %x) (size %d) %v", msg.Code, msg.Size, cause),
		cause:  cause,
	}
}

// errInvalidMsgCode is the error of WriteMsg for a code that is not below the protocol's Length.
var errInvalidMsgCode error = &peerError{kind: "invalid message code", detail: "not handled"}

// errNoPayload is the error of WriteMsg for a message that has a size and nothing to read it from.
func errNoPayload(msg Msg) error {
	return fmt.Errorf("message %d has a size of %d bytes but a nil Payload", msg.Code, msg.Size)
}
