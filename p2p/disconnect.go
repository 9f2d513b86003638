package p2p

// maxDisconnectSize is how much of a Disconnect's payload is looked at, in bytes.
const maxDisconnectSize = 100

// encodeDisconnect returns the payload of a Disconnect: the list [reason] of the specification, which every known
// client understands.
func encodeDisconnect(reason DiscReason) []byte {
	switch {
	case reason == 0:
		return []byte{0xc1, 0x80}
	case reason < 0x80:
		return []byte{0xc1, byte(reason)}
	}
	return []byte{0xc2, 0x81, byte(reason)}
}

// decodeDisconnect returns the reason in a Disconnect's payload, DiscInvalid if there is none to be found.
//
// It takes whatever has been seen in the wild. The specification says [reason]; go-ethereum 1.10.17 to 1.14 sent the
// reason as a byte that is not in a list, and reason 0 as a zero byte, which is not even canonical RLP. As the
// connection is over in any case, there is nothing to be gained from being strict. Extra items are ignored.
func decodeDisconnect(payload []byte) DiscReason {
	p := payload[:min(len(payload), maxDisconnectSize)]
	if len(p) > 0 && p[0] >= 0xc0 { // a list: step inside
		header := 1
		if p[0] > 0xf7 {
			header += int(p[0] - 0xf7)
		}
		p = p[min(header, len(p)):]
	}
	switch {
	case len(p) == 0:
		return DiscInvalid
	case p[0] < 0x80:
		return DiscReason(p[0])
	case p[0] > 0xb7 || len(p) <= int(p[0]-0x80):
		return DiscInvalid // a list in the list, a string that is too long for a reason, or one that is cut off
	}
	var reason uint64
	for _, b := range p[1 : 1+int(p[0]-0x80)] {
		if reason = reason<<8 | uint64(b); reason > 0xff {
			return DiscInvalid
		}
	}
	return DiscReason(reason)
}
