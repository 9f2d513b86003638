package node

import (
	"bytes"
	"errors"
	"log/slog"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ethereum/go-ethereum/log"
	"github.com/ethereum/go-ethereum/p2p/enode"

	"github.com/sennit-net/sennit/trace"
)

func TestEveryEventOfALinksLifeIsOneLine(t *testing.T) {
	link := trace.Link{Seq: 1, Peer: enode.ID{0xab}, Inbound: true}
	addr := &net.TCPAddr{IP: net.IP{192, 0, 2, 1}, Port: 30303}
	tests := []struct {
		event trace.Event
		want  []string // parts of the line; none: no line
	}{
		{&trace.LinkOpened{Link: link, Remote: addr, Name: "Geth/v1", Protocols: []string{"eth/69"}}, []string{
			`"lvl":"info"`, `"msg":"peer added"`, `"id":"ab00`, `"addr":"192.0.2.1:30303"`, `"name":"Geth/v1"`, "eth/69", `"inbound":true`}},
		{&trace.LinkClosed{Link: link, Cause: errors.New("useless peer"), Side: trace.SideRemote, Reason: 3, ReasonReceived: true}, []string{
			`"msg":"peer dropped"`, `"reason":"useless peer"`, `"side":"remote"`, `"wire":"received 3 (useless peer)"`}},
		{&trace.LinkClosed{Link: link, Cause: errors.New("client quitting"), Side: trace.SideLocal, Reason: 8, ReasonSent: true}, []string{
			`"side":"local"`, `"wire":"sent 8 (client quitting)"`}},
		{&trace.LinkClosed{Link: link, Cause: errors.New("EOF"), Side: trace.SideNetwork}, []string{`"wire":"none"`}},
		{&trace.LinkRefused{Stage: "rlpx", Err: errors.New("bad MAC")}, []string{`"lvl":"debug"`, `"stage":"rlpx"`, `"reason":"bad MAC"`}},
		{&trace.ProtocolStopped{Protocol: "aaa", Cause: errors.New("too slow")}, []string{`"lvl":"warn"`, `"protocol":"aaa"`, `"reason":"too slow"`}},
		{&trace.ProtocolPanicked{Protocol: "aaa", Value: "boom", Stack: []byte("at x")}, []string{`"lvl":"error"`, `"panic":"boom"`, `"stack":"at x"`}},
		{&trace.Message{Protocol: "aaa"}, nil},
		{&trace.Ping{}, nil},
	}
	for _, tt := range tests {
		var out bytes.Buffer
		l := newEventLog(log.NewLogger(log.JSONHandlerWithLevel(&out, log.LevelTrace)))
		l.Record(tt.event)
		l.close()
		if lines := strings.Count(out.String(), "\n"); lines != min(len(tt.want), 1) {
			t.Errorf("%T: %d lines:\n%s", tt.event, lines, &out)
		}
		for _, part := range tt.want {
			if !strings.Contains(out.String(), part) {
				t.Errorf("%T: no %s in\n%s", tt.event, part, &out)
			}
		}
	}
}

// stuckWriter lets nobody write until it is released.
type stuckWriter struct {
	release chan struct{}
	bytes.Buffer
}

func (w *stuckWriter) Write(b []byte) (int, error) {
	<-w.release
	return w.Buffer.Write(b)
}

func TestALogThatCannotKeepUpLosesLinesAndSaysSo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		out := &stuckWriter{release: make(chan struct{})}
		l := newEventLog(log.NewLogger(slog.NewTextHandler(out, nil)))
		event := &trace.LinkOpened{Handshake: time.Second}
		l.Record(event)
		synctest.Wait() // it is being written
		for range maxEvents + 7 {
			l.Record(event)
		}
		close(out.release)
		l.close()
		if n := strings.Count(out.String(), "peer added"); n != maxEvents+1 {
			t.Errorf("%d lines, want %d", n, maxEvents+1)
		}
		if !strings.Contains(out.String(), "lost=7") {
			t.Error("the log does not say that 7 lines were lost")
		}
	})
}
