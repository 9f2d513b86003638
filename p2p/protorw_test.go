package p2p_test

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math/rand"
	"strings"
	"sync"
	"testing"

	"github.com/ethereum/go-ethereum/p2p/enode"

	"github.com/sennit-net/sennit/p2p"
)

// numbered returns the payload of the i-th message of a test: its number, a checksum and size bytes that only half
// compress.
func numbered(i, size int) []byte {
	p := make([]byte, 8+size)
	rand.New(rand.NewSource(int64(i))).Read(p[8 : 8+size/2])
	binary.BigEndian.PutUint32(p, uint32(i))
	binary.BigEndian.PutUint32(p[4:], crc32.ChecksumIEEE(p[8:]))
	return p
}

// checkNumbered reads a payload made by numbered and returns its number.
func checkNumbered(msg p2p.Msg) (int, error) {
	p, err := io.ReadAll(msg.Payload)
	if err != nil || len(p) != int(msg.Size) || len(p) < 8 {
		return 0, fmt.Errorf("%v: read %d bytes, %v", msg, len(p), err)
	}
	i := int(binary.BigEndian.Uint32(p))
	if binary.BigEndian.Uint32(p[4:]) != crc32.ChecksumIEEE(p[8:]) {
		return i, fmt.Errorf("message %d is not what was sent", i)
	}
	return i, nil
}

func write(rw p2p.MsgWriter, code uint64, payload []byte) error {
	return rw.WriteMsg(p2p.Msg{Code: code, Size: uint32(len(payload)), Payload: bytes.NewReader(payload)})
}

// size of the i-th message of a test: mostly small, sometimes large, 0 at times.
func testSize(i int) int {
	switch {
	case i%7 == 0:
		return 0
	case i%100 == 99:
		return 60_000
	}
	return i % 1500
}

func TestAMessageWithoutAPayloadIsEmptyOrRefused(t *testing.T) {
	refused := make(chan error, 1)
	srv := startNode(t, nil, testProtocol("aaa", func(p *p2p.Peer, rw p2p.MsgReadWriter) error {
		refused <- rw.WriteMsg(p2p.Msg{Code: 2, Size: 3})
		if err := rw.WriteMsg(p2p.Msg{Code: 3}); err != nil {
			return err
		}
		return drain(p, rw)
	}))
	w := join(t, srv, "aaa")
	w.expect(16+3, nil)
	if err := within(t, "WriteMsg", refused); err == nil || err.Error() != "message 2 has a size of 3 bytes but a nil Payload" {
		t.Errorf("error %v", err)
	}
}

func TestAllThatWriteMsgHasAcceptedArrivesBeforeTheEnd(t *testing.T) {
	const count = 500
	finished := make(chan struct{}) // everything has been written
	received := make(chan error, 2)
	a := startNode(t, nil, testProtocol("aaa", func(_ *p2p.Peer, rw p2p.MsgReadWriter) error {
		<-finished
		return p2p.DiscUselessPeer
	}), testProtocol("bbb", func(_ *p2p.Peer, rw p2p.MsgReadWriter) error {
		for i := range count {
			if err := write(rw, uint64(i%8), numbered(i, testSize(i))); err != nil {
				t.Errorf("writing %d: %v", i, err)
			}
		}
		close(finished)
		_, err := rw.ReadMsg()
		return err
	}))
	ended := make(chan struct{}) // the link has ended as far as the other protocol can tell
	b := startNode(t, nil, testProtocol("aaa", func(_ *p2p.Peer, rw p2p.MsgReadWriter) error {
		defer close(ended)
		_, err := rw.ReadMsg()
		return err
	}), testProtocol("bbb", func(_ *p2p.Peer, rw p2p.MsgReadWriter) error {
		<-ended // all that is left is what had arrived
		for i := range count {
			msg, err := rw.ReadMsg()
			if err != nil {
				received <- fmt.Errorf("reading %d: %w", i, err)
				return err
			}
			if got, err := checkNumbered(msg); err != nil || got != i || msg.Code != uint64(i%8) {
				received <- fmt.Errorf("message %d: %v is number %d: %v", i, msg, got, err)
			}
		}
		_, err := rw.ReadMsg()
		received <- err
		return err
	}))
	a.AddPeer(b.Self())
	if err := within(t, "the messages", received); err != io.EOF {
		t.Errorf("the other end: %v", err)
	}
	if got := b.event(p2p.PeerEventTypeDrop).Error; got != "useless peer" {
		t.Errorf("dropped with %q", got)
	}
}

