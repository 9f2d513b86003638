package frame

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"math/rand/v2"
	"os"
	"strings"
	"testing"

	"github.com/ethereum/go-ethereum/crypto/keccak"
)

// vectors reads the published handshake and the frames of its session.
func vectors(t testing.TB) map[string][]byte {
	t.Helper()
	text, err := os.ReadFile("testdata/vectors.txt")
	if err != nil {
		t.Fatal(err)
	}
	m := make(map[string][]byte)
	for line := range strings.Lines(string(text)) {
		name, value, ok := strings.Cut(strings.TrimSpace(line), " ")
		if !ok || name == "#" {
			continue
		}
		if m[name], err = hex.DecodeString(value); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
	}
	return m
}

// seeded returns the MAC state of the direction whose sender sent packet and whose receiver chose nonce.
func seeded(macSecret, nonce, packet []byte) hash.Hash {
	h := keccak.NewLegacyKeccak256()
	mixed := make([]byte, len(nonce))
	for i := range mixed {
		mixed[i] = macSecret[i] ^ nonce[i]
	}
	h.Write(mixed)
	h.Write(packet)
	return h
}

// pair returns the two ends of one direction, with secrets made from seed.
func pair(t testing.TB, seed string) (*Sealer, *Opener) {
	t.Helper()
	digest := func(s string) []byte {
		h := keccak.NewLegacyKeccak256()
		h.Write([]byte(s + seed))
		return h.Sum(nil)
	}
	state := func() hash.Hash { return seeded(digest("mac"), digest("nonce"), []byte("packet")) }
	sealer, err := NewSealer(digest("aes"), digest("mac"), state())
	if err != nil {
		t.Fatal(err)
	}
	opener, err := NewOpener(digest("aes"), digest("mac"), state())
	if err != nil {
		t.Fatal(err)
	}
	return sealer, opener
}

func TestTheHalvesOfAPairAreThoseMadeOneByOne(t *testing.T) {
	secret := func(b byte) []byte { return bytes.Repeat([]byte{b}, SecretSize) }
	state := func(b byte) hash.Hash { return seeded(secret(2), secret(b), []byte("packet")) }
	sealer, opener, err := NewPair(secret(1), secret(2), state(3), state(4))
	if err != nil {
		t.Fatal(err)
	}
	otherSealer, err := NewSealer(secret(1), secret(2), state(4))
	if err != nil {
		t.Fatal(err)
	}
	otherOpener, err := NewOpener(secret(1), secret(2), state(3))
	if err != nil {
		t.Fatal(err)
	}
	for i, text := range []string{"one", "a second frame, longer than a block", "3"} {
		for _, way := range []struct {
			s *Sealer
			o *Opener
		}{{sealer, otherOpener}, {otherSealer, opener}} {
			if got, err := open(way.o, seal(way.s, []byte(text))); err != nil || string(got) != text {
				t.Errorf("frame %d: %q, %v", i, got, err)
			}
		}
	}
}

// seal returns a fresh frame around data.
func seal(s *Sealer, data []byte) []byte {
	buf := make([]byte, SealedSize(len(data)))
	copy(buf[HeaderSize:], data)
	s.Seal(buf, len(data))
	return buf
}

// open opens a whole frame in place and returns its data.
func open(o *Opener, frame []byte) ([]byte, error) {
	if len(frame) < HeaderSize {
		return nil, errors.New("short header")
	}
	n, whole, err := o.Open(frame)
	if err != nil {
		return nil, err
	}
	if !whole {
		return nil, errShort
	}
	return frame[HeaderSize:][:n], nil
}

var errShort = errors.New("frame is shorter than its header says")

// openPieces opens the header by itself, then the body.
func openPieces(o *Opener, frame []byte) ([]byte, error) {
	if len(frame) < HeaderSize {
		return nil, errors.New("short header")
	}
	n, whole, err := o.Open(frame[:HeaderSize])
	if err != nil {
		return nil, err
	}
	if whole || len(frame) < SealedSize(n) {
		return nil, errShort
	}
	body := frame[HeaderSize:][:PaddedSize(n)]
	o.OpenBody(body)
	if err := o.OpenMAC(frame[HeaderSize+len(body):][:MACSize]); err != nil {
		return nil, err
	}
	return body[:n], nil
}

// opened are the ways to open a frame.
var opened = map[string]func(*Opener, []byte) ([]byte, error){"whole": open, "in pieces": openPieces}

// constantHash is the stub of vector 11d: whatever is written, the digest is 32 times 01.
type constantHash struct{ hash.Hash }

func (constantHash) Write(p []byte) (int, error) { return len(p), nil }
func (constantHash) Size() int                   { return 32 }
func (constantHash) Sum(b []byte) []byte         { return append(b, bytes.Repeat([]byte{1}, 32)...) }

