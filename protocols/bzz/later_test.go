package bzz

import (
	"context"
	"math"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sennit-net/sennit/p2p"
	"github.com/sennit-net/sennit/protocols/bzz/chunk"
	"github.com/sennit-net/sennit/protocols/bzz/wire"
)

// pull returns the next message of bzz-stream, parsed.
func pull[M any](r *remote, code uint64, parse func([]byte) (M, error)) M {
	r.t.Helper()
	m, err := parse(r.expect(wire.PullName, code))
	if err != nil {
		r.t.Fatal(err)
	}
	return m
}

// hashesOf returns the addresses of chunks one after the other.
func hashesOf(chunks ...chunk.Chunk) (hashes []byte) {
	for _, c := range chunks {
		a := c.Address()
		hashes = append(hashes, a[:]...)
	}
	return hashes
}

func TestTheLaterHandshakeHasCapabilities(t *testing.T) {
	n := newNode(t, nil)
	r := meetLater(t, n, near(0, 1))
	r.alive(n)
	if info, ok := n.peerInfo(n.onlyPeer(t)); !ok || !info.Later || info.Light {
		t.Errorf("%+v, %v", info, ok)
	}
	for _, test := range []struct {
		m    wire.LaterHandshake
		want string
	}{
		{wire.LaterHandshake{Version: 14, NetworkID: 3, Addr: wire.PeerAddr{Overlay: near(1, 1), Caps: wire.CapsFull}}, "network id 3, ours is 4"},
		{wire.LaterHandshake{Version: 13, NetworkID: 4, Addr: wire.PeerAddr{Overlay: near(1, 1), Caps: wire.CapsFull}}, "version 13, ours is 14"},
		{wire.LaterHandshake{Version: 14, NetworkID: 4, Addr: wire.PeerAddr{Overlay: near(1, 1)}}, wire.ErrCaps.Error()},
	} {
		r := linkWith(t, n, near(1, 1), []p2p.Cap{{Name: "bzz", Version: 14}})
		r.say(wire.BzzName, test.m)
		r.end(test.want)
	}
}

func TestPeersHearOnlyOfThoseOfTheirDialect(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNode(t, nil)
		early := meet(t, n, near(0, 1), false)
		later := meetLater(t, n, near(0, 2))
		other := meetLater(t, n, near(0, 3))
		m, err := wire.ParseLaterPeers(later.expect(wire.HiveName, wire.CodePeers))
		if err != nil || len(m.Addrs) != 1 || m.Addrs[0].Overlay != other.addr.Overlay || !slices.Equal(m.Addrs[0].Caps, wire.CapsFull) {
			t.Errorf("%+v, %v", m, err)
		}
		other.say(wire.HiveName, wire.LaterPeers{Addrs: []wire.PeerAddr{{Overlay: near(3, 3), Underlay: []byte("x"), Caps: []byte{1}}}})
		if m, err = wire.ParseLaterPeers(later.expect(wire.HiveName, wire.CodePeers)); err != nil || string(m.Addrs[0].Caps) != "\x01" {
			t.Errorf("%+v, %v", m, err)
		}
		early.silent(wire.CodePeers)
	})
}

func TestLaterRequestsAreAnsweredWithTheirNumber(t *testing.T) {
	n := newNode(t, nil)
	here, there := someChunk(1), someChunk(2)
	put(t, n, here)
	asking, holder := meetLater(t, n, near(0, 1)), meet(t, n, near(0, 2), false)
	asking.say(wire.RetrieveName, wire.LaterRetrieveRequest{ID: 7, Addr: here.Address()})
	asking.say(wire.RetrieveName, wire.LaterRetrieveRequest{ID: 8, Addr: there.Address()})
	holder.expectRequest()
	holder.deliver(there)
	got := map[uint64]string{}
	for range 2 {
		m, err := wire.ParseLaterDelivery(asking.expect(wire.RetrieveName, wire.CodeLaterDelivery))
		if err != nil {
			t.Fatal(err)
		}
		got[m.ID] = string(m.Data)
	}
	if got[7] != string(here.Data()) || got[8] != string(there.Data()) {
		t.Errorf("%v", got)
	}
}

