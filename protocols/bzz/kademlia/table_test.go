package kademlia

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/sennit-net/sennit/protocols/bzz/chunk"
	"github.com/sennit-net/sennit/protocols/bzz/wire"
)

// at returns an address that shares po bits with address zero; n tells it from others.
func at(po int, n byte) wire.PeerAddr {
	var a chunk.Address
	a[po/8] = 0x80 >> (po % 8)
	a[31] |= n
	return wire.PeerAddr{Overlay: a, Underlay: []byte{byte(po), n}}
}

func TestTheNeighbourhoodBeginsAtTheSecondNearestPeerOrTheFirstEmptyBin(t *testing.T) {
	for _, test := range []struct {
		name  string
		peers []int // by shared bits
		want  int
	}{
		{"nobody", nil, 0},
		{"one", []int{5}, 0},
		{"two", []int{5, 5}, 0},
		{"three without a gap", []int{0, 1, 2}, 1},
		{"a gap at once", []int{3, 4, 5}, 0},
		{"a gap below the nearest", []int{0, 1, 4, 5}, 2},
		{"many in one bin", []int{0, 0, 0, 0}, 0},
		{"the nearest in one bin", []int{0, 1, 2, 2}, 2},
		{"nearer than the last bin", []int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 30, 40}, 16},
	} {
		table := New(chunk.Address{})
		for i, po := range test.peers {
			if !table.Connect(at(po, byte(i+1)), false) {
				t.Fatal("not connected")
			}
		}
		if got := table.Depth(); got != test.want {
			t.Errorf("%s: depth %d, want %d", test.name, got, test.want)
		}
	}
}

func TestLightPeersTakeNoPlace(t *testing.T) {
	table := New(chunk.Address{})
	for po := range 3 {
		table.Connect(at(po, 1), true)
	}
	if table.Depth() != 0 || table.Stats()[0] != (BinStats{}) {
		t.Errorf("depth %d, %+v", table.Depth(), table.Stats())
	}
	if table.Connect(at(0, 1), false) {
		t.Error("a second peer with the same address")
	}
	table.Disconnect(at(0, 1).Overlay)
	if table.Stats()[0].Peers != 0 {
		t.Error("a light peer that goes leaves a bin with fewer than none")
	}
}

func TestSuggestionsFillTheEmptiestBinFirstAndWaitLongerEachTime(t *testing.T) {
	table, now := New(chunk.Address{}), time.Unix(1000, 0)
	for _, po := range []int{0, 1, 2} {
		table.Connect(at(po, 1), false)
	}
	table.Connect(at(0, 2), false)
	// Depth is 1: bin 0 has enough, bins 1 and 2 want all there are.
	for _, a := range []wire.PeerAddr{at(0, 3), at(1, 3), at(2, 3), at(9, 3), at(9, 4)} {
		if !table.Learn(a) || table.Learn(a) {
			t.Errorf("%v is learnt not at all or twice", a)
		}
	}
	for _, want := range []wire.PeerAddr{at(9, 3), at(9, 4), at(1, 3), at(2, 3)} {
		if got, ok := table.Suggest(now); !ok || got.Overlay != want.Overlay {
			t.Fatalf("suggested %v %v, want %v", got.Overlay, ok, want.Overlay)
		}
	}
	if got, ok := table.Suggest(now.Add(RetryInterval / 2)); ok {
		t.Errorf("%v is suggested again at once", got.Overlay)
	}
	table.Connect(at(9, 4), false)
	now = now.Add(RetryInterval * 2)
	if got, ok := table.Suggest(now); !ok || got.Overlay == at(9, 4).Overlay {
		t.Errorf("suggested %v %v", got, ok)
	}
	for range 2 {
		table.Suggest(now)
	}
	if got, ok := table.Suggest(now.Add(RetryInterval)); ok {
		t.Errorf("%v is suggested a third time too early", got.Overlay)
	}
}

func TestAFullBinForgetsOnlyWhoWasTriedInVain(t *testing.T) {
	table := New(chunk.Address{})
	for i := range MaxKnown {
		a := at(0, 0)
		a.Overlay[1], a.Overlay[2] = byte(i), byte(i>>8)
		table.Learn(a)
	}
	if table.Learn(at(0, 9)) {
		t.Error("an address finds a place in a full bin")
	}
	tried, _ := table.Suggest(time.Unix(0, 0))
	if !table.Learn(at(0, 9)) || table.Stats()[0].Known != MaxKnown {
		t.Errorf("%d are known", table.Stats()[0].Known)
	}
	if !table.Learn(at(1, 9)) || table.Learn(wire.PeerAddr{}) {
		t.Error("another bin is full too, or the node's own address is learnt")
	}
	if _, ok := table.bins[0].known[tried.Overlay]; ok {
		t.Error("somebody else was forgotten")
	}
}

// TestATableCountsWhatItHasTried does at random what a node does, with fewer places than there are addresses.
func TestATableCountsWhatItHasTried(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	table := New(chunk.Address{})
	now := time.Unix(1, 0)
	forgotten := false
	for step := range 20_000 {
		a := at(r.IntN(2), byte(r.IntN(256)))
		switch r.IntN(8) {
		case 0:
			table.Connect(a, r.IntN(4) == 0)
		case 1, 2:
			table.Disconnect(a.Overlay)
		case 3:
			now = now.Add(RetryInterval)
			table.Suggest(now)
		default:
			full := table.Stats()[table.Bin(a.Overlay)].Known == MaxKnown
			forgotten = table.Learn(a) && full || forgotten
		}
		for i := range table.bins {
			tried := 0
			for _, k := range table.bins[i].known {
				if k.tries > 0 {
					tried++
				}
			}
			if b := &table.bins[i]; b.tried != tried || len(b.known) > MaxKnown {
				t.Fatalf("step %d: bin %d counts %d of %d, %d were tried", step, i, b.tried, len(b.known), tried)
			}
		}
	}
	if !forgotten {
		t.Error("no address has made way for another")
	}
}
