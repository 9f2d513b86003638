package main

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"math"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sennit-net/sennit/internal/shape"
	"github.com/sennit-net/sennit/interop/stack"
)

// TestEveryVariantCarriesMessagesWholeAndPastAProxy has each stack echo messages of many sizes by way of a proxy, which has
// to see them.
func TestEveryVariantCarriesMessagesWholeAndPastAProxy(t *testing.T) {
	for _, v := range all() {
		t.Run(v.name, func(t *testing.T) {
			p, err := v.link(v, through(shape.Direction{}), []proto{pingProto(), {name: "other", dialer: stack.Sink, listener: stack.Sink}})
			if err != nil {
				t.Fatal(err)
			}
			defer p.close()
			rw, sum := p.Dialer["ping"].RW, 0
			for _, size := range []int{0, 1, 64, streamBuffer - lengthSize, streamBuffer + 1, 1 << 20} {
				sent := random(size)
				if err := rw.Write(0, uint32(size), bytes.NewReader(sent)); err != nil {
					t.Fatal(err)
				}
				m, err := rw.Read()
				if err != nil {
					t.Fatal(err)
				}
				got, err := io.ReadAll(m.Payload)
				if err != nil || int(m.Size) != size || !bytes.Equal(got, sent) {
					t.Fatalf("%d bytes came back as %d of %d, error %v", size, len(got), m.Size, err)
				}
				sum += size
			}
			if up, down := p.wire.Counts(); up < int64(sum) || down < int64(sum) {
				t.Errorf("the proxy saw %d and %d bytes of %d each way", up, down, sum)
			}
		})
	}
}

func TestAStreamRefusesMessagesThatAreTooLarge(t *testing.T) {
	head := binary.BigEndian.AppendUint32(nil, maxMessage)
	rw := &streamRW{in: bufio.NewReader(bytes.NewReader(head))}
	if _, _, err := rw.Skip(); err == nil || !strings.Contains(err.Error(), "16777216 bytes") {
		t.Errorf("the error is %v", err)
	}
	if err := rw.Decode(nil); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("decoding gives %v", err)
	}
}

func TestAStreamThatEndsInAMessageIsAnError(t *testing.T) {
	rw := &streamRW{in: bufio.NewReader(strings.NewReader("\x00\x00\x00\x05four"))}
	if _, _, err := rw.Skip(); !errors.Is(err, io.EOF) {
		t.Errorf("the error is %v", err)
	}
}

// scripted is an end that reads the messages it was given and keeps those that are written.
type scripted struct {
	in    []uint64 // numbers of messages of floodSize
	wrote [][]byte
	most  int // writes before the link ends
}

func (s *scripted) Read() (stack.Msg, error) {
	if len(s.in) == 0 {
		return stack.Msg{}, io.EOF
	}
	payload := make([]byte, floodSize)
	binary.BigEndian.PutUint64(payload, s.in[0])
	s.in = s.in[1:]
	return stack.Msg{Size: floodSize, Payload: bytes.NewReader(payload)}, nil
}

func (s *scripted) Skip() (uint64, uint32, error) { return 0, 0, io.EOF }
func (s *scripted) Decode(any) error              { return errors.ErrUnsupported }

func (s *scripted) Write(_ uint64, _ uint32, payload io.Reader) error {
	if len(s.wrote) == s.most {
		return io.EOF
	}
	b, err := io.ReadAll(payload)
	s.wrote = append(s.wrote, b)
	return err
}

func TestWhatIsMissingFromAFloodIsCounted(t *testing.T) {
	for _, tt := range []struct {
		name string
		in   []uint64
		want float64
	}{
		{"all there", []uint64{0, 1, 2, 3}, 0},
		{"one dropped", []uint64{0, 1, 3}, 1},
		{"the first dropped", []uint64{1, 2, 3}, 1},
		{"two dropped apart", []uint64{0, 2, 3, 5}, 2},
		{"many dropped", []uint64{0, 100}, 99},
		{"exchanged", []uint64{1, 0, 2, 3}, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d := &deaf{hear: make(chan struct{})}
			close(d.hear)
			if err := d.serve(&stack.End{RW: &scripted{in: tt.in}}); !errors.Is(err, io.EOF) {
				t.Fatal(err)
			}
			sent := make(chan uint64, 1)
			sent <- tt.in[len(tt.in)-1] + 1
			if got, err := d.missing(sent); got != tt.want || err != nil {
				t.Errorf("%v are missing, error %v", got, err)
			}
		})
	}
}

func TestTheMessagesOfAFloodAreNumbered(t *testing.T) {
	s := &scripted{most: 3}
	if n := flood(s, new(atomic.Bool)); n != 3 {
		t.Fatalf("%d messages were sent", n)
	}
	for i, b := range s.wrote {
		if n := binary.BigEndian.Uint64(b); n != uint64(i) || len(b) != floodSize {
			t.Errorf("message %d has number %d and %d bytes", i, n, len(b))
		}
	}
}

func TestASharedLinkIsJudgedFromOneLargeMessageToAnother(t *testing.T) {
	start := time.Now()
	at := func(s int) time.Time { return start.Add(time.Duration(s) * time.Second) }
	const perLarge = largeBulk / smallBulk
	m := &marks{seen: []mark{
		{at(0), 5, 1},              // before
		{at(2), 100, 2},            // from here
		{at(3), 100, 3},            //
		{at(4), 100 + perLarge, 4}, // to here
		{at(9), 1 << 30, 5},        // after
	}}
	small, rate := share(m.between(at(1), at(5)))
	if want := 1.0 / 3; math.Abs(small-want) > 1e-9 {
		t.Errorf("the share is %v, not %v", small, want)
	}
	if want := 3 * largeBulk / 1e6 / 2; math.Abs(rate-want) > 1e-9 {
		t.Errorf("the rate is %v, not %v", rate, want)
	}
	for _, to := range []int{1, 2} { // none, one
		if small, rate := share(m.between(at(1), at(to))); !math.IsNaN(small) || !math.IsNaN(rate) {
			t.Errorf("up to %d s the share is %v, the rate %v", to, small, rate)
		}
	}
}

func TestAChildSaysWhatItCannotDo(t *testing.T) {
	url := "enode://" + "79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798" +
		"483ada7726a3c4655da4fbfc0e1108a8fd17b448a68554199c47d08ffb10d4b8@127.0.0.1:1"
	for _, tt := range []struct{ spec, says string }{
		{"", "EOF"},
		{"x bare " + url, "x bare"},
		{"1 bare nowhere", "enode"},
		{"1 half " + url, "half"},
	} {
		if err := runChild(tt.spec, strings.NewReader(""), io.Discard); err == nil || !strings.Contains(err.Error(), tt.says) {
			t.Errorf("%q: error %v", tt.spec, err)
		}
	}
}
