package link

import (
	"errors"
	"runtime"
	"testing"

	"github.com/golang/snappy"

	"github.com/sennit-net/sennit/internal/lanes"
)

// A message whose block does not declare its size is a breach, and must not be delivered: the memory it would be handed out
// in has been another link's.
func TestABlockThatSaysAnotherSizeIsNeitherDeliveredNorGivenMemory(t *testing.T) {
	short := snappy.Encode(nil, pattern(64))
	long := append([]byte{0xff, 0xff, 0xff, 0xff, 0x07}, make([]byte, 20)...) // says that it becomes 2 GiB
	for name, block := range map[string][]byte{"less than the size": short, "more than the size": long} {
		t.Run(name, func(t *testing.T) {
			ca, cb := tcpPair(t)
			r, l := newRawLanes(t, ca, cb, lanesNamed("aaa"), nil)
			cause := run(t, l)
			go r.drain()
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			r.send(append(lanes.AppendMessage(nil, 1, 0, 400, lanes.Snappy, len(block), len(block)), block...))
			if m, err := l.Lanes()[0].Read(); err == nil {
				t.Errorf("a message of %d bytes is delivered", m.Size)
			}
			runtime.ReadMemStats(&after)
			if mib := (after.TotalAlloc - before.TotalAlloc) >> 20; mib > 10 {
				t.Errorf("%d MiB were allocated for it", mib)
			}
			var breach lanes.Breach
			if c := <-cause; !errors.As(c.Err, &breach) || c.Reason != reasonProtocolError {
				t.Errorf("cause %+v", c)
			}
		})
	}
}