func TestBinsArePulledFromBeginToEndAndThenAsTheyGrow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNode(t, nil)
		chunks := chunksOfBin(1, 10)
		put(t, n, chunks[1])
		r := meetLater(t, n, near(0, 1))
		req := pull(r, wire.CodeStreamInfoReq, wire.ParseStreamInfoReq)
		if len(req.Streams) != 17 || req.Streams[16].Key != "g" {
			t.Fatalf("%v", req.Streams)
		}
		r.say(wire.PullName, wire.StreamInfoRes{Streams: []wire.StreamInfo{{Stream: req.Streams[1], Cursor: 3}, {Stream: wire.Stream{Name: "SYNC", Key: "z"}, Cursor: 9}}})
		head := pull(r, wire.CodeGetRange, wire.ParseGetRange)
		history := pull(r, wire.CodeGetRange, wire.ParseGetRange)
		if head.From != 4 || head.To != 0 || history.From != 1 || history.To != 3 || history.Stream.Key != "1" || history.Batch != pullBatch {
			t.Fatalf("%+v, %+v", head, history)
		}
		r.say(wire.PullName, wire.PullOffer{ID: history.ID, Last: 2, Hashes: hashesOf(chunks[0], chunks[1])})
		if w := pull(r, wire.CodePullWanted, wire.ParsePullWanted); w.ID != history.ID || !slices.Equal(w.Want, wire.Bits{1}) {
			t.Errorf("%+v", w)
		}
		r.say(wire.PullName, wire.PullDelivery{ID: history.ID, Chunks: []wire.Delivered{{Addr: chunks[0].Address(), Data: chunks[0].Data()}}})
		next := pull(r, wire.CodeGetRange, wire.ParseGetRange)
		if next.From != 3 || next.To != 3 || next.ID == history.ID {
			t.Errorf("%+v", next)
		}
		r.say(wire.PullName, wire.PullOffer{ID: next.ID, Last: 3}) // it is not there any more
		r.say(wire.PullName, wire.PullOffer{ID: head.ID, Last: 12, Hashes: hashesOf(chunks[2:10]...)})
		if w := pull(r, wire.CodePullWanted, wire.ParsePullWanted); len(w.Want) != 1 || w.Want[0] != 0xff {
			t.Errorf("%+v", w)
		}
		for _, c := range chunks[2:10] {
			r.say(wire.PullName, wire.PullDelivery{ID: head.ID, Chunks: []wire.Delivered{{Addr: c.Address(), Data: c.Data()}}})
		}
		if next := pull(r, wire.CodeGetRange, wire.ParseGetRange); next.From != 13 || next.To != 0 {
			t.Errorf("%+v", next)
		}
		synctest.Wait()
		for _, m := range r.rest() {
			if m.proto == wire.PullName {
				t.Errorf("it sends %d: %x", m.code, m.payload)
			}
		}
		r.say(wire.PullName, wire.PullOffer{ID: 12345, Last: 1, Hashes: hashesOf(chunks[0])}) // nobody asked
		if w := pull(r, wire.CodePullWanted, wire.ParsePullWanted); w.ID != 12345 || len(w.Want) != 0 {
			t.Errorf("%+v", w)
		}
		time.Sleep(staleRanges*defaultSyncDelay + time.Second) // of the bubble: nothing comes for a long time
		if again := pull(r, wire.CodeGetRange, wire.ParseGetRange); again.From != 13 || again.To != 0 {
			t.Errorf("%+v", again)
		}
		r.alive(n)
		if s := n.Stats(); s.Received != 9 {
			t.Errorf("%+v", s)
		}
	})
}

// hooked is a store that does something whenever it is asked whether it has a chunk.
type hooked struct {
	Store
	asked func()
}

func (h *hooked) Has(ctx context.Context, addr chunk.Address) (bool, error) {
	h.asked()
	return h.Store.Has(ctx, addr)
}

func TestABinThatIsPulledNoMoreWaitsForNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var chunks *hooked
		n := newNode(t, func(c *Config) {
			chunks = &hooked{Store: c.Store}
			c.Store = chunks
		})
		r := meetLater(t, n, near(0, 1))
		req := pull(r, wire.CodeStreamInfoReq, wire.ParseStreamInfoReq)
		r.say(wire.PullName, wire.StreamInfoRes{Streams: []wire.StreamInfo{{Stream: req.Streams[1], Cursor: 3}}})
		head := pull(r, wire.CodeGetRange, wire.ParseGetRange)
		var s *session
		for _, s = range n.sessions {
		}
		chunks.asked = func() {
			if err := s.changePulls(nil, []int{1}); err != nil {
				t.Error(err)
			}
		}
		r.say(wire.PullName, wire.PullOffer{ID: head.ID, Last: 4, Hashes: hashesOf(someChunk(1))})
		if w := pull(r, wire.CodePullWanted, wire.ParsePullWanted); w.ID != head.ID || slices.Max(w.Want) != 0 {
			t.Errorf("%+v", w)
		}
		synctest.Wait()
		if len(s.wanted) > 0 {
			t.Errorf("it waits for %d chunks", len(s.wanted))
		}
	})
}

