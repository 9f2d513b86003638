package link

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/sennit-net/sennit/internal/buffer"
	"github.com/sennit-net/sennit/internal/race"
)

// assembled is an assembly under test with the memory it has taken.
type assembled struct {
	Assembly
	charged, asked int
	refuseAt       int // the request for memory that is refused, from 1; 0 for none
	failAt         int // the one that fails
}

var errNoMemory = errors.New("no memory")

func newAssembled(refuseAt, failAt int) *assembled {
	a := &assembled{refuseAt: refuseAt, failAt: failAt}
	a.grow = func(to int) (*buffer.Buffer, error) {
		switch a.asked++; a.asked {
		case a.refuseAt:
			return nil, nil
		case a.failAt:
			return nil, errNoMemory
		}
		a.charged += buffer.ClassSize(to)
		return buffer.Get(to), nil
	}
	a.done = func(charged int64) { a.charged -= int(charged) }
	return a
}

// feed gives an assembly data in pieces whose sizes split says, and returns what it handed out for verification.
func (a *assembled) feed(data []byte, split func(room int) int) (verified []byte, err error) {
	first := data[:min(16, len(data))]
	if err := a.start(first, len(data)); err != nil {
		return nil, err
	}
	verified = append(verified, first...)
	for rest := data[len(first):]; a.missing() > 0; {
		p, err := a.room()
		if err != nil {
			return verified, err
		}
		if len(p) == 0 || len(p) > a.missing() {
			return verified, fmt.Errorf("room for %d bytes while %d are missing", len(p), a.missing())
		}
		n := copy(p, rest[:min(max(split(len(p)), 0), len(p))])
		rest = rest[n:]
		out := a.filled(n)
		if len(out)%16 != 0 {
			return verified, fmt.Errorf("%d bytes handed out, not whole blocks", len(out))
		}
		verified = append(verified, out...)
	}
	return verified, nil
}

func TestAnAssemblyHandsOutEveryByteOnceHoweverItComes(t *testing.T) {
	splits := map[string]func(*rand.Rand) func(int) int{
		"byte by byte":  func(*rand.Rand) func(int) int { return func(int) int { return 1 } },
		"15 at a time":  func(*rand.Rand) func(int) int { return func(int) int { return 15 } },
		"17 at a time":  func(*rand.Rand) func(int) int { return func(int) int { return 17 } },
		"all that fits": func(*rand.Rand) func(int) int { return func(room int) int { return room } },
		"at random":     func(r *rand.Rand) func(int) int { return func(room int) int { return r.IntN(room + 1) } },
		"mostly nothing": func(r *rand.Rand) func(int) int {
			return func(room int) int { return r.IntN(room+1) * (r.IntN(4) / 3) }
		},
		"all but one byte": func(*rand.Rand) func(int) int { return func(room int) int { return max(1, room-1) } },
	}
	for name, split := range splits {
		for _, size := range []int{16, 32, 40<<10 + 16, firstAssembly - 16, firstAssembly, firstAssembly + 16, 1<<20 + 32, 3 << 20} {
			if size > 1<<20 && name != "all that fits" && name != "at random" || race.Enabled && size > 1<<20 {
				continue
			}
			for _, refuseAt := range []int{0, 1, 2, 3} {
				rng := rand.New(rand.NewPCG(uint64(size), uint64(refuseAt)))
				data := randomBytes(size)
				a := newAssembled(refuseAt, 0)
				verified, err := a.feed(data, split(rng))
				if err != nil {
					t.Fatalf("%s, %d bytes, refused %d: %v", name, size, refuseAt, err)
				}
				if !bytes.Equal(verified, data) {
					t.Fatalf("%s, %d bytes, refused %d: %d bytes handed out, and not those that came", name, size, refuseAt, len(verified))
				}
				refused := refuseAt > 0 && a.asked >= refuseAt
				switch got := a.bytes(); {
				case refused && (got != nil || a.charged != 0 || a.buf != nil && len(a.buf.B) > busyRead):
					t.Fatalf("%s, %d bytes, refused %d: %d bytes kept, %d charged", name, size, refuseAt, len(got), a.charged)
				case !refused && (!bytes.Equal(got, data) || a.charged != buffer.ClassSize(size)):
					t.Fatalf("%s, %d bytes: %d bytes kept, %d charged", name, size, len(got), a.charged)
				}
				a.free()
				a.free() // a second time does nothing
				if a.charged != 0 {
					t.Fatalf("%s, %d bytes, refused %d: %d not given back", name, size, refuseAt, a.charged)
				}
			}
		}
	}
}

func TestAnAssemblyTakesMemoryForWhatCameNotForWhatWasAnnounced(t *testing.T) {
	a := newAssembled(0, 0)
	must(t, a.start(make([]byte, 16), 16<<20))
	for a.missing() > 0 {
		if most := max(firstAssembly, growAssembly*a.got) * 5 / 4; len(a.buf.B) > most {
			t.Fatalf("%d bytes of memory for %d that came", len(a.buf.B), a.got)
		}
		if a.got > firstAssembly && a.charged != buffer.ClassSize(len(a.buf.B)) {
			t.Fatalf("%d charged for %d bytes", a.charged, len(a.buf.B))
		}
		p, err := a.room()
		must(t, err)
		a.filled(len(p))
	}
	a.free()
}

func TestAnAssemblyThatFailsGivesEverythingBack(t *testing.T) {
	for failAt := 1; failAt <= 3; failAt++ {
		a := newAssembled(0, failAt)
		if _, err := a.feed(make([]byte, 8<<20), func(room int) int { return room }); err != errNoMemory {
			t.Errorf("request %d failed: %v", failAt, err)
		}
		a.free()
		if a.charged != 0 {
			t.Errorf("request %d failed: %d not given back", failAt, a.charged)
		}
	}
}

func TestTheMemoryOfAnAssemblyCanBeTakenOver(t *testing.T) {
	a := newAssembled(0, 0)
	data := randomBytes(100_000)
	_, err := a.feed(data[:99_984], func(room int) int { return room })
	must(t, err)
	b := a.take()
	a.free()
	if a.charged != 0 || !bytes.Equal(b.B, data[:99_984]) {
		t.Errorf("%d still charged, or the bytes are others", a.charged)
	}
	b.Free() // free must not have done so
}

func TestTheZeroAssemblyKeepsNothing(t *testing.T) {
	a := new(assembled)
	data := randomBytes(1 << 20)
	verified, err := a.feed(data, func(room int) int { return room })
	must(t, err)
	if !bytes.Equal(verified, data) || a.bytes() != nil || len(a.buf.B) > busyRead {
		t.Error("bytes were lost or kept")
	}
	a.free()
}
