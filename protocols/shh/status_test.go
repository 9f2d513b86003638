package shh

import (
	"bytes"
	"errors"
	"math"
	"strings"
	"testing"
)

func TestEveryStatusThatNodesSendIsRead(t *testing.T) {
	topic := BloomOf(Topic{1, 2, 3, 4})
	quiet := FullBloom()
	bits := math.Float64bits
	tests := []struct {
		name    string
		payload []byte
		want    status
	}{
		{"of 1.8.16 and later", encode(t, []any{6, bits(0.2), []byte{}, false}), status{0.2, quiet, false}},
		{"of a light node", encode(t, []any{6, bits(0), topic[:], true}), status{0, topic, true}},
		{"of 1.8.15", encode(t, []any{6, bits(0.5), topic[:]}), status{0.5, topic, false}},
		{"with a version alone", encode(t, []any{6}), status{0, quiet, false}},
		{"with more than we know", encode(t, []any{6, bits(1), []byte{}, false, []byte("more"), []any{1}}), status{1, quiet, false}},
		{"our own", encodeStatus(status{0.3, topic, true}), status{0.3, topic, true}},
	}
	for _, tt := range tests {
		if got, err := decodeStatus(tt.payload); err != nil || got != tt.want {
			t.Errorf("%s: %+v, %v, want %+v", tt.name, got, err, tt.want)
		}
	}
}

func TestABadStatusIsRefusedAndTheItemNamed(t *testing.T) {
	bits := math.Float64bits
	tests := []struct {
		payload []byte
		want    string
	}{
		{[]byte{0xc0}, "version"}, // Parity's
		{[]byte{0x06}, "expected List"},
		{nil, "malformed status"},
		{encode(t, []any{5, bits(0.2)}), "version 5, want 6"},
		{encode(t, []any{[]any{6}}), "version"},
		{encode(t, []any{6, bits(-1)}), "-1 for proof of work"},
		{encode(t, []any{6, bits(math.NaN())}), "NaN"},
		{encode(t, []any{6, bits(math.Inf(1))}), "Inf"},
		{encode(t, []any{6, []any{}}), "proof of work"},
		{encode(t, []any{6, bits(1), make([]byte, 63)}), "63 bytes"},
		{encode(t, []any{6, bits(1), []any{}}), "bloom filter"},
		{encode(t, []any{6, bits(1), []byte{}, 2}), "no boolean"},
		{encode(t, []any{6, bits(1), []byte{}, []any{}}), "light"},
		{append(encode(t, []any{6}), 0), "after its end"},
		{[]byte{0xc2, 0x06, 0x81}, "malformed status"},
	}
	for _, tt := range tests {
		if s, err := decodeStatus(tt.payload); !errors.Is(err, errStatus) || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%x: %+v, %v, want %q", tt.payload, s, err, tt.want)
		}
	}
}

func TestSettingsAreOneBareItem(t *testing.T) {
	topic := BloomOf(Topic{1, 2, 3, 4})
	if work, err := decodeWork(encodeWork(0.7)); err != nil || work != 0.7 {
		t.Errorf("%v, %v", work, err)
	}
	if bloom, err := decodeBloom(encodeBloom(topic)); err != nil || bloom != topic {
		t.Errorf("%v, %v", bloom, err)
	}
	if !bytes.Equal(encodeBloom(topic), encode(t, topic[:])) || !bytes.Equal(encodeWork(0.7), encode(t, math.Float64bits(0.7))) {
		t.Error("they are encoded in some other way")
	}
	for _, b := range [][]byte{nil, {0xc0}, {0x80, 0x80}, encodeWork(math.NaN()), encodeWork(-1), encodeWork(math.Inf(1)), make([]byte, 12)} {
		if work, err := decodeWork(b); err == nil {
			t.Errorf("%x is read as %v", b, work)
		}
	}
	for _, b := range [][]byte{nil, {0xc0}, {0x80}, encode(t, make([]byte, 65)), append(encodeBloom(topic), 0)} {
		if _, err := decodeBloom(b); err == nil {
			t.Errorf("%x is read", b)
		}
	}
}

func FuzzDecodeSettings(f *testing.F) {
	f.Add(encodeStatus(status{0.2, FullBloom(), false}))
	f.Add(encodeStatus(status{0.2, Bloom{1}, true}))
	f.Add(encodeWork(0.2))
	f.Add(encodeBloom(Bloom{7}))
	f.Fuzz(func(t *testing.T, payload []byte) {
		if s, err := decodeStatus(payload); err == nil {
			if again, err := decodeStatus(encodeStatus(s)); err != nil || again != s {
				t.Errorf("%+v becomes %+v, %v", s, again, err)
			}
		}
		if work, err := decodeWork(payload); err == nil && !bytes.Equal(encodeWork(work), payload) {
			t.Errorf("%x becomes %x", payload, encodeWork(work))
		}
		if bloom, err := decodeBloom(payload); err == nil && !bytes.Equal(encodeBloom(bloom), payload) {
			t.Errorf("%x becomes %x", payload, encodeBloom(bloom))
		}
	})
}
