package link

import (
	"bytes"
	"testing"
)

func TestMessagesOfAllSizesPassTheSmallestWindow(t *testing.T) {
	for _, size := range []int{1 << 20, 5 << 20, MaxMessage - 1, MaxMessage} {
		for _, data := range [][]byte{make([]byte, size), randomBytes(size), bytes.Repeat([]byte("sixteen bytes is"), size/16+1)[:size]} {
			ca, cb := tcpPair(t)
			a, b := linkPair(t, ca, cb, true, lanesNamed("aaa"), func(a, b *Config) { a.Framing, b.Framing = laneFramings(t) })
			done := make(chan error, 1)
			go func() { done <- a.Lanes()[0].Write(1, uint32(size), bytes.NewReader(data)) }()
			m, err := b.Lanes()[0].Read()
			if err != nil {
				t.Fatalf("%d bytes: %v, because %v / %v", size, err, a.cause.Load(), b.cause.Load())
			}
			var got bytes.Buffer
			if _, err := m.WriteTo(&got); err != nil || !bytes.Equal(got.Bytes(), data) {
				t.Errorf("%d bytes: %d came, %v", size, got.Len(), err)
			}
			must(t, <-done)
		}
	}
}