func TestFrameWithConstantHashMatchesTheVector(t *testing.T) {
	want, _ := hex.DecodeString("00828ddae471818bb0bfa6b551d1cb42" + "01010101010101010101010101010101" +
		"ba628a4ba590cb43f7848f41c4382885" + "01010101010101010101010101010101")
	secret := keccak.NewLegacyKeccak256().Sum(nil)
	sealer, err := NewSealer(secret, secret, constantHash{})
	if err != nil {
		t.Fatal(err)
	}
	data := append(AppendCode(nil, 8), 0xc4, 1, 2, 3, 4)
	if got := seal(sealer, data); !bytes.Equal(got, want) {
		t.Fatalf("sealed\n%x, want\n%x", got, want)
	}
	opener, err := NewOpener(secret, secret, constantHash{})
	if err != nil {
		t.Fatal(err)
	}
	if got, err := open(opener, want); err != nil || !bytes.Equal(got, data) {
		t.Fatalf("opened %x, %v, want %x", got, err, data)
	}
}

func TestFramesOfARealSessionMatchByteForByte(t *testing.T) {
	v := vectors(t)
	directions := []struct {
		prefix        string
		nonce, packet string
		data          [][]byte // code and payload as on the wire, that is compressed but for the first
	}{
		{"a-to-b-", "nonce-b", "auth2", [][]byte{
			append([]byte{0x80}, v["hello"]...), {0x02, 0x01, 0x00, 0xc0}, {0x10, 0x05, 0x10, 0xc4, 1, 2, 3, 4}, {0x81, 0x80, 0x01, 0x00, 0xc0},
		}},
		{"b-to-a-", "nonce-a", "ack2", [][]byte{
			append([]byte{0x80}, v["hello"]...), {0x03, 0x01, 0x00, 0xc0}, {0x01, 0x02, 0x04, 0xc1, 0x04},
		}},
	}
	for _, d := range directions {
		state := func() hash.Hash { return seeded(v["mac-secret"], v[d.nonce], v[d.packet]) }
		sealer, err := NewSealer(v["aes-secret"], v["mac-secret"], state())
		if err != nil {
			t.Fatal(err)
		}
		opener, err := NewOpener(v["aes-secret"], v["mac-secret"], state())
		if err != nil {
			t.Fatal(err)
		}
		for i, data := range d.data {
			name := fmt.Sprintf("%s%d", d.prefix, i+1)
			want := v[name]
			if got := seal(sealer, data); !bytes.Equal(got, want) {
				t.Fatalf("%s: sealed\n%x, want\n%x", name, got, want)
			}
			if got, err := open(opener, want); err != nil || !bytes.Equal(got, data) {
				t.Fatalf("%s: opened %x, %v, want %x", name, got, err, data)
			}
		}
	}
}

func TestWholeAndPiecewiseSealingAgree(t *testing.T) {
	whole, opener := pair(t, "pieces")
	pieces, _ := pair(t, "pieces")
	rng := rand.New(rand.NewPCG(1, 2))
	for _, n := range []int{1, 2, 15, 16, 17, 31, 32, 63, 64, 65, 1000, 4096, 70000} {
		data := make([]byte, n)
		for i := range data {
			data[i] = byte(rng.Uint32())
		}
		want := seal(whole, data)

		got := make([]byte, SealedSize(n))
		copy(got[HeaderSize:], data)
		pieces.SealHeader(got[:HeaderSize], n)
		body := got[HeaderSize:][:PaddedSize(n)]
		for rest := body; len(rest) > 0; {
			k := min(len(rest), 16*(1+rng.IntN(20)))
			pieces.SealBody(rest[:k])
			rest = rest[k:]
		}
		pieces.SealMAC(got[len(got)-MACSize:])
		if !bytes.Equal(got, want) {
			t.Fatalf("%d bytes: sealed in pieces\n%x, at once\n%x", n, got, want)
		}
		if opened, err := open(opener, got); err != nil || !bytes.Equal(opened, data) {
			t.Fatalf("%d bytes: opened to %d bytes, %v", n, len(opened), err)
		}
	}
}

func TestSealWorksOnADirtyBuffer(t *testing.T) {
	clean, _ := pair(t, "dirty")
	dirty, _ := pair(t, "dirty")
	data := []byte("seventeen bytes!!")
	want := seal(clean, data)
	got := bytes.Repeat([]byte{0xee}, SealedSize(len(data)))
	copy(got[HeaderSize:], data)
	dirty.Seal(got, len(data))
	if !bytes.Equal(got, want) {
		t.Fatalf("sealed\n%x, want\n%x", got, want)
	}
}

