package link

import (
	"errors"
	"fmt"
	"io"

	"github.com/sennit-net/sennit/trace"
)

// MaxMessage is the largest payload of a message, uncompressed, and the largest code and payload as they travel, in
// bytes (devp2p, "RLPx").
const MaxMessage = 1<<24 - 1

var (
	// ErrEnded is what Write returns once the link has ended.
	ErrEnded = errors.New("link has ended")
	// ErrStopped is what Read and Write of a stopped lane return, wrapped with the cause.
	ErrStopped = errors.New("protocol stopped on this link")
	// ErrTooBig is returned by Write for a message that no frame can carry.
	ErrTooBig = errors.New("message too big")
)

// LaneConfig describes one protocol of a link.
type LaneConfig struct {
	Name    string
	Version uint
	Offset  uint64 // first code of the protocol on the link
	Length  uint64 // number of codes
	Policy  Policy
	Inbox   int // bytes; 0 means DefaultInbox
	Outbox  int // bytes; 0 means DefaultOutbox
	Weight  int // share of the link's bytes when all lanes have something to send, relative to the others'; 0 means 1
}

// Lane is one protocol's end of a link. Its methods are safe for concurrent use.
type Lane struct {
	// Static after construction.
	link   *Link
	number uint64 // place among the link's lanes, from 1
	cfg    LaneConfig

	pressed pressed // safe for concurrent use
	in      inbox
	out     outbox // guarded by link.send.mu

	// Owned by the reader.
	slab     slab
	credit   credit
	waking   bool      // in link.toWake
	incoming *incoming // on links with credit, else nil
}

func (l *Lane) init(link *Link, number int, cfg LaneConfig, ledger *Ledger, shape *Shape) {
	if cfg.Inbox <= 0 {
		cfg.Inbox = DefaultInbox
	}
	if cfg.Outbox <= 0 {
		cfg.Outbox = DefaultOutbox
	}
	l.link, l.number, l.cfg = link, uint64(number), cfg
	l.in.init(int64(cfg.Inbox), cfg.Policy.Mode, ledger)
	if shape.Credit {
		l.in.flow, l.incoming = newFlow(), new(incoming)
		l.in.tell = func(limit uint64) { link.send.oweCredit(l, limit) }
	}
	l.out.init(&link.send.mu, cfg, shape)
	l.credit = newCredit(cfg.Policy)
}

// Read returns the next message, waiting for it if need be. After the end of the link it returns io.EOF once the
// messages that had arrived are read, or at once if the end came from this side; on a stopped lane it returns an error
// that wraps [ErrStopped].
func (l *Lane) Read() (*Message, error) {
	m, err := l.in.pop()
	if err == nil && m.packed {
		err = l.unpack(m)
	}
	return m, err
}

// Write accepts the message for sending and returns; it blocks while the outbox is full. The payload has been consumed
// when it returns. It returns [ErrEnded] after the end of the link, an error that wraps [ErrStopped] on a stopped lane,
// [ErrTooBig] if no frame can carry the message, and the payload's error if it cannot be read in full; in these cases
// the message is not sent.
func (l *Lane) Write(code uint64, size uint32, payload io.Reader) error {
	if size > MaxMessage {
		return fmt.Errorf("%w: %d bytes of payload, at most %d", ErrTooBig, size, MaxMessage)
	}
	s := &l.link.send
	reserved := int64(0)
	if size > packedSize {
		// Room first: the encoded copies of messages that wait for room would be memory that nothing bounds.
		reserved = s.framing.Footprint(int(size))
		s.mu.Lock()
		err := l.out.reserveLocked(reserved)
		s.mu.Unlock()
		if err != nil {
			return err
		}
	}
	e, err := s.framing.Encode(l, code, int(size), payload)
	inPlace, err := l.queue(&e, reserved, size, err)
	if err != nil {
		return err
	}
	if inPlace {
		s.writeInPlace()
	}
	if r := l.link.recorder; r != nil {
		r.Record(&trace.Message{Link: l.link.id, Out: true, Protocol: l.cfg.Name, Version: l.cfg.Version, Code: code, Size: size, WireSize: uint32(e.wire)})
	}
	return nil
}

// queue puts an encoded message for which some bytes have been reserved into the outbox; if it could not be encoded it
// gives these back. With inPlace the caller has to write it.
func (l *Lane) queue(e *encoded, reserved int64, size uint32, failed error) (inPlace bool, err error) {
	reply := reserved == 0 && l.in.replying()
	s := &l.link.send
	s.mu.Lock()
	defer s.mu.Unlock()
	if failed != nil {
		l.out.releaseLocked(reserved)
		return false, failed
	}
	if reserved == 0 {
		reserved = int64(len(e.first.buf.B))
		if err := l.out.reserveLocked(reserved); err != nil {
			e.free()
			return false, err
		}
	}
	if l.out.err != nil {
		l.out.releaseLocked(reserved)
		e.free()
		return false, l.out.err
	}
	l.out.messages++
	l.out.bytes += uint64(size)
	return s.enqueueLocked(&l.out, e, reserved, reply), nil
}

// Close lets go of what has not been read: the protocol is done with the lane.
func (l *Lane) Close() { l.in.end(io.EOF, true) }

// Stopped tells whether the lane has been stopped for not keeping up.
func (l *Lane) Stopped() bool {
	l.in.mu.Lock()
	defer l.in.mu.Unlock()
	return errors.Is(l.in.err, ErrStopped)
}
