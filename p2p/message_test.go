package p2p

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/ethereum/go-ethereum/rlp"

	"github.com/sennit-net/sennit/internal/race"
)

// msgList is a MsgReadWriter that holds what was written, for tests that need no second goroutine.
type msgList []Msg

func (l *msgList) WriteMsg(m Msg) error {
	payload, err := io.ReadAll(m.Payload)
	m.Payload = bytes.NewReader(payload)
	*l = append(*l, m)
	return err
}

func (l *msgList) ReadMsg() (Msg, error) {
	if len(*l) == 0 {
		return Msg{}, io.EOF
	}
	m := (*l)[0]
	*l = (*l)[1:]
	return m, nil
}

func TestDecodeErrorsAreBreachesOfProtocol(t *testing.T) {
	for _, test := range []struct {
		payload string
		size    uint32
		want    string
	}{
		{"\xc1\x05", 2, "invalid message: (code 1f) (size 2) rlp: expected input string or byte for string"},
		{"\xc1\x05\x06", 1, "invalid message: (code 1f) (size 1) rlp: value size exceeds available input length"},
		{"\xc1", 10, "invalid message: (code 1f) (size 10) "}, // the reader is at fault, and its error is shown
	} {
		var s string
		err := Msg{Code: 0x1f, Size: test.size, Payload: strings.NewReader(test.payload)}.Decode(&s)
		if err == nil || !strings.HasPrefix(err.Error(), test.want) {
			t.Errorf("%x: error %v, want %v", test.payload, err, test.want)
		}
		if r := discReasonForError(err); r != DiscProtocolError {
			t.Errorf("%x: reason %v", test.payload, r)
		}
	}
}

func TestDecodeErrorUnwrapsToTheCause(t *testing.T) {
	broken := errors.New("broken")
	var v []uint
	err := Msg{Size: 5, Payload: io.MultiReader(strings.NewReader("\xc4"), &failingReader{broken})}.Decode(&v)
	if !errors.Is(err, broken) {
		t.Errorf("%v does not wrap the reader's error", err)
	}
}

type failingReader struct{ err error }

func (r *failingReader) Read([]byte) (int, error) { return 0, r.err }

func TestDecodeIgnoresWhatFollowsTheValue(t *testing.T) {
	var v []uint
	err := Msg{Size: 4, Payload: strings.NewReader("\xc1\x05\x06\x07")}.Decode(&v)
	if err != nil || len(v) != 1 || v[0] != 5 {
		t.Errorf("decoded %v, %v", v, err)
	}
}

func TestDecodeAllocatesNothingForANumber(t *testing.T) {
	r := bytes.NewReader([]byte{0x05})
	var v uint64
	p := any(&v)
	allocs := testing.AllocsPerRun(100, func() {
		r.Seek(0, io.SeekStart)
		if err := (Msg{Size: 1, Payload: r}).Decode(p); err != nil {
			t.Fatal(err)
		}
	})
	if allocs > 0 && !race.Enabled {
		t.Errorf("%v allocations", allocs)
	}
}

// discarder reads payloads as a link does, into memory of its own.
type discarder struct{ buf [256]byte }

func (d *discarder) WriteMsg(m Msg) error {
	for {
		if _, err := m.Payload.Read(d.buf[:]); err == io.EOF {
			return nil
		}
	}
}

func TestSendAllocatesTheReaderOnly(t *testing.T) {
	w := new(discarder)
	data := any([]uint64{1, 2, 3})
	allocs := testing.AllocsPerRun(100, func() {
		if err := Send(w, 1, data); err != nil {
			t.Fatal(err)
		}
	})
	if allocs > 1 && !race.Enabled {
		t.Errorf("%v allocations", allocs)
	}
}

func TestSendWritesRLP(t *testing.T) {
	var l msgList
	if err := Send(&l, 3, []uint{1, 2}); err != nil {
		t.Fatal(err)
	}
	if err := SendItems(&l, 4, uint(1), "two", []uint{3}); err != nil {
		t.Fatal(err)
	}
	if err := SendItems(&l, 5); err != nil {
		t.Fatal(err)
	}
	for _, want := range []struct {
		code    uint64
		payload string
	}{{3, "\xc2\x01\x02"}, {4, "\xc7\x01\x83two\xc1\x03"}, {5, "\xc0"}} {
		m, err := l.ReadMsg()
		if err != nil {
			t.Fatal(err)
		}
		got, _ := io.ReadAll(m.Payload)
		if m.Code != want.code || string(got) != want.payload || int(m.Size) != len(got) {
			t.Errorf("sent code %d, size %d, %x; want %d, %x", m.Code, m.Size, got, want.code, want.payload)
		}
	}
	if err := Send(&l, 1, make(chan int)); err == nil || len(l) != 0 {
		t.Errorf("a channel was sent: %v", err)
	}
}

func TestExpectMsgTellsWhatIsDifferent(t *testing.T) {
	for _, test := range []struct {
		code    uint64
		content any
		want    string // "" for no error
	}{
		{3, []uint{1, 2}, ""},
		{3, nil, ""},
		{3, rlp.RawValue("\xc2\x01\x02"), ""},
		{4, []uint{1, 2}, "message code 3 received, 4 expected"},
		{4, nil, "message code 3 received, 4 expected"},
		{3, []uint{1}, "message of 3 bytes received, 2 expected"},
		{3, []uint{1, 3}, "message payload c20102 received, c20103 expected"},
		{3, make(chan int), "does not encode"},
	} {
		var l msgList
		if err := SendItems(&l, 3, uint(1), uint(2)); err != nil {
			t.Fatal(err)
		}
		err := ExpectMsg(&l, test.code, test.content)
		if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
			t.Errorf("code %d, %v: error %v, want %q", test.code, test.content, err, test.want)
		}
	}
	if err := ExpectMsg(new(msgList), 1, nil); err != io.EOF {
		t.Errorf("without a message: %v", err)
	}
}

func TestMsgString(t *testing.T) {
	if s := (Msg{Code: 31, Size: 12}).String(); s != "msg #31 (12 bytes)" {
		t.Errorf("%q", s)
	}
}
