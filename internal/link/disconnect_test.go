package link

import (
	"encoding/hex"
	"testing"

	"github.com/ethereum/go-ethereum/rlp"
)

func TestDisconnectIsReadInEveryFormSeen(t *testing.T) {
	for payload, want := range map[string]uint8{
		// The list of the specification.
		"c104": 4,
		"c180": 0,
		"c110": 0x10,
		// go-ethereum 1.10.17 to 1.14: a bare byte, which for reason 0 is not canonical.
		"04": 4,
		"00": 0,
		// Bare integers.
		"80":     0,
		"8190":   144,
		"c28190": 144,
		"81ff":   ReasonInvalid,
		// Not canonical, and yet clear.
		"c100":     0,
		"8104":     4,
		"83000004": 4,
		"f80104":   4,
		"c20405":   4,
		"c104ffff": 4,
		"c204":     4,
		// No reason, or none that can be one.
		"":         ReasonInvalid,
		"c0":       ReasonInvalid,
		"820101":   ReasonInvalid,
		"c3820101": ReasonInvalid,
		"c1c0":     ReasonInvalid,
		"c2c104":   ReasonInvalid,
		"81":       ReasonInvalid,
		"c181":     ReasonInvalid,
		"b8":       ReasonInvalid,
		"f8":       ReasonInvalid,
		"ff":       ReasonInvalid,
	} {
		b, err := hex.DecodeString(payload)
		if err != nil {
			t.Fatal(err)
		}
		if got := ParseDisconnect(b); got != want {
			t.Errorf("%s is read as %d, want %d", payload, got, want)
		}
	}
}

func TestDisconnectLengthsAreNotBelieved(t *testing.T) {
	inList := append([]byte{0xf8, 0xf0, 0x80 + 54}, make([]byte, 53)...) // says 240 bytes, in it a number of 54
	if got := ParseDisconnect(append(inList, 4)); got != 4 {
		t.Errorf("a list that is cut off after its first item: %v", got)
	}
	if got := ParseDisconnect(inList); got != ReasonInvalid {
		t.Errorf("a list that is cut off in its first item: %v", got)
	}
	huge := append([]byte{0xff}, "\xff\xff\xff\xff\xff\xff\xff\xff\x04"...)
	if got := ParseDisconnect(huge); got != 4 {
		t.Errorf("a list of 2^64-1 bytes, as it says: %v", got)
	}
	if got := ParseDisconnect(append([]byte{0xc1, 4}, make([]byte, 16<<20)...)); got != 4 {
		t.Errorf("followed by 16 MiB of zeros: %v", got)
	}
}

func TestDisconnectIsWrittenAsTheListOfTheSpecification(t *testing.T) {
	for i := range 256 {
		r := uint8(i)
		want, err := rlp.EncodeToBytes([]uint{uint(i)})
		if err != nil {
			t.Fatal(err)
		}
		got := AppendDisconnect(nil, r)
		if string(got) != string(want) {
			t.Errorf("reason %d is written as %x, want %x", i, got, want)
		}
		if back := ParseDisconnect(got); back != r {
			t.Errorf("reason %d comes back as %d", i, back)
		}
	}
}

func FuzzDecodeDisconnect(f *testing.F) {
	for _, s := range []string{"", "\x04", "\x00", "\x80", "\xc1\x04", "\xc1\x80", "\xc0", "\x82\x01\x01", "\x81\x90", "\xc2\x81\x90", "\xff\x00\x00", "\xb8\x04"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, payload []byte) {
		got := ParseDisconnect(payload)
		// Whatever strict RLP makes of it must not be different.
		var list struct{ R uint8 }
		if rlp.DecodeBytes(payload, &list) == nil && got != list.R {
			t.Errorf("%x is read as %d, as a list it is %d", payload, got, list.R)
		}
		var bare uint8
		if rlp.DecodeBytes(payload, &bare) == nil && got != bare {
			t.Errorf("%x is read as %d, as a number it is %d", payload, got, bare)
		}
		if cut := payload[:min(len(payload), maxDisconnect)]; ParseDisconnect(cut) != got {
			t.Errorf("%x: what follows the first %d bytes counts", payload, maxDisconnect)
		}
	})
}
