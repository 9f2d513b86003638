package lanes

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"testing"
)

// frames decodes a plaintext into copies of its frames.
func frames(plaintext []byte) (all []Frame, err error) {
	parser := Parse(plaintext)
	for {
		var f Frame
		more, err := parser.Next(&f)
		if err != nil || !more {
			return all, err
		}
		all = append(all, f)
	}
}

// encode appends a decoded frame as it has to look on the wire.
func encode(dst []byte, f *Frame) []byte {
	switch f.Type {
	case Message:
		return append(AppendMessage(dst, f.Lane, f.Code, f.Size, f.Encoding, f.Total, len(f.Data)), f.Data...)
	case Part:
		return append(AppendPart(dst, f.Lane, len(f.Data)), f.Data...)
	case Credit:
		return AppendCredit(dst, f.Lane, f.Value)
	case Ping, Pong:
		return AppendPing(dst, f.Type, [OpaqueSize]byte(f.Data))
	case Disconnect:
		return AppendDisconnect(dst, f.Value)
	}
	panic("no such frame")
}

// everyFrame is the plaintext of a record with a frame of each type, but for padding.
func everyFrame() []byte {
	p := append(AppendMessage(nil, 1, 3, 5, Plain, 5, 2), "he"...)
	p = append(AppendMessage(p, 300, math.MaxUint64, MaxSize, Snappy, 900_000, 3), "abc"...)
	p = AppendMessage(p, 2, 0, 0, Plain, 0, 0)
	p = append(AppendPart(p, 1, 3), "llo"...)
	p = AppendCredit(p, 1, InitialLimit)
	p = AppendCredit(p, 2, math.MaxUint64)
	p = AppendPing(p, Ping, [8]byte{1, 2, 3, 4, 5, 6, 7, 8})
	p = AppendPing(p, Pong, [8]byte{8, 7, 6, 5, 4, 3, 2, 1})
	return AppendDisconnect(p, 4)
}

func TestFramesAreWrittenAsTheSpecificationLaysThemOut(t *testing.T) {
	for want, got := range map[string][]byte{
		"01 01 03 05 00 05 02":                   AppendMessage(nil, 1, 3, 5, Plain, 5, 2),
		"01 80 01 ff 01 80 80 40 01 ac 02 ff 01": AppendMessage(nil, 128, 255, 1<<20, Snappy, 300, 255),
		"02 7f 80 01":                            AppendPart(nil, 127, 128),
		"03 02 80 80 10":                         AppendCredit(nil, 2, InitialLimit),
		"03 01 ff ff ff ff ff ff ff ff ff 01":    AppendCredit(nil, 1, math.MaxUint64),
		"04 00 01 02 03 04 05 06 07":             AppendPing(nil, Ping, [8]byte{0, 1, 2, 3, 4, 5, 6, 7}),
		"05 00 01 02 03 04 05 06 07":             AppendPing(nil, Pong, [8]byte{0, 1, 2, 3, 4, 5, 6, 7}),
		"06 10":                                  AppendDisconnect(nil, 0x10),
		"06 ff 01":                               AppendDisconnect(nil, 0xff),
	} {
		if fmt.Sprintf("% x", got) != want {
			t.Errorf("% x, want %s", got, want)
		}
	}
}

func TestEveryFrameIsReadBackAsItWasWritten(t *testing.T) {
	plain := everyFrame()
	all, err := frames(plain)
	if err != nil || len(all) != 9 {
		t.Fatalf("%d frames, %v", len(all), err)
	}
	var again []byte
	for i := range all {
		again = encode(again, &all[i])
	}
	if !bytes.Equal(again, plain) {
		t.Errorf("written again: %x, want %x", again, plain)
	}
	for i, want := range []uint64{MessageCost + 2, MessageCost + 3, MessageCost, 3, 0, 0, 0, 0, 0} {
		if got := all[i].Cost(); got != want {
			t.Errorf("frame %d costs %d, want %d", i, got, want)
		}
	}
}

func TestHeadsAreNoLongerThanWhatIsSetAsideForThem(t *testing.T) {
	if n := len(AppendMessage(nil, math.MaxUint64, math.MaxUint64, MaxSize, Snappy, MaxSize, MaxSize)); n > MaxHead {
		t.Errorf("the longest head of a MESSAGE has %d bytes, more than %d", n, MaxHead)
	}
	if n := len(AppendPart(nil, math.MaxUint64, MaxSize)); n > MaxHead {
		t.Errorf("the longest head of a PART has %d bytes, more than %d", n, MaxHead)
	}
}

