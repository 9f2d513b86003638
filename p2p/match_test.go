package p2p

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/sennit-net/sennit/internal/frame"
)

type placed struct {
	cap    Cap
	offset uint64
}

func places(matched []matchedProtocol) (got []placed) {
	for i := range matched {
		got = append(got, placed{matched[i].cap(), matched[i].offset})
	}
	return got
}

func proto(name string, version uint, length uint64) Protocol {
	return Protocol{Name: name, Version: version, Length: length}
}

func TestProtocolsAreMatchedAndPlaced(t *testing.T) {
	for name, test := range map[string]struct {
		local  []Protocol
		remote []Cap
		want   []placed
	}{
		"observed with go-ethereum 1.17.10": {
			[]Protocol{proto("shh", 6, 128), proto("eth", 68, 17), proto("eth", 69, 18), proto("bzz", 8, 1)},
			[]Cap{{"shh", 6}, {"eth", 69}, {"bzz", 8}, {"eth", 68}, {"zzz", 9}},
			[]placed{{Cap{"bzz", 8}, 16}, {Cap{"eth", 69}, 17}, {Cap{"shh", 6}, 35}},
		},
		"six protocols, codes beyond 0x80": {
			[]Protocol{proto("eth", 69, 18), proto("bzz", 8, 1), proto("hive", 8, 2), proto("pss", 2, 1), proto("shh", 6, 128), proto("stream", 8, 11)},
			[]Cap{{"stream", 8}, {"shh", 6}, {"pss", 2}, {"hive", 8}, {"eth", 69}, {"bzz", 8}},
			[]placed{{Cap{"bzz", 8}, 0x10}, {Cap{"eth", 69}, 0x11}, {Cap{"hive", 8}, 0x23}, {Cap{"pss", 2}, 0x25}, {Cap{"shh", 6}, 0x26}, {Cap{"stream", 8}, 0xa6}},
		},
		"only a lower version is shared":         {[]Protocol{proto("a", 1, 5), proto("a", 2, 9), proto("b", 1, 1)}, []Cap{{"a", 1}, {"a", 3}, {"b", 1}}, []placed{{Cap{"a", 1}, 16}, {Cap{"b", 1}, 21}}},
		"announced twice":                        {[]Protocol{proto("a", 1, 5)}, []Cap{{"a", 1}, {"a", 1}}, []placed{{Cap{"a", 1}, 16}}},
		"names differ in case":                   {[]Protocol{proto("eth", 69, 18)}, []Cap{{"ETH", 69}}, nil},
		"nothing announced":                      {[]Protocol{proto("eth", 69, 18)}, nil, nil},
		"nothing local":                          {nil, []Cap{{"eth", 69}}, nil},
		"a protocol without codes takes no room": {[]Protocol{proto("a", 1, 0), proto("b", 1, 2)}, []Cap{{"a", 1}, {"b", 1}}, []placed{{Cap{"a", 1}, 16}, {Cap{"b", 1}, 16}}},
	} {
		t.Run(name, func(t *testing.T) {
			if got := places(matchProtocols(test.local, test.remote)); !slices.Equal(got, test.want) {
				t.Errorf("got %v, want %v", got, test.want)
			}
		})
	}
}

func TestTheFirstOfTwoLocalProtocolsWithOneCapabilityWins(t *testing.T) {
	got := matchProtocols([]Protocol{proto("a", 1, 5), proto("a", 1, 9), proto("b", 1, 1)}, []Cap{{"a", 1}, {"b", 1}})
	if len(got) != 2 || got[0].Length != 5 || got[1].offset != 21 {
		t.Errorf("got %v", places(got))
	}
}

// checkMatch checks the rules of matching, written another way than matchProtocols is.
func checkMatch(t *testing.T, local []Protocol, remote []Cap) {
	t.Helper()
	matched := matchProtocols(local, remote)
	next := uint64(frame.BaseLength)
	for i := range matched {
		m := &matched[i]
		if i > 0 && matched[i-1].Name >= m.Name {
			t.Errorf("%s does not come after %s", m.Name, matched[i-1].Name)
		}
		if m.offset != next {
			t.Errorf("%v is at %d, want %d", m.cap(), m.offset, next)
		}
		next = m.offset + m.Length
	}
	for i := range local {
		p := &local[i]
		shared := slices.Contains(remote, p.cap())
		at := slices.IndexFunc(matched, func(m matchedProtocol) bool { return m.Name == p.Name })
		switch {
		case shared && at < 0:
			t.Errorf("%v is shared and does not run", p.cap())
		case shared && matched[at].Version < p.Version:
			t.Errorf("%v runs although %v is shared", matched[at].cap(), p.cap())
		case at >= 0 && !slices.Contains(remote, matched[at].cap()):
			t.Errorf("%v runs and is not shared", matched[at].cap())
		}
	}
	// Both nodes must come to the same result if they have the same lengths.
	if theirs := places(matchProtocols(mirror(local, remote), capsOf(local))); !slices.Equal(theirs, places(matched)) {
		t.Errorf("the other side has %v, we have %v", theirs, places(matched))
	}
}

// mirror returns the protocols that a node announcing remote has, with our lengths where we know them.
func mirror(local []Protocol, remote []Cap) (protocols []Protocol) {
	for _, c := range remote {
		p := proto(c.Name, c.Version, 1)
		if i := slices.IndexFunc(local, func(l Protocol) bool { return l.cap() == c }); i >= 0 {
			p.Length = local[i].Length
		}
		protocols = append(protocols, p)
	}
	return protocols
}

func TestMatchingKeepsItsRulesForRandomCapabilities(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	names := []string{"a", "ab", "b", "eth", "shh", "z"}
	for range 2000 {
		var local []Protocol
		for range r.IntN(10) {
			local = append(local, proto(names[r.IntN(len(names))], uint(r.IntN(4)), uint64(r.IntN(200))))
		}
		var remote []Cap
		for range r.IntN(12) {
			remote = append(remote, Cap{names[r.IntN(len(names))], uint(r.IntN(4))})
		}
		checkMatch(t, local, remote)
		if t.Failed() {
			t.Fatalf("for %v and %v", capsOf(local), remote)
		}
	}
}

// FuzzMatch reads protocols and capabilities from bytes, three and two for each.
func FuzzMatch(f *testing.F) {
	f.Add([]byte{1, 1, 5, 1, 2, 6, 2, 1, 7}, []byte{1, 2, 2, 1})
	f.Add([]byte{}, []byte{1, 1, 1, 1})
	f.Add([]byte{200, 0, 255, 200, 0, 0}, []byte{200, 0})
	f.Fuzz(func(t *testing.T, l, r []byte) {
		var local []Protocol
		for c := range slices.Chunk(l[:min(len(l), 300)], 3) {
			if len(c) == 3 {
				local = append(local, proto(string(c[:1]), uint(c[1]), uint64(c[2])))
			}
		}
		var remote []Cap
		for c := range slices.Chunk(r[:min(len(r), 200)], 2) {
			if len(c) == 2 {
				remote = append(remote, Cap{string(c[:1]), uint(c[1])})
			}
		}
		checkMatch(t, local, remote)
	})
}
