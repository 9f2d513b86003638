package link

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"testing"

	"github.com/sennit-net/sennit/internal/buffer"
	"github.com/sennit-net/sennit/internal/lanes"
)

// gathered is messages put together from frames of one lane.
type gathered struct {
	t    testing.TB
	all  []string // heads and payloads
	head string   // of the one under way, "" if none is
	data []byte
	left int
	cost uint64 // of all frames
}

// add takes the frames of a plaintext.
func (g *gathered) add(plain []byte) {
	g.t.Helper()
	parser := lanes.Parse(plain)
	for {
		var f lanes.Frame
		more, err := parser.Next(&f)
		if err != nil {
			g.t.Fatalf("%x: %v", plain, err)
		}
		if !more {
			return
		}
		g.frame(&f)
	}
}

func (g *gathered) frame(f *lanes.Frame) {
	g.t.Helper()
	g.cost += f.Cost()
	switch {
	case f.Type == lanes.Message && g.head == "":
		g.head = fmt.Sprintf("lane %d code %d size %d encoding %d total %d: ", f.Lane, f.Code, f.Size, f.Encoding, f.Total)
		g.data, g.left = nil, f.Total
	case f.Type == lanes.Part && g.head != "":
	default:
		g.t.Fatalf("frame of type %d, while the message under way is %q", f.Type, g.head)
	}
	g.data = append(g.data, f.Data...)
	if g.left -= len(f.Data); g.left < 0 {
		g.t.Fatalf("%d bytes too many", -g.left)
	}
	if g.left == 0 {
		g.all = append(g.all, g.head+string(g.data))
		g.head = ""
	}
}

// same tells whether both have gathered the same.
func (g *gathered) same(o *gathered) bool {
	if len(g.all) != len(o.all) || g.head != o.head || !bytes.Equal(g.data, o.data) || g.cost != o.cost {
		return false
	}
	for i := range g.all {
		if g.all[i] != o.all[i] {
			return false
		}
	}
	return true
}

// randomSegment makes a segment of the frames that a lane may have in one: perhaps the rest of a message, whole ones, and
// perhaps the beginning of one. What has to come before it is in g.
func randomSegment(rng *rand.Rand, g *gathered, size int) segment {
	lane, code := uint64(1+rng.IntN(200)), uint64(rng.IntN(300))
	part := func(n int) []byte { return pattern(n) }
	var plain []byte
	if rng.IntN(3) == 0 {
		n := 1 + rng.IntN(size)
		before := lanes.AppendMessage(nil, lane, code, n+1+rng.IntN(2), lanes.Snappy, n+1, 1)
		g.add(append(before, 'x'))
		plain = append(lanes.AppendPart(plain, lane, n), part(n)...)
	}
	for len(plain) < size && (len(plain) == 0 || rng.IntN(5) > 0) {
		n := rng.IntN(1 + rng.IntN(size))
		total := n
		if rng.IntN(6) == 0 && n > 0 {
			total += 1 + rng.IntN(1<<uint(rng.IntN(20)))
		}
		plain = append(lanes.AppendMessage(plain, lane, code, total, lanes.Plain, total, n), part(n)...)
		if total > n {
			break
		}
	}
	b := buffer.Get(lanes.PrefixSize + len(plain) + lanes.TagSize)
	b.B = append(b.B[:lanes.PrefixSize], plain...)
	s := segment{buf: b}
	parser := lanes.Parse(plain)
	var f lanes.Frame
	for more, _ := parser.Next(&f); more; more, _ = parser.Next(&f) {
		s.cost += f.Cost()
	}
	return s
}

// splitUp splits a segment with the credit that next gives until nothing is left, and checks each step. What it finds
// in the pieces goes to g.
func splitUp(t *testing.T, f *lanesFraming, s segment, g *gathered, next func() uint64) {
	t.Helper()
	before := g.cost
	all := s.cost
	for {
		credit := next()
		if credit >= s.cost {
			g.add(s.buf.B[lanes.PrefixSize:])
			s.buf.Free()
			break
		}
		head, ok := f.Split(&s, credit, 1)
		if !ok {
			var first lanes.Frame
			parser := lanes.Parse(s.buf.B[lanes.PrefixSize:])
			parser.Next(&first)
			needs := uint64(1)
			if first.Type == lanes.Message {
				needs = lanes.MessageCost + uint64(min(1, len(first.Data)))
			}
			if credit >= needs {
				t.Fatalf("nothing is sent with a credit of %d, although %d are enough", credit, needs)
			}
			continue
		}
		was := g.cost
		g.add(head.buf.B[lanes.PrefixSize:])
		if g.cost-was != head.cost || head.cost > credit || head.cost == 0 {
			t.Fatalf("credit %d: the head costs %d, and says %d", credit, g.cost-was, head.cost)
		}
		if cap(head.buf.B)-len(head.buf.B) < lanes.TagSize {
			t.Fatal("no room for the tag of the head")
		}
		head.buf.Free()
	}
	if g.cost-before != all {
		t.Fatalf("the pieces cost %d, all of it %d", g.cost-before, all)
	}
}

