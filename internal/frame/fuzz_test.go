package frame

import (
	"bytes"
	"testing"
)

// FuzzOpen feeds arbitrary bytes to an opener, and the same bytes behind a good header, where the body can be reached.
// Nothing may open: the MAC is not in the input.
func FuzzOpen(f *testing.F) {
	f.Add([]byte{})
	f.Add(make([]byte, HeaderSize))
	f.Add(make([]byte, SealedSize(1)))
	sealer, _ := pair(f, "another session")
	f.Add(seal(sealer, []byte("a frame of another session")))
	f.Fuzz(func(t *testing.T, input []byte) {
		sealer, _ := pair(t, "fuzz")
		if len(input) < MACSize+1 {
			return
		}
		n := len(input) - MACSize
		frame := make([]byte, SealedSize(n))
		sealer.SealHeader(frame, n)
		copy(frame[HeaderSize:], input[:n])
		copy(frame[len(frame)-MACSize:], input[n:])
		for name, open := range opened {
			_, opener := pair(t, "fuzz")
			if data, err := open(opener, bytes.Clone(input)); err == nil {
				t.Fatalf("%s: a forged frame opened: %x", name, data)
			}
			_, opener = pair(t, "fuzz")
			if data, err := open(opener, bytes.Clone(frame)); err == nil {
				t.Fatalf("%s: a forged body opened: %x", name, data)
			}
		}
	})
}

// FuzzRoundTrip seals two messages, one whole and one in pieces, and opens them in pieces of other sizes.
func FuzzRoundTrip(f *testing.F) {
	f.Add([]byte("x"), uint16(1), uint16(1))
	f.Add(bytes.Repeat([]byte("data"), 100), uint16(16), uint16(7))
	f.Add(make([]byte, 65536), uint16(48), uint16(4096))
	f.Fuzz(func(t *testing.T, data []byte, sealPiece, openPiece uint16) {
		if len(data) == 0 || len(data) > MaxSize {
			return
		}
		sealer, opener := pair(t, "round trip")
		whole := seal(sealer, data)
		pieces := make([]byte, SealedSize(len(data)))
		copy(pieces[HeaderSize:], data)
		sealer.SealHeader(pieces, len(data))
		inPieces(pieces[HeaderSize:len(pieces)-MACSize], int(sealPiece), sealer.SealBody)
		sealer.SealMAC(pieces[len(pieces)-MACSize:])

		for i, frame := range [][]byte{whole, pieces} {
			n, _, err := opener.Open(frame[:HeaderSize])
			if err != nil || n != len(data) {
				t.Fatalf("frame %d: Open = %d, %v, want %d", i, n, err, len(data))
			}
			body := frame[HeaderSize:][:PaddedSize(n)]
			inPieces(body, int(openPiece), opener.OpenBody)
			if err := opener.OpenMAC(frame[HeaderSize+len(body):]); err != nil {
				t.Fatalf("frame %d: %v", i, err)
			}
			if !bytes.Equal(body[:n], data) {
				t.Fatalf("frame %d: data changed", i)
			}
			if pad := body[n:]; !bytes.Equal(pad, make([]byte, len(pad))) {
				t.Fatalf("frame %d: padding is %x", i, pad)
			}
		}
	})
}

// inPieces calls f for consecutive pieces of b, at least 1 byte each.
func inPieces(b []byte, size int, f func([]byte)) {
	size = max(size, 1+len(b)/1000)
	for len(b) > 0 {
		n := min(size, len(b))
		f(b[:n])
		b = b[n:]
	}
}
