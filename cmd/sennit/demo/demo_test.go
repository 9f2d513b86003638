package demo

import (
	"bytes"
	"context"
	"errors"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/crypto"
	gethlog "github.com/ethereum/go-ethereum/log"
	geth "github.com/ethereum/go-ethereum/p2p"
	"go.uber.org/goleak"

	"github.com/sennit-net/sennit/p2p"
)

func TestMain(m *testing.M) {
	// Of the node database: it ends by itself, a second after the database was closed.
	goleak.VerifyTestMain(m, goleak.IgnoreTopFunction("github.com/syndtr/goleveldb/leveldb.(*DB).mpoolDrain"))
}

var anyDigits = regexp.MustCompile(`[0-9]+`)

func TestTheLinkLivesUnderEveryPolicy(t *testing.T) {
	for _, policy := range []p2p.OverloadPolicy{
		p2p.OverloadStop(), p2p.OverloadWait(10 * time.Millisecond), p2p.OverloadDropNewest(), p2p.OverloadDropOldest(),
	} {
		for _, live := range []bool{false, true} {
			var out bytes.Buffer
			err := Run(t.Context(), &out, Options{Duration: 300 * time.Millisecond, Policy: policy, Live: live}, Sennit())
			if err != nil || !strings.Contains(out.String(), "The link lived.") {
				t.Errorf("%v: %v\n%s", policy, err, &out)
			}
			if strings.Contains(out.String(), "\x1b[") != live {
				t.Errorf("%v, live %v: moves the cursor: %v", policy, live, !live)
			}
		}
	}
}

// gethStack runs the demonstration on go-ethereum's p2p. It shows that a [Stack] can be filled in for a peer layer
// without counters and policies.
func gethStack() Stack { return Stack{Name: "go-ethereum", Connect: connectGeth} }

type gethLink struct{ servers []*geth.Server }

func (l *gethLink) Stats() []p2p.ProtocolStats { return nil }

func (l *gethLink) Close() {
	for _, s := range l.servers {
		s.Stop()
	}
}

func connectGeth(dialer, listener []p2p.Protocol) (Link, error) {
	l := &gethLink{}
	for _, node := range []struct {
		addr      string
		protocols []p2p.Protocol
	}{{"127.0.0.1:0", listener}, {"", dialer}} {
		key, err := crypto.GenerateKey()
		if err != nil {
			return nil, err
		}
		server := &geth.Server{Config: geth.Config{
			PrivateKey: key, MaxPeers: 10, NoDiscovery: true, ListenAddr: node.addr, Logger: gethlog.NewLogger(gethlog.DiscardHandler()),
		}}
		for _, p := range node.protocols {
			server.Protocols = append(server.Protocols, geth.Protocol{Name: p.Name, Version: p.Version, Length: p.Length,
				Run: func(_ *geth.Peer, rw geth.MsgReadWriter) error { return p.Run(nil, gethRW{rw}) }})
		}
		if err := server.Start(); err != nil {
			l.Close()
			return nil, err
		}
		l.servers = append(l.servers, server)
	}
	l.servers[1].AddPeer(l.servers[0].Self())
	return l, nil
}

type gethRW struct{ rw geth.MsgReadWriter }

func (g gethRW) ReadMsg() (p2p.Msg, error) {
	msg, err := g.rw.ReadMsg()
	return p2p.Msg{Code: msg.Code, Size: msg.Size, Payload: msg.Payload, ReceivedAt: msg.ReceivedAt}, err
}

func (g gethRW) WriteMsg(msg p2p.Msg) error {
	return g.rw.WriteMsg(geth.Msg{Code: msg.Code, Size: msg.Size, Payload: msg.Payload})
}

func TestAnotherStackCanBeShownForComparison(t *testing.T) {
	var out bytes.Buffer
	o := Options{Duration: 200 * time.Millisecond, Policy: p2p.OverloadStop()}
	if err := Run(t.Context(), &out, o, Sennit(), gethStack()); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	verdicts := lines[len(lines)-2:]
	if !strings.HasPrefix(verdicts[0], "Sennit: echo") || !strings.HasPrefix(verdicts[1], "go-ethereum: echo") {
		t.Errorf("the last two lines are not the verdicts:\n%s", &out)
	}
}

