package link

// Framing turns messages into bytes on one connection and back. It is what differs between a classic RLPx link and
// other ways of carrying messages; goroutines, queues, budgets, pings and the end of a link do not.
//
// The sending half and the receiving half are each used by one goroutine at a time.
type Framing interface {
	// Name says which framing this is, for people: "rlpx".
	Name() string

	// Compress tells whether payloads are Snappy blocks (EIP-706).
	Compress() bool

	// AppendHead appends to seg what stands in front of a message's payload, room for what sealing adds included.
	AppendHead(seg []byte, code uint64) []byte

	// AppendTail completes the message that starts at seg[start:], once its payload has been appended.
	AppendTail(seg []byte, start int) []byte

	// Overhead bounds what AppendHead and AppendTail add to one message, in bytes.
	Overhead() int

	// Seal turns the bytes of seg from offset from on into wire bytes, in place. It returns how far it came: all of seg,
	// or less when that is enough for one write. A segment is sealed from its start to its end before another one.
	Seal(seg []byte, from int) (to int)

	// Receive decodes what comes in and hands it to the sink until either fails. It returns the failure.
	Receive(in *Input, to Sink) error
}

// Sink takes what a [Framing] has decoded and verified.
type Sink interface {
	// Deliver takes a message: its code on the link and its payload as it travelled. The payload is valid until Deliver
	// returns. An error ends the link.
	Deliver(code uint64, payload []byte) error

	// Assemble asks for memory for a large message of n bytes of code and payload, as told by its unverified head. A nil
	// Assembly means that the message is not wanted: its bytes are to be verified and forgotten.
	Assemble(code uint64, n int) (*Assembly, error)

	// DeliverAssembled takes a large message; a nil Assembly is one that was not wanted.
	DeliverAssembled(code uint64, a *Assembly, n int) error
}
