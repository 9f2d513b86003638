package shh

import (
	"bytes"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/p2p/enode"
	"github.com/ethereum/go-ethereum/rlp"

	"github.com/sennit-net/sennit/p2p"
)

// remote is the other end of a session, played by the test.
type remote struct {
	t    *testing.T
	id   enode.ID
	rw   *p2p.MsgPipeRW
	done chan error // what Run returns
}

// join starts a session of w with a peer of that client name. The test reads what w sends.
func join(t *testing.T, w *Whisper, n byte, name string, more ...p2p.Cap) *remote {
	t.Helper()
	ours, theirs := p2p.MsgPipe()
	r := &remote{t: t, id: enode.ID{n}, rw: theirs, done: make(chan error, 1)}
	peer := p2p.NewPeerPipe(r.id, name, append(more, p2p.Cap{Name: ProtocolName, Version: ProtocolVersion}), ours)
	go func() { r.done <- w.run(peer, ours) }()
	t.Cleanup(func() { theirs.Close() })
	return r
}

// greet exchanges statuses.
func (r *remote) greet(s status) status {
	r.t.Helper()
	got, err := decodeStatus(r.expect(statusCode))
	if err != nil {
		r.t.Fatal(err)
	}
	r.send(statusCode, encodeStatus(s))
	return got
}

func (r *remote) send(code uint64, payload []byte) {
	r.t.Helper()
	if err := r.rw.WriteMsg(p2p.Msg{Code: code, Size: uint32(len(payload)), Payload: bytes.NewReader(payload)}); err != nil {
		r.t.Fatalf("message %d: %v", code, err)
	}
}

func (r *remote) sendEnvelopes(list ...*Envelope) {
	r.t.Helper()
	var raw []rlp.RawValue
	for _, e := range list {
		raw = append(raw, e.Encoding())
	}
	r.send(messagesCode, encode(r.t, raw))
}

// expect returns the payload of the next message, which has to have that code.
func (r *remote) expect(code uint64) []byte {
	r.t.Helper()
	msg, err := r.rw.ReadMsg()
	if err != nil {
		r.t.Fatal(err)
	}
	payload, err := io.ReadAll(msg.Payload)
	if err != nil || msg.Code != code {
		r.t.Fatalf("message %d: %x, %v; want %d", msg.Code, payload, err, code)
	}
	return payload
}

// expectEnvelopes wants the next message to hold these.
func (r *remote) expectEnvelopes(want ...*Envelope) {
	r.t.Helper()
	list, err := readAllEnvelopes(r.expect(messagesCode))
	if err != nil || len(list) != len(want) {
		r.t.Fatalf("%d envelopes, want %d, %v", len(list), len(want), err)
	}
	for i, raw := range list {
		if e, err := DecodeEnvelope(raw); err != nil || e.Hash() != want[i].Hash() {
			r.t.Errorf("envelope %d is another one, %v", i, err)
		}
	}
}

// expectSilence wants nothing to come for some cycles, and ends the session.
func (r *remote) expectSilence() {
	r.t.Helper()
	timer := time.AfterFunc(5*relayCycle, func() { _ = r.rw.Close() })
	defer timer.Stop()
	if msg, err := r.rw.ReadMsg(); err == nil {
		r.t.Errorf("%v comes", msg)
	}
}

// ends wants the session to end with an error that says want.
func (r *remote) ends(want string) {
	r.t.Helper()
	if err := <-r.done; err == nil || !strings.Contains(err.Error(), want) {
		r.t.Errorf("the session ends with %v, want %q", err, want)
	}
}

var quiet = status{bloom: FullBloom()}

// post has w post an envelope, sealed for the rules, with a payload of its own.
func post(t *testing.T, w *Whisper, topic Topic, work float64, rules Rules) *Envelope {
	t.Helper()
	e, err := w.Post(t.Context(), Outgoing{SymKey: NewSymKey(), Topic: topic, TTL: time.Minute, Work: work, Rules: rules, WorkTime: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	return e
}
