package shh

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ethereum/go-ethereum/common"

	"github.com/sennit-net/sennit/p2p"
)

func TestStatusesAreExchangedBeforeAnythingElse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newTestWhisper(t, Config{MinWork: 0.3, Bloom: new(BloomOf(Topic{1}))})
		post(t, w, Topic{1}, 0.3, Rule19)
		r := join(t, w, 1, "x")
		if s, err := decodeStatus(r.expect(statusCode)); err != nil || s.minWork != 0.3 || s.bloom != BloomOf(Topic{1}) || s.light {
			t.Errorf("our status is %+v, %v", s, err)
		}
		if w.peerInfo(r.id) != nil || len(w.Peers()) != 0 {
			t.Error("the peer is known before its status")
		}
		r.send(statusCode, encodeStatus(status{0.1, BloomOf(Topic{2}), true}))
		synctest.Wait()
		want := PeerStatus{ID: r.id, Version: 6, MinWork: 0.1, Rule: "unknown", Light: true}
		if info, ok := w.peerInfo(r.id).(PeerStatus); !ok || info != want || len(w.Peers()) != 1 {
			t.Errorf("the peer is %+v", w.peerInfo(r.id))
		}
		r.send(statusCode, []byte{0xff}) // a second one is ignored, whatever it says
		r.send(4, []byte{0xff})          // so is a code nobody uses
		r.send(requestCode, []byte{0xff})
		r.send(directCode, []byte{0xff}) // and a direct message of a peer that is not trusted
		r.expectSilence()
		if err := <-r.done; !errors.Is(err, p2p.ErrPipeClosed) && !errors.Is(err, io.EOF) {
			t.Errorf("the session ends with %v", err)
		}
		if len(w.Peers()) != 0 || w.session(r.id) != nil {
			t.Error("the peer is still known")
		}
	})
}

func TestABreachEndsTheSession(t *testing.T) {
	future := envelopeAt(time.Now(), 1, 50, 8)
	tests := []struct {
		name    string
		first   bool // it comes instead of the status
		code    uint64
		payload []byte
		want    string
	}{
		{"no status", true, messagesCode, []byte{0xc0}, "message 1 comes before it"},
		{"a bad status", true, statusCode, []byte{0xc0}, "version"},
		{"a large status", true, statusCode, make([]byte, maxSmall+1), "4097 bytes"},
		{"a light node to a light one", true, statusCode, encodeStatus(status{light: true, bloom: FullBloom()}), "useless peer"},
		{"no list of envelopes", false, messagesCode, []byte{0x80}, "malformed list"},
		{"no envelope", false, messagesCode, []byte{0xc1, 0xc0}, "malformed envelope"},
		{"an envelope with several topics", false, messagesCode, encode(t, []any{[]any{1, 1, []any{[]byte{1, 2, 3, 4}}, []byte{}, 0}}), "malformed envelope"},
		{"a good envelope and half of one", false, messagesCode, append(append([]byte{0xc0 + byte(len(future.Encoding())) + 1}, future.Encoding()...), 0xc1), "malformed list"},
		{"no number", false, workCode, []byte{0xc0}, "proof of work"},
		{"not a number", false, workCode, encodeWork(math.NaN()), "NaN"},
		{"half a bloom filter", false, bloomCode, encode(t, make([]byte, 32)), "32 bytes"},
		{"a large bloom filter", false, bloomCode, make([]byte, maxSmall+1), "4097 bytes"},
		{"a direct message that is none", false, directCode, []byte{0xc0}, "malformed envelope"},
		{"a direct message that is too large", false, directCode, make([]byte, 1<<20+3<<10), "direct message of"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newTestWhisper(t, Config{Light: true})
				r := join(t, w, 1, "x")
				w.Trust(r.id)
				r.expect(statusCode)
				if !tt.first {
					r.send(statusCode, encodeStatus(quiet))
				}
				go func() {
					_ = r.rw.WriteMsg(p2p.Msg{Code: tt.code, Size: uint32(len(tt.payload)), Payload: bytes.NewReader(tt.payload)})
				}()
				r.ends(tt.want)
				r.rw.Close()
				if n := w.Stats().Breaches; n != 1 {
					t.Errorf("%d breaches", n)
				}
			})
		})
	}
}

func TestAPacketLargerThanTheLargestIsNotRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newTestWhisper(t, Config{})
		r := join(t, w, 1, "x")
		r.greet(quiet)
		go func() {
			_ = r.rw.WriteMsg(p2p.Msg{Code: messagesCode, Size: maxPacket + 1, Payload: readerThatFails{t}})
		}()
		r.ends("a packet of 10485761 bytes")
		r.rw.Close()
	})
}

type readerThatFails struct{ t *testing.T }

func (r readerThatFails) Read([]byte) (int, error) {
	r.t.Error("it is read")
	return 0, io.EOF
}

func TestBadEnvelopesAreForgivenUpToALimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newTestWhisper(t, Config{MinWork: 1e6})
		key := NewSymKey()
		r := join(t, w, 1, "x")
		r.greet(quiet)
		bad := func(n uint64) *Envelope { return envelopeAt(time.Now(), n, 50, 8) }
		for i := range uint64(faultBurst) {
			r.sendEnvelopes(bad(i))
		}
		synctest.Wait()
		if s := w.Stats(); s.Refused["too little proof of work"] != faultBurst || s.Breaches != 0 || s.Envelopes != 0 {
			t.Errorf("%+v", s)
		}
		<-time.After(time.Second)
		r.sendEnvelopes(bad(1000)) // one a second
		old := envelopeAt(time.Now().Add(-60*time.Second), 2000, 55, 8)
		for range 100 {
			r.sendEnvelopes(old) // expired a moment ago: on its way for too long, that's all
		}
		synctest.Wait()
		// The one too many is in a packet with a good one, which is taken all the same.
		good, err := (&Outgoing{SymKey: key}).Envelope(time.Now())
		if err != nil {
			t.Fatal(err)
		}
		if err := w.SetMinWork(0); err != nil {
			t.Fatal(err)
		}
		sub := subscribe(t, w, Filter{SymKey: key})
		r.expect(workCode)
		ahead := envelopeAt(time.Now().Add(time.Minute), 1, 50, 8)
		good.finish()
		r.sendEnvelopes(ahead, good)
		r.ends("too many bad envelopes, the last one was dated in the future")
		if len(sub.Retrieve()) != 1 {
			t.Error("the good envelope is lost")
		}
		r.rw.Close()
	})
}

func TestEnvelopesAreRelayedInCyclesAndNotBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newTestWhisper(t, Config{MinWork: -1})
		a, b := join(t, w, 1, "a"), join(t, w, 2, "b")
		a.greet(quiet)
		b.greet(quiet)
		synctest.Wait()
		began := time.Now()
		var list []*Envelope
		for i := range 4 {
			list = append(list, envelopeAt(time.Now(), uint64(i), 50, 8))
		}
		a.sendEnvelopes(list[0])
		b.expectEnvelopes(list[0])
		if took := time.Since(began); took != 0 {
			t.Errorf("the first envelope after a while takes %v", took)
		}
		synctest.Wait()
		a.sendEnvelopes(list[1])
		a.sendEnvelopes(list[2])
		synctest.Wait()                   // a's are in the pool, and not b's to give to a
		b.sendEnvelopes(list[2], list[3]) // the first of which b has from elsewhere meanwhile
		b.expectEnvelopes(list[1])
		if took := time.Since(began); took != relayCycle {
			t.Errorf("the next ones take %v", took)
		}
		a.expectEnvelopes(list[3])
		synctest.Wait()
		if s := w.Stats(); s.Received != 5 || s.Duplicates != 1 || s.Sent != 3 || s.Envelopes != 4 {
			t.Errorf("%+v", s)
		}
		c := join(t, w, 3, "c")
		c.greet(quiet)
		c.expectEnvelopes(list...)
		a.expectSilence()
	})
}

