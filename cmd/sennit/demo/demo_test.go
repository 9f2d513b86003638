package demo

import (
	"bytes"
	"context"
	"errors"
	"regexp"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/sennit-net/sennit/p2p"
	"github.com/sennit-net/sennit/trace"
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
			err := Run(t.Context(), &out, Options{Duration: 300 * time.Millisecond, Policy: policy, Live: live}, SennitClassic(), Sennit())
			if err != nil || strings.Count(out.String(), "The link lived.") != 2 {
				t.Errorf("%v: %v\n%s", policy, err, &out)
			}
			if strings.Contains(out.String(), "\x1b[") != live {
				t.Errorf("%v, live %v: moves the cursor: %v", policy, live, !live)
			}
		}
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

func (l *pipeLink) Cause() error { return nil }

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

// cutLink is a link of Sennit that does something to itself when its state is first asked for, that is while all runs.
type cutLink struct {
	*sennitLink
	cut func()
}

func (l cutLink) Stats() []p2p.ProtocolStats {
	l.cut()
	return nil
}

func TestTheVerdictNamesTheTrueCauseOfAnEarlyEnd(t *testing.T) {
	for want, cut := range map[string]func(*sennitLink){
		"listener, local: too many peers.":  func(l *sennitLink) { l.listener.Peers()[0].Disconnect(p2p.DiscTooManyPeers) },
		"dialer, local: disconnect request": func(l *sennitLink) { l.dialer.RemovePeer(l.listener.Self()) },
		"dialer, local: client quitting.":   func(l *sennitLink) { l.dialer.Stop() },
	} {
		stack := Sennit()
		stack.Connect = func(dialer, listener []p2p.Protocol) (Link, error) {
			l, err := connectSennit(dialer, listener, false)
			if err != nil {
				return nil, err
			}
			return cutLink{l.(*sennitLink), sync.OnceFunc(func() { cut(l.(*sennitLink)) })}, nil
		}
		var out bytes.Buffer
		err := Run(t.Context(), &out, Options{Duration: time.Minute, Live: true}, stack)
		if !errors.Is(err, errLinkEnded) || !strings.Contains(err.Error(), strings.TrimSuffix(want, ".")) {
			t.Errorf("%s: error %v", want, err)
		}
		if !strings.Contains(out.String(), "the link ended: "+want) {
			t.Errorf("no %q in the verdict:\n%s", want, &out)
		}
	}
}

func TestTheEndThatKnowsTheCauseIsBelieved(t *testing.T) {
	oops := errors.New("oops")
	theirs := trace.LinkClosed{Link: trace.Link{Inbound: true}, Cause: p2p.DiscSubprotocolError, Side: trace.SideRemote}
	ours := trace.LinkClosed{Cause: oops, Side: trace.SideLocal, Protocol: "bulk", Reason: 16, ReasonSent: true}
	over := trace.LinkClosed{Link: trace.Link{Inbound: true}, Cause: ErrOver, Side: trace.SideLocal, Protocol: "stuck", ReasonSent: true}
	later := trace.LinkClosed{Cause: errors.New("of a later link"), Side: trace.SideNetwork}
	for _, tt := range []struct {
		ends []trace.LinkClosed
		want string
	}{
		{[]trace.LinkClosed{theirs, ours, later}, "dialer, local: bulk: oops, told the other end 16, subprotocol error"},
		{[]trace.LinkClosed{ours, theirs, later}, "dialer, local: bulk: oops, told the other end 16, subprotocol error"},
		{[]trace.LinkClosed{over, ours, later}, "dialer, local: bulk: oops, told the other end 16, subprotocol error"},
		{[]trace.LinkClosed{over, theirs, later}, "listener, remote: subprotocol error"},
		{[]trace.LinkClosed{theirs, theirs, later}, "listener, remote: subprotocol error"},
	} {
		r := newEndRecorder()
		r.Record(&trace.LinkOpened{})
		for i := range tt.ends {
			r.Record(&tt.ends[i])
		}
		if got := r.cause(); got == nil || got.Error() != tt.want {
			t.Errorf("got %v, want %s", got, tt.want)
		}
	}
}

func TestAnEndThatIsNeverRecordedIsNotWaitedForForEver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newEndRecorder()
		start := time.Now()
		if err := r.cause(); err != nil || time.Since(start) != endLimit {
			t.Errorf("%v after %v", err, time.Since(start))
		}
		theirs := trace.LinkClosed{Cause: p2p.DiscQuitting, Side: trace.SideRemote}
		r.Record(&theirs)
		if err := r.cause(); !errors.Is(err, p2p.DiscQuitting) {
			t.Errorf("one end alone: %v", err)
		}
	})
}

func TestSettingsThatCannotBeMeantAreNamed(t *testing.T) {
	for want, change := range map[string]func(*Settings){
		"--seconds": func(s *Settings) { s.Seconds = 0 },
		"--wait":    func(s *Settings) { s.Policy, s.Wait = "wait", 0 },
		"--policy":  func(s *Settings) { s.Policy = "panic" },
		"":          func(s *Settings) {},
	} {
		s := DefaultSettings()
		change(&s)
		switch o, err := s.Options(new(bytes.Buffer)); {
		case want == "" && (err != nil || o != Options{Duration: 5 * time.Second, Policy: p2p.OverloadStop()}):
			t.Errorf("defaults: %+v, %v", o, err)
		case want != "" && (err == nil || !strings.HasPrefix(err.Error(), want)):
			t.Errorf("%s: %v", want, err)
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
