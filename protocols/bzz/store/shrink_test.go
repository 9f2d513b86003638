package store

import "testing"

func TestAStoreThatShrinksALotDoesSoInSteps(t *testing.T) {
	dir := t.TempDir()
	s := mustOpen(t, dir, Options{})
	const n = maxEvicted + 3000
	for i := range n {
		if _, err := s.Put(t.Context(), random(i)); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = mustOpen(t, dir, Options{Capacity: 10 * SlotSize})
	defer s.Close()
	mustSync(t, s)
	if st := s.Stats(); st.Chunks > 10 || st.Chunks < 1 || st.Evicted != n-st.Chunks {
		t.Fatalf("%+v", st)
	}
	for i := n - int(s.Stats().Chunks); i < n; i++ {
		if _, err := s.Get(t.Context(), random(i).Address()); err != nil {
			t.Errorf("chunk %d, one of the last: %v", i, err)
		}
	}
}
