package node

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/sennit-net/sennit/cmd/sennit/internal/caps"
	"github.com/sennit-net/sennit/cmd/sennit/internal/config"
	"github.com/sennit-net/sennit/p2p"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m,
		// Of a server's node database: it ends by itself, a second after the database was closed.
		goleak.IgnoreTopFunction("github.com/syndtr/goleveldb/leveldb.(*DB).mpoolDrain"))
}

// start runs p at one end of a pipe and returns the other, and a function that ends it and returns Run's error.
func start(p p2p.Protocol) (*p2p.MsgPipeRW, func() error) {
	ours, theirs := p2p.MsgPipe()
	done := make(chan error, 1)
	go func() {
		done <- p.Run(nil, theirs)
		theirs.Close()
	}()
	return ours, func() error {
		ours.Close()
		return <-done
	}
}

func send(t *testing.T, rw p2p.MsgWriter, code uint64, payload string) {
	t.Helper()
	if err := rw.WriteMsg(p2p.Msg{Code: code, Size: uint32(len(payload)), Payload: strings.NewReader(payload)}); err != nil {
		t.Error(err)
	}
}

// exchange sends a message and expects the answer. Both happen at once, because a pipe's WriteMsg returns when the
// payload has been consumed, and an answer made of it consumes it.
func exchange(t *testing.T, rw p2p.MsgReadWriter, code, answer uint64, payload string) {
	t.Helper()
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		send(t, rw, code, payload)
	}()
	expect(t, rw, answer, payload)
	<-sent
}

func expect(t *testing.T, rw p2p.MsgReader, code uint64, payload string) {
	t.Helper()
	msg, err := rw.ReadMsg()
	if err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(msg.Payload)
	if err != nil || msg.Code != code || string(got) != payload {
		t.Errorf("got code %d, %q, %v; want code %d, %q", msg.Code, got, err, code, payload)
	}
}

func TestEchoRequestIsAnsweredWithItsPayload(t *testing.T) {
	list, counts := protocols(nil, nil)
	if p := list[0]; p.Name != "sennit" || p.Version != 1 || p.Length != 2 {
		t.Fatalf("first protocol is %s/%d of length %d", p.Name, p.Version, p.Length)
	}
	rw, stop := start(list[0])
	for _, payload := range []string{"hello", "", "\xc0"} {
		exchange(t, rw, EchoRequest, EchoResponse, payload)
	}
	send(t, rw, EchoResponse, "an answer to no question is not answered")
	exchange(t, rw, EchoRequest, EchoResponse, "next")
	if err := stop(); !errors.Is(err, p2p.ErrPipeClosed) {
		t.Errorf("Run returned %v", err)
	}
	if m := counts[0].messages.Load(); m != 5 {
		t.Errorf("%d messages counted, want 5", m)
	}
}

func TestOversizeEchoRequestEndsTheLink(t *testing.T) {
	list, _ := protocols(nil, nil)
	rw, stop := start(list[0])
	defer rw.Close()
	msg := p2p.Msg{Code: EchoRequest, Size: MaxEcho + 1, Payload: bytes.NewReader(make([]byte, MaxEcho+1))}
	if err := rw.WriteMsg(msg); err != nil && !errors.Is(err, p2p.ErrPipeClosed) {
		t.Fatal(err)
	}
	if err := stop(); err != p2p.DiscProtocolError {
		t.Errorf("Run returned %v, want %v", err, p2p.DiscProtocolError)
	}
}

func TestSinkReadsAndCountsAndNeverAnswers(t *testing.T) {
	list, counts := protocols([]caps.Cap{{Name: "aaa", Version: 3, Length: 9}}, nil)
	rw, stop := start(list[1])
	send(t, rw, 8, "12345") // each returns when the payload has been consumed
	send(t, rw, 0, "")
	send(t, rw, 1, "123")
	if err := stop(); !errors.Is(err, p2p.ErrPipeClosed) {
		t.Errorf("Run returned %v", err)
	}
	c := counts[0]
	if c.cap.String() != "aaa/3" || c.messages.Load() != 3 || c.bytes.Load() != 8 {
		t.Errorf("%v counted %d messages, %d bytes", c.cap, c.messages.Load(), c.bytes.Load())
	}
}

func TestMirrorSendsBackWithTheSameCode(t *testing.T) {
	list, _ := protocols(nil, []caps.Cap{{Name: "aaa", Version: 3, Length: 9}})
	rw, stop := start(list[1])
	for code := range uint64(9) {
		exchange(t, rw, code, code, "payload")
	}
	if err := stop(); !errors.Is(err, p2p.ErrPipeClosed) {
		t.Errorf("Run returned %v", err)
	}
}

func TestOneProtocolInTwoRolesIsRefused(t *testing.T) {
	for _, c := range []config.Node{
		{Caps: []string{"aaa/1/1"}, Echo: []string{"aaa/1/2"}},
		{Caps: []string{"sennit/1/2"}},
		{Echo: []string{"sennit/1/9"}},
	} {
		if _, _, err := readCaps(&config.Config{Node: c}); err == nil || !strings.Contains(err.Error(), "twice") {
			t.Errorf("%v: %v", c, err)
		}
	}
	sinks, mirrors, err := readCaps(&config.Config{Node: config.Node{Caps: []string{"aaa/1/1", "sennit/2/2"}, Echo: []string{"aaa/2/1"}}})
	if err != nil || len(sinks) != 2 || len(mirrors) != 1 {
		t.Errorf("%v %v %v", sinks, mirrors, err)
	}
}
