package shh

import (
	"bytes"
	"errors"
	"testing"

	"github.com/ethereum/go-ethereum/crypto"
)

func TestOnlyTheRightKeyReads(t *testing.T) {
	plain := []byte("plaintext")
	key := NewSymKey()
	sealed, err := encryptSymmetric(key, plain)
	if err != nil || len(sealed) != len(plain)+16+12 {
		t.Fatalf("%x, %v", sealed, err)
	}
	for _, k := range [][]byte{key, NewSymKey()} {
		aead, err := newGCM(k)
		if err != nil {
			t.Fatal(err)
		}
		got, err := decryptSymmetric(aead, sealed)
		if right := bytes.Equal(k, key); right != bytes.Equal(got, plain) || !right && !errors.Is(err, errUndecryptable) {
			t.Errorf("the right key: %v, %x, %v", right, got, err)
		}
	}
	pair, err := crypto.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	other, err := crypto.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	sealed, err = encryptAsymmetric(&pair.PublicKey, plain)
	if err != nil || len(sealed) != 65+16+len(plain)+32 {
		t.Fatalf("%x, %v", sealed, err)
	}
	if got, err := decryptAsymmetric(pair, sealed); err != nil || !bytes.Equal(got, plain) {
		t.Errorf("%x, %v", got, err)
	}
	if got, err := decryptAsymmetric(other, sealed); !errors.Is(err, errUndecryptable) {
		t.Errorf("another key: %x, %v", got, err)
	}
}

func TestKeysThatAreNoneAreRefused(t *testing.T) {
	for _, key := range [][]byte{nil, make([]byte, 31), make([]byte, 32), make([]byte, 33)} {
		if _, err := encryptSymmetric(key, nil); err == nil {
			t.Errorf("a symmetric key of %d zeros encrypts", len(key))
		}
	}
	if _, err := encryptAsymmetric(nil, nil); err == nil {
		t.Error("no public key encrypts")
	}
	if _, err := encryptAsymmetric(offCurve(t), nil); err == nil {
		t.Error("a point off the curve encrypts")
	}
}

func FuzzDecrypt(f *testing.F) {
	key := bytes.Repeat([]byte{7}, SymKeySize)
	aead, err := newGCM(key)
	if err != nil {
		f.Fatal(err)
	}
	pair, err := crypto.HexToECDSA("b71c71a67e1177ad4e901695e1b4b9ee17ae16c6668d313eac2f96dbcda3f291")
	if err != nil {
		f.Fatal(err)
	}
	symmetric, err := encryptSymmetric(key, []byte("plain"))
	if err != nil {
		f.Fatal(err)
	}
	asymmetric, err := encryptAsymmetric(&pair.PublicKey, []byte("plain"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(symmetric)
	f.Add(asymmetric)
	f.Add([]byte{4})
	f.Fuzz(func(t *testing.T, data []byte) {
		before := bytes.Clone(data)
		_, _ = decryptSymmetric(aead, data)
		_, _ = decryptAsymmetric(pair, data)
		if !bytes.Equal(before, data) {
			t.Error("the data has changed")
		}
	})
}