func TestMessagesOfAllSizesArriveUnchanged(t *testing.T) {
	sizes := []int{0, 1, 2, 15, 16, 17, 55, 56, 64, 65, 127, 128, 255, 256, 257, 511, 512, 4 << 10, 20 << 10, 40<<10 - 8, 40 << 10,
		128 << 10, 256 << 10, 256<<10 + 1, 1 << 20, 5 << 20, 1<<24 - 1 - 8 - 9}
	result := make(chan error, 1)
	a := startNode(t, nil, testProtocol("aaa", func(_ *p2p.Peer, rw p2p.MsgReadWriter) error {
		for i, size := range sizes {
			if err := write(rw, 1, numbered(i, size)); err != nil {
				return err
			}
		}
		_, err := rw.ReadMsg()
		return err
	}))
	b := startNode(t, nil, testProtocol("aaa", func(_ *p2p.Peer, rw p2p.MsgReadWriter) error {
		for i, size := range sizes {
			msg, err := rw.ReadMsg()
			if err != nil {
				result <- fmt.Errorf("size %d: %w", size, err)
				return err
			}
			if got, err := checkNumbered(msg); err != nil || got != i || int(msg.Size) != 8+size || msg.ReceivedAt.IsZero() {
				result <- fmt.Errorf("size %d: got %v, number %d: %v", size, msg, got, err)
				return err
			}
		}
		result <- nil
		return nil
	}))
	a.AddPeer(b.Self())
	if err := within(t, "the messages", result); err != nil {
		t.Error(err)
	}
}

func TestEveryWritersMessagesArriveOnceAndInOrder(t *testing.T) {
	const writers, count = 4, 500
	names := []string{"aaa", "bbb", "ccc"}
	result := make(chan error, len(names))
	var senders, receivers []p2p.Protocol
	for _, name := range names {
		senders = append(senders, testProtocol(name, func(_ *p2p.Peer, rw p2p.MsgReadWriter) error {
			var wg sync.WaitGroup
			for w := range writers {
				wg.Go(func() {
					for i := range count {
						if err := write(rw, uint64(w), numbered(i, testSize(i))); err != nil {
							t.Errorf("%s, writer %d, message %d: %v", name, w, i, err)
							return
						}
					}
				})
			}
			wg.Wait()
			_, err := rw.ReadMsg()
			return err
		}))
		receivers = append(receivers, testProtocol(name, func(_ *p2p.Peer, rw p2p.MsgReadWriter) error {
			var next [writers]int
			for range writers * count {
				msg, err := rw.ReadMsg()
				if err != nil {
					result <- err
					return err
				}
				i, err := checkNumbered(msg)
				if err != nil || i != next[msg.Code] {
					result <- fmt.Errorf("%s, writer %d: message %d instead of %d, %v", name, msg.Code, i, next[msg.Code], err)
				}
				next[msg.Code] = i + 1
			}
			result <- nil
			_, err := rw.ReadMsg()
			return err
		}))
	}
	a, b := startNode(t, nil, senders...), startNode(t, nil, receivers...)
	atA, atB := connect(t, a, b)
	for range names {
		if err := within(t, "the messages", result); err != nil {
			t.Error(err)
		}
	}
	for i := range names {
		out, in := atA.Stats().Protocols[i], atB.Stats().Protocols[i]
		if out.MessagesOut != writers*count || in.MessagesIn != out.MessagesOut || in.BytesIn != out.BytesOut || in.InboxMessages != 0 || in.InboxBytes != 0 || in.Dropped != 0 {
			t.Errorf("sender has %+v, receiver %+v", out, in)
		}
	}
}

func TestPayloadsAreConsumedWhenWriteMsgReturns(t *testing.T) {
	srv := startNode(t, nil, testProtocol("aaa", func(_ *p2p.Peer, rw p2p.MsgReadWriter) error {
		buf := make([]byte, 100<<10)
		for i := range 100 {
			size := 8 + i*1000
			copy(buf, numbered(i, size-8))
			if err := write(rw, 0, buf[:size]); err != nil {
				return err
			}
			clear(buf)
		}
		_, err := rw.ReadMsg()
		return err
	}))
	w := join(t, srv, "aaa")
	for i := range 100 {
		code, payload, _, err := w.read()
		if err != nil || code != 16 {
			t.Fatalf("message %d: code %#x, %v", i, code, err)
		}
		if got, err := checkNumbered(p2p.Msg{Size: uint32(len(payload)), Payload: bytes.NewReader(payload)}); err != nil || got != i {
			t.Errorf("message %d: got %d, %v", i, got, err)
		}
	}
}

