package link

import (
	"io"
	"time"

	"github.com/sennit-net/sennit/internal/buffer"
)

// Message is one received message and its payload. It is an io.Reader and io.ByteReader of the payload, for one
// goroutine at a time.
//
// A Message is never reused, so that a reader kept too long can never see another message's bytes; only the buffer
// behind a large payload is, and it goes back as soon as the payload has been read to its end or discarded.
type Message struct {
	Code       uint64    // relative to the lane
	Size       uint32    // bytes of the payload, uncompressed
	WireSize   uint32    // bytes of code and payload as they travelled
	ReceivedAt time.Time // when the last byte had been read from the connection

	cost   uint32         // on links with credit: what it took of it
	packed bool           // the payload has not been decompressed yet
	rest   []byte         // what has not been read yet, up to the end of buf
	buf    *buffer.Buffer // memory behind rest if it is to be given back; further ones of a large payload follow it
}

// Read implements io.Reader; it returns io.EOF at the end of the payload.
func (m *Message) Read(p []byte) (int, error) {
	if len(m.rest) == 0 {
		if len(p) == 0 {
			return 0, nil
		}
		return 0, io.EOF
	}
	n := copy(p, m.rest)
	m.consume(n)
	return n, nil
}

// ReadByte implements io.ByteReader, so that an RLP stream needs no buffer of its own.
func (m *Message) ReadByte() (byte, error) {
	if len(m.rest) == 0 {
		return 0, io.EOF
	}
	b := m.rest[0]
	m.consume(1)
	return b, nil
}

// WriteTo implements io.WriterTo: it hands what is left to w without copying it first, large payloads in several pieces.
func (m *Message) WriteTo(w io.Writer) (written int64, err error) {
	for len(m.rest) > 0 {
		all := len(m.rest)
		n, err := w.Write(m.rest)
		n = min(max(n, 0), all)
		m.consume(n)
		written += int64(n)
		if err == nil && n < all {
			err = io.ErrShortWrite
		}
		if err != nil {
			return written, err
		}
	}
	return written, nil
}

// Len returns how many bytes of the payload have not been read.
func (m *Message) Len() int {
	n := len(m.rest)
	if m.buf != nil {
		for b := m.buf.Next; b != nil; b = b.Next {
			n += len(b.B)
		}
	}
	return n
}

// Discard drops what has not been read and gives the memory back.
func (m *Message) Discard() {
	m.rest = nil
	m.buf.FreeChain()
	m.buf = nil
}

// consume takes n bytes off rest and goes on to the next buffer when it is empty.
func (m *Message) consume(n int) {
	if m.rest = m.rest[n:]; len(m.rest) > 0 {
		return
	}
	m.rest = nil
	if m.buf == nil {
		return
	}
	next := m.buf.Next
	m.buf.Free()
	if m.buf = next; next != nil {
		m.rest = next.B
	}
}

const (
	slabPayload  = 256 // largest payload that shares memory with its neighbours, in bytes
	slabMessages = 256 // most messages allocated at a time
	slabBytes    = 16 << 10
)

// slab hands out Messages for small payloads, many from one allocation: twice as many each time, and few again after a
// tick of the link, so that a lane with little traffic holds little. The garbage collector frees a slab when none of its
// messages is in use. It belongs to the reader.
type slab struct {
	messages []Message
	bytes    []byte
	batch    int // messages in the last allocation
}

// message returns a Message whose payload has room for size bytes.
func (s *slab) message(size int) *Message {
	if len(s.messages) == 0 {
		s.batch = min(max(1, 2*s.batch), slabMessages)
		s.messages = make([]Message, s.batch)
	}
	m := &s.messages[0]
	s.messages = s.messages[1:]
	m.Size = uint32(size)
	if size > slabPayload {
		m.buf = buffer.Get(size)
		m.rest = m.buf.B
		return m
	}
	if size > len(s.bytes) {
		s.bytes = make([]byte, max(size, min(s.batch*slabPayload/2, slabBytes)))
	}
	m.rest, s.bytes = s.bytes[:size:size], s.bytes[size:]
	return m
}

// shrink lets go of memory held for the messages of a busier time.
func (s *slab) shrink() { *s = slab{} }