func TestPaddingEndsARecordWhateverFollows(t *testing.T) {
	for _, test := range []struct {
		plain []byte
		want  int
	}{
		{nil, 0},
		{[]byte{0}, 0},
		{[]byte{0, 9, 9, 9}, 0},
		{append(AppendCredit(nil, 1, 2), 0, 0xff, 0x80), 1},
		{append(AppendMessage(nil, 1, 0, 0, Plain, 0, 0), make([]byte, 100)...), 1},
	} {
		all, err := frames(test.plain)
		if err != nil || len(all) != test.want {
			t.Errorf("%x: %d frames, want %d; %v", test.plain, len(all), test.want, err)
		}
	}
}

func TestEveryBreachOfAFrameIsTold(t *testing.T) {
	long := func(n int) []byte { return append(bytes.Repeat([]byte{0x80}, n-1), 1) }
	cat := func(parts ...[]byte) []byte { return bytes.Join(parts, nil) }
	for _, test := range []struct {
		name  string
		plain []byte
		want  Breach
	}{
		{"type 7", []byte{7}, errUnknownType},
		{"type 255", []byte{255, 1, 1}, errUnknownType},
		{"lane in two bytes for one", []byte{3, 0x81, 0, 1}, errUvarint},
		{"zero in two bytes", []byte{6, 0x80, 0}, errUvarint},
		{"limit of 65 bits", cat([]byte{3, 1}, bytes.Repeat([]byte{0xff}, 9), []byte{2}), errUvarint},
		{"limit of eleven bytes", cat([]byte{3, 1}, long(11)), errUvarint},
		{"limit that never ends", cat([]byte{3, 1}, bytes.Repeat([]byte{0x80}, 10)), errUvarint},
		{"code not in its shortest form", []byte{1, 1, 0x83, 0, 0, 0, 0, 0}, errUvarint},
		{"size not in its shortest form", []byte{1, 1, 0, 0x80, 0x80, 0, 0, 0, 0}, errUvarint},
		{"total not in its shortest form", []byte{1, 1, 0, 0, 0, 0x80, 0, 0}, errUvarint},
		{"part not in its shortest form", []byte{1, 1, 0, 1, 0, 1, 0x81, 0, 9}, errUvarint},
		{"part of PART not in its shortest form", []byte{2, 1, 0x81, 0, 9}, errUvarint},
		{"cut after the type of a CREDIT", []byte{3}, errCut},
		{"cut in a uvarint", []byte{3, 1, 0x80}, errCut},
		{"cut in a uvarint of nine bytes", cat([]byte{3, 1}, bytes.Repeat([]byte{0xff}, 9)), errCut},
		{"cut before the encoding", []byte{1, 1, 0, 0}, errCut},
		{"cut before the total", []byte{1, 1, 0, 0, 0}, errCut},
		{"cut before the part", []byte{1, 1, 0, 0, 0, 0}, errCut},
		{"cut in the part of a MESSAGE", []byte{1, 1, 0, 3, 0, 3, 3, 'a', 'b'}, errCut},
		{"cut in the part of a PART", []byte{2, 1, 2, 'a'}, errCut},
		{"part of 2^64-1 bytes", cat([]byte{2, 1}, bytes.Repeat([]byte{0xff}, 9), []byte{1}), errCut},
		{"cut in a PING", []byte{4, 1, 2, 3, 4, 5, 6, 7}, errCut},
		{"cut in a PONG", []byte{5}, errCut},
		{"cut in a DISCONNECT", []byte{6}, errCut},
		{"size of 2^24", AppendMessage(nil, 1, 0, MaxSize+1, Snappy, 1, 0), errSize},
		{"size of 2^63-1", AppendMessage(nil, 1, 0, math.MaxInt64, Snappy, 1, 0), errSize},
		{"total of 2^24", AppendMessage(nil, 1, 0, 1, Snappy, MaxSize+1, 0), errTotal},
		{"size and total of 2^24", AppendMessage(nil, 1, 0, MaxSize+1, Plain, MaxSize+1, 0), errSize},
		{"encoding 2", append(AppendMessage(nil, 1, 0, 1, 2, 1, 1), 'a'), errEncoding},
		{"encoding 255", append(AppendMessage(nil, 1, 0, 1, 255, 1, 1), 'a'), errEncoding},
		{"as it is, and total below size", append(AppendMessage(nil, 1, 0, 2, Plain, 1, 1), 'a'), errPlainSize},
		{"as it is, and total above size", append(AppendMessage(nil, 1, 0, 1, Plain, 2, 2), 'a', 'b'), errPlainSize},
		{"part longer than total", append(AppendMessage(nil, 1, 0, 1, Plain, 1, 2), 'a', 'b'), errPart},
		{"part of a message without bytes", append(AppendMessage(nil, 1, 0, 0, Plain, 0, 1), 'a'), errPart},
		{"empty part of a MESSAGE with bytes", AppendMessage(nil, 1, 0, 1, Plain, 1, 0), errEmptyPart},
		{"empty PART", AppendPart(nil, 1, 0), errEmptyPart},
	} {
		for before, head := range map[string][]byte{"alone": nil, "behind another frame": AppendCredit(nil, 1, 5)} {
			all, err := frames(append(bytes.Clone(head), test.plain...))
			var breach Breach
			if !errors.As(err, &breach) || breach != test.want || len(all) != min(1, len(head)) {
				t.Errorf("%s, %s: %d frames and %v, want %v", test.name, before, len(all), err, test.want)
			}
		}
	}
}

