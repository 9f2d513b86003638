package frame

import (
	"bytes"
	"errors"
	"math"
	"testing"
)

func TestCodesSurviveTheWire(t *testing.T) {
	tests := []struct {
		code uint64
		wire []byte
	}{
		{0, []byte{0x80}},
		{1, []byte{0x01}},
		{0x7f, []byte{0x7f}},
		{0x80, []byte{0x81, 0x80}},
		{0xff, []byte{0x81, 0xff}},
		{0x100, []byte{0x82, 0x01, 0x00}},
		{0xffffff, []byte{0x83, 0xff, 0xff, 0xff}},
		{math.MaxUint64, []byte{0x88, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}},
	}
	for _, test := range tests {
		if got := AppendCode([]byte("x"), test.code); !bytes.Equal(got[1:], test.wire) {
			t.Errorf("AppendCode(%#x) = %x, want %x", test.code, got[1:], test.wire)
		}
		code, payload, err := SplitCode(append(bytes.Clone(test.wire), "payload"...))
		if err != nil || code != test.code || string(payload) != "payload" {
			t.Errorf("SplitCode(%x) = %#x, %q, %v", test.wire, code, payload, err)
		}
	}
}

func TestCodesInOtherEncodingsAreRefused(t *testing.T) {
	for name, data := range map[string][]byte{
		"nothing":                  {},
		"zero byte for 0":          {0x00},
		"prefix for a small code":  {0x81, 0x7f},
		"leading zero":             {0x82, 0x00, 0x80},
		"zero with a prefix":       {0x81, 0x00},
		"cut short":                {0x82, 0x01},
		"prefix alone":             {0x81},
		"more than 64 bits":        {0x89, 1, 2, 3, 4, 5, 6, 7, 8, 9},
		"long string":              {0xb8, 0x01, 0x80},
		"list":                     {0xc1, 0x01},
		"longest form of a string": {0xbf, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff},
	} {
		if code, _, err := SplitCode(data); !errors.Is(err, ErrBadCode) {
			t.Errorf("%s: SplitCode(%x) = %#x, %v, want %v", name, data, code, err, ErrBadCode)
		}
	}
}

// FuzzSplitCode checks that whatever is accepted is the one encoding AppendCode makes.
func FuzzSplitCode(f *testing.F) {
	for _, seed := range [][]byte{{}, {0}, {0x80}, {0x10, 1}, {0x81, 0x80}, {0x81, 0x7f}, {0x82, 1}, {0x88, 1, 2, 3, 4, 5, 6, 7, 8, 9}, {0xc0}} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		code, payload, err := SplitCode(data)
		if err != nil {
			return
		}
		if again := append(AppendCode(nil, code), payload...); !bytes.Equal(again, data) {
			t.Fatalf("%x split into %#x and %x, which make %x", data, code, payload, again)
		}
	})
}
