package frame

import (
	"bytes"
	"encoding"
	"errors"
	"hash"
	"math/rand/v2"
	"testing"

	"github.com/cloudflare/circl/simd/keccakf1600"
	"github.com/ethereum/go-ethereum/crypto/keccak"
)

func TestTwoDigestsAtOnceAreThoseOfTheHash(t *testing.T) {
	rng := rand.NewChaCha8([32]byte{})
	twin := twins.Get().(*twin)
	input := make([]byte, 300)
	rng.Read(input)
	for n := range input {
		var want [2][]byte
		for lane, text := range [][]byte{input[:n], input[n:]} {
			h := keccak.NewLegacyKeccak256()
			h.Write(text)
			if !twin.load(lane, h.(encoding.BinaryAppender)) {
				t.Fatal("the state of a Keccak-256 is not understood")
			}
			want[lane] = h.Sum(nil)
		}
		twin.permute()
		for lane := range want {
			got := make([]byte, 32)
			if twin.digest(got, lane); !bytes.Equal(got, want[lane]) {
				t.Fatalf("%d bytes, lane %d: digest %x, want %x", n, lane, got, want[lane])
			}
		}
	}
}

// oneByOne hides that the state of a hash can be read.
type oneByOne struct{ hash.Hash }

func TestFramesAreTheSameWithOneDigestAtATime(t *testing.T) {
	secret := make([]byte, SecretSize)
	sealer, opener, err := NewPair(secret, secret, keccak.NewLegacyKeccak256(), keccak.NewLegacyKeccak256())
	if err != nil {
		t.Fatal(err)
	}
	if sealer.mac.states == nil && keccakf1600.IsEnabledX4() {
		t.Error("this processor computes two digests at a time, and it is not used")
	}
	slowSealer, slowOpener, err := NewPair(secret, secret, oneByOne{keccak.NewLegacyKeccak256()}, oneByOne{keccak.NewLegacyKeccak256()})
	if err != nil {
		t.Fatal(err)
	}
	if slowSealer.mac.states != nil || slowOpener.mac.states != nil {
		t.Error("the state of a hash is used that does not show it")
	}
	for n := 1; n < 600; n += 7 {
		data := bytes.Repeat([]byte{byte(n)}, n)
		frame := seal(sealer, data)
		if slow := seal(slowSealer, data); !bytes.Equal(frame, slow) {
			t.Fatalf("%d bytes sealed\n%x, one digest at a time\n%x", n, frame, slow)
		}
		for _, o := range []*Opener{opener, slowOpener} {
			if got, err := open(o, bytes.Clone(frame)); err != nil || !bytes.Equal(got, data) {
				t.Fatalf("%d bytes opened as %x, %v", n, got, err)
			}
		}
	}
}

// lyingHash encodes a state that is not its own.
type lyingHash struct {
	hash.Hash
	encoded []byte
	err     error
}

func (l lyingHash) AppendBinary(b []byte) ([]byte, error) { return append(b, l.encoded...), l.err }

func TestStatesThatAreNotUnderstoodAreNotUsed(t *testing.T) {
	h := keccak.NewLegacyKeccak256()
	good, err := h.(encoding.BinaryAppender).AppendBinary(nil)
	if err != nil {
		t.Fatal(err)
	}
	full := bytes.Clone(good)
	full[len(full)-2] = 136
	for name, l := range map[string]lyingHash{
		"another length":             {h, good[1:], nil},
		"more pending than there is": {h, full, nil},
		"another state":              {h, bytes.Repeat([]byte{1}, len(good)), nil},
		"an error":                   {h, good, errors.New("no")},
	} {
		if statesOf(l, h.Sum(nil)) != nil {
			t.Errorf("%s: used", name)
		}
	}
	if keccakf1600.IsEnabledX4() && statesOf(lyingHash{h, good, nil}, h.Sum(nil)) == nil {
		t.Error("not used, though it is right")
	}
}
