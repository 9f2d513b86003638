package frame

import (
	"fmt"
	"testing"

	"github.com/ethereum/go-ethereum/crypto/keccak"

	"github.com/sennit-net/sennit/internal/race"
)

func TestFramesCostNoAllocation(t *testing.T) {
	if race.Enabled {
		t.Skip("the race detector has pools lose what they are given")
	}
	sealer, opener := pair(t, "allocations")
	for _, n := range []int{1, 64, 1 << 10, 1 << 16} {
		buf := make([]byte, SealedSize(n))
		allocs := testing.AllocsPerRun(20, func() {
			sealer.Seal(buf, n)
			if _, err := open(opener, buf); err != nil {
				t.Fatal(err)
			}
			sealer.SealHeader(buf, n)
			sealer.SealBody(buf[HeaderSize : len(buf)-MACSize])
			sealer.SealMAC(buf[len(buf)-MACSize:])
			if _, err := open(opener, buf); err != nil {
				t.Fatal(err)
			}
		})
		if allocs != 0 {
			t.Errorf("%d bytes: %v allocations for two frames, want none", n, allocs)
		}
	}
	code := make([]byte, 0, MaxCodeSize)
	if allocs := testing.AllocsPerRun(100, func() {
		if _, _, err := SplitCode(AppendCode(code, 0x1234)); err != nil {
			t.Fatal(err)
		}
	}); allocs != 0 {
		t.Errorf("%v allocations for a message code, want none", allocs)
	}
}

// BenchmarkFrame measures both halves beside what bounds them: Keccak-256 alone over as many bytes.
func BenchmarkFrame(b *testing.B) {
	for _, n := range []int{64, 1 << 10, 1 << 20} {
		b.Run(fmt.Sprintf("keccak/%d", n), func(b *testing.B) {
			b.SetBytes(int64(n))
			h, data, digest := keccak.NewLegacyKeccak256(), make([]byte, n), make([]byte, 0, 32)
			for b.Loop() {
				h.Reset()
				h.Write(data)
				h.Sum(digest)
			}
		})
		b.Run(fmt.Sprintf("seal/%d", n), func(b *testing.B) {
			b.SetBytes(int64(n))
			b.ReportAllocs()
			sealer, _ := pair(b, "bench")
			buf := make([]byte, SealedSize(n))
			for b.Loop() {
				sealer.Seal(buf, n)
			}
		})
		b.Run(fmt.Sprintf("open/%d", n), func(b *testing.B) {
			b.SetBytes(int64(n))
			b.ReportAllocs()
			// The sealer runs outside the clock, many frames at a time, so that starting and stopping it costs little.
			sealer, opener := pair(b, "bench")
			frames := make([]byte, SealedSize(n)*max(1, (1<<18)/n))
			size := SealedSize(n)
			next := len(frames)
			for b.Loop() {
				if next == len(frames) {
					b.StopTimer()
					for i := 0; i < len(frames); i += size {
						sealer.Seal(frames[i:i+size], n)
					}
					next = 0
					b.StartTimer()
				}
				if _, err := open(opener, frames[next:next+size]); err != nil {
					b.Fatal(err)
				}
				next += size
			}
		})
	}
}
