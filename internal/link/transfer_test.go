package link

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/golang/snappy"

	"github.com/sennit-net/sennit/internal/frame"
	"github.com/sennit-net/sennit/internal/race"
)

// edgeSizes are payload sizes at which something changes: literals, packing, pool classes, pieces, large frames.
var edgeSizes = []int{
	0, 1, 2, 15, 16, 17, 60, 61, 63, 64, 65, 255, 256, 257, 511, 512, 513, 640, 4095, 4096, 4097, 16 << 10, 20<<10 - 64,
	20 << 10, 32 << 10, 40<<10 - 40, 40<<10 - 17, 40<<10 - 16, 40 << 10, 64 << 10, 128<<10 - 1, 128 << 10, 128<<10 + 1, 256<<10 - 16, 256 << 10,
	256<<10 + 1, 1<<20 + 1<<18,
}

// traffic is what one writer of a test sends: the same for everybody who makes it with the same seed.
type traffic struct {
	rng   *rand.Rand
	sizes []int
}

func newTraffic(seed uint64, sizes []int) *traffic {
	f := &traffic{rng: rand.New(rand.NewPCG(seed, 1))}
	f.sizes = append(f.sizes, sizes...)
	f.rng.Shuffle(len(f.sizes), func(i, j int) { f.sizes[i], f.sizes[j] = f.sizes[j], f.sizes[i] })
	return f
}

// next returns the next payload, or false after the last. Some compress well, some not at all.
func (f *traffic) next() ([]byte, bool) {
	if len(f.sizes) == 0 {
		return nil, false
	}
	p := make([]byte, f.sizes[0])
	f.sizes = f.sizes[1:]
	if f.rng.IntN(2) == 0 {
		word := f.rng.Uint64()
		for i := range p {
			p[i] = byte(word >> (i % 8 * 8))
		}
		return p, true
	}
	for i := range p {
		p[i] = byte(f.rng.Uint64())
	}
	return p, true
}

// sendTraffic writes all of a traffic, through every kind of payload reader.
func sendTraffic(l *Lane, code uint64, f *traffic) error {
	for i := 0; ; i++ {
		p, ok := f.next()
		if !ok {
			return nil
		}
		var r io.Reader
		switch i % 4 {
		case 0:
			r = bytes.NewReader(p)
		case 1:
			r = bytes.NewBuffer(append([]byte(nil), p...))
		case 2:
			r = &plainReader{p}
		case 3:
			r = &Message{rest: p}
		}
		if err := l.Write(code, uint32(len(p)), r); err != nil {
			return err
		}
	}
}

// readTraffic reads what the writers of a lane, one for each code, send, in any of the ways a payload can be read.
func readTraffic(l *Lane, flows []*traffic) error {
	left := 0
	for _, f := range flows {
		left += len(f.sizes)
	}
	for i := range left {
		m, err := l.Read()
		if err != nil {
			return fmt.Errorf("after %d of %d messages: %w", i, left, err)
		}
		if m.Code >= uint64(len(flows)) {
			return fmt.Errorf("message with code %d", m.Code)
		}
		want, ok := flows[m.Code].next()
		if !ok {
			return fmt.Errorf("one message too many with code %d", m.Code)
		}
		var got bytes.Buffer
		switch {
		case i%3 == 0:
			_, err = io.CopyN(&got, &plainSource{m}, int64(m.Size))
		case i%3 == 1 || m.Size > 1<<10:
			_, err = m.WriteTo(&got)
		default:
			for m.Len() > 0 {
				c, _ := m.ReadByte()
				got.WriteByte(c)
			}
		}
		if err != nil {
			return err
		}
		if int(m.Size) != len(want) || !bytes.Equal(got.Bytes(), want) {
			return fmt.Errorf("message %d with code %d: %d bytes that are not the %d sent", i, m.Code, m.Size, len(want))
		}
		if m.Len() != 0 || m.buf != nil {
			return fmt.Errorf("a message that was read to its end keeps %d bytes or its buffer", m.Len())
		}
	}
	return nil
}

// plainSource hides WriteTo.
type plainSource struct{ io.Reader }