func TestAPeerThatChangesItsMindHasThePoolLookedThroughOnceACycle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newTestWhisper(t, Config{MinWork: -1})
		r := join(t, w, 1, "x")
		r.greet(quiet)
		synctest.Wait()
		began := time.Now()
		r.send(bloomCode, encodeBloom(FullBloom()))
		synctest.Wait()
		e := envelopeAt(began, 1, 50, 8)
		if err := w.PostEnvelope(e); err != nil {
			t.Fatal(err)
		}
		r.expectEnvelopes(e)
		if took := time.Since(began); took != relayCycle {
			t.Errorf("it was looked through again after %v", took)
		}
	})
}

func TestPacketsAreNoLargerThanTheLargestMessage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const limit, envelopes = 50_000, 10
		w := newTestWhisper(t, Config{MinWork: -1, MaxMessageSize: limit})
		for i := range envelopes {
			if err := w.PostEnvelope(envelopeAt(time.Now(), uint64(i), 50, limit/3)); err != nil {
				t.Fatal(err)
			}
		}
		r := join(t, w, 1, "x")
		r.greet(quiet)
		for got := 0; got < envelopes; {
			packet := r.expect(messagesCode)
			list, err := readAllEnvelopes(packet)
			if err != nil || len(packet) > limit || len(list) == 0 {
				t.Fatalf("a packet of %d bytes, want at most %d: %v", len(packet), limit, err)
			}
			got += len(list)
		}
	})
}

func TestAPeerIsSentWhatItAsksFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newTestWhisper(t, Config{MinWork: -1})
		one, two := Topic{1, 1, 1}, Topic{2, 2, 2}
		r := join(t, w, 1, "Geth/v1.9.20-stable")
		r.greet(status{minWork: 5, bloom: BloomOf(one)})
		cheap := postUnlike(t, w, one, 0.1, Rule19, func(by Work) bool { return by.By19 >= 5 })
		dear, other := post(t, w, one, 5, Rule19), post(t, w, two, 5, Rule19)
		r.expectEnvelopes(dear)
		r.send(bloomCode, encodeBloom(FullBloom()))
		r.expectEnvelopes(other)
		r.send(workCode, encodeWork(0))
		r.expectEnvelopes(cheap)
		r.expectSilence()
	})
}

func TestSettingsThatChangeAreToldAndToleratedFor10s(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newTestWhisper(t, Config{MinWork: -1, Bloom: new(BloomOf(Topic{1, 1, 1}))})
		r := join(t, w, 1, "x")
		r.greet(quiet)
		if err := w.SetMinWork(1e6); err != nil {
			t.Fatal(err)
		}
		if work, err := decodeWork(r.expect(workCode)); err != nil || work != 1e6 {
			t.Errorf("told %v, %v", work, err)
		}
		w.SetBloom(BloomOf(Topic{2, 2, 2}))
		if bloom, err := decodeBloom(r.expect(bloomCode)); err != nil || bloom != BloomOf(Topic{2, 2, 2}) {
			t.Errorf("told %x, %v", bloom, err)
		}
		e := &Envelope{Topic: Topic{1, 1, 1}, TTL: 50, Expiry: uint32(time.Now().Unix() + 50)}
		e.finish()
		<-time.After(syncAllowance - time.Millisecond)
		if c := w.terms(time.Now()); c.minWork != 0 || !c.bloom.Passes(e.Topic) {
			t.Errorf("just before 10 s: %+v", c)
		}
		<-time.After(time.Millisecond)
		if c := w.terms(time.Now()); c.minWork != 1e6 || c.bloom.Passes(e.Topic) {
			t.Errorf("after 10 s: %+v", c)
		}
		sub := subscribe(t, w, Filter{SymKey: NewSymKey(), Topics: []Topic{{3, 3, 3}}})
		want := BloomOf(Topic{2, 2, 2}, Topic{3, 3, 3})
		if bloom, err := decodeBloom(r.expect(bloomCode)); err != nil || bloom != want {
			t.Errorf("a subscription's topic is told as %x, %v", bloom, err)
		}
		sub.Close()
		sub = subscribe(t, w, Filter{PrivateKey: newKey(t)})
		if bloom, err := decodeBloom(r.expect(bloomCode)); err != nil || !bloom.Full() {
			t.Errorf("a subscription of all topics is told as %x, %v", bloom, err)
		}
		sub.Close()
	})
}