func TestUvarintsAreTakenInTheirShortestFormAlone(t *testing.T) {
	for shift := range 65 {
		for _, v := range []uint64{1<<shift - 1, 1 << min(shift, 63), 1<<shift + 1} {
			short := binary.AppendUvarint(nil, v)
			p := Parse(append(short, 0xaa))
			if got, err := p.uvarint(); got != v || err != nil || len(p.Rest()) != 1 {
				t.Errorf("%d: %d, %v", v, got, err)
			}
			if uvarintSize(v) != len(short) {
				t.Errorf("%d: size %d, want %d", v, uvarintSize(v), len(short))
			}
			// One byte more says the same.
			long := append([]byte(nil), short...)
			long[len(long)-1] |= 0x80
			p = Parse(append(long, 0))
			if _, err := p.uvarint(); err != errUvarint {
				t.Errorf("%d in %d bytes: %v", v, len(long)+1, err)
			}
		}
	}
}

// FuzzParse has three oracles: a frame written again is what it was read from, which holds only if there is one way to
// write each; an error is a Breach; what a frame points to lies within the plaintext.
func FuzzParse(f *testing.F) {
	f.Add([]byte(nil))
	f.Add(everyFrame())
	f.Add(append(everyFrame(), 0, 1, 2))
	f.Add([]byte{1, 1, 0x83, 0, 0, 0, 0, 0})
	f.Add([]byte{7})
	f.Add(AppendMessage(nil, 1, 0, MaxSize, Snappy, MaxSize, 1))
	f.Add(AppendMessage(nil, 1, 0, 1, Plain, 2, 2))
	f.Add(bytes.Repeat([]byte{0xff}, 20))
	f.Fuzz(func(t *testing.T, plain []byte) {
		parser := Parse(plain)
		at := 0
		for {
			var f Frame
			more, err := parser.Next(&f)
			if breach := Breach(""); err != nil && (more || !errors.As(err, &breach)) {
				t.Fatalf("%v with the error %v", more, err)
			}
			if err != nil {
				return
			}
			if !more {
				if at < len(plain) && plain[at] != byte(Padding) {
					t.Fatalf("%x is not looked at", plain[at:])
				}
				return
			}
			end := len(plain) - len(parser.Rest())
			if again := encode(nil, &f); !bytes.Equal(again, plain[at:end]) {
				t.Fatalf("%x is read as %+v, which is written as %x", plain[at:end], f, again)
			}
			if f.Type == Message && (f.Size > MaxSize || f.Total > MaxSize || len(f.Data) > f.Total || f.Encoding > Snappy) {
				t.Fatalf("%+v", f)
			}
			if cap(f.Data) != len(f.Data) {
				t.Fatalf("who appends to the part of a frame writes over the next one: %d of %d bytes", len(f.Data), cap(f.Data))
			}
			at = end
		}
	})
}
