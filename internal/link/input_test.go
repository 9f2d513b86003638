package link

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"testing"
	"testing/iotest"
	"time"

	"github.com/sennit-net/sennit/internal/race"
)

// script is a stream whose reads come from a reader.
type script struct{ io.Reader }

func (script) waited() bool                        { return false }
func (script) writeAll(net.Buffers) (int64, error) { return 0, errors.ErrUnsupported }

func newInput(r io.Reader) *Input {
	return &Input{size: busyRead,
		stream:  script{r},
		onRead:  func() error { return nil },
		onBytes: func(int, time.Time) {},
		onTick:  func() error { return nil },
	}
}

func TestInputHandsOutTheBytesInOrderHoweverTheyCome(t *testing.T) {
	readers := map[string]func(io.Reader) io.Reader{
		"all at once":    func(r io.Reader) io.Reader { return r },
		"byte by byte":   iotest.OneByteReader,
		"in halves":      iotest.HalfReader,
		"with the error": iotest.DataErrReader,
		"with deadlines": func(r io.Reader) io.Reader { return &stutter{r: r} },
	}
	for name, reader := range readers {
		seeds := uint64(10)
		if race.Enabled {
			seeds = 2
		}
		for seed := range seeds {
			t.Run(fmt.Sprintf("%s %d", name, seed), func(t *testing.T) {
				rng := rand.New(rand.NewPCG(seed, 3))
				data := randomBytes(200_000)
				in := newInput(reader(bytes.NewReader(data[1000:])))
				in.unread = data[:1000]
				var got []byte
				for len(got) < len(data) {
					left := len(data) - len(got)
					switch rng.IntN(3) {
					case 0:
						p, err := in.Next(min(left, rng.IntN(100)))
						must(t, err)
						got = append(got, p...)
						clear(p) // it is ours
					case 1:
						p, err := in.Next(min(left, rng.IntN(busyRead+1)))
						must(t, err)
						got = append(got, p...)
						clear(p)
					case 2:
						p := make([]byte, 1+rng.IntN(50_000))
						n, err := in.ReadInto(p)
						must(t, err)
						got = append(got, p[:n]...)
					}
				}
				if !bytes.Equal(got, data) {
					t.Error("the bytes are others")
				}
				if (in.w - in.r) != 0 {
					t.Errorf("%d bytes too many", (in.w - in.r))
				}
				if _, err := in.Next(1); err != io.EOF {
					t.Errorf("at the end: %v", err)
				}
				in.release()
			})
		}
	}
}

// stutter passes a deadline before each read.
type stutter struct {
	r    io.Reader
	turn bool
}

func (s *stutter) Read(p []byte) (int, error) {
	if s.turn = !s.turn; s.turn {
		return 0, os.ErrDeadlineExceeded
	}
	return s.r.Read(p[:min(len(p), 700)])
}

func TestInputHoldsNoLargeBufferWhileLittleComes(t *testing.T) {
	r, w := net.Pipe()
	defer r.Close()
	defer w.Close()
	in := newInput(r)
	send := func(n int) {
		go w.Write(make([]byte, n))
		for left := n; left > 0; {
			p, err := in.Next(min(left, 100))
			must(t, err)
			left -= len(p)
		}
	}
	send(300)
	if in.busy != nil {
		t.Error("a large buffer is taken for little")
	}
	send(5000)
	if in.busy == nil {
		t.Error("no large buffer is taken for much")
	}
	send(300)
	send(300)
	if in.busy != nil {
		t.Error("the large buffer is kept")
	}
}

func TestInputPassesErrorsOn(t *testing.T) {
	errTick, errRead := errors.New("tick"), errors.New("read")
	in := newInput(&stutter{r: bytes.NewReader(nil)})
	in.onTick = func() error { return errTick }
	if _, err := in.Next(1); err != errTick {
		t.Errorf("at a deadline: %v", err)
	}
	in = newInput(iotest.ErrReader(errRead))
	if _, err := in.Next(1); err != errRead {
		t.Errorf("of a read: %v", err)
	}
	in.onRead = func() error { return errEnding }
	if _, err := in.ReadInto(make([]byte, 1)); err != errEnding {
		t.Errorf("before a read: %v", err)
	}
	if _, err := newInput(iotest.ErrReader(io.ErrClosedPipe)).Next(1); err != io.EOF {
		t.Errorf("of a closed pipe: %v", err)
	}
}
