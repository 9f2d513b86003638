package link

import (
	"fmt"
	"io"
	"math"

	"github.com/sennit-net/sennit/internal/buffer"
	"github.com/sennit-net/sennit/internal/frame"
)

// sealPiece is how much of a large frame is sealed before it is written, in bytes: the receiver can verify it while the
// next piece is being sealed. It must fit into the window, or both wait for each other.
const sealPiece = 32 << 10

// batchSize is how much is handed to the kernel at once, in bytes, so that the receiver has little to open before a message
// of another protocol, and the next batch leaves before it has opened this one.
const batchSize = 16 << 10

// classicWindow is how far the remote may send ahead of our reading when it is near, in bytes: what lies there has to be
// opened before a message of another protocol.
const classicWindow = 48 << 10

const _ = uint(classicWindow - sealPiece) // does not compile if a piece is larger

// rlpx is the classic framing: one RLPx frame per message (devp2p, "RLPx", framing).
type rlpx struct {
	sealer *frame.Sealer
	opener *frame.Opener
	snappy bool

	// The frame that Seal is at, between two calls.
	body int // bytes of its padded body that are still to be sealed
}

// RLPx returns the classic framing over the codec of a connection whose handshake is done. Payloads are compressed if
// both ends announced version 5 of the base protocol (EIP-706).
func RLPx(sealer *frame.Sealer, opener *frame.Opener, snappy bool) Framing {
	return &rlpx{sealer: sealer, opener: opener, snappy: snappy}
}

func (f *rlpx) Name() string { return "rlpx" }

func (f *rlpx) Shape() Shape {
	return Shape{Batch: batchSize, Segment: segmentSize, Window: classicWindow, Read: busyRead}
}

// overhead bounds what a frame adds to its payload: header, code, padding and MAC.
const overhead = frame.HeaderSize + 9 + 15 + frame.MACSize

func (f *rlpx) Footprint(size int) int64 {
	return int64(buffer.ClassSize(overhead + encodedSize(size)))
}

func (f *rlpx) Encode(lane *Lane, code uint64, size int, payload io.Reader) (encoded, error) {
	code += lane.cfg.Offset
	if size > packedSize {
		return f.encodeLarge(code, size, payload)
	}
	// The payload is read behind the place where it is encoded to.
	room := overhead + encodedSize(size)
	b := buffer.Get(room + size)
	raw := b.B[room:]
	if err := readPayload(raw, payload); err != nil {
		b.Free()
		return encoded{}, err
	}
	var wire int
	b.B, wire = f.appendMessage(b.B[:0], code, raw)
	return encoded{first: segment{buf: b}, wire: wire}, nil
}

func (f *rlpx) encodeLarge(code uint64, size int, payload io.Reader) (encoded, error) {
	b := buffer.Get(overhead + encodedSize(size))
	var wire int
	err := withPayload(payload, size, func(raw []byte) { b.B, wire = f.appendMessage(b.B[:0], code, raw) })
	if err == nil && wire > MaxMessage {
		err = fmt.Errorf("%w: %d bytes compressed, at most %d", ErrTooBig, wire, MaxMessage)
	}
	if err != nil {
		b.Free()
		return encoded{}, err
	}
	return encoded{first: segment{buf: shrunk(b)}, wire: wire}, nil
}

// appendMessage appends a frame, unsealed, and returns how many bytes its code and payload are.
func (f *rlpx) appendMessage(seg []byte, code uint64, payload []byte) (_ []byte, wire int) {
	start := len(seg)
	var head [frame.HeaderSize]byte
	seg = appendPayload(frame.AppendCode(append(seg, head[:]...), code), payload, f.snappy)
	wire = len(seg) - start - frame.HeaderSize
	// Seal finds the size in the room for the header.
	seg[start], seg[start+1], seg[start+2] = byte(wire>>16), byte(wire>>8), byte(wire)
	var tail [15 + frame.MACSize]byte
	return append(seg, tail[:frame.PaddedSize(wire)-wire+frame.MACSize]...), wire
}

// shrunk returns b, or its contents in a smaller buffer if they have shrunk so much that it would be a waste to keep b
// until they have been sent.
func shrunk(b *buffer.Buffer) *buffer.Buffer {
	n := len(b.B)
	if n <= packedSize || 2*buffer.ClassSize(n) > cap(b.B) {
		return b
	}
	small := buffer.Get(n)
	copy(small.B, b.B)
	b.Free()
	return small
}

