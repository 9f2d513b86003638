package bzz

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sennit-net/sennit/protocols/bzz/chunk"
	"github.com/sennit-net/sennit/protocols/bzz/wire"
)

// expectRequest returns the next request for a chunk.
func (r *remote) expectRequest() wire.RetrieveRequest {
	r.t.Helper()
	m, err := wire.ParseRetrieveRequest(r.expect(wire.StreamName, wire.CodeRetrieveRequest))
	if err != nil {
		r.t.Fatal(err)
	}
	return m
}

func (r *remote) deliver(c chunk.Chunk) {
	r.say(wire.StreamName, wire.Delivery{Addr: c.Address(), Data: c.Data()})
}

// getting fetches a chunk in a goroutine.
func getting(n *Node, c chunk.Chunk) <-chan error {
	done := make(chan error, 1)
	go func() {
		got, err := n.Get(context.Background(), c.Address())
		if err == nil && string(got.Data()) != string(c.Data()) {
			err = errors.New("another chunk")
		}
		done <- err
	}()
	return done
}

// byDistance returns n addresses, nearest to c first.
func byDistance(c chunk.Chunk, n int) (list []chunk.Address) {
	for i := range n {
		a := c.Address()
		a[0] ^= byte(i + 1)
		list = append(list, a)
	}
	return list
}

func TestAChunkIsAskedOfTheNearestPeerFirstAndThenOfTheNext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, c := newNode(t, nil), someChunk(1)
		addrs := byDistance(c, 3)
		third := meet(t, n, addrs[2], false)
		meet(t, n, c.Address(), true) // a light one is never asked
		first := meet(t, n, addrs[0], false)
		second := meet(t, n, addrs[1], false)
		start := time.Now()
		done := getting(n, c)
		if m := first.expectRequest(); m != (wire.RetrieveRequest{Addr: c.Address(), SkipCheck: true}) {
			t.Errorf("%+v", m)
		}
		second.expectRequest()
		if d := time.Since(start); d < searchStep || d > searchStep+2*searchTick {
			t.Errorf("the second is asked after %v", d)
		}
		third.expectRequest()
		third.deliver(c)
		if err := <-done; err != nil || !has(n, c) {
			t.Errorf("%v, kept: %v", err, has(n, c))
		}
		first.deliver(c) // too late
		first.alive(n)
		if s := n.Stats(); s.Asked != 3 || s.Received != 1 || s.Unsolicited != 1 || s.Searches != 0 {
			t.Errorf("%+v", s)
		}
	})
}

func TestASearchGoesOnWithPeersThatComeAndWithoutThoseThatGo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, c := newNode(t, nil), someChunk(1)
		done := getting(n, c)
		time.Sleep(3 * time.Second) // of the bubble
		start := time.Now()
		a := meet(t, n, near(0, 1), false)
		a.expectRequest()
		b := meet(t, n, near(0, 2), false)
		a.pipes[wire.StreamName].Close()
		b.expectRequest()
		if d := time.Since(start); d > 2*searchTick {
			t.Errorf("the second is asked after %v", d)
		}
		b.deliver(c)
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

func TestWhatNobodySendsIsNotFound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, c := newNode(t, nil), someChunk(1)
		r := meet(t, n, near(0, 1), false)
		start := time.Now()
		err := <-getting(n, c)
		if !errors.Is(err, ErrNotFound) || !strings.Contains(err.Error(), "1 peers asked") {
			t.Error(err)
		}
		if d := time.Since(start); d != defaultSearchTimeout {
			t.Errorf("after %v", d)
		}
		r.expectRequest()
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		if _, err := n.Get(ctx, c.Address()); !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
		if s := n.Stats(); s.Searches != 0 {
			t.Errorf("%d searches are left", s.Searches)
		}
	})
}

