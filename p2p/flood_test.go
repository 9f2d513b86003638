package p2p_test

import (
	"fmt"
	"math/rand"
	"sync"
	"testing"
	"time"

	"github.com/sennit-net/sennit/internal/frame"
	"github.com/sennit-net/sennit/internal/race"
	"github.com/sennit-net/sennit/p2p"
)

func TestEveryDisconnectReasonCanBeLogged(t *testing.T) {
	x := newTarget(t)
	for r := range 256 {
		x.survives(t, 100, func() {
			f := join(t, x.node, "aaa", "bbb").forge()
			payload := []byte{0xc2, 0x81, byte(r)}
			switch {
			case r == 0:
				payload = []byte{0xc1, 0x80}
			case r < 0x80:
				payload = []byte{0xc1, byte(r)}
			}
			says(1, payload...)(f)
			outcome := fmt.Sprintf("%x", payload)
			if r == 1 {
				outcome = "close"
			}
			f.check(outcome)
		})
		if ev := x.event(p2p.PeerEventTypeDrop); ev.Error != p2p.DiscReason(r).String() {
			t.Errorf("reason %d: dropped with %q", r, ev.Error)
		}
	}
	x.recovers(t)
}

func TestAPingWithALargePayloadIsReadPieceByPiece(t *testing.T) {
	x := newTarget(t)
	f := join(t, x.node, "aaa", "bbb").forge()
	x.survives(t, 0, func() {
		f.sealedInPieces(2, frame.MaxSize, 64<<10)
		f.expect(3, []byte{0xc0})
	})
	f.check("peer")
	x.recovers(t)
}

// sealedInPieces sends a frame with n bytes of data, the code and zeros, from a small buffer.
func (f *forger) sealedInPieces(code byte, n, size int) {
	head := make([]byte, frame.HeaderSize)
	f.Sealer.SealHeader(head, n)
	f.put(head)
	piece := make([]byte, size)
	for left := frame.PaddedSize(n); left > 0; left -= len(piece) {
		clear(piece)
		if piece = piece[:min(len(piece), left)]; left == frame.PaddedSize(n) {
			piece[0] = code
		}
		f.Sealer.SealBody(piece)
		f.put(piece)
	}
	mac := make([]byte, frame.MACSize)
	f.Sealer.SealMAC(mac)
	f.put(mac)
}

func TestAMillionPingsOfAPeerThatNeverReadsCostNoMemory(t *testing.T) {
	rounds := 10
	if testing.Short() || race.Enabled {
		rounds = 1 // 100,000 pings: the rest is the same again, and takes seconds
	}
	const perRound, perWrite = 100_000, 500
	x := newTarget(t)
	f := join(t, x.node, "aaa", "bbb").forge()
	pings := make([]byte, 0, perWrite*64)
	body := append([]byte{2}, f.packed([]byte{0xc0})...)
	size := frame.SealedSize(len(body))
	before := liveHeap()
	for range rounds {
		f.fd.SetDeadline(time.Now().Add(patience))
		for range perRound / perWrite {
			pings = pings[:0]
			for range perWrite {
				b := pings[len(pings) : len(pings)+size]
				copy(b[frame.HeaderSize:], body)
				f.Sealer.Seal(b, len(body))
				pings = pings[:len(pings)+size]
			}
			if _, err := f.fd.Write(pings); err != nil {
				t.Fatal(err)
			}
		}
		if now := liveHeap(); now > before+1<<20 && !race.Enabled {
			t.Fatalf("the heap has grown from %d to %d bytes", before, now)
		}
		roundTrips(x.bystander, 1)
	}
	// Only few of them are answered, and no more than were sent.
	says(24, 1, 2, 3)(f)
	pongs := 0
	for {
		code, _, _, err := f.read()
		if err != nil {
			t.Fatal(err)
		}
		if code == 24 {
			break
		}
		pongs++
	}
	if pongs == 0 || pongs > 1000*rounds {
		t.Errorf("%d pongs", pongs)
	}
	f.fd.Close()
	x.recovers(t)
}

func TestAMalformedConnectionLeavesTheNextThousandUnharmed(t *testing.T) {
	honest, workers := 1000, 4
	if testing.Short() || race.Enabled {
		honest = 100 // the handshakes of 1,000 take half a minute under the race detector
	}
	x := newTarget(t)
	var bad []attack
	for _, a := range corpus(t, "frames.txt") {
		if a.outcome == "close" {
			bad = append(bad, a)
		}
	}
	turns := make(chan int, honest)
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for i := range turns {
				w := join(t, x.node, "aaa", "bbb")
				question := numbered(i, rand.New(rand.NewSource(int64(i))).Intn(5000))
				w.send(24, question)
				w.expect(24, question)
				w.fd.Close()
			}
		})
	}
	for i := range honest {
		if a := bad[i/10%len(bad)]; i%10 == 0 { // among them all the time
			f := join(t, x.node, "aaa", "bbb").forge()
			f.put(f.seal(a.parse(t, nil)))
			f.check("close")
		}
		turns <- i
	}
	close(turns)
	wg.Wait()
	x.recovers(t)
}