func TestMessagesArriveOnceInOrderAndUnchangedInBothDirections(t *testing.T) {
	const writers = 2
	lanes := lanesNamed("aaa", "bbb", "ccc")
	lanes[2].Offset = 127 // codes of one byte and of two
	for _, kind := range framingKinds {
		for _, conn := range connKinds {
			t.Run(kind.name+" over "+conn.name, func(t *testing.T) {
				ca, cb := conn.pair(t)
				ledger := NewLedger(1 << 30)
				t.Cleanup(func() { // after the links have ended
					if u := ledger.Used(); u != 0 {
						t.Errorf("the ledger still has %d bytes", u)
					}
				})
				a, b := linkPair(t, ca, cb, true, lanes, func(a, b *Config) {
					a.Framing, b.Framing = kind.pair(t)
					a.Ledger, b.Ledger = ledger, ledger
				})
				sizes := func(seed uint64) []int {
					rng := rand.New(rand.NewPCG(seed, 2))
					s := append([]int(nil), edgeSizes...)
					if race.Enabled {
						s = s[:len(s)-5] // only small ones are as good at racing
					}
					for range 100 {
						s = append(s, rng.IntN(300))
					}
					return s
				}
				var group sync.WaitGroup
				check := func(f func() error) {
					group.Go(func() {
						if err := f(); err != nil {
							t.Error(err)
						}
					})
				}
				for d, ends := range [][2]*Link{{a, b}, {b, a}} {
					for i := range lanes {
						var expected []*traffic
						for w := range writers {
							seed := uint64(d*100 + i*10 + w)
							expected = append(expected, newTraffic(seed, sizes(seed)))
							check(func() error { return sendTraffic(ends[0].Lanes()[i], uint64(w), newTraffic(seed, sizes(seed))) })
						}
						check(func() error { return readTraffic(ends[1].Lanes()[i], expected) })
					}
				}
				group.Wait()
				for i := range lanes {
					out, in := a.Lanes()[i].Stats(), b.Lanes()[i].Stats()
					if out.MessagesOut != in.MessagesIn || out.BytesOut != in.BytesIn || in.Dropped != 0 || in.InboxBytes != 0 || in.InboxMessages != 0 {
						t.Errorf("lane %d counts differ: sent %+v, received %+v", i, out, in)
					}
				}
			})
		}
	}
}

// largestIncompressible is the largest payload without any repetition that a compressed frame can carry with a code of
// one byte: each 64 KiB grow by 3 bytes, and 4 bytes tell the size.
const largestIncompressible = MaxMessage - 1 - 4 - 3*256

// incompressible returns n random bytes in which Snappy finds no repetition, not even one by chance, which would cost it
// a byte or two.
func incompressible(t *testing.T, n int) []byte {
	for range 100 {
		p := randomBytes(n)
		if len(snappy.Encode(nil, p)) == n+4+3*((n+1<<16-1)>>16) {
			return p
		}
	}
	t.Fatal("Snappy always finds a repetition")
	return nil
}

func TestTheLargestMessagesPassAndLargerOnesAreRefusedWithoutHarm(t *testing.T) {
	for _, test := range []struct {
		name    string
		snappy  bool
		payload []byte
		fits    bool
	}{
		{"16 MiB - 1 of zeros, compressed", true, make([]byte, MaxMessage), true},
		{"the largest incompressible one", true, incompressible(t, largestIncompressible), true},
		{"one byte more", true, incompressible(t, largestIncompressible+1), false},
		{"16 MiB of zeros, compressed", true, make([]byte, MaxMessage+1), false},
		{"16 MiB - 2, plain", false, randomBytes(MaxMessage - 1), true},
		{"16 MiB - 1, plain", false, randomBytes(MaxMessage), false},
	} {
		for _, whole := range []bool{true, false} {
			if race.Enabled && whole == test.snappy {
				continue // half of them
			}
			t.Run(fmt.Sprintf("%s, in memory %v", test.name, whole), func(t *testing.T) {
				ca, cb := tcpPair(t)
				ledger := NewLedger(64 << 20)
				a, b := linkPair(t, ca, cb, test.snappy, lanesNamed("aaa"), func(a, b *Config) { b.Ledger = ledger })
				la, lb := a.Lanes()[0], b.Lanes()[0]
				sent := make(chan error, 2)
				go func() {
					var r io.Reader = &plainReader{test.payload}
					if whole {
						r = bytes.NewReader(test.payload)
					}
					sent <- la.Write(1, uint32(len(test.payload)), r)
					sent <- write(la, 2, []byte("after"))
				}()
				if err := <-sent; test.fits && err != nil || !test.fits && !errors.Is(err, ErrTooBig) {
					t.Fatalf("the write returned %v", err)
				}
				if test.fits {
					if code, p := read(t, lb); code != 1 || !bytes.Equal(p, test.payload) {
						t.Errorf("%d bytes with code %d came", len(p), code)
					}
				}
				if code, p := read(t, lb); code != 2 || string(p) != "after" {
					t.Errorf("%d bytes with code %d came instead of the next message", len(p), code)
				}
				must(t, <-sent)
				if s := la.Stats(); s.OutboxBytes != 0 {
					t.Errorf("the outbox still counts %d bytes", s.OutboxBytes)
				}
				if u := ledger.Used(); u != 0 {
					t.Errorf("the ledger still has %d bytes", u)
				}
			})
		}
	}
}