func TestRangesAreOfferedOnceEach(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNode(t, func(c *Config) { c.SyncDelay = time.Hour })
		chunks := chunksOfBin(2, 101)
		put(t, n, chunks[:100]...)
		r := meetLater(t, n, near(0, 1))
		stream := wire.Stream{Name: wire.SyncStream, Key: "2"}
		r.say(wire.PullName, wire.StreamInfoReq{Streams: []wire.Stream{stream, {Name: "OTHER"}}})
		if m := pull(r, wire.CodeStreamInfoRes, wire.ParseStreamInfoRes); len(m.Streams) != 1 || m.Streams[0].Cursor != 100 || m.Streams[0].Bounded {
			t.Errorf("%+v", m)
		}
		r.say(wire.PullName, wire.GetRange{ID: 1, Stream: stream, From: 1, To: 100, Batch: 64})
		m := pull(r, wire.CodePullOffer, wire.ParsePullOffer)
		if m.ID != 1 || m.Last != 64 || len(m.Hashes) != 64*32 {
			t.Fatalf("%d hashes up to %d", len(m.Hashes)/32, m.Last)
		}
		want := wire.NewBits(64)
		want.Set(63)
		r.say(wire.PullName, wire.PullWanted{ID: 1, Want: want})
		if d := pull(r, wire.CodePullDelivery, wire.ParsePullDelivery); d.ID != 1 || len(d.Chunks) != 1 || d.Chunks[0].Addr != chunks[63].Address() {
			t.Errorf("%+v", d)
		}
		r.say(wire.PullName, wire.GetRange{ID: 2, Stream: stream, From: 65, To: 100, Batch: math.MaxUint64})
		if m := pull(r, wire.CodePullOffer, wire.ParsePullOffer); m.ID != 2 || m.Last != 100 {
			t.Errorf("%+v", m)
		}
		r.say(wire.PullName, wire.PullWanted{ID: 2})
		r.say(wire.PullName, wire.GetRange{ID: 9, Stream: stream, From: 101, Batch: 64})
		r.say(wire.PullName, wire.GetRange{ID: 3, Stream: stream, From: 101, Batch: 64}) // instead
		synctest.Wait()
		put(t, n, chunks[100])
		if m := pull(r, wire.CodePullOffer, wire.ParsePullOffer); m.ID != 3 || m.Last != 101 {
			t.Errorf("%+v", m)
		}
		r.say(wire.PullName, wire.GetRange{ID: 4, Stream: stream, From: 500, To: 600, Batch: 64})
		if m := pull(r, wire.CodePullOffer, wire.ParsePullOffer); m.ID != 4 || m.Last != 600 || len(m.Hashes) != 0 {
			t.Errorf("%+v", m)
		}
	})
}

func TestPeersThatBreakTheRulesOfPullingAreDisconnected(t *testing.T) {
	stream := wire.Stream{Name: wire.SyncStream, Key: "2"}
	get := wire.GetRange{ID: 1, Stream: stream, From: 1, Batch: 64}
	flood := make([]wire.Message, maxRanges+1)
	for i := range flood {
		flood[i] = wire.GetRange{ID: uint64(i), Stream: wire.SyncBin(3).History(), From: 1, To: 9, Batch: 64}
	}
	for _, test := range []struct {
		name     string
		messages []wire.Message
		want     string
	}{
		{"an id twice", []wire.Message{get, get}, errRangeTwice.Error()},
		{"too many", flood, errTooManyRanges.Error()},
		{"no such stream", []wire.Message{wire.GetRange{ID: 1, Stream: wire.Stream{Name: "X"}, From: 1, Batch: 64}}, "a stream that there is not"},
		{"no offer", []wire.Message{get, wire.PullWanted{ID: 1}}, errNoOffer.Error()},
		{"not malformed but unknown", []wire.Message{wire.StreamInfoReq{}, wire.PullWanted{ID: 9}}, errNoOffer.Error()},
	} {
		t.Run(test.name, func(t *testing.T) {
			n := newNode(t, nil)
			put(t, n, chunksOfBin(3, 1)...)
			r := meetLater(t, n, near(0, 1))
			for _, m := range test.messages {
				r.say(wire.PullName, m)
			}
			r.end(test.want)
		})
	}
}

func TestAPeerOfBothDialectsSpeaksTheLaterOne(t *testing.T) {
	n := newNode(t, nil)
	r := linkWith(t, n, near(0, 1), []p2p.Cap{
		{Name: "bzz", Version: 14}, {Name: "hive", Version: 11}, {Name: wire.RetrieveName, Version: 2}, {Name: "stream", Version: 8},
	})
	r.expect(wire.BzzName, wire.CodeHandshake)
	r.addr.Caps = wire.CapsFull
	r.say(wire.BzzName, wire.LaterHandshake{Version: 14, NetworkID: 4, Addr: r.addr})
	r.alive(n)
	r.say(wire.StreamName, wire.RetrieveRequest{Addr: someChunk(1).Address()})
	r.end("while the later dialect is spoken")
}

func TestAnOfferOfNothingIsNotAnsweredAndAnAnswerToOneEndsNoLink(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNode(t, nil)
		r := meetLater(t, n, near(0, 1))
		r.say(wire.PullName, wire.PullOffer{ID: 99, Last: 5}) // of a range that is not waited for any more
		r.say(wire.PullName, wire.GetRange{ID: 7, Stream: wire.SyncBin(0), From: 1, To: 5, Batch: 64})
		if o := pull(r, wire.CodePullOffer, wire.ParsePullOffer); o.ID != 7 || len(o.Hashes) > 0 {
			t.Errorf("%+v", o)
		}
		for _, m := range r.rest() {
			if m.code == wire.CodePullWanted && m.proto == wire.PullName {
				t.Errorf("an offer of nothing is answered: %x", m.payload)
			}
		}
		synctest.Wait()
		r.say(wire.PullName, wire.PullWanted{ID: 7})
		r.alive(n)
		r.say(wire.PullName, wire.PullWanted{ID: 7})
		r.end("answer to an offer that was not made")
	})
}