func TestASegmentThatIsSplitHasTheSameMessagesInItAtEveryCredit(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	framing, _ := laneFramings(t)
	f := framing.(*lanesFraming)
	for range 300 {
		seed := rng.Uint64()
		segmentOf := func(g *gathered) segment { return randomSegment(rand.New(rand.NewPCG(seed, 0)), g, 300) }
		want := &gathered{t: t}
		s := segmentOf(want)
		want.add(s.buf.B[lanes.PrefixSize:])
		cost := s.cost
		s.buf.Free()
		for credit := range cost + 1 {
			got := &gathered{t: t}
			first := true
			splitUp(t, f, segmentOf(got), got, func() uint64 {
				if first {
					first = false
					return credit
				}
				return cost
			})
			if !got.same(want) {
				t.Fatalf("seed %d, credit %d: %q, want %q", seed, credit, got.all, want.all)
			}
		}
	}
}

func TestASegmentThatIsSplitAgainAndAgainHasTheSameMessagesInIt(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	framing, _ := laneFramings(t)
	f := framing.(*lanesFraming)
	for range 300 {
		seed, most := rng.Uint64(), 1+rng.IntN(1<<uint(rng.IntN(16)))
		size := 1 + rng.IntN(laneSegment-2000)
		want, got := &gathered{t: t}, &gathered{t: t}
		s := randomSegment(rand.New(rand.NewPCG(seed, 0)), want, size/2+1)
		want.add(s.buf.B[lanes.PrefixSize:])
		s.buf.Free()
		s = randomSegment(rand.New(rand.NewPCG(seed, 0)), got, size/2+1)
		splitUp(t, f, s, got, func() uint64 { return uint64(rng.IntN(most + lanes.MessageCost + 2)) })
		if !got.same(want) {
			t.Fatalf("seed %d: %d messages, want %d", seed, len(got.all), len(want.all))
		}
	}
}

func TestEncodedMessagesOfAllSizesAreCutIntoFramesThatFitTheirRecords(t *testing.T) {
	ca, cb := memPipe(1<<20, 0)
	_, l := newRawLanes(t, ca, cb, lanesNamed("aaa"), nil)
	t.Cleanup(func() { ca.Close() })
	for _, size := range append([]int{5 << 20, MaxMessage}, edgeSizes...) {
		for name, payload := range map[string][]byte{"zeros": make([]byte, size), "random": pattern(size)} {
			l.Lanes()[0].pressed = pressed{}
			e, err := l.framing.Encode(l.Lanes()[0], 3, size, &plainReader{payload})
			must(t, err)
			g := &gathered{t: t}
			var memory int64
			for _, s := range append([]segment{e.first}, e.more...) {
				before := g.cost
				g.add(s.buf.B[lanes.PrefixSize:])
				if g.cost-before != s.cost {
					t.Errorf("%d %s: a segment costs %d and says %d", size, name, g.cost-before, s.cost)
				}
				if n := len(s.buf.B) + lanes.TagSize; n > laneSegment || n > cap(s.buf.B) {
					t.Errorf("%d %s: a segment of %d bytes", size, name, n)
				}
				memory += int64(cap(s.buf.B))
			}
			if len(g.all) != 1 || g.head != "" {
				t.Errorf("%d %s: %d messages", size, name, len(g.all))
			}
			if size > packedSize && memory > l.framing.Footprint(size) {
				t.Errorf("%d %s: takes %d bytes of memory, more than %d", size, name, memory, l.framing.Footprint(size))
			}
			e.free()
		}
	}
}

func TestAPartOfAMessageThatCameInPiecesIsForwardedAsItIs(t *testing.T) {
	for _, kind := range framingKinds {
		t.Run(kind.name, func(t *testing.T) {
			a, b := lanesPair(t, 1<<20, 0, lanesNamed("aaa"), nil)
			ca, cb := memPipe(4<<20, 0)
			onward, there := linkPair(t, ca, cb, true, lanesNamed("aaa"), func(l, r *Config) { l.Framing, r.Framing = kind.pair(t) })
			src := pattern(100_000)
			go a.Lanes()[0].Write(1, uint32(len(src)), &plainReader{src})
			m, err := b.Lanes()[0].Read()
			must(t, err)
			first := len(m.rest)
			if first == m.Len() {
				t.Fatal("the message is in one piece")
			}
			must(t, onward.Lanes()[0].Write(1, uint32(first), m))
			if m.Len() != len(src)-first {
				t.Errorf("%d bytes are left, want %d", m.Len(), len(src)-first)
			}
			got, err := there.Lanes()[0].Read()
			must(t, err)
			if payload, err := io.ReadAll(got); err != nil || !bytes.Equal(payload, src[:first]) {
				t.Errorf("%d other bytes came, error %v, want the first %d", len(payload), err, first)
			}
		})
	}
}
