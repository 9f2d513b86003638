package bzz

import (
	"context"
	"math"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sennit-net/sennit/protocols/bzz/chunk"
	"github.com/sennit-net/sennit/protocols/bzz/store"
	"github.com/sennit-net/sennit/protocols/bzz/wire"
)

// expectOffer returns the next offer.
func (r *remote) expectOffer() wire.OfferedHashes {
	r.t.Helper()
	m, err := wire.ParseOfferedHashes(r.expect(wire.StreamName, wire.CodeOfferedHashes))
	if err != nil {
		r.t.Fatal(err)
	}
	return m
}

// expectWanted returns the next answer to an offer.
func (r *remote) expectWanted() wire.WantedHashes {
	r.t.Helper()
	m, err := wire.ParseWantedHashes(r.expect(wire.StreamName, wire.CodeWantedHashes))
	if err != nil {
		r.t.Fatal(err)
	}
	return m
}

func (r *remote) expectDelivery(code uint64) wire.Delivery {
	r.t.Helper()
	m, err := wire.ParseDelivery(code, r.expect(wire.StreamName, code))
	if err != nil {
		r.t.Fatal(err)
	}
	return m
}

// want answers an offer: all of it, and further from its end.
func (r *remote) want(m wire.OfferedHashes, to uint64) {
	bits := wire.NewBits(m.Len())
	for i := range m.Len() {
		bits.Set(i)
	}
	r.say(wire.StreamName, wire.WantedHashes{Stream: m.Stream, Want: bits, From: m.To + 1, To: to})
}

// offerOf offers chunks as the numbers from one on.
func offerOf(stream wire.Stream, from uint64, chunks ...chunk.Chunk) wire.OfferedHashes {
	m := wire.OfferedHashes{Stream: stream, From: from, To: from + uint64(len(chunks)) - 1}
	for _, c := range chunks {
		a := c.Address()
		m.Hashes = append(m.Hashes, a[:]...)
	}
	return m
}

func TestTheFirstMessageOfStreamAsksToBeAllowedToRetrieve(t *testing.T) {
	for _, light := range []bool{false, true} {
		r := link(t, newNode(t, nil), near(0, 1))
		r.say(wire.BzzName, wire.Handshake{Version: 8, NetworkID: 3, Addr: r.addr, Light: light})
		r.say(wire.StreamName, wire.Subscribe{Stream: wire.Stream{Name: wire.RetrieveStream, Live: true}, Priority: 3})
		r.say(wire.StreamName, wire.Subscribe{Stream: wire.Stream{Name: wire.RetrieveStream, Live: true}, Priority: 3})
		if !light {
			m, err := wire.ParseSubscribe(r.expect(wire.StreamName, wire.CodeSubscribe))
			if err != nil || m.Stream != (wire.Stream{Name: wire.RetrieveStream, Live: true}) || m.Range != nil || m.Priority != 3 {
				t.Errorf("%+v, %v", m, err)
			}
		}
		r.expect(wire.StreamName, wire.CodeSubscribeError) // it had subscribed before
		for _, m := range r.rest() {
			if m.code == wire.CodeSubscribe && m.proto == wire.StreamName {
				t.Errorf("light %v: another subscription %x", light, m.payload)
			}
		}
	}
}

