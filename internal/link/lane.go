package link

import (
	"errors"
	"fmt"
	"io"

	"github.com/sennit-net/sennit/internal/buffer"
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
}

// Lane is one protocol's end of a link. Its methods are safe for concurrent use.
type Lane struct {
	link *Link
	cfg  LaneConfig

	in  inbox
	out outbox // guarded by link.send.mu

	// Owned by the reader.
	slab   slab
	credit credit
	waking bool // in link.toWake
}

func (l *Lane) init(link *Link, cfg LaneConfig, ledger *Ledger) {
	if cfg.Inbox <= 0 {
		cfg.Inbox = DefaultInbox
	}
	if cfg.Outbox <= 0 {
		cfg.Outbox = DefaultOutbox
	}
	l.link, l.cfg = link, cfg
	l.in.init(int64(cfg.Inbox), cfg.Policy.Mode, ledger)
	l.out.limit = int64(cfg.Outbox)
	l.out.room.L = &link.send.mu
	l.credit = newCredit(cfg.Policy)
}

// Read returns the next message, waiting for it if need be. After the end of the link it returns io.EOF once the
// messages that had arrived are read, or at once if the end came from this side; on a stopped lane it returns an error
// that wraps [ErrStopped].
func (l *Lane) Read() (*Message, error) { return l.in.pop() }

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
		reserved = int64(buffer.ClassSize(s.framing.Overhead() + encodedSize(int(size))))
		s.mu.Lock()
		err := l.out.reserveLocked(reserved)
		s.mu.Unlock()
		if err != nil {
			return err
		}
	}
	b, wire, err := encode(s.framing, l.cfg.Offset+code, int(size), payload)
	if err == nil && wire > MaxMessage {
		b.Free()
		err = fmt.Errorf("%w: %d bytes compressed, at most %d", ErrTooBig, wire, MaxMessage)
	}
	if err == nil {
		b = shrunk(b)
	}
	if err = l.queue(b, reserved, size, err); err != nil {
		return err
	}
	if r := l.link.recorder; r != nil {
		r.Record(&trace.Message{Link: l.link.id, Out: true, Protocol: l.cfg.Name, Version: l.cfg.Version, Code: code, Size: size, WireSize: uint32(wire)})
	}
	return nil
}

// queue puts an encoded message for which some bytes have been reserved into the outbox; if it could not be encoded it
// gives these back.
func (l *Lane) queue(b *buffer.Buffer, reserved int64, size uint32, failed error) error {
	s := &l.link.send
	s.mu.Lock()
	defer s.mu.Unlock()
	if failed != nil {
		l.out.releaseLocked(reserved)
		return failed
	}
	if reserved == 0 {
		reserved = int64(len(b.B))
		if err := l.out.reserveLocked(reserved); err != nil {
			b.Free()
			return err
		}
	}
	if l.out.err != nil {
		l.out.releaseLocked(reserved)
		b.Free()
		return l.out.err
	}
	l.out.messages++
	l.out.bytes += uint64(size)
	s.enqueueLocked(&l.out, b, reserved)
	return nil
}

// Close lets go of what has not been read: the protocol is done with the lane.
func (l *Lane) Close() { l.in.end(io.EOF, true) }

// Stopped tells whether the lane has been stopped for not keeping up.
func (l *Lane) Stopped() bool {
	l.in.mu.Lock()
	defer l.in.mu.Unlock()
	return errors.Is(l.in.err, ErrStopped)
}
