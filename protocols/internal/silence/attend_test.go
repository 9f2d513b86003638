package silence

import (
	"testing"
	"time"

	"github.com/sennit-net/sennit/p2p"
)

func TestALinkEndsWhenTheLastThatIsNotSilentHasBeenStopped(t *testing.T) {
	defer func(f func() (<-chan time.Time, func())) { newTicks = f }(newTicks)
	ticks := make(chan time.Time) // one that is taken says that the look before it has not ended the link
	newTicks = func() (<-chan time.Time, func()) { return ticks, func() {} }
	fell, ended := make(chan bool, 1), make(chan error, 1)
	may, over := make(chan struct{}), make(chan struct{})
	defer close(over)
	us := serve(t,
		p2p.Protocol{Name: "aaa", Version: 1, Length: 1, Run: func(peer *p2p.Peer, rw p2p.MsgReadWriter) error {
			defer End(peer, "aaa")
			fell <- Begin(peer, "aaa")
			err := Attend(peer, rw, "aaa")
			ended <- err
			return err
		}},
		p2p.Protocol{Name: "bbb", Version: 1, Length: 1, InboxBytes: 1, Overload: p2p.OverloadStop(), Run: func(*p2p.Peer, p2p.MsgReadWriter) error {
			<-over // reads nothing
			return nil
		}})
	them := serve(t,
		p2p.Protocol{Name: "aaa", Version: 1, Length: 1, Run: func(_ *p2p.Peer, rw p2p.MsgReadWriter) error { return Discard(rw) }},
		p2p.Protocol{Name: "bbb", Version: 1, Length: 1, Run: func(_ *p2p.Peer, rw p2p.MsgReadWriter) error {
			<-may
			for range 10 {
				if err := p2p.Send(rw, 0, make([]byte, 1<<16)); err != nil {
					return err
				}
			}
			return Discard(rw)
		}})
	us.AddPeer(them.Self())
	if !<-fell {
		t.Error("it cannot fall silent beside one that runs")
	}
	for range 3 {
		select {
		case ticks <- time.Time{}:
		case err := <-ended:
			t.Fatalf("the link ends while the other runs: %v", err)
		}
	}
	close(may)
	for enough := time.After(time.Minute); ; {
		select {
		case ticks <- time.Time{}:
		case <-ended:
			return
		case <-enough:
			t.Fatal("the link goes on for nobody")
		}
	}
}
