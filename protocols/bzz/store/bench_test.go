package store

import (
	"encoding/binary"
	"testing"

	"github.com/sennit-net/sennit/protocols/bzz/chunk"
)

// random returns a full chunk for each i whose address was made up, because hashing is not what is measured.
func random(i int) chunk.Chunk {
	var addr chunk.Address
	x := uint64(i)
	for j := range 4 {
		x = (x + 0x9e3779b97f4a7c15) * 0xbf58476d1ce4e5b9
		x ^= x >> 29
		binary.BigEndian.PutUint64(addr[8*j:], x)
	}
	data := make([]byte, chunk.MaxDataSize)
	binary.LittleEndian.PutUint64(data[100:], x)
	c, err := chunk.Trusted(addr, data)
	if err != nil {
		panic(err)
	}
	return c
}

func BenchmarkPut(b *testing.B) {
	for _, bb := range []struct {
		name   string
		chunks int64
	}{{"growing", 1 << 20}, {"full", 20000}} {
		b.Run(bb.name, func(b *testing.B) {
			s := mustOpen(b, b.TempDir(), Options{Capacity: bb.chunks * SlotSize})
			defer s.Close()
			b.SetBytes(chunk.MaxDataSize)
			i := 0
			for b.Loop() {
				if _, err := s.Put(b.Context(), random(i)); err != nil {
					b.Fatal(err)
				}
				i++
			}
			if err := s.Sync(b.Context()); err != nil {
				b.Fatal(err)
			}
		})
	}
}

func BenchmarkGet(b *testing.B) {
	const n = 20000
	s := mustOpen(b, b.TempDir(), Options{})
	defer s.Close()
	for i := range n {
		if _, err := s.Put(b.Context(), random(i)); err != nil {
			b.Fatal(err)
		}
	}
	if err := s.Sync(b.Context()); err != nil {
		b.Fatal(err)
	}
	b.SetBytes(chunk.MaxDataSize)
	i := 0
	for b.Loop() {
		if _, err := s.Get(b.Context(), random(i%n).Address()); err != nil {
			b.Fatal(err)
		}
		i += 7
	}
}
