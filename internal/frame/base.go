package frame

// Message codes of devp2p itself (rlpx.md, "p2p" Capability); those below BaseLength that are not listed are ignored.
// Codes of other protocols start at BaseLength.
const (
	CodeHello      = 0x00 // version, name, capabilities, port, key; the first message, never compressed
	CodeDisconnect = 0x01 // reason; the last message
	CodePing       = 0x02 // empty list
	CodePong       = 0x03 // empty list

	BaseLength = 0x10
)

// EmptyList is the payload of Ping and Pong. It must not be changed.
var EmptyList = []byte{0xc0}
