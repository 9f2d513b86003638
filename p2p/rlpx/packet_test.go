package rlpx

import (
	"bytes"
	"testing"

	"github.com/ethereum/go-ethereum/rlp"
)

func TestFieldsNeedTheirExactLengths(t *testing.T) {
	field := func(n int) []byte { return bytes.Repeat([]byte{7}, n) }
	tests := []struct {
		name string
		list []any
		want bool
	}{
		{"as it should be", []any{field(65), field(64), field(32), uint(4)}, true},
		{"other version", []any{field(65), field(64), field(32), uint(1 << 40)}, true},
		{"more items", []any{field(65), field(64), field(32), uint(4), field(3), []uint{1, 2}}, true},
		{"no version", []any{field(65), field(64), field(32)}, false},
		{"version is a list", []any{field(65), field(64), field(32), []uint{4}}, false},
		{"nothing", []any{}, false},
		{"long signature", []any{field(66), field(64), field(32), uint(4)}, false},
		{"short signature", []any{field(64), field(64), field(32), uint(4)}, false},
		{"long key", []any{field(65), field(65), field(32), uint(4)}, false},
		{"short key", []any{field(65), field(63), field(32), uint(4)}, false},
		{"long nonce", []any{field(65), field(64), field(33), uint(4)}, false},
		{"short nonce", []any{field(65), field(64), field(31), uint(4)}, false},
		{"nonce is a list", []any{field(65), field(64), []any{field(32)}, uint(4)}, false},
	}
	for _, test := range tests {
		text, err := rlp.EncodeToBytes(test.list)
		if err != nil {
			t.Fatal(err)
		}
		for _, padding := range [][]byte{nil, make([]byte, 100), {0xff, 0xb8}} {
			if got := new(authBody).decode(append(bytes.Clone(text), padding...)); got != test.want {
				t.Errorf("%s, padding %x: decoded %t, want %t", test.name, padding, got, test.want)
			}
		}
	}
	if new(authBody).decode([]byte{0x83, 1, 2, 3}) {
		t.Error("a string was decoded as auth")
	}
}

func TestOurPacketsHaveTheirPublishedSizes(t *testing.T) {
	var auth authBody
	var ack ackBody
	if n := len(auth.encode(nil)); n != authBodySize {
		t.Errorf("auth body of %d bytes, want %d", n, authBodySize)
	}
	if n := len(ack.encode(nil)); n != ackBodySize {
		t.Errorf("ack body of %d bytes, want %d", n, ackBodySize)
	}
	pair := newTestPair(t)
	for range 50 {
		packet := sealPacket(authBodySize, auth.encode, pair, pair.public)
		padding := len(packet) - prefixSize - eciesOverhead - authBodySize
		if padding < minPadding || padding >= minPadding+paddingSpread || len(packet) <= plainAuthSize {
			t.Errorf("packet of %d bytes with %d of padding", len(packet), padding)
		}
	}
}

func TestTheBeginningOfAnAuthTellsItsSize(t *testing.T) {
	v := vectors(t)
	tests := map[string]struct {
		begin  [2]byte
		legacy bool
		size   int
		plain  bool
	}{
		"published plain":                 {[2]byte(v["auth1"]), true, len(v["auth1"]), true},
		"published plain, not accepted":   {[2]byte(v["auth1"]), false, 2 + 0x048c, false},
		"published":                       {[2]byte(v["auth2"]), true, len(v["auth2"]), false},
		"published with more":             {[2]byte(v["auth3"]), false, len(v["auth3"]), false},
		"a size that starts like a point": {[2]byte{4, 0xff}, true, plainAuthSize, true},
		"largest that is read":            {[2]byte{8, 0}, true, MaxPacketSize, false},
		"largest":                         {[2]byte{0xff, 0xff}, true, 2 + 0xffff, false},
	}
	for name, tt := range tests {
		if size, plain := AuthSize(tt.begin, tt.legacy); size != tt.size || plain != tt.plain {
			t.Errorf("%s: %d bytes, plain %t, want %d, %t", name, size, plain, tt.size, tt.plain)
		}
	}
}
