package p2p

import (
	"bytes"
	"io"
	"testing"
)

func BenchmarkSend(b *testing.B) {
	w := new(discarder)
	data := any([]uint64{1, 2, 3})
	b.ReportAllocs()
	for b.Loop() {
		if err := Send(w, 1, data); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkDecode(b *testing.B) {
	r := bytes.NewReader([]byte{0xc3, 1, 2, 3})
	var v struct{ A, B, C uint64 }
	b.ReportAllocs()
	for b.Loop() {
		r.Seek(0, io.SeekStart)
		if err := (Msg{Size: 4, Payload: r}).Decode(&v); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkMatchProtocols(b *testing.B) {
	local := []Protocol{proto("eth", 68, 17), proto("eth", 69, 18), proto("snap", 1, 8), proto("shh", 6, 128)}
	remote := []Cap{{"eth", 68}, {"eth", 69}, {"shh", 6}, {"snap", 1}}
	b.ReportAllocs()
	for b.Loop() {
		matchProtocols(local, remote)
	}
}
