package link

import (
	"bytes"
	"fmt"

	"github.com/ethereum/go-ethereum/rlp"
	"github.com/golang/snappy"
)

// Codes of the base protocol (devp2p, "RLPx", p2p capability); those up to baseLength belong to it.
const (
	codeHello      = 0x00
	codeDisconnect = 0x01
	codePing       = 0x02
	codePong       = 0x03
	baseLength     = 0x10
)

// emptyList is the payload of Ping and Pong.
var emptyList = []byte{0xc0}

// ReasonInvalid is what [ParseDisconnect] makes of bytes that carry no reason.
const ReasonInvalid = 0xff

// ParseDisconnect reads the reason from the payload of a Disconnect. It takes every form that is known in the wild: a
// list with the reason, the bare reason, an integer that is not in shortest form, an empty list, nothing at all; what
// cannot be understood is [ReasonInvalid].
func ParseDisconnect(payload []byte) uint8 {
	s := rlp.NewStream(bytes.NewReader(payload), uint64(len(payload)))
	kind, _, err := s.Kind()
	if err != nil {
		return ReasonInvalid
	}
	if kind == rlp.List {
		if _, err := s.List(); err != nil {
			return ReasonInvalid
		}
	}
	r, err := s.Uint8()
	if err != nil {
		return ReasonInvalid
	}
	return r
}

// AppendDisconnect appends the payload of a Disconnect.
func AppendDisconnect(dst []byte, reason uint8) []byte {
	if reason == 0 {
		return append(dst, 0xc1, 0x80)
	}
	if reason < 0x80 {
		return append(dst, 0xc1, reason)
	}
	return append(dst, 0xc2, 0x81, reason)
}

// controlSize is the largest payload of a control message that is looked at, in bytes.
const controlSize = 2 << 10

// control handles a message of the base protocol.
func (l *Link) control(code uint64, payload []byte) error {
	switch code {
	case codePing:
		if l.pings.AllowN(l.in.receivedAt, 1) {
			l.send.oweAPong()
		}
	case codePong:
		l.ponged(l.in.receivedAt)
	case codeDisconnect:
		return l.disconnected(payload)
	}
	// A second Hello and the codes nobody uses are ignored, as everybody does.
	return nil
}

// disconnected takes the remote's Disconnect.
func (l *Link) disconnected(payload []byte) error {
	if l.framing.Compress() {
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
