package link

import (
	"sync"
	"testing"
	"time"
)

func TestTheReceiveWindowIsWhatAGigabitNeedsWithinBounds(t *testing.T) {
	const least = 96 << 10
	for rtt, want := range map[time.Duration]int{
		0:                      least,
		50 * time.Microsecond:  least,
		10 * time.Millisecond:  1_250_000,
		100 * time.Millisecond: 12_500_000,
		time.Second:            maxWindow,
	} {
		if got := receiveWindow(rtt, least); got != want {
			t.Errorf("round trip %v: window of %d bytes, want %d", rtt, got, want)
		}
	}
}

func TestManyMayYieldAtOnceAndAllComeBack(t *testing.T) {
	var group sync.WaitGroup
	for range 50 {
		group.Go(func() {
			for range 100 {
				yield()
			}
		})
	}
	group.Wait()
}

func TestASocketThatIsReadyIsServedWhileOthersAreBusyAndYield(t *testing.T) {
	a, b := tcpPair(t)
	stop := make(chan struct{})
	var group sync.WaitGroup
	defer group.Wait()
	defer close(stop)
	for range 8 { // more than there are processors, so that the scheduler never runs out of work
		group.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
					yield()
				}
			}
		})
	}
	const enough = 2 * time.Second // it takes 20 ms; when the scheduler looks only every 10 ms, 4 s
	a.SetDeadline(time.Now().Add(enough))
	b.SetDeadline(time.Now().Add(enough))
	group.Go(func() {
		var buf [1]byte
		for range 200 {
			if _, err := b.Read(buf[:]); err != nil {
				return
			}
			b.Write(buf[:])
		}
	})
	for i := range 200 {
		buf := []byte{byte(i)}
		if _, err := a.Write(buf); err != nil {
			t.Fatal(err)
		}
		if _, err := a.Read(buf); err != nil || buf[0] != byte(i) {
			t.Fatalf("answer %d: %v, %v", i, buf[0], err)
		}
	}
}
