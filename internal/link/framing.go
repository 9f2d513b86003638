package link

import (
	"io"

	"github.com/sennit-net/sennit/internal/buffer"
	"github.com/sennit-net/sennit/internal/lanes"
)

// Framing turns messages into bytes on one connection and back. It is what differs between a classic RLPx link and
// other ways of carrying messages; goroutines, queues, budgets, pings and the end of a link do not.
//
// What is sent is laid out in segments, each a buffer that is sealed in place and written as a whole or in pieces. Encode
// and Footprint are safe for concurrent use; of the rest, the sending half and the receiving half are each used by one
// goroutine at a time.
type Framing interface {
	// Name says which framing this is, for people: "rlpx", "lanes/1".
	Name() string

	// Shape says how the framing wants its bytes; it never changes.
	Shape() Shape

	// Footprint bounds the memory of what Encode makes of a message, in bytes.
	Footprint(size int) int64

	// Encode reads size bytes of payload and lays out the message, unsealed, for a lane. A message of
	// packedSize bytes or less is one segment.
	Encode(lane *Lane, code uint64, size int, payload io.Reader) (encoded, error)

	// Control lays out control messages, unsealed, in the order of their urgency.
	Control(c *control) *buffer.Buffer

	// Split moves as much of an unsealed segment as a lane with that much credit may send into a segment of its own: whole
	// frames, and of the next one a part of at least so many bytes. It returns false if that is nothing. A framing without
	// credit has no use for it.
	Split(s *segment, credit uint64, least int) (head segment, ok bool)

	// Seal turns the bytes of seg from offset from on into wire bytes, in place; they may go beyond the length of seg.
	// It returns them and how far it came: all of seg, or less when that is enough for one write. A segment is sealed from
	// its start to its end before another one.
	Seal(seg []byte, from int) (wire []byte, to int)

	// Receive decodes what comes in and hands it to the sink until either fails. It returns the failure. After a failure
	// of the sink or of reading it may be called again.
	Receive(in *Input, to Sink) error
}

// Shape says how a framing lays out what it sends and how it reads.
type Shape struct {
	Head, Tail int  // room at the start of each segment and behind its end, in bytes
	Batch      int  // how much is sealed and handed to the kernel at once when that much is queued, in bytes
	Segment    int  // size of the segments that small messages are packed into, Tail included, in bytes
	Window     int  // how much the remote may send ahead of our reading when it is near, in bytes
	Read       int  // how much is read at a time, and the most that Receive asks an Input for at once, in bytes
	Credit     bool // each lane sends only what the remote has given it credit for
}

// segment is a piece of what a lane sends.
type segment struct {
	buf  *buffer.Buffer
	cost uint64 // credit it takes
}

// encoded is a message that has been laid out.
type encoded struct {
	first segment
	more  []segment
	wire  int // bytes of code and payload as they travel
}

func (e *encoded) free() {
	e.first.buf.Free()
	for _, s := range e.more {
		s.buf.Free()
	}
}

// control is what a framing is told to say on its own account.
type control struct {
	pongs   [lanes.MaxPings]pingID // owed; of the classic framing's pings, which have no ID, at most one
	owed    int                    // how many of pongs
	ping    bool
	pingID  pingID
	credits []creditDue
	bye     bool
	reason  uint8 // of the bye
}

// pingID tells a ping from others.
type pingID [lanes.OpaqueSize]byte

// creditDue is a limit that the remote is to be told.
type creditDue struct {
	lane  *Lane
	limit uint64
}

// Sink takes what a [Framing] has decoded and verified.
type Sink interface {
	// Deliver takes a message: its code on the link and its payload as it travelled, packed if that is a Snappy block. The
	// payload is valid until Deliver returns. An error ends the link.
	Deliver(code uint64, payload []byte, packed bool) error

	// Assemble asks for memory for a large message of n bytes of code and payload, as told by its unverified head. A nil
	// Assembly means that the message is not wanted: its bytes are to be verified and forgotten.
	Assemble(code uint64, n int) (*Assembly, error)

	// DeliverAssembled takes a large message; a nil Assembly is one that was not wanted.
	DeliverAssembled(code uint64, a *Assembly, n int, packed bool) error

	// Frame takes a frame of lanes/1. What it points to is valid until Frame returns. An error ends the link.
	Frame(f *lanes.Frame) error

	// RecordDone comes after the frames of each record of lanes/1, also when one of them has ended the link.
	RecordDone()
}
