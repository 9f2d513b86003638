package trace

import (
	"errors"
	"fmt"
	"testing"
	"time"
)

// list keeps what it is told.
type list struct{ got []Event }

func (l *list) Record(e Event) { l.got = append(l.got, e) }

// allEvents has one of every type, so that a type that is no Event does not compile.
var allEvents = []Event{
	&LinkOpened{}, &LinkRefused{}, &LinkClosed{}, &Message{}, &Ping{}, &Dropped{}, &Waited{}, &ProtocolStopped{}, &ProtocolPanicked{},
}

func TestMultiPassesEveryEventToEveryRecorderInTurn(t *testing.T) {
	a, b := new(list), new(list)
	m := Multi(nil, a, nil, b)
	for _, e := range allEvents {
		m.Record(e)
	}
	for _, l := range []*list{a, b} {
		if len(l.got) != len(allEvents) {
			t.Fatalf("%d events of %d came", len(l.got), len(allEvents))
		}
		for i, e := range allEvents {
			if l.got[i] != e {
				t.Errorf("event %d is another %T", i, l.got[i])
			}
		}
	}
}

func TestMultiCallsRecordersInTheOrderGiven(t *testing.T) {
	var order []int
	Multi(recordFunc(func(Event) { order = append(order, 1) }), recordFunc(func(Event) { order = append(order, 2) })).Record(&Ping{})
	if len(order) != 2 || order[0] != 1 || order[1] != 2 {
		t.Errorf("called %v", order)
	}
}

type recordFunc func(Event)

func (f recordFunc) Record(e Event) { f(e) }

func TestMultiOfNothingRecordsNothingAtNoCost(t *testing.T) {
	if m := Multi(); m != nil {
		t.Errorf("Multi() is %v", m)
	}
	if m := Multi(nil, nil); m != nil {
		t.Errorf("Multi(nil, nil) is %v", m)
	}
	one := new(list)
	if m := Multi(nil, one); m != one {
		t.Errorf("Multi with one recorder is %v", m)
	}
}

func TestRecordingAnEventThatIsReusedAllocatesNothing(t *testing.T) {
	m := Multi(recordFunc(func(Event) {}), recordFunc(func(Event) {}))
	var e Message
	if n := testing.AllocsPerRun(100, func() {
		e = Message{Protocol: "eth", Code: 1}
		m.Record(&e)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestSidesHaveNames(t *testing.T) {
	for side, want := range map[Side]string{SideLocal: "local", SideRemote: "remote", SideNetwork: "network"} {
		if side.String() != want {
			t.Errorf("side %d is %q, want %q", side, side, want)
		}
	}
}

// A recorder takes the events it wants to know of.
func ExampleRecorder() {
	var r Recorder = recordFunc(func(e Event) {
		switch e := e.(type) {
		case *Message:
			fmt.Println(e.Protocol, e.Code, e.Size, "bytes")
		case *LinkClosed:
			fmt.Println("ended by the", e.Side, "side:", e.Cause)
		}
	})
	r.Record(&Message{Protocol: "eth", Code: 2, Size: 100})
	r.Record(&LinkClosed{Side: SideRemote, Cause: errors.New("too many peers"), Lifetime: time.Minute})
	// Output:
	// eth 2 100 bytes
	// ended by the remote side: too many peers
}
