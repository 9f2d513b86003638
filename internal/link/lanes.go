package link

import (
	"io"
	"sync/atomic"

	"github.com/golang/snappy"

	"github.com/sennit-net/sennit/internal/buffer"
	"github.com/sennit-net/sennit/internal/lanes"
)

const (
	// laneSegment is the memory of a segment on a lanes link, in bytes. Each is sealed as one record: large enough that a
	// record's own cost does not matter, and not so large that other lanes wait long for it.
	laneSegment = 40 << 10
	// laneRead is how much is read at a time on a lanes link, in bytes: at least the largest record there may be.
	laneRead = 80 << 10
	// laneBatch is how much is handed to the kernel at once, in bytes: many records in one call.
	laneBatch = 64 << 10
	// laneWindow is how far the remote may send ahead of our reading when it is near, in bytes. With half of it streams are
	// slower.
	laneWindow = 512 << 10
	// sampleSize is how much of a large payload is tried to be compressed before all of it is, in bytes.
	sampleSize = 4 << 10
)

// lanesFraming is lanes/1 (docs/spec/lanes.md). A segment is the plaintext of one record: whole messages, the first part
// of one, or a further part.
type lanesFraming struct {
	sealer *lanes.Sealer
	opener *lanes.Opener
	frame  lanes.Frame // reused for every frame that comes
}

// Lanes returns the framing lanes/1 over the codec of a connection on which both ends have agreed on it.
func Lanes(sealer *lanes.Sealer, opener *lanes.Opener) Framing {
	return &lanesFraming{sealer: sealer, opener: opener}
}

func (f *lanesFraming) Name() string { return "lanes/1" }

func (f *lanesFraming) Shape() Shape {
	return Shape{Head: lanes.PrefixSize, Tail: lanes.TagSize, Batch: laneBatch, Segment: laneSegment, Window: laneWindow, Read: laneRead, Credit: true}
}

func (f *lanesFraming) Footprint(size int) int64 {
	const part = laneSegment - lanes.PrefixSize - lanes.TagSize - lanes.MaxHead
	full := size / part
	return int64(full*laneSegment + buffer.ClassSize(size-full*part+laneSegment-part))
}

func (f *lanesFraming) Encode(lane *Lane, code uint64, size int, payload io.Reader) (encoded, error) {
	if size > packedSize {
		return f.encodeLarge(lane, code, size, payload)
	}
	const head = lanes.PrefixSize + lanes.MaxHead
	if size <= literalSize || !lane.pressed.worthTrying() {
		b := buffer.Get(head + size + lanes.TagSize)
		start := lanes.AppendMessage(b.B[:lanes.PrefixSize], lane.number, code, size, lanes.Plain, size, size)
		b.B = b.B[:len(start)+size]
		if err := readPayload(b.B[len(start):], payload); err != nil {
			b.Free()
			return encoded{}, err
		}
		return encoded{first: segment{b, lanes.MessageCost + uint64(size)}, wire: codeSize(code) + size}, nil
	}
	// The payload is read behind the place where it is compressed to.
	room := head + snappy.MaxEncodedLen(size) + lanes.TagSize
	b := buffer.Get(room + size)
	raw := b.B[room:]
	if err := readPayload(raw, payload); err != nil {
		b.Free()
		return encoded{}, err
	}
	part, encoding := raw, byte(lanes.Plain)
	if packed := snappy.Encode(b.B[head:room], raw); lane.pressed.pays(len(packed), size) {
		part, encoding = packed, lanes.Snappy
	}
	b.B = lanes.AppendMessage(b.B[:lanes.PrefixSize], lane.number, code, size, encoding, len(part), len(part))
	b.B = append(b.B, part...)
	return encoded{first: segment{b, lanes.MessageCost + uint64(len(part))}, wire: codeSize(code) + len(part)}, nil
}

func (f *lanesFraming) encodeLarge(lane *Lane, code uint64, size int, payload io.Reader) (e encoded, err error) {
	err = withPayload(payload, size, func(raw []byte) {
		if !lane.pressed.worthTrying() || !samplePays(raw) {
			e = layOut(lane.number, code, size, lanes.Plain, raw)
			return
		}
		room := buffer.Get(snappy.MaxEncodedLen(size))
		defer room.Free()
		if packed := snappy.Encode(room.B, raw); lane.pressed.pays(len(packed), size) {
			e = layOut(lane.number, code, size, lanes.Snappy, packed)
		} else {
			e = layOut(lane.number, code, size, lanes.Plain, raw)
		}
	})
	return e, err
}

// layOut cuts an encoded payload into segments: a MESSAGE frame, and PART frames as long as something is left.
func layOut(lane, code uint64, size int, encoding byte, data []byte) encoded {
	total := len(data)
	part := min(total, laneSegment-lanes.PrefixSize-lanes.MaxHead-lanes.TagSize)
	e := encoded{wire: codeSize(code) + total}
	e.first = newSegment(data[:part], func(room []byte) []byte {
		return lanes.AppendMessage(room, lane, code, size, encoding, total, part)
	})
	e.first.cost += lanes.MessageCost
	for data = data[part:]; len(data) > 0; data = data[part:] {
		part = min(len(data), laneSegment-lanes.PrefixSize-lanes.MaxHead-lanes.TagSize)
		e.more = append(e.more, newSegment(data[:part], func(room []byte) []byte {
			return lanes.AppendPart(room, lane, part)
		}))
	}
	return e
}

// newSegment returns a segment of one frame: its head, as appended, and its part.
func newSegment(part []byte, appendHead func([]byte) []byte) segment {
	b := buffer.Get(lanes.PrefixSize + lanes.MaxHead + len(part) + lanes.TagSize)
	b.B = append(appendHead(b.B[:lanes.PrefixSize]), part...)
	return segment{b, uint64(len(part))}
}

