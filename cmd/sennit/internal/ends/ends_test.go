package ends

import (
	"context"
	"errors"
	"testing"

	"go.uber.org/goleak"

	"github.com/sennit-net/sennit/trace"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestItIsDoneAfterEnoughEndsAndKnowsTheFirstAndTheLast(t *testing.T) {
	e := New(2)
	ctx, cancel := context.WithCancelCause(t.Context())
	defer e.Tell(cancel)()
	unheard, ignored := context.WithCancelCause(t.Context())
	defer ignored(nil)
	e.Tell(ignored)() // stopped before there is anything to tell
	if n, err := e.Last(); n != 0 || err != nil || e.First() != nil {
		t.Errorf("before there is one: %d, %v, %v", n, err, e.First())
	}
	one, two, three := errors.New("one"), errors.New("two"), errors.New("three")
	e.Record(&trace.LinkRefused{Stage: "dial", Err: one})
	e.Record(&trace.LinkOpened{})
	select {
	case <-e.Done():
		t.Error("done after one of two")
	default:
	}
	e.Record(&trace.LinkClosed{Side: trace.SideRemote, Cause: two})
	<-e.Done()
	<-ctx.Done()
	if err := context.Cause(ctx); !errors.Is(err, one) || err.Error() != "dial: one" {
		t.Errorf("told %v", err)
	}
	e.Record(&trace.LinkClosed{Side: trace.SideLocal, Cause: three})
	n, err := e.Last()
	if n != 3 || !errors.Is(err, three) || err.Error() != "the link ended, by the local side: three" || !errors.Is(e.First(), one) {
		t.Errorf("%d, %v, %v", n, err, e.First())
	}
	if unheard.Err() != nil {
		t.Error("somebody is told who did not want it any more")
	}
}
