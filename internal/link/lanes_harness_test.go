package link

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
	"testing"
	"time"

	"github.com/sennit-net/sennit/internal/lanes"
)

// lanesPair returns two running links with lanes/1 over a connection in memory; change, if not nil, edits both
// configurations.
func lanesPair(t testing.TB, limit int, delay time.Duration, protocols []LaneConfig, change func(a, b *Config)) (a, b *Link) {
	ca, cb := memPipe(limit, delay)
	return lanesPairOver(t, ca, cb, protocols, change)
}

// lanesPairOver is lanesPair over a given connection.
func lanesPairOver(t testing.TB, ca, cb net.Conn, protocols []LaneConfig, change func(a, b *Config)) (a, b *Link) {
	return linkPair(t, ca, cb, true, protocols, func(a, b *Config) {
		a.Framing, b.Framing = laneFramings(t)
		if change != nil {
			change(a, b)
		}
	})
}

// endBoth ends two links of a synctest bubble whose lanes nobody reads any more, and waits until they have given back what
// they hold.
func endBoth(t testing.TB, a, b *Link) {
	t.Helper()
	a.End(8, errTestOver, "")
	time.Sleep(2 * farewell)
	for _, l := range append(a.Lanes(), b.Lanes()...) {
		l.Close()
		if s := l.Stats(); s.InboxBytes != 0 || s.InboxMessages != 0 || s.OutboxBytes != 0 {
			t.Errorf("a lane still counts %+v", s)
		}
	}
}

// rawLanes is a remote without a link that knows the keys of lanes/1: it sends any plaintext, and sees every frame.
type rawLanes struct {
	t      testing.TB
	sealer *lanes.Sealer
	opener *lanes.Opener
	conn   net.Conn
	unseen []lanes.Frame // of the record that was read last
}

// newRawLanes returns a remote, and a link over the other end of its connection that is not running yet.
func newRawLanes(t testing.TB, local, remote net.Conn, protocols []LaneConfig, change func(*Config)) (*rawLanes, *Link) {
	ours, theirs := laneFramings(t)
	cfg := Config{Conn: local, Framing: ours, Lanes: protocols}
	if change != nil {
		change(&cfg)
	}
	f := theirs.(*lanesFraming)
	return &rawLanes{t: t, sealer: f.sealer, opener: f.opener, conn: remote}, New(cfg)
}

// seal returns a record with the given plaintext.
func (r *rawLanes) seal(plain ...[]byte) []byte {
	record := make([]byte, lanes.PrefixSize, lanes.MaxRecord)
	for _, p := range plain {
		record = append(record, p...)
	}
	return r.sealer.Seal(record)
}

// send sends a record with the given plaintext.
func (r *rawLanes) send(plain ...[]byte) {
	r.t.Helper()
	if _, err := r.conn.Write(r.seal(plain...)); err != nil {
		r.t.Fatal(err)
	}
}

// nextPlain reads the plaintext of a record.
func (r *rawLanes) nextPlain() ([]byte, error) {
	record := make([]byte, lanes.PrefixSize, lanes.MaxRecord)
	if _, err := io.ReadFull(r.conn, record); err != nil {
		return nil, err
	}
	size, err := lanes.RecordSize(record)
	if err != nil {
		return nil, err
	}
	record = record[:size]
	if _, err := io.ReadFull(r.conn, record[lanes.PrefixSize:]); err != nil {
		return nil, err
	}
	return r.opener.Open(record)
}

// next reads the frames of a record.
func (r *rawLanes) next() (frames []lanes.Frame, err error) {
	plain, err := r.nextPlain()
	if err != nil {
		return nil, err
	}
	parser := lanes.Parse(plain)
	for {
		var f lanes.Frame
		more, err := parser.Next(&f)
		if err != nil {
			r.t.Errorf("the link sends %x: %v", plain, err)
			return nil, err
		}
		if !more {
			return frames, nil
		}
		frames = append(frames, f)
	}
}

// frame reads one frame.
func (r *rawLanes) frame() (f lanes.Frame, err error) {
	for len(r.unseen) == 0 {
		if r.unseen, err = r.next(); err != nil {
			return lanes.Frame{}, err
		}
	}
	f, r.unseen = r.unseen[0], r.unseen[1:]
	return f, nil
}

// until reads frames up to one that is as wanted, and returns it with those before it. It ends the test if there is none.
func (r *rawLanes) until(wanted func(f *lanes.Frame) bool) (found lanes.Frame, before []lanes.Frame) {
	r.t.Helper()
	for {
		f, err := r.frame()
		if err != nil {
			r.t.Fatalf("awaiting a frame: %v", err)
		}
		if wanted(&f) {
			return f, before
		}
		before = append(before, f)
	}
}

// ofType is a frame that until may look for.
func ofType(t lanes.Type) func(*lanes.Frame) bool {
	return func(f *lanes.Frame) bool { return f.Type == t }
}

// drain reads frames until the connection ends, closes it, and returns what it saw.
func (r *rawLanes) drain() (all []lanes.Frame) {
	for {
		f, err := r.frame()
		if err == nil {
			all = append(all, f)
			continue
		}
		if !errors.Is(err, io.EOF) && !errors.Is(err, net.ErrClosed) {
			r.t.Errorf("the connection ends with %v", err)
		}
		r.conn.Close()
		return all
	}
}

// whole is a message that travels as it is, in one frame.
func whole(lane, code uint64, payload []byte) []byte {
	n := len(payload)
	return append(lanes.AppendMessage(nil, lane, code, n, lanes.Plain, n, n), payload...)
}

// opening is the first part of a message that travels as it is.
func opening(lane, code uint64, total int, part []byte) []byte {
	return append(lanes.AppendMessage(nil, lane, code, total, lanes.Plain, total, len(part)), part...)
}

// further is a further part.
func further(lane uint64, part []byte) []byte {
	return append(lanes.AppendPart(nil, lane, len(part)), part...)
}

// pingFrame is a PING, numbered.
func pingFrame(n byte) []byte { return lanes.AppendPing(nil, lanes.Ping, [lanes.OpaqueSize]byte{7: n}) }

// joined is several plaintexts as one.
func joined(parts ...[]byte) []byte { return bytes.Join(parts, nil) }

// patternOnce is what pattern repeats.
var patternOnce = func() []byte {
	p := make([]byte, 1<<20)
	rand.Read(p)
	return p
}()

// pattern returns n bytes that do not compress, quickly.
func pattern(n int) []byte {
	p := make([]byte, n)
	for i := 0; i < n; i += len(patternOnce) {
		copy(p[i:], patternOnce)
	}
	return p
}

// shown is frames for people.
func shown(frames []lanes.Frame) (s string) {
	for _, f := range frames {
		s += fmt.Sprintf("[type %d lane %d value %d data %d] ", f.Type, f.Lane, f.Value, len(f.Data))
	}
	return s
}
