package p2p_test

import (
	"sync"
	"testing"
	"time"

	"github.com/golang/snappy"

	"github.com/sennit-net/sennit/internal/frame"
	"github.com/sennit-net/sennit/internal/race"
	"github.com/sennit-net/sennit/p2p"
)

const (
	testBudget = 64 << 20 // Config.MemoryBudget, in bytes
	// A link may hold so many bytes beside the budget: what an inbox gets without asking, read buffers and the link.
	perLink = 112 << 10
	// Buffers that have just been given back wait in pools for the next message or two collections.
	inPools = 8 << 20
)

// flooders is so many peers, each of which sends one and the same message again and again until it cannot go on.
type flooders struct {
	clients []bareClient
	wg      sync.WaitGroup
}

// start has every client send so many frames; data is what they hold.
func (f *flooders) start(data []byte, count int) {
	for _, c := range f.clients {
		f.wg.Go(func() {
			piece := make([]byte, 16<<10)
			for i := 0; i < count && c.send(data, piece) == nil; i++ {
			}
		})
	}
}

// send seals a frame piece by piece in buf and sends it.
func (c *bareClient) send(data, buf []byte) error {
	piece := buf
	c.sealer.SealHeader(piece, len(data))
	if _, err := c.fd.Write(piece[:frame.HeaderSize]); err != nil {
		return err
	}
	for left := frame.PaddedSize(len(data)); left > 0; {
		n := min(len(piece), left)
		clear(piece[copy(piece[:n], data[min(len(data), frame.PaddedSize(len(data))-left):]):n])
		c.sealer.SealBody(piece[:n])
		if _, err := c.fd.Write(piece[:n]); err != nil {
			return err
		}
		left -= n
	}
	c.sealer.SealMAC(piece)
	_, err := c.fd.Write(piece[:frame.MACSize])
	return err
}

// stop closes all connections and waits for the clients.
func (f *flooders) stop() {
	for _, c := range f.clients {
		c.fd.Close()
	}
	f.wg.Wait()
}

func TestTheHeapStaysWithinTheBudgetThoughNobodyReads(t *testing.T) {
	peers := 1000
	if testing.Short() || race.Enabled {
		peers = 100 // the handshakes of 1,000 take half a minute under the race detector
	}
	some := peers / 10
	large := numbered(1, frame.MaxSize-9-8)
	for _, test := range []struct {
		name   string
		peers  int
		policy p2p.OverloadPolicy
		count  int    // of messages that each peer sends, if it gets that far
		data   []byte // of the frames: code 16 and a Snappy block
	}{
		{"messages of the largest size", peers, p2p.OverloadWait(time.Hour), 100, snappy.Encode(nil, large[:14<<20])},
		{"messages that expand to the largest size", some, p2p.OverloadWait(time.Hour), 100, snappy.Encode(nil, make([]byte, 1<<24-1))},
		{"messages just above a size of buffers", some, p2p.OverloadWait(time.Hour), 100, snappy.Encode(nil, make([]byte, 640<<10+1))},
		{"small messages", some, p2p.OverloadWait(time.Hour), 1e6, snappy.Encode(nil, make([]byte, 257))},
		{"messages that expand, the newest dropped", 20, p2p.OverloadDropNewest(), 50, snappy.Encode(nil, make([]byte, 640<<10+1))},
		{"messages that expand, the oldest dropped", 20, p2p.OverloadDropOldest(), 50, snappy.Encode(nil, make([]byte, 640<<10+1))},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := testProtocol("aaa", func(_ *p2p.Peer, rw p2p.MsgReadWriter) error {
				<-t.Context().Done()
				return nil
			})
			p.Overload = test.policy
			srv := quietNode(t, testBudget, p)
			f := &flooders{clients: joinBare(t, srv, test.peers, true, "aaa")}
			before := liveHeap()
			f.start(append([]byte{16}, test.data...), test.count)
			t.Cleanup(f.stop)
			settle(t, srv)
			grown := int(liveHeap()) - int(before) - test.peers*(20<<10) // the clients' buffers
			t.Logf("the heap has grown by %d KiB", grown>>10)
			if grown < testBudget/2 && !race.Enabled {
				t.Errorf("the heap has grown by %d bytes: the budget was not put to the test", grown)
			}
			if limit := testBudget + test.peers*perLink + inPools; grown > limit && !race.Enabled {
				t.Errorf("the heap has grown by %d bytes, more than %d", grown, limit)
			}
		})
	}
}

// settle waits until nothing comes in any more: everybody has sent all, or waits.
func settle(t *testing.T, srv *node) {
	t.Helper()
	last, same := uint64(0), 0
	until(t, "silence", func() bool {
		<-time.After(50 * time.Millisecond)
		now := uint64(0)
		for _, p := range srv.Peers() {
			now += p.Stats().WireBytesIn
		}
		if same++; now != last {
			last, same = now, 0
		}
		return same == 10
	})
}
