package rlpx

import (
	"io"

	"github.com/golang/snappy"

	"github.com/sennit-net/sennit/internal/frame"
)

const (
	// bodyStep is what the header's length alone can make us allocate. Beyond it the buffer doubles, each time it is full.
	bodyStep = 256 << 10
	// bodyPiece is how much of a large body is read before it is decrypted: it should still be in the cache then.
	bodyPiece = 64 << 10
	// keepBuffer is the size up to which a buffer is kept for the next message.
	keepBuffer = 16 << 10

	// maxSnappyRatio over maxSnappyBytes bounds what Snappy data can expand to: its densest element is a copy of 64
	// bytes, written in 3.
	maxSnappyRatio, maxSnappyBytes = 64, 3
)

// Read reads the next message and returns its code, its payload, uncompressed, and the length of the payload on the
// wire. The payload is valid until the next Read.
//
// Memory is taken for what has arrived, not for what was announced. Errors are those of the network connection (io.EOF
// only between two messages), [frame.ErrBadMAC], [frame.ErrEmptyFrame], [frame.ErrBadCode], [ErrMessageTooBig],
// [ErrBadSnappy], and [ErrNoHandshake] or [ErrDetached]. All but a failure to read the header are final.
func (c *Conn) Read() (code uint64, data []byte, wireSize int, err error) {
	if err := c.usable(); err != nil {
		return 0, nil, 0, err
	}
	if c.readErr != nil {
		return 0, nil, 0, c.readErr
	}
	if err := c.in.fill(frame.HeaderSize); err != nil {
		return 0, nil, 0, err // nothing has been consumed: after a timeout the caller may try again
	}
	if code, data, wireSize, err = c.readMessage(); err != nil {
		c.readErr = err
		return 0, nil, 0, err
	}
	return code, data, wireSize, nil
}

// readMessage reads the message whose header is in the input.
func (c *Conn) readMessage() (code uint64, data []byte, wireSize int, err error) {
	body, err := c.readFrame()
	if err != nil {
		return 0, nil, 0, err
	}
	code, data, err = frame.SplitCode(body)
	if err != nil {
		return 0, nil, 0, err
	}
	wireSize = len(data)
	if c.snappy.Load() {
		data, err = c.decompress(data)
	}
	return code, data, wireSize, err
}

// readFrame opens the frame whose header is in the input.
func (c *Conn) readFrame() ([]byte, error) {
	n, whole, err := c.opener.Open(c.in.unread())
	if err != nil {
		return nil, err
	}
	if whole {
		return c.in.take(frame.SealedSize(n))[frame.HeaderSize:][:n], nil
	}
	c.in.take(frame.HeaderSize)
	size := frame.PaddedSize(n)
	if size+frame.MACSize > readBuffer {
		return c.readLargeBody(n)
	}
	if err := c.in.fill(size + frame.MACSize); err != nil {
		return nil, insideFrame(err)
	}
	body := c.in.take(size)
	c.opener.OpenBody(body)
	if err := c.opener.OpenMAC(c.in.take(frame.MACSize)); err != nil {
		return nil, err
	}
	return body[:n], nil
}

// readLargeBody reads and opens a body that is larger than the input buffer, into memory of its own that grows with
// what arrives.
func (c *Conn) readLargeBody(n int) ([]byte, error) {
	size := frame.PaddedSize(n)
	body := make([]byte, min(size, bodyStep))
	for got := 0; got < size; {
		if got == len(body) {
			grown := make([]byte, min(size, 2*len(body)))
			copy(grown, body)
			body = grown
		}
		piece := body[got:min(len(body), got+bodyPiece)]
		if err := c.in.readFull(piece); err != nil {
			return nil, insideFrame(err)
		}
		c.opener.OpenBody(piece)
		got += len(piece)
	}
	if err := c.in.fill(frame.MACSize); err != nil {
		return nil, insideFrame(err)
	}
	if err := c.opener.OpenMAC(c.in.take(frame.MACSize)); err != nil {
		return nil, err
	}
	return body[:n], nil
}

// decompress returns the plain form of a Snappy block, valid until the next call. Its length is checked before memory is
// taken for it, also against what the block could possibly hold.
func (c *Conn) decompress(block []byte) ([]byte, error) {
	n, err := snappy.DecodedLen(block)
	if err != nil {
		return nil, ErrBadSnappy
	}
	if n > frame.MaxSize {
		return nil, ErrMessageTooBig
	}
	if n > len(block)*maxSnappyRatio/maxSnappyBytes {
		return nil, ErrBadSnappy
	}
	if cap(c.plain) < n {
		c.plain = make([]byte, n)
	}
	plain := c.plain[:n]
	if cap(c.plain) > keepBuffer {
		c.plain = nil
	}
	if plain, err = snappy.Decode(plain, block); err != nil {
		return nil, ErrBadSnappy
	}
	return plain, nil
}

// insideFrame turns an end of the connection into one that came too early.
func insideFrame(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}
