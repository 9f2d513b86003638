package main

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/ethereum/go-ethereum/crypto/keccak"

	"github.com/sennit-net/sennit/internal/frame"
)

// snappyGrowth is what a payload that does not compress grows by in each Snappy block of 64 KiB, about, in bytes; the
// message's code is one byte more.
const snappyGrowth = 3

// floor returns the microseconds of CPU that RLPx's MAC and cipher alone take for one message of that size, both ends:
// sealing and opening its frame and nothing else, on two cores at once as in the row itself. No implementation on this
// Keccak can need less.
func floor(size int, d time.Duration) (float64, error) {
	data := 1 + snappyGrowth*(1+size>>16) + size
	var frames atomic.Int64
	var wg sync.WaitGroup
	ends := make([]func(), 2)
	for i := range ends {
		secret := make([]byte, 32)
		sealer, err := frame.NewSealer(secret, secret, keccak.NewLegacyKeccak256())
		if err != nil {
			return 0, err
		}
		opener, err := frame.NewOpener(secret, secret, keccak.NewLegacyKeccak256())
		if err != nil {
			return 0, err
		}
		buf := random(frame.SealedSize(data))
		ends[i] = func() {
			sealer.Seal(buf, data)
			if n, whole, err := opener.Open(buf); err != nil || n != data || !whole {
				panic("a frame does not open")
			}
		}
	}
	m0 := readMeter()
	for _, once := range ends {
		wg.Go(func() {
			for time.Since(m0.at) < d {
				once()
				frames.Add(1)
			}
		})
	}
	wg.Wait()
	return (readMeter().cpu - m0.cpu).Seconds() * 1e6 / float64(frames.Load()), nil
}
