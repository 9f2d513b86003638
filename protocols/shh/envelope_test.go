package shh

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/ethereum/go-ethereum/rlp"
	"github.com/google/go-cmp/cmp"
)

// encode returns the RLP of a value. In lists, ints stand for unsigned integers.
func encode(t testing.TB, v any) []byte {
	t.Helper()
	b, err := rlp.EncodeToBytes(unsigned(v))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func unsigned(v any) any {
	switch v := v.(type) {
	case int:
		return uint(v)
	case []any:
		list := make([]any, len(v))
		for i, item := range v {
			list[i] = unsigned(item)
		}
		return list
	}
	return v
}

func TestEnvelopesComeBackAsTheyWere(t *testing.T) {
	for _, data := range [][]byte{{}, {0}, {0x7f}, {0x80}, bytes.Repeat([]byte{1}, 55), bytes.Repeat([]byte{1}, 56), make([]byte, 300), make([]byte, 70000)} {
		for _, nonce := range []uint64{0, 1, 0x80, 1 << 63} {
			e := &Envelope{Expiry: 1 << 31, TTL: 7, Topic: Topic{1, 2, 3, 4}, Data: data, Nonce: nonce}
			want := encode(t, []any{e.Expiry, e.TTL, e.Topic, e.Data, e.Nonce})
			if !bytes.Equal(e.Encoding(), want) {
				t.Fatalf("%d bytes, nonce %d: %x, want %x", len(data), nonce, e.Encoding(), want)
			}
			if short := encode(t, []any{e.Expiry, e.TTL, e.Topic, e.Data}); !bytes.Equal(e.appendShort(nil), short) || e.shortSize() != len(short) {
				t.Errorf("%d bytes: without its nonce it is %x of %d bytes, want %x", len(data), e.appendShort(nil), e.shortSize(), short)
			}
			got, err := DecodeEnvelope(want)
			if err != nil {
				t.Fatal(err)
			}
			if got.Hash() != e.Hash() || got.Expiry != e.Expiry || got.TTL != e.TTL || got.Topic != e.Topic || !bytes.Equal(got.Data, data) || got.Nonce != nonce {
				t.Errorf("%+v becomes %+v", e, got)
			}
		}
	}
}

func TestAMalformedEnvelopeIsRefusedAndTheItemNamed(t *testing.T) {
	topic := []byte{1, 2, 3, 4}
	tests := []struct {
		raw  []byte
		want string
	}{
		{nil, "malformed envelope"},
		{[]byte{0x80}, "expected List"},
		{[]byte{0xc0}, "expiry"},
		{encode(t, []any{uint64(1) << 32, 1, topic, []byte{}, 0}), "expiry: larger than 32 bits"},
		{encode(t, []any{1, uint64(1) << 32, topic, []byte{}, 0}), "ttl: larger"},
		{encode(t, []any{1, 1, topic[:3], []byte{}, 0}), "topic: 3 bytes"},
		{encode(t, []any{1, 1, []any{topic}, []byte{}, 0}), "topic"},
		{encode(t, []any{1, 1, topic, []any{}, 0}), "data"},
		{encode(t, []any{1, 1, topic, []byte{}, bytes.Repeat([]byte{1}, 9)}), "nonce"},
		{encode(t, []any{1, 1, topic, []byte{}}), "nonce"},
		{encode(t, []any{1, 1, topic, []byte{}, 0, 0}), "more than five"},
		{append(encode(t, []any{1, 1, topic, []byte{}, 0}), 0), "1 bytes after its end"},
		{[]byte{0xc8, 0x81, 0x01, 0x01, 0x84, 1, 2, 3, 4}, "expiry"}, // an integer in more bytes than it needs
	}
	for _, tt := range tests {
		if _, err := DecodeEnvelope(tt.raw); !errors.Is(err, errEnvelope) || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%x: %v, want %q", tt.raw, err, tt.want)
		}
	}
}

func readAllEnvelopes(b []byte) (list [][]byte, err error) {
	err = readEnvelopes(bytes.NewReader(b), uint32(len(b)), func(raw []byte) error {
		list = append(list, raw)
		return nil
	})
	return list, err
}

func TestAPacketIsAListOfEnvelopesAndNothingElse(t *testing.T) {
	one, two := (&Envelope{Data: []byte("one")}).Encoding(), (&Envelope{Data: make([]byte, 100)}).Encoding()
	packet := encode(t, []rlp.RawValue{one, two})
	if list, err := readAllEnvelopes(packet); err != nil || !slices.EqualFunc(list, [][]byte{one, two}, bytes.Equal) {
		t.Errorf("%x, %v", list, err)
	}
	if list, err := readAllEnvelopes([]byte{0xc0}); err != nil || len(list) != 0 {
		t.Errorf("an empty packet: %x, %v", list, err)
	}
	for name, b := range map[string][]byte{
		"nothing": {}, "a string": {0x83, 1, 2, 3}, "something after it": append(slices.Clone(packet), 0x80), "cut off": packet[:len(packet)-1],
		"an item larger than the packet": {0xc3, 0xfb, 0xff, 0xff}, "a size with leading zeros": {0xf9, 0, 1, 0x80},
	} {
		if list, err := readAllEnvelopes(b); !errors.Is(err, errPacket) {
			t.Errorf("%s: %x, %v", name, list, err)
		}
	}
	stop := errors.New("stop")
	err := readEnvelopes(bytes.NewReader(packet), uint32(len(packet)), func([]byte) error { return stop })
	if !errors.Is(err, stop) {
		t.Errorf("an error of the callee: %v", err)
	}
}

func FuzzDecodeEnvelope(f *testing.F) {
	f.Add(unhex(f, sample))
	f.Add(unhex(f, "d08001840000000084deadbeef830186a0"))
	f.Add([]byte{0xc0})
	f.Fuzz(func(t *testing.T, raw []byte) {
		e, err := DecodeEnvelope(raw)
		if err != nil {
			return
		}
		if !bytes.Equal(e.encode(), raw) {
			t.Errorf("%x becomes %x", raw, e.encode())
		}
		e.Work()
	})
}

func FuzzReadEnvelopes(f *testing.F) {
	f.Add(encode(f, []rlp.RawValue{unhex(f, sample), unhex(f, "d08001840000000084deadbeef830186a0")}))
	f.Add([]byte{0xc0})
	f.Add([]byte{0xf8, 0xff, 0xb8, 0xff})
	f.Fuzz(func(t *testing.T, packet []byte) {
		list, err := readAllEnvelopes(packet)
		if err != nil {
			return
		}
		size := 0
		for _, raw := range list {
			size += len(raw)
		}
		again := appendListHead(nil, size)
		for _, raw := range list {
			again = append(again, raw...)
		}
		if diff := cmp.Diff(packet, again); diff != "" {
			t.Error(diff)
		}
	})
}
