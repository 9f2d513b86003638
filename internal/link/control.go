package link

import (
	"fmt"

	"github.com/golang/snappy"

	"github.com/sennit-net/sennit/internal/frame"
)

// ReasonInvalid is what [ParseDisconnect] makes of bytes that carry no reason.
const ReasonInvalid = 0xff

// maxDisconnect is how much of a Disconnect's payload is looked at, in bytes.
const maxDisconnect = 100

// ParseDisconnect reads the reason from the payload of a Disconnect; it returns [ReasonInvalid] if there is none to be
// found.
//
// It takes whatever has been seen in the wild. The specification says [reason]; go-ethereum 1.10.17 to 1.14 sent the
// reason as a byte that is not in a list, and reason 0 as a zero byte, which is not even canonical RLP. As the
// connection is over in any case, there is nothing to be gained from being strict. Extra items are ignored.
func ParseDisconnect(payload []byte) uint8 {
	p := payload[:min(len(payload), maxDisconnect)]
	if len(p) > 0 && p[0] >= 0xc0 { // a list: step inside
		header := 1
		if p[0] > 0xf7 {
			header += int(p[0] - 0xf7)
		}
		p = p[min(header, len(p)):]
	}
	switch {
	case len(p) == 0:
		return ReasonInvalid
	case p[0] < 0x80:
		return p[0]
	case p[0] > 0xb7 || len(p) <= int(p[0]-0x80):
		return ReasonInvalid // a list in the list, a string that is too long for a reason, or one that is cut off
	}
	var reason uint64
	for _, b := range p[1 : 1+int(p[0]-0x80)] {
		if reason = reason<<8 | uint64(b); reason > 0xff {
			return ReasonInvalid
		}
	}
	return uint8(reason)
}

// AppendDisconnect appends the payload of a Disconnect: the list [reason], which every known client understands.
func AppendDisconnect(dst []byte, reason uint8) []byte {
	switch {
	case reason == 0:
		return append(dst, 0xc1, 0x80)
	case reason < 0x80:
		return append(dst, 0xc1, reason)
	}
	return append(dst, 0xc2, 0x81, reason)
}

// controlSize is the largest payload of a control message that is looked at, in bytes.
const controlSize = 2 << 10

// control handles a message of the base protocol.
func (l *Link) control(code uint64, payload []byte, packed bool) error {
	switch code {
	case frame.CodePing:
		if l.pings.AllowN(l.in.receivedAt, 1) {
			l.send.oweAPong(pingID{}, 1) // further pings before it is sent share its answer
		}
	case frame.CodePong:
		l.ponged(l.in.receivedAt)
	case frame.CodeDisconnect:
		return disconnected(payload, packed)
	}
	// A second Hello and the codes nobody uses are ignored, as everybody does.
	return nil
}

// disconnected takes the remote's Disconnect.
func disconnected(payload []byte, packed bool) error {
	if packed {
		n, err := snappy.DecodedLen(payload)
		if err != nil || n > controlSize {
			// Some implementations never compress a Disconnect.
			n = -1
		}
		if n >= 0 {
			if plain, err := snappy.Decode(make([]byte, n), payload); err == nil {
				payload = plain
			}
		}
	}
	reason := ParseDisconnect(payload)
	return &remoteEnd{reason}
}

// remoteEnd is the error with which receiving ends when the remote has sent Disconnect.
type remoteEnd struct{ reason uint8 }

func (e *remoteEnd) Error() string {
	return fmt.Sprintf("remote disconnected with reason %d", e.reason)
}