func TestMessagesThatCannotBeSentLeaveTheLinkAlone(t *testing.T) {
	broken := errors.New("broken")
	srv := startNode(t, nil, testProtocol("aaa", func(_ *p2p.Peer, rw p2p.MsgReadWriter) error {
		for _, bad := range []struct {
			msg  p2p.Msg
			want string
		}{
			{p2p.Msg{Code: 8, Payload: bytes.NewReader(nil)}, "invalid message code: not handled"},
			{p2p.Msg{Code: 1 << 63, Payload: bytes.NewReader(nil)}, "invalid message code: not handled"},
			{p2p.Msg{Size: 1 << 24, Payload: bytes.NewReader(make([]byte, 1<<24))}, "message too big: 16777216 bytes"},
			{p2p.Msg{Size: 1<<32 - 1, Payload: bytes.NewReader(nil)}, "message too big: 4294967295 bytes"},
			{p2p.Msg{Size: 5, Payload: strings.NewReader("four")}, "payload is shorter than the message size of 5 bytes"},
			{p2p.Msg{Size: 50_000, Payload: bytes.NewReader(make([]byte, 49_999))}, "payload is shorter than the message size of 50000 bytes"},
			{p2p.Msg{Size: 50_000, Payload: io.MultiReader(bytes.NewReader(make([]byte, 9000)), failing{broken})}, "payload is shorter"},
		} {
			if err := rw.WriteMsg(bad.msg); err == nil || !strings.HasPrefix(err.Error(), bad.want) {
				t.Errorf("%v: %v, want %s", bad.msg, err, bad.want)
			}
		}
		if err := rw.WriteMsg(p2p.Msg{Size: 2, Payload: failing{broken}}); !errors.Is(err, broken) {
			t.Errorf("the payload's error is lost: %v", err)
		}
		write(rw, 7, []byte("good"))
		_, err := rw.ReadMsg()
		return err
	}))
	w := join(t, srv, "aaa")
	w.expect(16+7, []byte("good"))
	if s := srv.peer().Stats().Protocols[0]; s.MessagesOut != 1 || s.BytesOut != 4 || s.OutboxBytes != 0 {
		t.Errorf("counted %+v", s)
	}
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

func TestAWriterThatWaitsForRoomIsLetGoAtTheEnd(t *testing.T) {
	ends := map[string]func(*wire, *p2p.Peer){
		"Disconnect here": func(_ *wire, p *p2p.Peer) { p.Disconnect(p2p.DiscUselessPeer) },
		"reset there":     func(w *wire, _ *p2p.Peer) { w.fd.SetLinger(0); w.fd.Close() },
		"Disconnect there": func(w *wire, _ *p2p.Peer) {
			w.send(1, []byte{0xc1, 4})
			w.fd.Close()
		},
	}
	for name, end := range ends {
		t.Run(name, func(t *testing.T) {
			result := make(chan error, 1)
			p := testProtocol("aaa", func(p *p2p.Peer, rw p2p.MsgReadWriter) error {
				big := numbered(1, 1<<20)
				for {
					if err := write(rw, 0, big); err != nil {
						result <- err
						return err
					}
				}
			})
			p.OutboxBytes = 64 << 10
			srv := startNode(t, nil, p)
			w := join(t, srv, "aaa") // and never reads
			peer := srv.peer()
			full := func() bool { return peer.Stats().Protocols[0].OutboxBytes > 64<<10 }
			until(t, "a full outbox", full)
			end(w, peer)
			if err := within(t, "WriteMsg", result); err != p2p.ErrShuttingDown {
				t.Errorf("WriteMsg: %v", err)
			}
			srv.event(p2p.PeerEventTypeDrop)
		})
	}
}

func TestPayloadsMayBeKeptUnread(t *testing.T) {
	const count = 300
	result := make(chan error, count)
	keep := testProtocol("aaa", func(_ *p2p.Peer, rw p2p.MsgReadWriter) error {
		var kept []p2p.Msg
		for range count {
			msg, err := rw.ReadMsg()
			if err != nil {
				result <- err
				return err
			}
			kept = append(kept, msg)
		}
		var wg sync.WaitGroup
		for i, msg := range kept { // each read by a goroutine of its own, the last first
			wg.Go(func() {
				got, err := checkNumbered(msg)
				if err == nil && got != i {
					err = fmt.Errorf("message %d is number %d", i, got)
				}
				result <- err
			})
		}
		wg.Wait()
		_, err := rw.ReadMsg()
		return err
	})
	keep.InboxBytes = 64 << 10
	srv := startNode(t, nil, keep, testProtocol("bbb", echo))
	w := join(t, srv, "aaa", "bbb")
	for i := range count {
		w.send(16, numbered(i, testSize(i)*10))
		noise := numbered(i, testSize(i)) // buffers that have been given back are used again
		w.send(24, noise)
		w.expect(24, noise)
	}
	for range count {
		if err := within(t, "the messages", result); err != nil {
			t.Error(err)
		}
	}
}

func TestAProtocolThatNeverReadsAPayloadWorksForEver(t *testing.T) {
	const size, inbox = 10_000, 100_000
	heads := testProtocol("aaa", func(_ *p2p.Peer, rw p2p.MsgReadWriter) error {
		for {
			msg, err := rw.ReadMsg()
			if err != nil {
				return err
			}
			if err := write(rw, msg.Code, nil); err != nil {
				return err
			}
		}
	})
	heads.InboxBytes, heads.Overload = inbox, p2p.OverloadStop()
	srv := startNode(t, nil, heads)
	w := join(t, srv, "aaa")
	payload := numbered(1, size)
	for range 20 * inbox / size {
		w.send(16+5, payload)
		w.expect(16+5, nil)
	}
	if s := srv.peer().Stats().Protocols[0]; s.Stopped || s.InboxBytes != 0 || s.InboxMessages != 0 {
		t.Errorf("counted %+v", s)
	}
}

func TestMessageEventsAreSentOnlyOnDemand(t *testing.T) {
	for _, on := range []bool{false, true} {
		srv := startNode(t, func(c *p2p.Config) { c.EnableMsgEvents = on }, testProtocol("aaa", echo), testProtocol("bbb", echo))
		w := join(t, srv, "aaa", "bbb")
		w.send(2, []byte{0xc0}) // a ping is none of the subscribers' business
		w.expect(3, []byte{0xc0})
		w.send(24+3, bytes.Repeat([]byte{7}, 300))
		w.expect(24+3, bytes.Repeat([]byte{7}, 300))
		w.fd.Close()
		var got []string
		for {
			ev := within(t, "an event", srv.events)
			text, err := json.Marshal(ev)
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, string(text))
			if ev.Type == p2p.PeerEventTypeDrop {
				break
			}
		}
		ends := fmt.Sprintf(`"local":"%v","remote":"%v"}`, srv.ListenAddr, w.fd.LocalAddr())
		peer := `"peer":"` + w.id().String() + `",`
		want := []string{
			`{"type":"add",` + peer + ends,
			`{"type":"msgrecv",` + peer + `"protocol":"bbb","msg_code":3,"msg_size":300,` + ends,
			`{"type":"msgsend",` + peer + `"protocol":"bbb","msg_code":3,"msg_size":300,` + ends,
			`{"type":"drop",` + peer + `"error":"EOF",` + ends,
		}
		if !on {
			want = []string{want[0], want[3]}
		}
		if strings.Join(got, "\n") != strings.Join(want, "\n") {
			t.Errorf("EnableMsgEvents %v: got\n%s\nwant\n%s", on, strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	}
}

func TestPeerInfoIsWhatAdminPeersShows(t *testing.T) {
	says := func(name string, info any) p2p.Protocol {
		p := testProtocol(name, echo)
		p.PeerInfo = func(enode.ID) interface{} { return info }
		return p
	}
	srv := startNode(t, nil, testProtocol("aaa", echo), says("bbb", nil), says("ccc", map[string]int{"head": 5}), testProtocol("ddd", echo))
	w := join(t, srv, "ccc", "zzz", "aaa", "bbb")
	peer := srv.peer()
	got, err := json.Marshal(peer.Info())
	if err != nil {
		t.Fatal(err)
	}
	want := fmt.Sprintf(`{"enode":"%s","id":"%s","name":"raw/client","caps":["aaa/1","bbb/1","ccc/1","zzz/1"],`+
		`"network":{"localAddress":"%v","remoteAddress":"%v","inbound":true,"trusted":false,"static":false},`+
		`"protocols":{"aaa":"unknown","bbb":"handshake","ccc":{"head":5}},"framing":"rlpx"}`,
		peer.Node().URLv4(), w.id(), srv.ListenAddr, w.fd.LocalAddr())
	if string(got) != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if addr, ok := peer.Node().TCPEndpoint(); !ok || addr.String() != w.fd.LocalAddr().String() {
		t.Errorf("the node is at %v", addr)
	}
	if !peer.RunningCap("bbb", []uint{3, 1}) || peer.RunningCap("bbb", []uint{2}) || peer.RunningCap("zzz", []uint{1}) || peer.RunningCap("ddd", []uint{1}) {
		t.Error("RunningCap tells of other protocols than those that run")
	}
	if !peer.Inbound() || peer.DynDialed() || peer.StaticDialed() || peer.Trusted() || peer.Lifetime() <= 0 {
		t.Errorf("flags of %v", peer)
	}
}
