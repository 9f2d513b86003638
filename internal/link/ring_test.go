package link

import (
	"math/rand/v2"
	"testing"
)

func TestARingIsAQueue(t *testing.T) {
	for seed := range uint64(20) {
		rng := rand.New(rand.NewPCG(seed, 1))
		var r ring[int]
		var want []int
		for i := range 2000 {
			// Runs of pushes and of pops, so that it grows while its head is anywhere.
			if push := rng.IntN(100) < 30+40*(i/200%2); push {
				r.push(i)
				want = append(want, i)
			} else if len(want) > 0 {
				if *r.first() != want[0] || *r.last() != want[len(want)-1] {
					t.Fatalf("seed %d, step %d: first %d, last %d, want %d and %d", seed, i, *r.first(), *r.last(), want[0], want[len(want)-1])
				}
				if got := r.pop(); got != want[0] {
					t.Fatalf("seed %d, step %d: popped %d, want %d", seed, i, got, want[0])
				}
				want = want[1:]
			}
			if r.len() != len(want) {
				t.Fatalf("seed %d, step %d: length %d, want %d", seed, i, r.len(), len(want))
			}
			if i%100 == 0 {
				r.shrink() // must not lose anything
			}
		}
	}
}

func TestARingForgetsWhatWasPopped(t *testing.T) {
	var r ring[*int]
	for range 20 {
		r.push(new(int))
	}
	for r.len() > 0 {
		r.pop()
	}
	for _, p := range r.items {
		if p != nil {
			t.Fatal("a popped item is still referred to")
		}
	}
	r.shrink()
	if r.items != nil {
		t.Error("an empty ring that shrank keeps its memory")
	}
}

func TestARingThatHasItsSizeAllocatesNothing(t *testing.T) {
	var r ring[int]
	for i := range 8 {
		r.push(i)
	}
	if n := testing.AllocsPerRun(100, func() { r.push(r.pop()) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
