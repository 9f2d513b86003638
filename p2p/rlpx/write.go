package rlpx

import (
	"github.com/golang/snappy"

	"github.com/sennit-net/sennit/internal/frame"
)

// Write sends a message, in one write to the network connection, and returns the length of its payload on the wire,
// which compression may have changed. Data is not kept.
//
// It returns [ErrMessageTooBig] without sending anything if code and payload have more than [frame.MaxSize] bytes before
// or after compression. An error of the network connection is final: part of a frame may have left, so that every
// later Write returns it too. [ErrNoHandshake] and [ErrDetached] are the others.
func (c *Conn) Write(code uint64, data []byte) (uint32, error) {
	if err := c.usable(); err != nil {
		return 0, err
	}
	if c.writeErr != nil {
		return 0, c.writeErr
	}
	if len(data) > frame.MaxSize {
		return 0, ErrMessageTooBig
	}
	buf, n, wireSize := c.layOut(code, data)
	if n > frame.MaxSize {
		return 0, ErrMessageTooBig
	}
	buf = buf[:frame.SealedSize(n)]
	c.sealer.Seal(buf, n)
	if c.ack != nil {
		buf = append(c.ack, buf...)
		c.ack = nil
	}
	if _, err := c.conn.Write(buf); err != nil {
		c.writeErr = err
		return 0, err
	}
	return uint32(wireSize), nil
}

// layOut puts code and payload where a frame has them. It returns the frame's buffer, with room for padding and MAC, the
// length of the frame's data, and that of the payload therein.
func (c *Conn) layOut(code uint64, data []byte) (buf []byte, n, wireSize int) {
	compress := c.snappy.Load()
	room := len(data)
	if compress {
		room = snappy.MaxEncodedLen(len(data))
	}
	room = frame.SealedSize(frame.MaxCodeSize + room)
	if buf = c.out; cap(buf) < room {
		buf = make([]byte, room)
		if room <= keepBuffer {
			c.out = buf
		}
	}
	buf = buf[:cap(buf)]
	start := len(frame.AppendCode(buf[:frame.HeaderSize], code))
	if compress {
		wireSize = len(snappy.Encode(buf[start:], data))
	} else {
		wireSize = copy(buf[start:], data)
	}
	return buf, start - frame.HeaderSize + wireSize, wireSize
}
