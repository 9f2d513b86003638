package p2p_test

import (
	"errors"
	"io"
	"testing"
	"time"

	"github.com/sennit-net/sennit/p2p"
	"github.com/sennit-net/sennit/trace"
)

// A protocol that does not read must not hurt the others on its link. Here "aaa" does not read while the remote floods
// it, and the remote asks "bbb", which echoes, in between.

const (
	floodCount = 2000 // messages to aaa
	floodSize  = 1 << 10
	floodAsk   = 20 // one question to bbb in so many messages to aaa
	floodInbox = 100 << 10
	// What an inbox of that size holds of these messages; their bookkeeping counts.
	floodHeld = floodInbox / (floodSize + 128)
)

// sleeper is a protocol that reads nothing until it is told to, and then so many messages.
type sleeper struct {
	t    *testing.T
	read chan int   // how many messages to read
	got  chan []int // their numbers
	err  chan error // what ReadMsg says after that
}

func newSleeper(t *testing.T) *sleeper {
	return &sleeper{t, make(chan int), make(chan []int, 1), make(chan error, 1)}
}

func (s *sleeper) protocol(name string, policy p2p.OverloadPolicy) p2p.Protocol {
	p := testProtocol(name, s.run)
	p.Overload, p.InboxBytes = policy, floodInbox
	return p
}

func (s *sleeper) run(_ *p2p.Peer, rw p2p.MsgReadWriter) error {
	var got []int
	count := 0
	select {
	case count = <-s.read:
	case <-s.t.Context().Done(): // the test has failed
	}
	for range count {
		msg, err := rw.ReadMsg()
		if err != nil {
			break
		}
		i, err := checkNumbered(msg)
		if err != nil {
			return err
		}
		got = append(got, i)
	}
	s.got <- got
	_, err := rw.ReadMsg()
	s.err <- err
	return err
}

// flood sends all messages to aaa, and meanwhile asks bbb; it returns when bbb has answered all questions.
func flood(w *wire) {
	w.t.Helper()
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		for i := range floodCount {
			if _, err := w.Write(16, numbered(i, floodSize-8)); err != nil {
				w.t.Errorf("flooding: %v", err)
				return
			}
			if i%floodAsk == 0 {
				w.Write(24+1, numbered(i, 64))
			}
		}
	}()
	for i := 0; i < floodCount; i += floodAsk {
		w.expect(24+1, numbered(i, 64))
	}
	within(w.t, "the flood", sent)
	roundTrips(w, 100)
	ping(w)
}

// roundTrips asks bbb so many times, one after the other.
func roundTrips(w *wire, count int) {
	w.t.Helper()
	w.fd.SetDeadline(time.Now().Add(patience))
	for i := range count {
		question := numbered(i, i)
		w.send(24+2, question)
		w.expect(24+2, question)
	}
}

// ping expects an answer. More than a few at a time do not get one.
func ping(w *wire) {
	w.t.Helper()
	w.send(2, []byte{0xc0})
	w.expect(3, []byte{0xc0})
}

func TestAProtocolThatDropsDoesNotHurtTheOthers(t *testing.T) {
	for _, test := range []struct {
		policy p2p.OverloadPolicy
		first  int // number of the first message that is left
	}{
		{p2p.OverloadDropNewest(), 0},
		{p2p.OverloadDropOldest(), floodCount - floodHeld},
	} {
		t.Run(test.policy.String(), func(t *testing.T) {
			s := newSleeper(t)
			srv := startNode(t, nil, s.protocol("aaa", test.policy), testProtocol("bbb", echo))
			w := join(t, srv, "aaa", "bbb")
			flood(w)

			stats := srv.peer().Stats().Protocols
			a, b := stats[0], stats[1]
			if a.InboxMessages != floodHeld || a.Stopped || a.Waited != 0 {
				t.Errorf("aaa: %+v", a)
			}
			if b.Dropped != 0 || b.MessagesIn != b.MessagesOut || b.InboxMessages != 0 {
				t.Errorf("bbb: %+v", b)
			}
			s.read <- a.InboxMessages
			got := within(t, "what aaa reads", s.got)
			if a.Dropped != uint64(floodCount-len(got)) || a.DroppedBytes != a.Dropped*floodSize {
				t.Errorf("%d messages sent, %d delivered, %d dropped with %d bytes", floodCount, len(got), a.Dropped, a.DroppedBytes)
			}
			for i, n := range got {
				if n != test.first+i {
					t.Fatalf("message %d is left in place %d", n, i)
				}
			}
			var size uint64
			events := recorded[*trace.Dropped](&srv.journal)
			for _, ev := range events {
				if ev.Protocol != "aaa" {
					t.Errorf("recorded %+v", ev)
				}
				size += uint64(ev.Size)
			}
			if uint64(len(events)) != a.Dropped || size != a.DroppedBytes {
				t.Errorf("recorded %d drops of %d bytes, counted %d of %d", len(events), size, a.Dropped, a.DroppedBytes)
			}
			w.send(16, numbered(floodCount, 0)) // aaa goes on with what comes now
			if err := within(t, "aaa", s.err); err != nil {
				t.Errorf("aaa: %v", err)
			}
		})
	}
}

