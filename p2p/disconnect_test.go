package p2p

import (
	"encoding/hex"
	"testing"

	"github.com/ethereum/go-ethereum/rlp"
)

func TestDisconnectIsReadInEveryFormSeen(t *testing.T) {
	for payload, want := range map[string]DiscReason{
		// The list of the specification.
		"c104": DiscTooManyPeers,
		"c180": DiscRequested,
		"c110": DiscSubprotocolError,
		// go-ethereum 1.10.17 to 1.14: a bare byte, which for reason 0 is not canonical.
		"04": DiscTooManyPeers,
		"00": DiscRequested,
		// Bare integers.
		"80":     DiscRequested,
		"8190":   144,
		"c28190": 144,
		"81ff":   DiscInvalid,
		// Not canonical, and yet clear.
		"c100":     DiscRequested,
		"8104":     DiscTooManyPeers,
		"83000004": DiscTooManyPeers,
		"f80104":   DiscTooManyPeers,
		"c20405":   DiscTooManyPeers,
		"c104ffff": DiscTooManyPeers,
		"c204":     DiscTooManyPeers,
		// No reason, or none that can be one.
		"":         DiscInvalid,
		"c0":       DiscInvalid,
		"820101":   DiscInvalid,
		"c3820101": DiscInvalid,
		"c1c0":     DiscInvalid,
		"c2c104":   DiscInvalid,
		"81":       DiscInvalid,
		"c181":     DiscInvalid,
		"b8":       DiscInvalid,
		"f8":       DiscInvalid,
		"ff":       DiscInvalid,
	} {
		b, err := hex.DecodeString(payload)
		if err != nil {
			t.Fatal(err)
		}
		if got := decodeDisconnect(b); got != want {
			t.Errorf("%s is read as %d (%v), want %d", payload, uint8(got), got, uint8(want))
		}
	}
}

func TestDisconnectLengthsAreNotBelieved(t *testing.T) {
	inList := append([]byte{0xf8, 0xf0, 0x80 + 54}, make([]byte, 53)...) // says 240 bytes, in it a number of 54
	if got := decodeDisconnect(append(inList, 4)); got != DiscTooManyPeers {
		t.Errorf("a list that is cut off after its first item: %v", got)
	}
	if got := decodeDisconnect(inList); got != DiscInvalid {
		t.Errorf("a list that is cut off in its first item: %v", got)
	}
	huge := append([]byte{0xff}, "\xff\xff\xff\xff\xff\xff\xff\xff\x04"...)
	if got := decodeDisconnect(huge); got != DiscTooManyPeers {
		t.Errorf("a list of 2^64-1 bytes, as it says: %v", got)
	}
	if got := decodeDisconnect(append([]byte{0xc1, 4}, make([]byte, 16<<20)...)); got != DiscTooManyPeers {
		t.Errorf("followed by 16 MiB of zeros: %v", got)
	}
}

func TestDisconnectIsWrittenAsTheListOfTheSpecification(t *testing.T) {
	for i := range 256 {
		r := DiscReason(i)
		want, err := rlp.EncodeToBytes([]uint{uint(i)})
		if err != nil {
			t.Fatal(err)
		}
		got := encodeDisconnect(r)
		if string(got) != string(want) {
			t.Errorf("reason %d is written as %x, want %x", i, got, want)
		}
		if back := decodeDisconnect(got); back != r {
			t.Errorf("reason %d comes back as %d", i, uint8(back))
		}
	}
}

func FuzzDecodeDisconnect(f *testing.F) {
	for _, s := range []string{"", "\x04", "\x00", "\x80", "\xc1\x04", "\xc1\x80", "\xc0", "\x82\x01\x01", "\x81\x90", "\xc2\x81\x90", "\xff\x00\x00", "\xb8\x04"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, payload []byte) {
		got := decodeDisconnect(payload)
		_ = got.String()
		// Whatever strict RLP makes of it must not be different.
		var list struct{ R uint8 }
		if rlp.DecodeBytes(payload, &list) == nil && got != DiscReason(list.R) {
			t.Errorf("%x is read as %d, as a list it is %d", payload, got, list.R)
		}
		var bare uint8
		if rlp.DecodeBytes(payload, &bare) == nil && got != DiscReason(bare) {
			t.Errorf("%x is read as %d, as a number it is %d", payload, got, bare)
		}
		if cut := payload[:min(len(payload), maxDisconnectSize)]; decodeDisconnect(cut) != got {
			t.Errorf("%x: what follows the first %d bytes counts", payload, maxDisconnectSize)
		}
	})
}
