package p2p

import "strconv"

// DiscReason says why a connection ended. It is the one item of a devp2p Disconnect message, and an error: a protocol's
// Run that returns a bare DiscReason has it sent to the remote node. The zero value is [DiscRequested]. The values are
// those of the devp2p specification (rlpx.md, "Disconnect (0x01)").
type DiscReason uint8

// The reasons the devp2p specification names, but for [DiscInvalid], which is ours alone.
const (
	DiscRequested           DiscReason = iota // either side asked for it
	DiscNetworkError                          // the connection failed; never sent
	DiscProtocolError                         // a message broke the rules of its protocol
	DiscUselessPeer                           // no protocol in common
	DiscTooManyPeers                          // no free place
	DiscAlreadyConnected                      // there is a link to this node already
	DiscIncompatibleVersion                   // the devp2p versions do not go together
	DiscInvalidIdentity                       // the node's identity is not a valid one
	DiscQuitting                              // the node is stopping, or a protocol has returned
	DiscUnexpectedIdentity                    // the Hello's key is not the key of the handshake
	DiscSelf                                  // the node has dialed itself
	DiscReadTimeout                           // nothing was heard for too long

	DiscSubprotocolError = DiscReason(0x10) // a protocol failed

	// DiscInvalid stands for a reason that could not be read. It is an untyped constant.
	DiscInvalid = 0xff
)

// discReasonTexts holds the text of every named reason; the gaps are empty.
var discReasonTexts = [...]string{
	DiscRequested:           "disconnect requested",
	DiscNetworkError:        "network error",
	DiscProtocolError:       "breach of protocol",
	DiscUselessPeer:         "useless peer",
	DiscTooManyPeers:        "too many peers",
	DiscAlreadyConnected:    "already connected",
	DiscIncompatibleVersion: "incompatible p2p protocol version",
	DiscInvalidIdentity:     "invalid node identity",
	DiscQuitting:            "client quitting",
	DiscUnexpectedIdentity:  "unexpected identity",
	DiscSelf:                "connected to self",
	DiscReadTimeout:         "read timeout",
	DiscSubprotocolError:    "subprotocol error",
	DiscInvalid:             "invalid disconnect reason",
}

// String returns the text of the reason: that of its name, or "unknown disconnect reason N" for one that has none.
// It is defined for all 256 values.
func (d DiscReason) String() string {
	if int(d) < len(discReasonTexts) && discReasonTexts[d] != "" {
		return discReasonTexts[d]
	}
	return "unknown disconnect reason " + strconv.Itoa(int(d))
}

// Error returns the same text as [DiscReason.String].
func (d DiscReason) Error() string { return d.String() }

// discReasonForError returns the reason that tells the remote node why a protocol's Run has returned err.
//
// Only an error whose dynamic type is DiscReason chooses its own reason: one that is wrapped came from somewhere
// further down, most likely from another link, and is this protocol's failure here.
func discReasonForError(err error) DiscReason {
	switch err := err.(type) {
	case nil:
		return DiscQuitting
	case DiscReason:
		return err
	case *peerError:
		return DiscProtocolError
	}
	return DiscSubprotocolError
}
