package p2p

import (
	"slices"
	"testing"
)

func TestCapsAreOrderedByNameThenVersion(t *testing.T) {
	want := []Cap{{"", 9}, {"ETH", 1}, {"eth", 68}, {"eth", 69}, {"eth", 100}, {"ethx", 1}, {"shh", 6}, {"\xff", 0}}
	for i, a := range want {
		for j, b := range want {
			got := a.Cmp(b)
			if (i < j) != (got == -1) || (i > j) != (got == 1) {
				t.Errorf("%v.Cmp(%v) = %d", a, b, got)
			}
		}
	}
	got := slices.Clone(want)
	slices.Reverse(got)
	slices.SortFunc(got, Cap.Cmp)
	if !slices.Equal(got, want) {
		t.Errorf("sorted %v", got)
	}
}

func TestCapString(t *testing.T) {
	if s := (Cap{"eth", 69}).String(); s != "eth/69" {
		t.Errorf("%q", s)
	}
}

func TestCapsOfProtocolsAreSortedAndUnique(t *testing.T) {
	got := capsOf([]Protocol{{Name: "shh", Version: 6}, {Name: "eth", Version: 69}, {Name: "eth", Version: 68}, {Name: "shh", Version: 6}})
	if want := []Cap{{"eth", 68}, {"eth", 69}, {"shh", 6}}; !slices.Equal(got, want) {
		t.Errorf("%v", got)
	}
}
