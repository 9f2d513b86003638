package p2p

// maxDisconnectSize is how much of a Disconnect's payload is looked at, in bytes.
const maxDisconnectSize = 100

// encodeDisconnect returns the payload of a Disconnect, the list [reason].
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
func decodeDisconnect(payload []byte) DiscReason {
	return DiscInvalid
}