func TestWhatIsSyncedFollowsFromDepthAndIsDecidedOnceForManyChanges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNode(t, nil)
		start := time.Now()
		far := meet(t, n, near(0, 1), false)
		time.Sleep(10 * time.Second) // of the bubble
		middle := meet(t, n, near(1, 1), false)
		near3 := meet(t, n, near(3, 1), false) // the depth is 1
		light := meet(t, n, near(2, 1), true)
		bins := func(r *remote, count int) (list []int) {
			for range count {
				m, err := wire.ParseRequestSubscription(r.expect(wire.StreamName, wire.CodeRequestSubscription))
				bin, ok := m.Stream.Bin()
				if err != nil || !ok || !m.Stream.Live || m.Range == nil || *m.Range != (wire.Range{}) || m.Priority != 2 {
					t.Errorf("%+v, %v", m, err)
				}
				list = append(list, bin)
			}
			return list
		}
		if got := bins(far, 1); got[0] != 0 {
			t.Errorf("the far peer gets %v", got)
		}
		if d := time.Since(start); d != 25*time.Second {
			t.Errorf("decided after %v", d)
		}
		for _, r := range []*remote{middle, near3} {
			if got := bins(r, 16); got[0] != 1 || got[15] != 16 {
				t.Errorf("a near peer gets %v", got)
			}
		}
		synctest.Wait()
		for _, m := range light.rest() {
			if m.proto == wire.StreamName {
				t.Errorf("a light peer is sent %d", m.code)
			}
		}

		// The depth rises to 2: the peer at 1 keeps the bin it is in, and is offered no more of the others.
		middle.say(wire.StreamName, wire.Subscribe{Stream: wire.SyncBin(5), Range: &wire.Range{}, Priority: 2})
		between := meet(t, n, near(2, 2), false)
		time.Sleep(defaultSyncDelay + time.Second)
		middle.rest()
		chunks := chunksOfBin(5, 2)
		put(t, n, chunks[0])
		synctest.Wait()
		for _, m := range middle.rest() {
			if m.proto == wire.StreamName {
				t.Errorf("the peer at 1 is sent %d", m.code)
			}
		}
		// It falls again.
		between.pipes[wire.HiveName].Close()
		time.Sleep(defaultSyncDelay + time.Second)
		put(t, n, chunks[1])
		if m := middle.expectOffer(); m.Stream != wire.SyncBin(5) || m.Hash(0) != chunks[0].Address() {
			t.Errorf("offered %v", m)
		}
		synctest.Wait()
		for _, m := range middle.rest() {
			if m.proto == wire.StreamName {
				t.Errorf("the peer at 1 is sent %d", m.code)
			}
		}
	})
}

func TestHistoryIsOfferedInBatchesAndThenWhatComesIn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNode(t, nil)
		chunks := chunksOfBin(2, 202)
		put(t, n, chunks[:200]...)
		r := meet(t, n, near(0, 1), false)
		r.say(wire.StreamName, wire.Subscribe{Stream: wire.SyncBin(2), Range: &wire.Range{}, Priority: 2})

		first := r.expectOffer()
		if first.Stream != wire.SyncBin(2).History() || first.Len() != 128 || first.Hash(0) != chunks[0].Address() || first.To != 128 {
			t.Fatalf("first offer of %v has %d hashes up to %d", first.Stream, first.Len(), first.To)
		}
		r.want(first, math.MaxUint64)
		for i := range 128 {
			if m := r.expectDelivery(wire.CodeDeliverySyncing); m.Addr != chunks[i].Address() || string(m.Data) != string(chunks[i].Data()) {
				t.Fatalf("delivery %d is another chunk", i)
			}
		}
		second := r.expectOffer()
		if second.Len() != 72 || second.From != 129 || second.To != 200 {
			t.Fatalf("second offer has %d hashes from %d to %d", second.Len(), second.From, second.To)
		}
		// Only the last is wanted, with a set that has only the bytes that are needed.
		bits := make(wire.Bits, 9)
		bits.Set(71)
		r.say(wire.StreamName, wire.WantedHashes{Stream: second.Stream, Want: bits, From: 201, To: math.MaxUint64})
		if m := r.expectDelivery(wire.CodeDeliverySyncing); m.Addr != chunks[199].Address() {
			t.Error("another chunk is delivered")
		}

		put(t, n, chunks[200:]...)
		live := r.expectOffer()
		if live.Stream != wire.SyncBin(2) || live.From != 201 || live.Hash(0) != chunks[200].Address() {
			t.Fatalf("live offer of %v from %d", live.Stream, live.From)
		}
		r.want(live, 0)
		r.expectDelivery(wire.CodeDeliverySyncing)
		if live.Len() == 1 {
			if live = r.expectOffer(); live.Hash(0) != chunks[201].Address() {
				t.Error("the last chunk is not offered")
			}
		}
		if s := n.Stats(); s.Offered != 202 || s.Synced < 130 {
			t.Errorf("%+v", s)
		}
	})
}