func TestAProtocolThatIsStoppedDoesNotHurtTheOthers(t *testing.T) {
	for _, policy := range []p2p.OverloadPolicy{p2p.OverloadStop(), p2p.OverloadWait(50 * time.Millisecond)} {
		t.Run(policy.String(), func(t *testing.T) {
			s := newSleeper(t)
			srv := startNode(t, nil, s.protocol("aaa", policy), testProtocol("bbb", echo))
			w := join(t, srv, "aaa", "bbb")
			flood(w)

			a := srv.peer().Stats().Protocols[0]
			if !a.Stopped || a.MessagesIn != floodHeld || a.InboxMessages != 0 || a.InboxBytes != 0 {
				t.Errorf("aaa: %+v", a)
			}
			stops := recorded[*trace.ProtocolStopped](&srv.journal)
			if len(stops) != 1 || stops[0].Protocol != "aaa" || stops[0].Cause == nil {
				t.Errorf("recorded %+v", stops)
			}
			var waited time.Duration
			for _, ev := range recorded[*trace.Waited](&srv.journal) {
				waited += ev.For
			}
			if waited != a.Waited || (waited > 0) != (policy != p2p.OverloadStop()) {
				t.Errorf("recorded %v of waiting, counted %v", waited, a.Waited)
			}

			s.read <- 1
			if got := within(t, "aaa", s.got); len(got) != 0 {
				t.Errorf("aaa, stopped, has read %v", got)
			}
			if err := within(t, "aaa", s.err); !errors.Is(err, p2p.ErrProtocolStopped) || err.Error() == p2p.ErrProtocolStopped.Error() {
				t.Errorf("aaa is told %v", err)
			}
			roundTrips(w, 100) // its Run has returned, and the peer is still there
			w.send(16, []byte{0xc0})
			roundTrips(w, 1)
			if n := srv.PeerCount(); n != 1 {
				t.Errorf("%d peers", n)
			}
		})
	}
}

func TestAStoppedProtocolCannotWriteEither(t *testing.T) {
	result := make(chan error, 1)
	stopped := make(chan struct{})
	p := testProtocol("aaa", func(_ *p2p.Peer, rw p2p.MsgReadWriter) error {
		select {
		case <-stopped:
		case <-t.Context().Done():
		}
		err := write(rw, 0, []byte{0xc0})
		result <- err
		panic("which is too late to matter to the others")
	})
	p.Overload, p.InboxBytes = p2p.OverloadStop(), 1
	srv := startNode(t, nil, p, testProtocol("bbb", echo))
	w := join(t, srv, "aaa", "bbb")
	w.send(16, []byte{0xc0})
	w.send(16, []byte{0xc0})
	roundTrips(w, 1)
	close(stopped)
	if err := within(t, "WriteMsg", result); !errors.Is(err, p2p.ErrProtocolStopped) {
		t.Errorf("WriteMsg: %v", err)
	}
	until(t, "the panic", func() bool { return len(recorded[*trace.ProtocolPanicked](&srv.journal)) == 1 })
	roundTrips(w, 10)
}

func TestThePeerGoesWithItsLastProtocol(t *testing.T) {
	a, b := newSleeper(t), newSleeper(t)
	srv := startNode(t, nil, a.protocol("aaa", p2p.OverloadStop()), b.protocol("bbb", p2p.OverloadWait(time.Millisecond)))
	w := join(t, srv, "aaa", "bbb")
	f := w.forge()
	message := func(code byte) []byte { return append([]byte{code}, f.packed(numbered(0, floodInbox/2))...) }
	for range 3 {
		f.put(f.seal(message(16)))
	}
	says(2, 0xc0)(f)
	f.expect(3, []byte{0xc0}) // one has been stopped, and one is left
	for range 3 {
		f.put(f.seal(message(24)))
	}
	if sent, _ := f.farewell(); string(sent) != "\xc1\x10" {
		t.Errorf("the remote is sent Disconnect %x", sent)
	}
	a.read <- 0
	b.read <- 0
	for _, s := range []*sleeper{a, b} {
		if err := within(t, "ReadMsg", s.err); !errors.Is(err, p2p.ErrProtocolStopped) {
			t.Errorf("ReadMsg: %v", err)
		}
	}
	drop := srv.event(p2p.PeerEventTypeDrop)
	closed := recorded[*trace.LinkClosed](&srv.journal)
	if len(closed) != 1 || !errors.Is(closed[0].Cause, p2p.ErrProtocolStopped) || closed[0].Protocol != "bbb" || closed[0].Cause.Error() != drop.Error {
		t.Errorf("dropped with %q, recorded %+v", drop.Error, closed)
	}
	if n := len(recorded[*trace.ProtocolStopped](&srv.journal)); n != 2 {
		t.Errorf("recorded %d stops", n)
	}
}