func TestALightNodeRelaysItsOwnEnvelopesAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newTestWhisper(t, Config{MinWork: -1, Light: true})
		a, b := join(t, w, 1, "a"), join(t, w, 2, "b")
		if s := a.greet(quiet); !s.light {
			t.Error("it does not say that it is a light node")
		}
		b.greet(quiet)
		a.sendEnvelopes(envelopeAt(time.Now(), 1, 50, 8))
		synctest.Wait()
		own := post(t, w, Topic{}, -1, Rule19)
		b.expectEnvelopes(own)
		a.expectEnvelopes(own)
		b.expectSilence()
	})
}

func TestDirectMessagesGoFromATrustedPeerToTheSubscriptionsThatWantThem(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newTestWhisper(t, Config{MinWork: 1e6})
		key := NewSymKey()
		wants, wantsNot := subscribe(t, w, Filter{SymKey: key, AllowDirect: true, MinWork: 1e9}), subscribe(t, w, Filter{SymKey: key})
		r := join(t, w, 1, "x")
		r.greet(quiet)
		synctest.Wait()
		e, err := (&Outgoing{SymKey: key, Payload: []byte("direct")}).Envelope(time.Now())
		if err != nil {
			t.Fatal(err)
		}
		e.finish()
		r.send(directCode, e.Encoding()) // not trusted yet
		w.Trust(r.id)
		r.send(directCode, e.Encoding())
		w.Distrust(r.id)
		r.send(directCode, e.Encoding())
		r.send(100, nil)
		synctest.Wait()
		if got := wants.Retrieve(); len(got) != 1 || string(got[0].Payload) != "direct" || !got[0].Direct {
			t.Errorf("%v", got)
		}
		if got := wantsNot.Retrieve(); len(got) != 0 {
			t.Errorf("%v", got)
		}
		if s := w.Stats(); s.Direct != 1 || s.Envelopes != 0 {
			t.Errorf("%+v", s)
		}

		var hash common.Hash
		sent := make(chan error)
		go func() {
			e, err := w.PostDirect(t.Context(), r.id, Outgoing{SymKey: key, Payload: []byte("back")})
			if err == nil {
				hash = e.Hash()
			}
			sent <- err
		}()
		got, err := DecodeEnvelope(r.expect(directCode))
		if err := <-sent; err != nil {
			t.Fatal(err)
		}
		if err != nil || got.Hash() != hash {
			t.Errorf("%v, %v", got, err)
		}
		r.rw.Close()
	})
}

func TestADirectMessageToAPeerThatDoesNotReadEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newTestWhisper(t, Config{})
		r := join(t, w, 1, "x")
		r.greet(quiet)
		synctest.Wait()
		defer time.AfterFunc(time.Minute, func() { r.rw.Close() }).Stop()
		for _, which := range []string{"the first", "one that waits for the first"} {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			began := time.Now()
			_, err := w.PostDirect(ctx, r.id, Outgoing{SymKey: NewSymKey()})
			if took := time.Since(began); !errors.Is(err, context.DeadlineExceeded) || took != time.Second {
				t.Errorf("%s: %v after %v", which, err, took)
			}
			cancel()
		}
		over := make(chan error)
		go func() {
			_, err := w.PostDirect(t.Context(), r.id, Outgoing{SymKey: NewSymKey()})
			over <- err
		}()
		synctest.Wait()
		r.rw.Close()
		if err := <-over; !errors.Is(err, errSessionOver) {
			t.Errorf("after the end of the session: %v", err)
		}
	})
}

func TestTheEndOfASessionDoesNotWaitForAPeerThatDoesNotRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newTestWhisper(t, Config{})
		r := join(t, w, 1, "x") // our status is never read
		go func() { _ = r.rw.WriteMsg(p2p.Msg{Code: statusCode, Size: 1, Payload: bytes.NewReader([]byte{0xc0})}) }()
		began := time.Now()
		r.ends("version")
		if took := time.Since(began); took > stuckAfter {
			t.Errorf("it takes %v", took)
		}
	})
}