// Control implements Framing. Credit is unknown to RLPx.
func (f *rlpx) Control(c *control) *buffer.Buffer {
	b := buffer.Get(3 * (overhead + encodedSize(len(frame.EmptyList)+2)))
	b.B = b.B[:0]
	if c.owed > 0 {
		b.B, _ = f.appendMessage(b.B, frame.CodePong, frame.EmptyList)
	}
	if c.ping {
		b.B, _ = f.appendMessage(b.B, frame.CodePing, frame.EmptyList)
	}
	if c.bye {
		b.B, _ = f.appendMessage(b.B, frame.CodeDisconnect, AppendDisconnect(nil, c.reason))
	}
	return b
}

// Split implements Framing; there is nothing to split for.
func (f *rlpx) Split(*segment, uint64, int) (segment, bool) { return segment{}, false }

// noLimit is the credit of lanes whose framing has none.
const noLimit = math.MaxUint64

func (f *rlpx) Seal(seg []byte, from int) (wire []byte, to int) {
	to = f.seal(seg, from)
	return seg[from:to], to
}

func (f *rlpx) seal(seg []byte, from int) (to int) {
	if f.body > 0 {
		return f.sealBody(seg, from)
	}
	for from < len(seg) {
		n := int(seg[from])<<16 | int(seg[from+1])<<8 | int(seg[from+2])
		if n > sealPiece {
			f.sealer.SealHeader(seg[from:from+frame.HeaderSize], n)
			f.body = frame.PaddedSize(n)
			return f.sealBody(seg, from+frame.HeaderSize)
		}
		size := frame.SealedSize(n)
		f.sealer.Seal(seg[from:from+size], n)
		from += size
	}
	return from
}

// sealBody seals the next piece of a large frame's body, and the frame's MAC after the last one.
func (f *rlpx) sealBody(seg []byte, from int) int {
	n := min(f.body, sealPiece)
	f.sealer.SealBody(seg[from : from+n])
	f.body -= n
	from += n
	if f.body == 0 {
		f.sealer.SealMAC(seg[from : from+frame.MACSize])
		from += frame.MACSize
	}
	return from
}

func (f *rlpx) Receive(in *Input, to Sink) error {
	for {
		if _, err := in.Peek(frame.HeaderSize); err != nil {
			return err
		}
		read := in.Unread()
		n, whole, err := f.opener.Open(read)
		if err != nil {
			return err
		}
		switch head := frame.HeaderSize; {
		case whole:
			in.Skip(frame.SealedSize(n))
			err = f.deliver(read[head:][:n], to)
		case frame.PaddedSize(n)+frame.MACSize > busyRead:
			in.Skip(head)
			err = f.receiveLarge(in, n, to)
		default:
			in.Skip(head)
			err = f.receiveSmall(in, n, to)
		}
		if err != nil {
			return err
		}
	}
}

func (f *rlpx) receiveSmall(in *Input, n int, to Sink) error {
	body := frame.PaddedSize(n)
	p, err := in.Next(body + frame.MACSize)
	if err != nil {
		return err
	}
	f.opener.OpenBody(p[:body])
	if err := f.opener.OpenMAC(p[body:]); err != nil {
		return err
	}
	return f.deliver(p[:n], to)
}

func (f *rlpx) deliver(data []byte, to Sink) error {
	code, payload, err := frame.SplitCode(data)
	if err != nil {
		return err
	}
	return to.Deliver(code, payload, f.snappy)
}

// receiveLarge verifies a large frame while it arrives, into memory that grows with it.
func (f *rlpx) receiveLarge(in *Input, n int, to Sink) error {
	// The code is needed before the frame can be verified, to know whose memory budget pays for it; nothing else is done
	// with it until then.
	first, err := in.Next(16)
	if err != nil {
		return err
	}
	f.opener.OpenBody(first)
	code, _, errCode := frame.SplitCode(first)
	var a *Assembly
	if errCode == nil {
		if a, err = to.Assemble(code, n); err != nil {
			return err
		}
	}
	if a == nil {
		a = new(Assembly)
	}
	defer a.free()
	if err := a.start(first, frame.PaddedSize(n)); err != nil {
		return err
	}
	for a.missing() > 0 {
		p, err := a.room()
		if err != nil {
			return err
		}
		m, err := in.ReadInto(p)
		if err != nil {
			return err
		}
		f.opener.OpenBody(a.filled(m))
	}
	mac, err := in.Next(frame.MACSize)
	if err != nil {
		return err
	}
	if err := f.opener.OpenMAC(mac); err != nil {
		return err
	}
	if errCode != nil {
		return errCode
	}
	return to.DeliverAssembled(code, a, n, f.snappy)
}
