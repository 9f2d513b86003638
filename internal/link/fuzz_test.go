package link

import (
	"encoding/binary"
	"io"
	"net"
	"testing"
	"time"

	"github.com/sennit-net/sennit/internal/frame"
)

// hostile runs a link against a remote that sends the given bytes and closes, while one lane is read and one is not. It
// returns the cause of the end. The link must end by itself, and leave nothing charged.
func hostile(t *testing.T, snappy bool, bytesFrom func(r *raw) []byte) Cause {
	lanes := lanesNamed("aaa", "bbb", "ccc")
	lanes[0].Policy = Policy{Wait, time.Millisecond}
	lanes[1].Policy, lanes[1].Inbox = Policy{Mode: DropOldest}, 1<<10
	lanes[2].Policy, lanes[2].Inbox = Policy{Mode: DropNewest}, 1<<10
	ca, cb := memPipe(64<<10, 0)
	ledger := NewLedger(4 << 20)
	r, l := newRaw(t, ca, cb, snappy, lanes, func(c *Config) { c.Ledger, c.Recorder = ledger, new(events) })
	data := bytesFrom(r)
	l.in.unread = data[:len(data)/3]
	go func() {
		cb.Write(data[len(data)/3:])
		cb.CloseWrite()
		io.Copy(io.Discard, cb)
		cb.Close()
	}()
	read := make(chan struct{})
	go func() {
		defer close(read)
		for {
			m, err := l.Lanes()[1].Read()
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
		if s := lane.Stats(); s.InboxBytes != 0 || s.InboxMessages != 0 {
			t.Errorf("an inbox still counts %+v", s)
		}
	}
	if u := ledger.Used(); u != 0 {
		t.Errorf("%d bytes are not given back", u)
	}
	if cause.Err == nil {
		t.Error("no cause")
	}
	return cause
}

func FuzzRawBytes(f *testing.F) {
	f.Add([]byte(nil), true)
	f.Add(make([]byte, 32), false)
	f.Add(make([]byte, 5000), true)
	f.Add(randomBytes(100), true)
	f.Fuzz(func(t *testing.T, data []byte, snappy bool) {
		if len(data) > 1<<20 {
			t.Skip("longer than needed to reach anything")
		}
		cause := hostile(t, snappy, func(*raw) []byte { return data })
		if len(data) >= frame.HeaderSize && cause.Err != frame.ErrBadMAC {
			t.Errorf("cause %v", cause.Err)
		}
	})
}

// FuzzFrames feeds a link with good frames whose contents are anything: the input is a list of code, repetition of the
// payload, its length and the payload.
func FuzzFrames(f *testing.F) {
	script := func(parts ...[]byte) (s []byte) {
		for _, p := range parts {
			s = append(s, p...)
		}
		return s
	}
	part := func(code byte, times uint16, payload ...byte) []byte {
		p := binary.BigEndian.AppendUint16([]byte{code}, times)
		return append(append(p, byte(len(payload))), payload...)
	}
	for _, snappy := range []bool{true, false} {
		f.Add([]byte(nil), snappy)
		f.Add(script(part(0, 1)), snappy)                                                                            // no code
		f.Add(script(part(1, 1, 1, 0, 0xc0), part(3, 1, 1, 0, 0xc0), part(0x80, 1), part(9, 30_000, 7)), snappy)     // base protocol
		f.Add(script(part(2, 1, 0xc1, 4)), snappy)                                                                   // ping
		f.Add(script(part(1, 1, 0xc1, 4)), snappy)                                                                   // disconnect
		f.Add(script(part(16, 1, 1, 0, 0xc0), part(20, 1, 0), part(27, 1, 3, 8, 1, 2, 3), part(28, 1, 0)), snappy)   // lanes, and behind them
		f.Add(script(part(16, 1, 0xff, 0xff, 0xff, 0xff, 0x0f)), snappy)                                             // claims 4 GiB - 1
		f.Add(script(part(16, 1, 0xff, 0xff, 0xff, 7, 0, 'x')), snappy)                                              // claims 16 MiB - 1
		f.Add(script(part(16, 40_000, 1, 2, 3)), snappy)                                                             // large and broken, or plain
		f.Add(script(part(20, 60_000, 1, 2, 3, 4, 5, 6, 7, 8, 9), part(20, 60_000, 1, 2, 3, 4), part(20, 1)), false) // large, dropped
		f.Add(script(part(16, 65_535, 0, 1, 2, 3, 4, 5, 6, 7, 8), part(16, 65_535, 0, 1, 2, 3, 4, 5, 6, 7, 8), part(16, 60_000, 100, 50)), false)
		f.Add(script(part(0xc0, 1, 1), part(16, 1, 0)), snappy) // a list for a code
		f.Add(script(part(0x81, 1, 16), part(16, 1, 0)), snappy)
		f.Add(script(part(0x88, 1, 1, 2, 3, 4, 5, 6, 7, 8, 9)), snappy)
		f.Add(script(part(0x88, 20_000, 1, 2, 3, 4, 5, 6, 7, 8, 9)), snappy)
	}
	f.Fuzz(func(t *testing.T, script []byte, snappy bool) {
		hostile(t, snappy, func(r *raw) (sent []byte) {
			for len(script) >= 4 && len(sent) < 4<<20 {
				data := []byte{script[0]} // what stands for the code
				times, n := int(binary.BigEndian.Uint16(script[1:])), int(script[3])
				payload := script[4:min(4+n, len(script))]
				script = script[4+len(payload):]
				for range times {
					data = append(data, payload...)
				}
				sent = append(sent, r.seal(data)...)
			}
			return sent
		})
	})
}

var _ net.Conn = (*memConn)(nil)
