package link

import (
	"github.com/sennit-net/sennit/internal/frame"
)

// sealPiece is how much of a large frame is sealed before it is written, in bytes: the receiver can verify it while the
// next piece is being sealed.
const sealPiece = 128 << 10

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

func (f *rlpx) Name() string   { return "rlpx" }
func (f *rlpx) Compress() bool { return f.snappy }
func (f *rlpx) Overhead() int  { return frame.HeaderSize + 9 + 15 + frame.MACSize }

func (f *rlpx) AppendHead(seg []byte, code uint64) []byte {
	var head [frame.HeaderSize]byte
	return frame.AppendCode(append(seg, head[:]...), code)
}

// AppendTail notes the size of the frame in the room for its header, where Seal finds it.
func (f *rlpx) AppendTail(seg []byte, start int) []byte {
	n := len(seg) - start - frame.HeaderSize
	seg[start], seg[start+1], seg[start+2] = byte(n>>16), byte(n>>8), byte(n)
	var tail [15 + frame.MACSize]byte
	return append(seg, tail[:frame.PaddedSize(n)-n+frame.MACSize]...)
}

func (f *rlpx) Seal(seg []byte, from int) int {
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
		head, err := in.Next(frame.HeaderSize)
		if err != nil {
			return err
		}
		n, err := f.opener.OpenHeader(head)
		if err != nil {
			return err
		}
		if frame.PaddedSize(n)+frame.MACSize > busyRead {
			err = f.receiveLarge(in, n, to)
		} else {
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
	code, payload, err := frame.SplitCode(p[:n])
	if err != nil {
		return err
	}
	return to.Deliver(code, payload)
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
	return to.DeliverAssembled(code, a, n)
}
