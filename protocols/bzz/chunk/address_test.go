package chunk

import (
	"encoding/json"
	"strings"
	"testing"
)

func TestParseAddressReadsWhatStringWrites(t *testing.T) {
	want := Address{0: 0xab, 31: 0x01}
	for _, s := range []string{want.String(), strings.ToUpper(want.String()), "0x" + want.String(), "0X" + want.String()} {
		got, err := ParseAddress(s)
		if err != nil || got != want {
			t.Errorf("%s: %v, %v", s, got, err)
		}
	}
	text, err := json.Marshal(map[string]Address{"a": want})
	if err != nil {
		t.Fatal(err)
	}
	var back map[string]Address
	if err := json.Unmarshal(text, &back); err != nil || back["a"] != want {
		t.Fatalf("through JSON: %v, %v", back, err)
	}
}

func TestParseAddressSaysWhatIsWrong(t *testing.T) {
	for s, want := range map[string]string{
		"":                                 "0 digits",
		"0x":                               "2 digits",
		strings.Repeat("a", 63):            "63 digits",
		"0x" + strings.Repeat("a", 66):     "66 digits",
		strings.Repeat("g", 64):            "invalid byte",
		"0x" + strings.Repeat("ab", 31):    "62 digits",
		strings.Repeat("a", 63) + "\u00e4": "65 digits",
	} {
		if got, err := ParseAddress(s); err == nil || !strings.Contains(err.Error(), want) || got != (Address{}) {
			t.Errorf("%q: %v, %v, want an error with %q", s, got, err, want)
		}
	}
}

func TestProximityOrderCountsSharedLeadingBits(t *testing.T) {
	tests := []struct {
		a, b Address
		want int
	}{
		{Address{}, Address{}, 256},
		{Address{0: 0x80}, Address{}, 0},
		{Address{0: 0x40}, Address{}, 1},
		{Address{0: 1}, Address{}, 7},
		{Address{1: 0x80}, Address{}, 8},
		{Address{5: 0xff, 31: 1}, Address{5: 0xff}, 255},
	}
	for _, tt := range tests {
		if got := tt.a.PO(tt.b); got != tt.want {
			t.Errorf("%v and %v: %d, want %d", tt.a, tt.b, got, tt.want)
		}
		if got := tt.b.PO(tt.a); got != tt.want {
			t.Errorf("%v and %v, the other way round: %d, want %d", tt.a, tt.b, got, tt.want)
		}
	}
}
