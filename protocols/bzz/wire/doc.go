// Package wire is the bytes of the Swarm protocols bzz/8, hive/8 and stream/8, as go-ethereum 1.8.19 to 1.8.27 speak them
// (bzz fact sheet, sections 2 to 5), and of what Swarm 0.5 made of them (section 9, and later.go). It takes and gives slices
// and knows no link, no store and no rule about who may say what when.
//
// Every message of the former is wrapped: what a link carries is the RLP of
//
//	[context bytes, size uint32, payload bytes]
//
// where payload is the RLP of the message itself and size its length. The context is that of a tracing library and empty
// unless tracing is on. [Append] writes a message with its wrapper, [Unwrap] takes the wrapper off, and a Parse function
// for each message does the rest. What they return refers to the memory that was parsed. All of them are strict: a list
// has as many items as it should, numbers have no leading zeros and addresses 32 bytes; every error is an [ErrMalformed]
// and says which field of which message is wrong.
package wire

import "github.com/sennit-net/sennit/protocols/bzz/chunk"

// What the protocols are called and how many codes each has.
const (
	BzzName    = "bzz"
	HiveName   = "hive"
	StreamName = "stream"

	Version = 8 // of all three

	BzzLength    = 1
	HiveLength   = 2
	StreamLength = 11
)

// MaxMessage is the size of the largest message of these protocols, with its wrapper, in bytes.
const MaxMessage = 10 << 20

// Codes of messages, each within its protocol.
const (
	CodeHandshake = 0 // bzz: Handshake

	CodePeers    = 0 // hive: Peers
	CodeSubPeers = 1 // hive: SubPeers

	CodeUnsubscribe         = 0  // stream: Unsubscribe
	CodeOfferedHashes       = 1  // stream: OfferedHashes
	CodeWantedHashes        = 2  // stream: WantedHashes
	CodeTakeoverProof       = 3  // stream: nobody sends it
	CodeSubscribe           = 4  // stream: Subscribe
	CodeRetrieveRequest     = 5  // stream: RetrieveRequest
	CodeDeliveryRetrieval   = 6  // stream: Delivery
	CodeSubscribeError      = 7  // stream: SubscribeError
	CodeRequestSubscription = 8  // stream: RequestSubscription
	CodeQuit                = 9  // stream: Quit
	CodeDeliverySyncing     = 10 // stream: Delivery
)

// Limits of what is accepted in one message. Those who were there at the time stay far below: offers have up to 128 hashes.
const (
	MaxOffer    = 256  // hashes in an OfferedHashes
	MaxPeers    = 4096 // addresses in a Peers
	MaxUnderlay = 512  // bytes of an underlay address
	MaxName     = 64   // bytes of the name of a stream, and of its key
	MaxText     = 1024 // bytes of the text of a SubscribeError
)

// PeerAddr is where a node is: its place in the address space, and how to reach it.
type PeerAddr struct {
	Overlay  chunk.Address
	Underlay []byte // an enode URL in ASCII; untrusted text of up to MaxUnderlay bytes
	Caps     []byte // what the node can do, in later versions; empty in those of Swarm 0.3
}