// brokenLink is a stack whose link ends at once.
func brokenLink(mustLive bool) Stack {
	return Stack{Name: "broken", MustLive: mustLive, Connect: func(dialer, listener []p2p.Protocol) (Link, error) {
		l := new(pipeLink)
		var ends []*p2p.MsgPipeRW
		for i := range dialer {
			a, b := p2p.MsgPipe()
			ends = append(ends, a)
			for p, rw := range map[*p2p.Protocol]*p2p.MsgPipeRW{&dialer[i]: a, &listener[i]: b} {
				l.running = append(l.running, make(chan struct{}))
				go func(done chan struct{}) {
					defer close(done)
					p.Run(nil, rw)
				}(l.running[len(l.running)-1])
			}
		}
		for _, rw := range ends {
			rw.Close()
		}
		return l, nil
	}}
}

type pipeLink struct{ running []chan struct{} }

func (l *pipeLink) Stats() []p2p.ProtocolStats { return nil }

func (l *pipeLink) Close() {
	for _, done := range l.running {
		<-done
	}
}

func TestALinkThatEndsEarlyIsReported(t *testing.T) {
	for _, mustLive := range []bool{true, false} {
		var out bytes.Buffer
		err := Run(t.Context(), &out, Options{Duration: time.Minute}, brokenLink(mustLive))
		switch {
		case err == nil && mustLive:
			t.Error("no error though the link had to live")
		case err != nil && !errors.Is(err, errLinkEnded):
			t.Errorf("must live %v: %v", mustLive, err)
		}
	}
}

func TestAStackThatDoesNotStartIsReported(t *testing.T) {
	broken := errors.New("no nodes today")
	stack := Stack{Name: "lazy", Connect: func(_, _ []p2p.Protocol) (Link, error) { return nil, broken }}
	err := Run(t.Context(), new(bytes.Buffer), Options{Duration: time.Minute}, stack, Sennit())
	if !errors.Is(err, broken) || !strings.HasPrefix(err.Error(), "lazy: ") {
		t.Errorf("got %v", err)
	}
}

func TestTheEndOfTheContextEndsTheDemonstration(t *testing.T) {
	enough := errors.New("enough")
	ctx, cancel := context.WithCancelCause(t.Context())
	out := writerFunc(func(b []byte) (int, error) {
		if bytes.Contains(b, []byte("echo")) { // the first state
			cancel(enough)
		}
		return len(b), nil
	})
	if err := Run(ctx, out, Options{Duration: time.Minute, Live: true}, Sennit()); !errors.Is(err, enough) {
		t.Errorf("got %v", err)
	}
}

func TestAnOutputThatFailsIsAnError(t *testing.T) {
	full := errors.New("disk full")
	out := writerFunc(func([]byte) (int, error) { return 0, full })
	if err := Run(t.Context(), out, Options{Duration: time.Millisecond}, Sennit()); !errors.Is(err, full) {
		t.Errorf("got %v", err)
	}
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(b []byte) (int, error) { return f(b) }

func TestALiveTableIsDrawnOverTheLastOne(t *testing.T) {
	var out bytes.Buffer
	p := &printer{w: &out, live: true}
	s := example()
	p.show(s, time.Minute)
	p.show(s, time.Minute)
	p.finish(s, time.Minute)
	lines := len(s.table()) + 1
	for _, up := range regexp.MustCompile(`\x1b\[([0-9]+)A`).FindAllString(out.String(), -1) {
		if anyDigits.FindString(up) != count(uint64(lines)) {
			t.Errorf("goes up with %q, the table has %d lines", up, lines)
		}
	}
	if n := strings.Count(out.String(), "\x1b[6A"); n != 2 {
		t.Errorf("goes up %d times, want 2", n)
	}
}