func TestAnswersToOffersMustFit(t *testing.T) {
	n := newNode(t, nil)
	put(t, n, chunksOfBin(2, 8)...)
	for _, test := range []struct {
		name string
		m    wire.WantedHashes
		want string
	}{
		{"another length", wire.WantedHashes{Stream: wire.SyncBin(2).History(), Want: wire.NewBits(16)}, errBits.Error()},
		{"no offer", wire.WantedHashes{Stream: wire.SyncBin(2), Want: wire.NewBits(8)}, errNoOffer.Error()},
	} {
		r := meet(t, n, near(0, 1), false)
		r.say(wire.StreamName, wire.Subscribe{Stream: wire.SyncBin(2), Range: &wire.Range{}, Priority: 2})
		r.expectOffer()
		r.say(wire.StreamName, wire.WantedHashes{Stream: wire.SyncBin(9), Want: wire.NewBits(8)}) // of no stream: means nothing
		r.say(wire.StreamName, test.m)
		r.end(test.want)
	}
}

func TestSubscriptionsThatCannotBeAreRefusedWithAMessage(t *testing.T) {
	n := newNode(t, nil)
	quiet := newNode(t, func(c *Config) { c.NoSync = true })
	for _, test := range []struct {
		n      *Node
		stream wire.Stream
		want   string
	}{
		{n, wire.Stream{Name: "INTERVALS"}, "stream INTERVALS||history not registered"},
		{n, wire.Stream{Name: "SYNC", Key: "zz"}, "stream SYNC|zz|history not registered"},
		{n, wire.SyncBin(3), "stream SYNC|3|live already registered"},
		{quiet, wire.SyncBin(3), "stream SYNC|3|live not registered"},
	} {
		r := meet(t, test.n, near(0, 1), false)
		if test.n == n {
			r.say(wire.StreamName, wire.Subscribe{Stream: wire.SyncBin(3), Priority: 2})
		}
		r.say(wire.StreamName, wire.Subscribe{Stream: test.stream, Priority: 2})
		m, err := wire.ParseSubscribeError(r.expect(wire.StreamName, wire.CodeSubscribeError))
		if err != nil || m.Text != test.want {
			t.Errorf("%q, %v, want %q", m.Text, err, test.want)
		}
		r.alive(test.n)
	}
}

func TestNoPeerGetsMoreStreamsThanThereAreBins(t *testing.T) {
	n := newNode(t, nil)
	r := meet(t, n, near(0, 1), false)
	for bin := range 200 {
		r.say(wire.StreamName, wire.Subscribe{Stream: wire.SyncBin(bin), Range: &wire.Range{}, Priority: 2})
		r.say(wire.StreamName, wire.RequestSubscription{Stream: wire.SyncBin(bin), Range: &wire.Range{}, Priority: 2})
	}
	r.alive(n)
	if info, _ := n.peerInfo(n.onlyPeer(t)); info.Offered != 2*store.Bins || info.Taken != 2*store.Bins {
		t.Errorf("%+v", info)
	}
	for bin := range 200 {
		r.say(wire.StreamName, wire.Unsubscribe{Stream: wire.SyncBin(bin)})
		r.say(wire.StreamName, wire.Unsubscribe{Stream: wire.SyncBin(bin).History()})
		r.say(wire.StreamName, wire.Quit{Stream: wire.SyncBin(bin)})
		r.say(wire.StreamName, wire.Quit{Stream: wire.SyncBin(bin).History()})
	}
	r.alive(n)
	if info, _ := n.peerInfo(n.onlyPeer(t)); info.Offered != 0 || info.Taken != 2*store.Bins {
		t.Errorf("%+v", info) // what it has quit is remembered, so that an offer on its way does no harm
	}
}

func TestOffersAreTakenBatchByBatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNode(t, nil)
		chunks := chunksOfBin(1, 12)
		put(t, n, chunks[1])
		r := meet(t, n, near(0, 1), false)
		ask := wire.RequestSubscription{Stream: wire.SyncBin(1), Range: &wire.Range{}, Priority: 2}
		r.expect(wire.StreamName, wire.CodeSubscribe) // to retrieval
		r.say(wire.StreamName, ask)
		r.say(wire.StreamName, ask) // means nothing
		m, err := wire.ParseSubscribe(r.expect(wire.StreamName, wire.CodeSubscribe))
		if err != nil || m.Stream != ask.Stream || *m.Range != (wire.Range{}) || m.Priority != 2 {
			t.Fatalf("%+v, %v", m, err)
		}

		r.say(wire.StreamName, offerOf(ask.Stream, 7, chunks[:4]...))
		w := r.expectWanted()
		if w.Stream != ask.Stream || !slices.Equal(w.Want, wire.Bits{0b1101}) || w.From != 11 || w.To != 0 {
			t.Errorf("%+v", w)
		}
		r.say(wire.StreamName, offerOf(ask.Stream, 11, chunks[4:12]...)) // at once, as servers do
		r.say(wire.StreamName, offerOf(ask.Stream.History(), 0, chunks[0], chunks[2]))
		w = r.expectWanted()
		if w.Stream != ask.Stream.History() || !slices.Equal(w.Want, wire.Bits{0}) || w.From != 2 || w.To != math.MaxUint64 {
			t.Errorf("chunks are asked for a second time: %+v", w)
		}
		for _, i := range []int{0, 2, 3} {
			r.say(wire.StreamName, wire.Delivery{Addr: chunks[i].Address(), Data: chunks[i].Data(), Syncing: true})
		}
		w = r.expectWanted()
		if w.Stream != ask.Stream || !slices.Equal(w.Want, wire.Bits{0xff, 0}) || w.From != 19 {
			t.Errorf("%+v", w)
		}
		for _, c := range chunks[:4] {
			if !has(n, c) {
				t.Error("a chunk was not kept")
			}
		}
		r.alive(n)
	})
}

func TestAStreamThatWasQuitCanBeginAnew(t *testing.T) {
	n := newNode(t, nil)
	chunks := chunksOfBin(1, 3)
	r := meet(t, n, near(0, 1), false)
	r.expect(wire.StreamName, wire.CodeSubscribe) // to retrieval
	ask := wire.RequestSubscription{Stream: wire.SyncBin(1), Range: &wire.Range{}, Priority: 2}
	r.say(wire.StreamName, ask)
	r.expect(wire.StreamName, wire.CodeSubscribe)
	r.say(wire.StreamName, offerOf(ask.Stream, 1, chunks[0]))
	r.expectWanted()
	r.say(wire.StreamName, wire.Quit{Stream: ask.Stream})
	r.say(wire.StreamName, offerOf(ask.Stream, 2, chunks[1])) // was on its way
	r.say(wire.StreamName, wire.Delivery{Addr: chunks[0].Address(), Data: chunks[0].Data(), Syncing: true})
	r.alive(n)
	if s := n.Stats(); s.Unsolicited != 1 {
		t.Errorf("%+v", s)
	}
	r.say(wire.StreamName, ask)
	r.expect(wire.StreamName, wire.CodeSubscribe)
	r.say(wire.StreamName, offerOf(ask.Stream, 3, chunks[2]))
	if w := r.expectWanted(); !w.Want.Has(0) {
		t.Errorf("%+v", w)
	}
}

func TestABatchThatDoesNotComeEndsTheLink(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNode(t, nil)
		r := meet(t, n, near(0, 1), false)
		r.say(wire.StreamName, wire.RequestSubscription{Stream: wire.SyncBin(1), Range: &wire.Range{}, Priority: 2})
		r.say(wire.StreamName, offerOf(wire.SyncBin(1), 1, chunksOfBin(1, 2)...))
		r.expectWanted()
		start := time.Now()
		time.Sleep(batchTimeout - time.Second) // of the bubble
		r.end(errBatchTimeout.Error())
		if d := time.Since(start); d < batchTimeout || d > batchTimeout+2*hiveTick {
			t.Errorf("after %v", d)
		}
	})
}