func TestANodeThatWasStoppedGetsOnlyWhatItHas(t *testing.T) {
	n := newNode(t, nil)
	put(t, n, someChunk(1))
	n.Stop()
	if _, err := n.Get(t.Context(), someChunk(1).Address()); err != nil {
		t.Error(err)
	}
	if _, err := n.Get(t.Context(), someChunk(2).Address()); !errors.Is(err, ErrStopped) {
		t.Errorf("%v", err)
	}
}

func TestManyWhoWantAChunkAreOneSearch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, c := newNode(t, nil), someChunk(1)
		r := meet(t, n, near(0, 1), false)
		var waiting []<-chan error
		for range 10 {
			waiting = append(waiting, getting(n, c))
		}
		r.expectRequest()
		r.deliver(c)
		for _, done := range waiting {
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
		if s := n.Stats(); s.Asked != 1 {
			t.Errorf("asked %d times", s.Asked)
		}
	})
}

func TestAChunkThatIsPutEndsTheSearchForIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, c := newNode(t, nil), someChunk(1)
		done := getting(n, c)
		synctest.Wait()
		put(t, n, c)
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

func TestAChunkThatIsAnotherEndsTheLinkOfWhoSentIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, c := newNode(t, nil), someChunk(1)
		r := meet(t, n, near(0, 1), false)
		done := getting(n, c)
		r.expectRequest()
		r.say(wire.StreamName, wire.Delivery{Addr: c.Address(), Data: someChunk(2).Data()})
		r.end("delivery: chunk: invalid")
		if err := <-done; !errors.Is(err, ErrNotFound) || n.Stats().Invalid != 1 {
			t.Error(err)
		}
	})
}

func TestRequestsAreAnsweredFromTheStoreAndHandedOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNode(t, nil)
		here, there := someChunk(1), someChunk(2)
		put(t, n, here)
		asking := meet(t, n, near(0, 1), false)
		holder := meet(t, n, near(0, 2), false)
		for _, skip := range []bool{true, false} {
			asking.say(wire.StreamName, wire.RetrieveRequest{Addr: here.Address(), SkipCheck: skip})
			if m := asking.expectDelivery(wire.CodeDeliveryRetrieval); m.Addr != here.Address() || string(m.Data) != string(here.Data()) {
				t.Errorf("%+v", m)
			}
		}
		asking.say(wire.StreamName, wire.RetrieveRequest{Addr: there.Address(), SkipCheck: true, Hops: 4})
		asking.say(wire.StreamName, wire.RetrieveRequest{Addr: there.Address(), SkipCheck: true, Hops: 4})
		if m := holder.expectRequest(); m.Addr != there.Address() || m.Hops != 5 {
			t.Errorf("%+v", m)
		}
		holder.deliver(there)
		if m := asking.expectDelivery(wire.CodeDeliveryRetrieval); m.Addr != there.Address() {
			t.Errorf("%+v", m)
		}
		// One that has come too far is not handed on, and one that nobody has is forgotten.
		asking.say(wire.StreamName, wire.RetrieveRequest{Addr: someChunk(3).Address(), SkipCheck: true, Hops: maxHops})
		asking.say(wire.StreamName, wire.RetrieveRequest{Addr: someChunk(4).Address(), SkipCheck: true, Hops: maxHops - 1})
		if m := holder.expectRequest(); m.Addr != someChunk(4).Address() || m.Hops != maxHops {
			t.Errorf("%+v", m)
		}
		time.Sleep(defaultSearchTimeout + time.Second)
		if s := n.Stats(); s.Searches != 0 || s.Served != 3 {
			t.Errorf("%+v", s)
		}
	})
}

func TestALightNodeServesNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, c := newNode(t, func(c *Config) { c.Light = true }), someChunk(1)
		put(t, n, c)
		r := link(t, n, near(0, 1))
		m, err := wire.ParseHandshake(r.expect(wire.BzzName, wire.CodeHandshake))
		if err != nil || !m.Light {
			t.Errorf("%+v, %v", m, err)
		}
		r.say(wire.BzzName, wire.Handshake{Version: 8, NetworkID: 3, Addr: r.addr})
		r.expect(wire.StreamName, wire.CodeSubscribe)
		r.say(wire.StreamName, wire.RetrieveRequest{Addr: c.Address(), SkipCheck: true})
		r.say(wire.StreamName, wire.RequestSubscription{Stream: wire.SyncBin(1), Range: &wire.Range{}})
		time.Sleep(time.Minute) // of the bubble: nothing is planned either
		for _, m := range r.rest() {
			if m.proto == wire.StreamName {
				t.Errorf("it sends %d", m.code)
			}
		}
	})
}

func TestAFloodOfRequestsIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNode(t, nil)
		r := meet(t, n, near(0, 1), false)
		for i := range 3000 {
			r.say(wire.StreamName, wire.RetrieveRequest{Addr: someChunk(i).Address(), SkipCheck: true})
		}
		synctest.Wait()
		if s := n.Stats(); s.Searches != maxForwards || s.Unforwarded != 3000-maxForwards {
			t.Errorf("%+v", s)
		}
		r.pipes[wire.StreamName].Close()
		synctest.Wait()
		if s := n.Stats(); s.Searches != 0 {
			t.Errorf("%d searches are left when the peer has gone", s.Searches)
		}
	})
}

func TestPeersThatAskForManyChunksLeaveRoomForUsers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNode(t, nil)
		for peer := range maxSearches / maxForwards {
			r := meet(t, n, near(0, byte(peer)), false)
			for i := range maxForwards {
				r.say(wire.StreamName, wire.RetrieveRequest{Addr: someChunk(peer*maxForwards + i).Address(), SkipCheck: true})
			}
		}
		synctest.Wait()
		if s := n.Stats(); s.Searches != maxSearches*3/4 || s.Unforwarded != maxSearches/4 {
			t.Errorf("%+v", s)
		}
		if _, err := n.Get(t.Context(), someChunk(-2).Address()); !errors.Is(err, ErrNotFound) {
			t.Errorf("a user's chunk: %v", err)
		}
	})
}

func TestAPeerThatDoesNotReadIsDisconnectedWhenTooMuchWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const limit = 64 << 10
		n, c := newNode(t, func(c *Config) { c.SendQueue = limit }), someChunk(1)
		put(t, n, c)
		r := link(t, n, near(0, 1), wire.StreamName)
		r.say(wire.BzzName, wire.Handshake{Version: 8, NetworkID: 3, Addr: r.addr})
		ask := wire.RetrieveRequest{Addr: c.Address(), SkipCheck: true}
		for range limit/queuedCost - 2 { // a subscription waits as well, or is being sent
			r.say(wire.StreamName, ask)
		}
		synctest.Wait()
		if got := n.Stats().Queued; got > limit || got < limit-5*queuedCost {
			t.Errorf("%d bytes wait", got)
		}
		for range 4 {
			r.say(wire.StreamName, ask)
		}
		r.end(errQueueFull.Error())
	})
}

func TestTheQueueSendsByPriorityAndInOrder(t *testing.T) {
	s := newSender(1<<20, false)
	for i := range 3 {
		for p := range wire.Priorities {
			if err := s.push(p, wire.SubPeers{Depth: uint8(10*p + i)}); err != nil {
				t.Fatal(err)
			}
		}
	}
	var got []string
	for {
		m, ok := s.pop()
		if !ok {
			break
		}
		payload, _ := wire.Unwrap(m.payload)
		p, _ := wire.ParseSubPeers(payload)
		got = append(got, fmt.Sprint(p.Depth))
	}
	if want := "30 31 32 20 21 22 10 11 12 0 1 2"; strings.Join(got, " ") != want || s.waiting() != 0 {
		t.Errorf("order %v", got)
	}
}
