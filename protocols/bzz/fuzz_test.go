package bzz

import (
	"testing"

	"github.com/sennit-net/sennit/protocols/bzz/wire"
)

// FuzzPeer plays a peer that sends whatever comes: for each message one byte that chooses protocol and code, one with its
// length, and so many bytes of payload, wrapped or not. The node must neither crash nor keep anything once the peer has
// gone, and the link must end when the peer ends it.
func FuzzPeer(f *testing.F) {
	script := func(messages ...wire.Message) (data []byte) {
		for _, m := range messages {
			payload := wire.Append(nil, m)
			proto := byte(0)
			switch m.(type) {
			case wire.Handshake:
				proto = 2
			case wire.Peers, wire.SubPeers:
				proto = 1
			}
			data = append(data, proto<<6|byte(m.Code()), byte(len(payload)))
			data = append(data, payload...)
		}
		return data
	}
	chunks := chunksOfBin(1, 3)
	f.Add(script(wire.SubPeers{Depth: 3}, wire.Peers{Addrs: []wire.PeerAddr{{Overlay: near(3, 3), Underlay: []byte("enode://")}}}))
	f.Add(script(wire.Subscribe{Stream: wire.SyncBin(1), Range: &wire.Range{}, Priority: 2},
		wire.WantedHashes{Stream: wire.SyncBin(1), Want: wire.NewBits(1), From: 3}))
	f.Add(script(wire.RequestSubscription{Stream: wire.SyncBin(1), Range: &wire.Range{}, Priority: 2},
		offerOf(wire.SyncBin(1), 1, chunks[:2]...), wire.Delivery{Addr: chunks[1].Address(), Data: chunks[1].Data(), Syncing: true},
		wire.Quit{Stream: wire.SyncBin(1)}, wire.Unsubscribe{Stream: wire.SyncBin(1)}))
	f.Add(script(wire.RetrieveRequest{Addr: chunks[0].Address(), SkipCheck: true}, wire.RetrieveRequest{Addr: chunks[2].Address()},
		wire.SubscribeError{Text: "no"}, wire.Handshake{Version: 8, NetworkID: 3}))
	f.Fuzz(func(t *testing.T, data []byte) {
		n := newNode(t, nil)
		put(t, n, chunks[0])
		r := meet(t, n, near(0, 1), false)
		protos := []string{wire.StreamName, wire.HiveName, wire.BzzName, wire.StreamName}
		for len(data) >= 2 {
			head, size := data[0], min(int(data[1]), len(data)-2)
			r.sayBytes(protos[head>>6], uint64(head&0x3f), data[2:2+size])
			data = data[2+size:]
		}
		for _, pipe := range r.pipes {
			pipe.Close()
		}
		r.end("")
		if s := n.Stats(); s.Searches != 0 || s.Peers != 0 || s.Queued != 0 {
			t.Errorf("%+v", s)
		}
	})
}

// FuzzLaterPeer is FuzzPeer for a peer of the later dialect.
func FuzzLaterPeer(f *testing.F) {
	protos := []string{wire.PullName, wire.RetrieveName, wire.HiveName, wire.BzzName}
	stream := wire.Stream{Name: wire.SyncStream, Key: "1"}
	chunks := chunksOfBin(1, 3)
	script := func(proto int, messages ...wire.Message) (data []byte) {
		for _, m := range messages {
			payload := wire.AppendLater(nil, m)
			data = append(data, byte(proto)<<6|byte(m.Code()), byte(len(payload)))
			data = append(data, payload...)
		}
		return data
	}
	f.Add(script(0, wire.StreamInfoReq{Streams: []wire.Stream{stream}}, wire.GetRange{ID: 1, Stream: stream, From: 1, To: 1, Batch: 64}, wire.PullWanted{ID: 1, Want: wire.Bits{1}}))
	f.Add(script(0, wire.StreamInfoRes{Streams: []wire.StreamInfo{{Stream: stream, Cursor: 2}}}, wire.PullOffer{ID: 1, Last: 2, Hashes: hashesOf(chunks[1:]...)}))
	f.Add(script(1, wire.LaterRetrieveRequest{ID: 1, Addr: chunks[0].Address()}, wire.LaterDelivery{ID: 2, Addr: chunks[1].Address(), Data: chunks[1].Data()}))
	f.Add(script(2, wire.LaterPeers{Addrs: []wire.PeerAddr{{Overlay: near(3, 3), Caps: wire.CapsFull}}}, wire.SubPeers{Depth: 2}))
	f.Fuzz(func(t *testing.T, data []byte) {
		n := newNode(t, func(c *Config) { c.SyncDelay = 1 })
		put(t, n, chunks[0])
		r := meetLater(t, n, near(0, 1))
		for len(data) >= 2 {
			head, size := data[0], min(int(data[1]), len(data)-2)
			r.sayBytes(protos[head>>6], uint64(head&0x3f), data[2:2+size])
			data = data[2+size:]
		}
		for _, pipe := range r.pipes {
			pipe.Close()
		}
		r.end("")
		if s := n.Stats(); s.Searches != 0 || s.Peers != 0 || s.Queued != 0 {
			t.Errorf("%+v", s)
		}
	})
}