func TestOffersThatBreakTheOrderEndTheLink(t *testing.T) {
	live := wire.SyncBin(1)
	chunks := chunksOfBin(1, 6)
	for _, test := range []struct {
		name   string
		offers []wire.OfferedHashes
		want   string
	}{
		{"a stream nobody asked for", []wire.OfferedHashes{offerOf(wire.SyncBin(2), 1, chunks[0])}, errUnknownStream.Error()},
		{"three at once", []wire.OfferedHashes{offerOf(live, 1, chunks[0]), offerOf(live, 2, chunks[1]), offerOf(live, 3, chunks[2])}, errTwoOffers.Error()},
		{"backwards", []wire.OfferedHashes{{Stream: live, From: 3, To: 2}}, errOfferRange.Error()},
		{"without an end", []wire.OfferedHashes{{Stream: live, From: 3, To: math.MaxUint64}}, errOfferRange.Error()},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := meet(t, newNode(t, nil), near(0, 1), false)
			r.say(wire.StreamName, wire.RequestSubscription{Stream: live, Range: &wire.Range{}, Priority: 2})
			for _, m := range test.offers {
				r.say(wire.StreamName, m)
			}
			r.end(test.want)
		})
	}
}

func TestAChunkThatLeftTheStoreAfterItWasOfferedEndsTheLink(t *testing.T) {
	chunks := chunksOfBin(1, 8)
	n := newNode(t, func(c *Config) {
		c.Store = store.NewMemory(store.Options{Base: base, Capacity: int64(4 * len(chunks[0].Data()))})
	})
	put(t, n, chunks[:4]...)
	r := meet(t, n, near(0, 1), false)
	r.say(wire.StreamName, wire.Subscribe{Stream: wire.SyncBin(1), Range: &wire.Range{}, Priority: 2})
	m := r.expectOffer()
	put(t, n, chunks[4:]...)
	r.want(m, 0)
	r.end(errChunkGone.Error())
}

// gated is a store that does not give out one chunk before it may.
type gated struct {
	*store.Memory
	addr       chunk.Address
	asked, may chan struct{} // asked is closed by the first Get
}

func (g *gated) Get(ctx context.Context, addr chunk.Address) (chunk.Chunk, error) {
	if addr == g.addr {
		close(g.asked)
		<-g.may
	}
	return g.Memory.Get(ctx, addr)
}

func TestAChunkThatAPeerWaitsForDoesNotLeaveTheStoreForOthers(t *testing.T) {
	chunks := chunksOfBin(1, 5)
	g := &gated{
		Memory: store.NewMemory(store.Options{Base: base, Capacity: 4 * store.SlotSize}), addr: chunks[0].Address(),
		asked: make(chan struct{}), may: make(chan struct{}),
	}
	n := newNode(t, func(c *Config) { c.Store = g })
	put(t, n, chunks[:4]...)
	r := meet(t, n, near(0, 1), false)
	r.say(wire.StreamName, wire.Subscribe{Stream: wire.SyncBin(1), Range: &wire.Range{}, Priority: 2})
	m := r.expectOffer()
	bits := wire.NewBits(m.Len())
	bits.Set(0)
	r.say(wire.StreamName, wire.WantedHashes{Stream: m.Stream, Want: bits, From: m.To + 1})
	<-g.asked
	put(t, n, chunks[4]) // something has to leave
	close(g.may)
	got, err := wire.ParseDelivery(wire.CodeDeliverySyncing, r.expect(wire.StreamName, wire.CodeDeliverySyncing))
	if err != nil || got.Addr != chunks[0].Address() {
		t.Errorf("%v, %v", got.Addr, err)
	}
}

func TestAPeerThatRefusesToSyncIsKept(t *testing.T) {
	n := newNode(t, nil)
	r := meet(t, n, near(0, 1), false)
	r.say(wire.StreamName, wire.SubscribeError{Text: "stream SYNC not registered"})
	r.alive(n)
	if s := n.Stats(); s.Refused != 1 {
		t.Errorf("%+v", s)
	}
	r.say(wire.StreamName, wire.SubscribeError{Text: "stream RETRIEVE_REQUEST not registered"})
	r.alive(n)
	done := getting(n, someChunk(1))
	put(t, n, someChunk(1))
	if err := <-done; err != nil || n.Stats().Asked != 0 {
		t.Errorf("%v; a peer that does not serve is asked %d times", err, n.Stats().Asked)
	}
	for range maxRefusals {
		r.say(wire.StreamName, wire.SubscribeError{Text: "boo"})
	}
	r.end(errRefusals.Error())
}
