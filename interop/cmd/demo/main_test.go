package main

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"

	geth "github.com/ethereum/go-ethereum/p2p"

	"github.com/sennit-net/sennit/p2p"
)

func TestEveryStackIsShownAndJudged(t *testing.T) {
	var out, errs bytes.Buffer
	if status := run(t.Context(), []string{"--seconds", "1"}, &out, &errs); status != 0 {
		t.Fatalf("status %d: %s\n%s", status, &errs, &out)
	}
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	verdicts := lines[max(0, len(lines)-3):]
	for i, name := range []string{"Sennit, lanes/1", "Sennit, classic RLPx", "go-ethereum"} {
		if !strings.HasPrefix(verdicts[i], name+": echo ") || !strings.HasSuffix(verdicts[i], "The link lived.") {
			t.Errorf("%q is not the verdict on %s:\n%s", verdicts[i], name, &out)
		}
	}
}

func TestTheCommandLineIsChecked(t *testing.T) {
	for _, tt := range []struct {
		args   string
		status int
		says   string // on standard error
	}{
		{"--help", 0, "drop-oldest"},
		{"--seconds 0", exitUsage, "--seconds"},
		{"--policy panic", exitUsage, "--policy"},
		{"--speed 3", exitUsage, "speed"},
		{"now", exitUsage, "now"},
	} {
		var out, errs bytes.Buffer
		if status := run(t.Context(), strings.Fields(tt.args), &out, &errs); status != tt.status || !strings.Contains(errs.String(), tt.says) {
			t.Errorf("%s: status %d, says %q", tt.args, status, &errs)
		}
		if out.Len() > 0 {
			t.Errorf("%s: prints %q", tt.args, &out)
		}
	}
}

func TestAnInterruptEndsTheDemonstration(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errors.New("enough"))
	var out, errs bytes.Buffer
	if status := run(ctx, nil, &out, &errs); status != exitFailed || !strings.Contains(errs.String(), "enough") {
		t.Errorf("status %d, says %q", status, &errs)
	}
}

func TestTheCauseOfAnEarlyEndIsThatOfTheEndThatKnowsIt(t *testing.T) {
	wait := make(chan struct{})
	hold := []p2p.Protocol{{Name: "hold", Version: 1, Length: 1, Run: func(_ *p2p.Peer, rw p2p.MsgReadWriter) error {
		_, err := rw.ReadMsg()
		return err
	}}}
	// The dialer's end brings the end about; the listener hears of it.
	oops := []p2p.Protocol{{Name: "hold", Version: 1, Length: 1, Run: func(*p2p.Peer, p2p.MsgReadWriter) error {
		<-wait
		return errors.New("oops")
	}}}
	link, err := connectGeth(oops, hold)
	if err != nil {
		t.Fatal(err)
	}
	defer link.Close()
	for e := range link.(*gethLink).events {
		if e.Type == geth.PeerEventTypeAdd {
			break
		}
	}
	close(wait)
	if cause := link.Cause(); cause == nil || cause.Error() != "oops" {
		t.Errorf("got %v", cause)
	}
}
