package bzz

import (
	"encoding/binary"
	"runtime"
	"testing"
	"testing/synctest"

	"github.com/ethereum/go-ethereum/rlp"

	"github.com/sennit-net/sennit/protocols/bzz/chunk"
	"github.com/sennit-net/sennit/protocols/bzz/store"
	"github.com/sennit-net/sennit/protocols/bzz/wire"
)

// peerBudget is what a peer can make a node keep besides what waits to be sent to it, in bytes.
const peerBudget = 6 << 20

// manyHashes returns n addresses that no chunk has.
func manyHashes(seed, n int) []byte {
	hashes := make([]byte, n*chunk.AddressSize)
	for i := range n {
		binary.BigEndian.PutUint64(hashes[i*chunk.AddressSize:], uint64(seed*n+i+1))
		binary.BigEndian.PutUint64(hashes[i*chunk.AddressSize+8:], uint64(seed*n+i+1)*0x9e3779b97f4a7c15)
	}
	return hashes
}

func heap() uint64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// TestWhatAPeerCanMakeUsKeepIsBounded has a peer offer as much as it may on as many streams as it may, name more addresses
// and ask for more chunks than are remembered.
func TestWhatAPeerCanMakeUsKeepIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNode(t, func(c *Config) { c.NoDial = true })
		r := meet(t, n, near(0, 1), false)
		synctest.Wait()
		r.rest()
		before := heap()
		for bin := range 2 * store.Bins {
			live := wire.SyncBin(bin)
			r.say(wire.StreamName, wire.RequestSubscription{Stream: live, Range: &wire.Range{}, Priority: 2})
			if bin >= store.Bins {
				continue // refused
			}
			for i, stream := range []wire.Stream{live, live.History()} {
				for j := range uint64(2) { // one that is awaited, and one that is held back
					hashes := manyHashes(4*bin+2*i+int(j), wire.MaxOffer)
					r.say(wire.StreamName, wire.OfferedHashes{Stream: stream, From: j, To: j, Hashes: hashes})
				}
			}
		}
		for i := range 10_000 {
			r.say(wire.StreamName, wire.RetrieveRequest{Addr: chunk.Address(manyHashes(1000+i, 1)), SkipCheck: true})
		}
		for i := range 10 {
			var m wire.Peers
			for j := range 2000 {
				m.Addrs = append(m.Addrs, wire.PeerAddr{Overlay: someChunk(i*2000 + j).Address(), Underlay: make([]byte, wire.MaxUnderlay)})
			}
			r.say(wire.HiveName, m)
		}
		synctest.Wait()
		r.rest()
		after := heap()
		if info, _ := n.peerInfo(n.onlyPeer(t)); info.Taken != 2*store.Bins {
			t.Errorf("%+v", info)
		}
		if s := n.Stats(); s.Wanted != 2*store.Bins*wire.MaxOffer || s.Searches != maxForwards {
			t.Errorf("%+v", s)
		}
		grown := int64(after) - int64(before)
		t.Logf("%d KiB", grown>>10)
		if grown > peerBudget {
			t.Errorf("the node keeps %d bytes more, at most %d are allowed", grown, peerBudget)
		}
		runtime.KeepAlive(n)
	})
}

// TestAHandshakeInALargeMessageIsKeptWithoutIt has peers come and go whose handshakes have a long context in their wrapper.
// The table remembers their addresses.
func TestAHandshakeInALargeMessageIsKeptWithoutIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNode(t, func(c *Config) { c.NoDial = true })
		before := heap()
		for i := range 8 {
			r := link(t, n, near(0, byte(i)))
			inner, err := wire.Unwrap(wire.Append(nil, wire.Handshake{Version: 8, NetworkID: 3, Addr: r.addr}))
			if err != nil {
				t.Fatal(err)
			}
			large, err := rlp.EncodeToBytes([]any{make([]byte, 4<<20), uint32(len(inner)), inner})
			if err != nil {
				t.Fatal(err)
			}
			r.sayBytes(wire.BzzName, wire.CodeHandshake, large)
			r.expect(wire.HiveName, wire.CodeSubPeers)
			r.say(wire.BzzName, wire.Handshake{})
			r.end("second handshake")
		}
		if grown := int64(heap()) - int64(before); grown > 4<<20 {
			t.Errorf("the node keeps %d bytes for 8 addresses", grown)
		}
		if s := n.Stats(); s.Bins[0].Known != 8 {
			t.Errorf("%+v", s.Bins)
		}
		runtime.KeepAlive(n)
	})
}
