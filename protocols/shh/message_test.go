package shh

import (
	"bytes"
	"errors"
	"testing"

	"github.com/ethereum/go-ethereum/crypto"
)

func TestPlaintextsAreMultiplesOf256Bytes(t *testing.T) {
	key, err := crypto.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		payload int
		signed  bool
		size    int
	}{
		{0, false, 256}, {253, false, 256}, {254, false, 512}, {255, false, 512}, {256, false, 512}, {5, true, 256}, {188, true, 256}, {189, true, 512}, {70000, true, 70144},
	}
	for _, tt := range tests {
		payload := bytes.Repeat([]byte{0xaa}, tt.payload)
		signer := key
		if !tt.signed {
			signer = nil
		}
		b, err := encodePlaintext(payload, nil, signer)
		if err != nil || len(b) != tt.size {
			t.Errorf("a payload of %d bytes makes %d, %v, want %d", tt.payload, len(b), err, tt.size)
		}
		p, err := decodePlaintext(b)
		if err != nil || !bytes.Equal(p.payload, payload) {
			t.Errorf("a payload of %d bytes comes back as %x, %v", tt.payload, p.payload, err)
		}
		from, err := p.signer()
		if err != nil || tt.signed != (from != nil) || tt.signed && !from.Equal(&key.PublicKey) {
			t.Errorf("a payload of %d bytes is signed by %v, %v", tt.payload, from, err)
		}
	}
}

func TestPaddingIsTakenAsItIs(t *testing.T) {
	b, err := encodePlaintext([]byte("payload"), []byte("pad"), nil)
	if err != nil || string(b) != "\x01\x07payloadpad" {
		t.Errorf("%q, %v", b, err)
	}
	if p, err := decodePlaintext(b); err != nil || string(p.padding) != "pad" {
		t.Errorf("%q, %v", p.padding, err)
	}
	if _, err := encodePlaintext(make([]byte, maxPayload+1), nil, nil); err == nil {
		t.Error("a payload that no size field can tell is encoded")
	}
}

func TestASignatureMayCountFrom27(t *testing.T) {
	key, err := crypto.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	b, err := encodePlaintext([]byte("payload"), nil, key)
	if err != nil {
		t.Fatal(err)
	}
	for _, add := range []byte{0, 27} {
		b[len(b)-1] += add
		p, err := decodePlaintext(b)
		if err != nil {
			t.Fatal(err)
		}
		if from, err := p.signer(); err != nil || !from.Equal(&key.PublicKey) {
			t.Errorf("%d more: %v, %v", add, from, err)
		}
	}
	b[len(b)-1] = 200
	p, err := decodePlaintext(b)
	if err != nil {
		t.Fatal(err)
	}
	if from, err := p.signer(); !errors.Is(err, errPlaintext) {
		t.Errorf("a signature of no one: %v, %v", from, err)
	}
}

func TestAMalformedPlaintextIsRefused(t *testing.T) {
	for name, b := range map[string][]byte{
		"empty":                     {},
		"size field cut off":        {3, 1, 0},
		"size beyond the end":       {1, 2, 0},
		"signed and too short":      append([]byte{flagSigned}, make([]byte, signatureSize)...)[:signatureSize],
		"nothing but a signature":   append([]byte{flagSigned}, make([]byte, signatureSize)...),
		"size within the signature": append([]byte{flagSigned | 1, 1}, make([]byte, signatureSize)...),
	} {
		if p, err := decodePlaintext(b); !errors.Is(err, errPlaintext) {
			t.Errorf("%s: %+v, %v", name, p, err)
		}
	}
	if p, err := decodePlaintext([]byte{0, 1, 2}); err != nil || len(p.payload) != 0 || len(p.padding) != 2 {
		t.Errorf("without a size field all is padding: %+v, %v", p, err)
	}
}

func FuzzDecodePlaintext(f *testing.F) {
	key, err := crypto.HexToECDSA("b71c71a67e1177ad4e901695e1b4b9ee17ae16c6668d313eac2f96dbcda3f291")
	if err != nil {
		f.Fatal(err)
	}
	for _, size := range []int{0, 5, 300} {
		b, err := encodePlaintext(make([]byte, size), nil, key)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Add([]byte{0})
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := decodePlaintext(b)
		if err != nil {
			return
		}
		if len(p.payload)+len(p.padding) >= len(b) {
			t.Errorf("%d and %d bytes of %d", len(p.payload), len(p.padding), len(b))
		}
		_, _ = p.signer()
	})
}