func TestEveryChangedBitIsRefusedForGood(t *testing.T) {
	data := []byte("data of a frame, longer than one block")
	for name, open := range opened {
		for i := range SealedSize(len(data)) {
			sealer, opener := pair(t, "bits")
			frame, next := seal(sealer, data), seal(sealer, data)
			frame[i] ^= 1 << (i % 8)
			if _, err := open(opener, frame); !errors.Is(err, ErrBadMAC) {
				t.Fatalf("%s, byte %d changed: error %v, want %v", name, i, err, ErrBadMAC)
			}
			if _, err := open(opener, next); !errors.Is(err, ErrBadMAC) {
				t.Fatalf("%s, byte %d changed: next frame's error %v, want %v", name, i, err, ErrBadMAC)
			}
			if err := opener.OpenMAC(next[:MACSize]); !errors.Is(err, ErrBadMAC) {
				t.Fatalf("%s, byte %d changed: next MAC's error %v, want %v", name, i, err, ErrBadMAC)
			}
		}
	}
}

func TestFramesOutOfTurnAreRefused(t *testing.T) {
	for name, open := range opened {
		sealer, opener := pair(t, "turn")
		first, second := seal(sealer, []byte("first")), seal(sealer, []byte("second"))
		if _, err := open(opener, bytes.Clone(first)); err != nil {
			t.Fatal(err)
		}
		if _, err := open(opener, bytes.Clone(first)); !errors.Is(err, ErrBadMAC) {
			t.Fatalf("%s, frame replayed: error %v, want %v", name, err, ErrBadMAC)
		}
		_, opener = pair(t, "turn")
		if _, err := open(opener, second); !errors.Is(err, ErrBadMAC) {
			t.Fatalf("%s, frame skipped: error %v, want %v", name, err, ErrBadMAC)
		}
	}
}

// sealHeaderRaw seals a header with any plaintext, as a remote could.
func sealHeaderRaw(s *Sealer, plain [16]byte) []byte {
	hdr := make([]byte, HeaderSize)
	copy(hdr, plain[:])
	s.stream.XORKeyStream(hdr[:16], hdr[:16])
	copy(hdr[16:], s.mac.header(hdr[:16]))
	return hdr
}

func TestHeaderWithoutDataIsRefused(t *testing.T) {
	sealer, opener := pair(t, "empty")
	hdr := sealHeaderRaw(sealer, [16]byte{0, 0, 0, 0xc2, 0x80, 0x80})
	for range 2 {
		if _, _, err := opener.Open(hdr); !errors.Is(err, ErrEmptyFrame) {
			t.Fatalf("error %v, want %v", err, ErrEmptyFrame)
		}
	}
}

func TestHeaderDataIsIgnored(t *testing.T) {
	sealer, opener := pair(t, "headerdata")
	plain := [16]byte{0xff, 0xff, 0xff}
	for i := 3; i < len(plain); i++ {
		plain[i] = 0xff
	}
	if n, _, err := opener.Open(sealHeaderRaw(sealer, plain)); err != nil || n != MaxSize {
		t.Fatalf("Open = %d, %v, want %d", n, err, MaxSize)
	}
}

func TestSecretsOfTheWrongLengthAreRefused(t *testing.T) {
	good := make([]byte, SecretSize)
	tests := []struct {
		name     string
		aes, mac []byte
		state    hash.Hash
		want     string
	}{
		{"short AES secret", good[:16], good, keccak.NewLegacyKeccak256(), "AES secret has 16 bytes"},
		{"no AES secret", nil, good, keccak.NewLegacyKeccak256(), "AES secret has 0 bytes"},
		{"long MAC secret", good, make([]byte, 33), keccak.NewLegacyKeccak256(), "MAC secret has 33 bytes"},
		{"no MAC state", good, good, nil, "no MAC state"},
		{"long digest", good, good, keccak.NewLegacyKeccak512(), "digest of 64 bytes"},
	}
	for _, test := range tests {
		if _, err := NewSealer(test.aes, test.mac, test.state); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: NewSealer error %v, want %q", test.name, err, test.want)
		}
		if _, err := NewOpener(test.aes, test.mac, test.state); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: NewOpener error %v, want %q", test.name, err, test.want)
		}
		fine := keccak.NewLegacyKeccak256()
		for _, states := range [][2]hash.Hash{{test.state, fine}, {fine, test.state}} {
			if _, _, err := NewPair(test.aes, test.mac, states[0], states[1]); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("%s: NewPair error %v, want %q", test.name, err, test.want)
			}
		}
	}
}

func TestSealPanicsOnLengthsItCannotSend(t *testing.T) {
	sealer, _ := pair(t, "panic")
	calls := map[string]func(){
		"Seal of nothing":             func() { sealer.Seal(make([]byte, SealedSize(0)), 0) },
		"Seal into a short buffer":    func() { sealer.Seal(make([]byte, SealedSize(1)-1), 1) },
		"SealHeader of nothing":       func() { sealer.SealHeader(make([]byte, HeaderSize), 0) },
		"SealHeader beyond the limit": func() { sealer.SealHeader(make([]byte, HeaderSize), MaxSize+1) },
	}
	for name, call := range calls {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s did not panic", name)
				}
			}()
			call()
		}()
	}
}
