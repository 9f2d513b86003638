package link

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"testing"
	"time"

	"github.com/golang/snappy"

	"github.com/sennit-net/sennit/internal/lanes"
)

// hostileLanes runs a link against a remote that sends records of the given plaintexts and closes its side, while one lane
// is read. It returns the cause of the end and what the remote saw. The link must end by itself, and leave nothing charged.
func hostileLanes(t *testing.T, plains [][]byte) (Cause, []lanes.Frame) {
	protocols := lanesNamed("aaa", "bbb", "ccc")
	protocols[0].Policy = Policy{Wait, time.Millisecond}
	protocols[2].Policy, protocols[2].Inbox = Policy{Mode: DropNewest}, 1<<10
	ca, cb := memPipe(64<<10, 0)
	ledger := NewLedger(64 << 20)
	r, l := newRawLanes(t, ca, cb, protocols, func(c *Config) { c.Ledger, c.Recorder = ledger, new(events) })
	var wire []byte
	for _, p := range plains {
		wire = append(wire, r.seal(p)...)
	}
	l.in.unread = wire[:len(wire)/3]
	go func() {
		cb.Write(wire[len(wire)/3:])
		cb.CloseWrite()
	}()
	seen := make(chan []lanes.Frame, 1)
	go func() { seen <- r.drain() }()
	read := make(chan struct{})
	go func() {
		defer close(read)
		for {
			m, err := l.Lanes()[1].Read()
			if errors.Is(err, errPackedSize) {
				continue
			}
			if err != nil {
				return
			}
			if n, err := io.Copy(io.Discard, m); err != nil || n != int64(m.Size) {
				t.Errorf("a message of %d bytes has %d: %v", m.Size, n, err)
			}
		}
	}()
	cause := l.Run()
	<-read
	for _, lane := range l.Lanes() {
		lane.Close()
		if s := lane.Stats(); s.InboxBytes != 0 || s.InboxMessages != 0 || s.Dropped != 0 {
			t.Errorf("an inbox still counts %+v", s)
		}
	}
	if u := ledger.Used(); u != 0 {
		t.Errorf("%d bytes are not given back", u)
	}
	if cause.Err == nil {
		t.Error("no cause")
	}
	return cause, <-seen
}

// FuzzLanesRecords feeds a link with good records whose contents are anything. The input is a list of plaintexts, each with
// its length in two bytes in front. A breach is told, and nothing else is.
func FuzzLanesRecords(f *testing.F) {
	script := func(plains ...[]byte) (s []byte) {
		for _, p := range plains {
			s = append(binary.BigEndian.AppendUint16(s, uint16(len(p))), p...)
		}
		return s
	}
	packed := snappy.Encode(nil, make([]byte, 5000))
	block := func(lane uint64, size, first int) []byte {
		return append(lanes.AppendMessage(nil, lane, 1, size, lanes.Snappy, len(packed), first), packed[:first]...)
	}
	f.Add([]byte(nil))
	f.Add(script([]byte{0}, []byte{0, 7}, []byte{7}))
	f.Add(script(whole(1, 0, []byte("a")), whole(2, 3, []byte("bb")), whole(3, 1, nil), whole(2, 3, make([]byte, 300)), whole(2, 2, make([]byte, 5000))))
	f.Add(script(opening(2, 1, 5, []byte("he")), whole(1, 1, nil), further(2, []byte("llo"))))
	f.Add(script(joined(opening(1, 1, 50_000, make([]byte, 20_000)), further(1, make([]byte, 29_999))), further(1, []byte{1})))
	f.Add(script(opening(1, 1, 5, []byte("h")), opening(2, 1, 5000, []byte("h")), opening(3, 1, 1<<23, []byte("h"))))
	f.Add(script(block(2, 5000, len(packed))))
	f.Add(script(block(2, 5000, 1), further(2, packed[1:])))
	f.Add(script(block(1, 4999, len(packed))))
	f.Add(script(append(lanes.AppendMessage(nil, 2, 1, 100, lanes.Snappy, 20, 20), append([]byte{100}, make([]byte, 19)...)...))) // broken
	f.Add(script(grant(1, 1<<20), grant(2, 0), grant(3, 1<<63), grant(4, 1)))
	f.Add(script(joined(pingFrame(1), pingFrame(2), pingFrame(3), pingFrame(4)), pingFrame(5)))
	f.Add(script(lanes.AppendPing(nil, lanes.Pong, [8]byte{7: 1})))
	f.Add(script(whole(2, 1, []byte("before")), lanes.AppendDisconnect(whole(2, 1, []byte("beside")), 8), whole(2, 1, []byte("behind"))))
	f.Add(script(lanes.AppendDisconnect(nil, 1<<40)))
	f.Add(script(bytes.Repeat(whole(1, 1, nil), 4000), bytes.Repeat(whole(1, 1, nil), 97)))
	f.Fuzz(func(t *testing.T, script []byte) {
		var plains [][]byte
		for len(script) > 2 && len(plains) < 1000 {
			n := min(int(binary.BigEndian.Uint16(script)), len(script)-2)
			if n > 0 {
				plains = append(plains, script[2:2+n])
			}
			script = script[2+n:]
		}
		cause, seen := hostileLanes(t, plains)
		var breach lanes.Breach
		told := false
		for _, f := range seen {
			if f.Type == lanes.Disconnect {
				told = f.Value == reasonProtocolError
			}
		}
		if errors.As(cause.Err, &breach) != told && !cause.Received {
			t.Errorf("cause %v, told: %v; the remote saw %s", cause.Err, told, shown(seen))
		}
		if errors.Is(cause.Err, lanes.ErrRecord) {
			t.Errorf("a good record is refused: %v", cause.Err)
		}
	})
}
