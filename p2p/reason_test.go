package p2p

import (
	"fmt"
	"io"
	"testing"
)

func TestEveryReasonHasAText(t *testing.T) {
	named := map[DiscReason]string{
		DiscRequested: "disconnect requested", DiscNetworkError: "network error", DiscProtocolError: "breach of protocol",
		DiscUselessPeer: "useless peer", DiscTooManyPeers: "too many peers", DiscAlreadyConnected: "already connected",
		DiscIncompatibleVersion: "incompatible p2p protocol version", DiscInvalidIdentity: "invalid node identity",
		DiscQuitting: "client quitting", DiscUnexpectedIdentity: "unexpected identity", DiscSelf: "connected to self",
		DiscReadTimeout: "read timeout", DiscSubprotocolError: "subprotocol error", DiscInvalid: "invalid disconnect reason",
	}
	if len(named) != 14 {
		t.Errorf("%d names", len(named))
	}
	for i := range 256 {
		r := DiscReason(i)
		want, ok := named[r]
		if !ok {
			want = fmt.Sprintf("unknown disconnect reason %d", i)
		}
		if r.String() != want || r.Error() != want {
			t.Errorf("reason %d is %q and %q, want %q", i, r.String(), r.Error(), want)
		}
	}
}

func TestReasonsHaveTheNumbersOfTheSpecification(t *testing.T) {
	for want, r := range []DiscReason{DiscRequested, DiscNetworkError, DiscProtocolError, DiscUselessPeer, DiscTooManyPeers,
		DiscAlreadyConnected, DiscIncompatibleVersion, DiscInvalidIdentity, DiscQuitting, DiscUnexpectedIdentity, DiscSelf, DiscReadTimeout} {
		if int(r) != want {
			t.Errorf("%v is %d, want %d", r, uint8(r), want)
		}
	}
	if DiscSubprotocolError != 16 || DiscInvalid != 255 {
		t.Errorf("%d, %d", uint8(DiscSubprotocolError), DiscInvalid)
	}
	var untyped int = DiscInvalid // compiles only if it is untyped
	_ = untyped
}

func TestReasonForTheErrorOfRun(t *testing.T) {
	for _, test := range []struct {
		err  error
		want DiscReason
	}{
		{nil, DiscQuitting},
		{DiscTooManyPeers, DiscTooManyPeers},
		{DiscReason(200), 200},
		{DiscRequested, DiscRequested},
		{fmt.Errorf("other link: %w", DiscTooManyPeers), DiscSubprotocolError},
		{&refusedError{DiscTooManyPeers}, DiscSubprotocolError},
		{io.EOF, DiscSubprotocolError},
		{errInvalidMsgCode, DiscProtocolError},
		{errInvalidMsg(Msg{}, io.EOF), DiscProtocolError},
		{fmt.Errorf("reading: %w", errInvalidMsg(Msg{}, io.EOF)), DiscSubprotocolError},
		{ErrShuttingDown, DiscSubprotocolError},
		{ErrProtocolStopped, DiscSubprotocolError},
	} {
		if got := discReasonForError(test.err); got != test.want {
			t.Errorf("%v: reason %v, want %v", test.err, got, test.want)
		}
	}
	if got := errInvalidMsgCode.Error(); got != "invalid message code: not handled" {
		t.Errorf("%q", got)
	}
}