func TestAPayloadThatEndsTooEarlyIsRefusedAndNothingIsSent(t *testing.T) {
	ca, cb := tcpPair(t)
	a, b := linkPair(t, ca, cb, true, lanesNamed("aaa"), nil)
	la := a.Lanes()[0]
	for _, size := range []uint32{11, 5000, 1 << 20} {
		err := la.Write(1, size, bytes.NewReader(make([]byte, 10)))
		if !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("a payload of 10 bytes for a message of %d: %v", size, err)
		}
	}
	if s := la.Stats(); s.OutboxBytes != 0 || s.MessagesOut != 0 {
		t.Errorf("the outbox counts %+v", s)
	}
	must(t, la.Write(3, 3, bytes.NewReader([]byte("abcdef"))))
	if code, p := read(t, b.Lanes()[0]); code != 3 || string(p) != "abc" {
		t.Errorf("code %d, payload %q", code, p)
	}
}

func TestALargeMessageGetsItsTurnBesideWritersOfSmallOnes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ca, cb := memPipe(16<<10, 0)
		lanes := lanesNamed("aaa")
		lanes[0].Outbox = 256 << 10 // more than the writer takes at a time
		lanes[0].Inbox = 16 << 10
		lanes[0].Policy.Wait = time.Hour
		a, b := linkPair(t, ca, cb, true, lanes, nil)
		la, lb := a.Lanes()[0], b.Lanes()[0]
		for range 4 {
			go func() {
				small := make([]byte, 1000)
				rand.NewChaCha8([32]byte{}).Read(small)
				for la.Write(0, 1000, bytes.NewReader(small)) == nil {
				}
			}()
		}
		synctest.Wait() // the outbox is full of small messages
		for _, size := range []int{200 << 10, 512 << 10} {
			go la.Write(1, uint32(size), bytes.NewReader(randomBytes(size)))
		}
		small, large := 0, 0
		for large < 2 && small < 3000 {
			time.Sleep(time.Millisecond)
			m, err := lb.Read()
			must(t, err)
			if m.Code == 1 {
				large++
			} else {
				small++
			}
			m.Discard()
		}
		if large < 2 {
			t.Errorf("%d large messages came among %d small ones", large, small)
		}
	})
}

func TestBytesThatCameWithTheHandshakeAreTheFirstOfTheLink(t *testing.T) {
	ca, cb := tcpPair(t)
	var early []byte
	r, l := newRaw(t, ca, cb, true, lanesNamed("aaa"), nil)
	for i := range 3 {
		early = append(early, r.message(16+uint64(i), randomBytes(i*3000))...)
	}
	late := len(early) - 700 // the last message comes in two parts
	l.in.unread = early[:late]
	run(t, l)
	_, err := cb.Write(early[late:])
	must(t, err)
	for i := range 3 {
		m, err := l.Lanes()[0].Read()
		must(t, err)
		if m.Code != uint64(i) || m.Size != uint32(i*3000) {
			t.Errorf("message %d: code %d, %d bytes", i, m.Code, m.Size)
		}
		if m.ReceivedAt.IsZero() {
			t.Errorf("message %d does not say when it came", i)
		}
		m.Discard()
	}
	cb.Close()
}

func TestBytesOnTheWireAreCountedWithThoseThatCameWithTheHandshake(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ca, cb := memPipe(1<<20, 0)
		r, l := newRaw(t, ca, cb, true, lanesNamed("aaa"), nil)
		frames := []int{0, 0}
		for i, size := range []int{100, 100_000} {
			f := r.message(16, randomBytes(size))
			if frames[i] = len(f); i == 0 {
				l.in.unread = f
				run(t, l)
			} else {
				cb.Write(f)
			}
			read(t, l.Lanes()[0])
		}
		if got, want := l.Stats().BytesIn, uint64(frames[0]+frames[1]); got != want {
			t.Errorf("%d bytes counted, %d came", got, want)
		}
		must(t, write(l.Lanes()[0], 1, randomBytes(1000)))
		_, payload, err := r.next()
		must(t, err)
		synctest.Wait()
		if got, want := l.Stats().BytesOut, uint64(frame.SealedSize(1+len(payload))); got != want {
			t.Errorf("%d bytes counted, %d went", got, want)
		}
	})
}