func TestWaitingLosesNothing(t *testing.T) {
	s := newSleeper(t)
	srv := startNode(t, nil, s.protocol("aaa", p2p.OverloadWait(time.Hour)), testProtocol("bbb", echo))
	w := join(t, srv, "aaa", "bbb")
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		for i := range floodCount {
			w.Write(16, numbered(i, floodSize-8))
		}
	}()
	peer := srv.peer()
	until(t, "a full inbox", func() bool { return peer.Stats().Protocols[0].InboxMessages >= floodHeld })
	s.read <- floodCount
	for i, n := range within(t, "what aaa reads", s.got) {
		if n != i {
			t.Fatalf("message %d in place %d", n, i)
		}
	}
	within(t, "the flood", sent)
	roundTrips(w, 100)
	if a := peer.Stats().Protocols[0]; a.Dropped != 0 || a.Stopped || a.MessagesIn != floodCount {
		t.Errorf("aaa: %+v", a)
	}
	w.fd.Close()
	if err := within(t, "aaa", s.err); err != io.EOF {
		t.Errorf("aaa: %v", err)
	}
}

func TestPingsAreAnsweredThoughNoProtocolReads(t *testing.T) {
	a, b := newSleeper(t), newSleeper(t)
	srv := startNode(t, nil, a.protocol("aaa", p2p.OverloadDropOldest()), b.protocol("bbb", p2p.OverloadDropNewest()))
	w := join(t, srv, "aaa", "bbb")
	for i := range 20 {
		for j := range 50 {
			w.send(16+uint64(j%2*8), numbered(i, 10_000))
		}
		ping(w)
	}
	srv.peer().Disconnect(p2p.DiscQuitting)
	w.farewell()
	a.read <- 1
	b.read <- 1
	for _, s := range []*sleeper{a, b} {
		if got := within(t, "ReadMsg", s.got); len(got) != 0 {
			t.Errorf("read %v after Disconnect", got)
		}
	}
}

func TestTwoServersPingPongBesideAStalledProtocol(t *testing.T) {
	const trips = 100
	s := newSleeper(t)
	done := make(chan error, 1)
	overloaded := make(chan struct{})
	a := startNode(t, nil, testProtocol("aaa", func(_ *p2p.Peer, rw p2p.MsgReadWriter) error {
		payload := numbered(1, 50_000)
		for {
			if err := write(rw, 0, payload); err != nil {
				return err
			}
		}
	}), testProtocol("bbb", func(_ *p2p.Peer, rw p2p.MsgReadWriter) error {
		select {
		case <-overloaded:
		case <-t.Context().Done():
		}
		for i := range trips {
			if err := write(rw, 3, numbered(i, i)); err != nil {
				done <- err
				return err
			}
			msg, err := rw.ReadMsg()
			if err != nil {
				done <- err
				return err
			}
			if got, err := checkNumbered(msg); err != nil || got != i {
				t.Errorf("asked %d, answered %d, %v", i, got, err)
			}
		}
		done <- nil
		_, err := rw.ReadMsg()
		return err
	}))
	// Between two that speak lanes/1 there would be no drops.
	b := startNode(t, func(c *p2p.Config) { c.NoLanes = true }, s.protocol("aaa", p2p.OverloadDropNewest()), testProtocol("bbb", echo))
	_, atB := connect(t, a, b)
	until(t, "drops", func() bool { return atB.Stats().Protocols[0].Dropped > 0 })
	close(overloaded)
	if err := within(t, "the round trips", done); err != nil {
		t.Error(err)
	}
	if stats := atB.Stats().Protocols; stats[1].MessagesIn != trips {
		t.Errorf("%+v", stats)
	}
	s.read <- 0
	if msg := within(t, "aaa", s.err); msg != nil {
		t.Errorf("aaa: %v", msg)
	}
}
