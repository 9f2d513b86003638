package keccak

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/ethereum/go-ethereum/crypto"
)

// eachWay runs a test in each way of hashing that this processor has.
func eachWay(t *testing.T, test func(t *testing.T)) {
	t.Run("one by one", func(t *testing.T) {
		defer func(w bool) { wide = w }(wide)
		wide = false
		test(t)
	})
	if wide {
		t.Run("several at once", test)
	}
}

func TestBlocksAreHashedAsOneByOne(t *testing.T) {
	eachWay(t, func(t *testing.T) {
		r := rand.NewChaCha8([32]byte{1})
		var h Hasher
		for length := 0; length <= BlockSize; length++ {
			for _, n := range []int{0, 1, 2, 7, 8, 9, 16, 19} {
				room := max(1, (n+Lanes-1)/Lanes*Lanes)
				src := make([]byte, room*BlockSize)
				r.Read(src)
				want := make([][]byte, n)
				for i := range want {
					want[i] = crypto.Keccak256(src[i*BlockSize:][:length])
				}
				for _, dst := range [][]byte{make([]byte, room*Size), src} {
					h.Blocks(dst, src, n, length)
					for i := range want {
						if got := dst[i*Size:][:Size]; !bytes.Equal(got, want[i]) {
							t.Fatalf("message %d of %d, %d bytes: %x, want %x", i, n, length, got, want[i])
						}
					}
				}
			}
		}
	})
}

func TestSumHashesBothParts(t *testing.T) {
	var h Hasher
	for _, n := range []int{0, 1, 135, 136, 137, 300} {
		b := make([]byte, n)
		if got, want := h.Sum(b[:n/3], b[n/3:]), crypto.Keccak256(b); !bytes.Equal(got, want) {
			t.Errorf("%d bytes: %x, want %x", n, got, want)
		}
	}
}

func TestHashingDoesNotAllocate(t *testing.T) {
	eachWay(t, func(t *testing.T) {
		var h Hasher
		dst, src := make([]byte, Lanes*Size), make([]byte, Lanes*BlockSize)
		if n := testing.AllocsPerRun(10, func() { h.Blocks(dst, src, Lanes, 64); h.Blocks(dst, src, 1, 3); h.Sum(dst, src) }); n != 0 {
			t.Fatalf("%v allocations, want none", n)
		}
	})
}

func TestAMessageThatIsTooLongPanics(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Fatal("no panic")
		}
	}()
	new(Hasher).Blocks(nil, nil, 0, BlockSize+1)
}

func BenchmarkBlocks(b *testing.B) {
	defer func(w bool) { wide = w }(wide)
	var h Hasher
	dst, src := make([]byte, Lanes*Size), make([]byte, Lanes*BlockSize)
	for _, w := range []bool{wide, false} {
		wide = w
		b.Run(fmt.Sprintf("at once %v", w), func(b *testing.B) {
			b.SetBytes(int64(len(src)))
			for b.Loop() {
				h.Blocks(dst, src, Lanes, BlockSize)
			}
		})
	}
}