// samplePays tells whether a piece from the middle of a payload gets smaller by compression.
func samplePays(raw []byte) bool {
	n := min(len(raw), sampleSize)
	from := (len(raw) - n) / 2
	room := buffer.Get(snappy.MaxEncodedLen(n))
	defer room.Free()
	return smallEnough(len(snappy.Encode(room.B, raw[from:from+n])), n)
}

// smallEnough tells whether compression from n bytes to packed is worth its price.
func smallEnough(packed, n int) bool { return packed <= n-n/8 }

// pressed remembers whether compression has paid on a lane: after each time that it has not, more messages in a row
// travel as they are, up to 64. The zero value tries. It is safe for concurrent use.
type pressed struct{ skip, streak atomic.Int32 }

func (p *pressed) worthTrying() bool { return p.skip.Load() <= 0 || p.skip.Add(-1) < 0 }

// pays tells whether a payload that compression has made packed bytes of travels compressed.
func (p *pressed) pays(packed, size int) bool {
	if smallEnough(packed, size) {
		p.streak.Store(0)
		return true
	}
	p.skip.Store(1 << min(p.streak.Add(1), 6))
	return false
}

// Control lays out one record. Credit comes last: pongs tell the round-trip time. That of about 3,000 lanes fits, and there are
// fewer than 700: a Hello of 2 KiB has room for no more protocols.
func (f *lanesFraming) Control(c *control) *buffer.Buffer {
	const perCredit = 1 + 10 + 10
	b := buffer.Get(lanes.PrefixSize + (lanes.MaxPings+1)*(1+lanes.OpaqueSize) + len(c.credits)*perCredit + 1 + 2 + lanes.TagSize)
	p := b.B[:lanes.PrefixSize]
	for _, id := range c.pongs[:c.owed] {
		p = lanes.AppendPing(p, lanes.Pong, id)
	}
	if c.ping {
		p = lanes.AppendPing(p, lanes.Ping, c.pingID)
	}
	for _, due := range c.credits {
		p = lanes.AppendCredit(p, due.lane.number, due.limit)
	}
	if c.bye {
		p = lanes.AppendDisconnect(p, uint64(c.reason))
	}
	b.B = p
	return b
}

// Split implements Framing: whole frames first, then as much of the next one's part as there is credit for.
func (f *lanesFraming) Split(s *segment, credit uint64, least int) (head segment, ok bool) {
	var frame lanes.Frame
	plain := s.buf.B[lanes.PrefixSize:]
	parser := lanes.Parse(plain)
	end := 0 // of the whole frames that fit
	for {
		if more, err := parser.Next(&frame); !more || err != nil {
			panic("link: a segment of a lane is not made of frames") // and should have fitted whole
		}
		if head.cost+frame.Cost() > credit {
			break
		}
		head.cost += frame.Cost()
		end = len(plain) - len(parser.Rest())
	}
	cut, fixed := 0, frame.Cost()-uint64(len(frame.Data)) // how much of the next frame's part goes with them
	if left := credit - head.cost; left >= fixed+uint64(least) {
		cut = int(left - fixed)
		head.cost += left
	}
	if head.cost == 0 {
		return segment{}, false
	}
	head.buf = buffer.Get(lanes.PrefixSize + end + lanes.MaxHead + cut + lanes.TagSize)
	b := append(head.buf.B[:lanes.PrefixSize], plain[:end]...)
	rest := plain[end:]
	if cut > 0 {
		b = append(appendFrameHead(b, &frame, cut), frame.Data[:cut]...)
		// What stays of the frame is a PART, whose head is shorter than what has been taken away in front of it.
		tail := lanes.AppendPart(nil, frame.Lane, len(frame.Data)-cut)
		start := len(rest) - len(parser.Rest()) - (len(frame.Data) - cut) - len(tail)
		copy(rest[start:], tail)
		rest = rest[start:]
	}
	head.buf.B = b
	s.buf.B = s.buf.B[:lanes.PrefixSize+copy(plain, rest)]
	s.cost -= head.cost
	return head, true
}

// appendFrameHead appends the head of a MESSAGE or PART like f, but with a part of n bytes.
func appendFrameHead(dst []byte, f *lanes.Frame, n int) []byte {
	if f.Type == lanes.Part {
		return lanes.AppendPart(dst, f.Lane, n)
	}
	return lanes.AppendMessage(dst, f.Lane, f.Code, f.Size, f.Encoding, f.Total, n)
}

func (f *lanesFraming) Seal(seg []byte, from int) (wire []byte, to int) {
	return f.sealer.Seal(seg), len(seg)
}

func (f *lanesFraming) Receive(in *Input, to Sink) error {
	for {
		prefix, err := in.Peek(lanes.PrefixSize)
		if err != nil {
			return err
		}
		size, err := lanes.RecordSize(prefix)
		if err != nil {
			return err
		}
		record, err := in.Next(size)
		if err != nil {
			return err
		}
		plain, err := f.opener.Open(record)
		if err != nil {
			return err
		}
		if err := f.frames(plain, to); err != nil {
			return err
		}
	}
}

// frames hands the frames of a record to the sink, and tells it of the end whatever that is: what came in front of a
// Disconnect or a breach has come.
func (f *lanesFraming) frames(plain []byte, to Sink) error {
	parser := lanes.Parse(plain)
	for {
		more, err := parser.Next(&f.frame)
		if more {
			err = to.Frame(&f.frame)
		}
		if !more || err != nil {
			to.RecordDone()
			return err
		}
	}
}
