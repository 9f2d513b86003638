package caps

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sennit-net/sennit/p2p"
)

func TestCapabilitiesAreReadAsPeopleWriteThem(t *testing.T) {
	tests := []struct {
		in   string
		want Cap
		err  string // part of the message, "" for success
	}{
		{in: "eth/69/18", want: Cap{"eth", 69, 18}},
		{in: "eth/69", want: Cap{"eth", 69, 18}},
		{in: "snap/1", want: Cap{"snap", 1, 8}},
		{in: "shh/6", want: Cap{"shh", 6, 128}},
		{in: "eth/69/7", want: Cap{"eth", 69, 7}},
		{in: "x/0/65536", want: Cap{"x", 0, 65536}},
		{in: "", err: "want name/version/length"},
		{in: "eth", err: "want name/version/length"},
		{in: "eth/69/18/1", err: "want name/version/length"},
		{in: "/69/18", err: "1 to 32 letters"},
		{in: strings.Repeat("n", 33) + "/1/1", err: "1 to 32 letters"},
		{in: "e h/1/1", err: "printable ASCII"},
		{in: "é/1/1", err: "printable ASCII"},
		{in: "eth/x/1", err: `version "x"`},
		{in: "eth/-1/1", err: `version "-1"`},
		{in: "eth/69/0", err: "from 1 to 65536"},
		{in: "eth/69/65537", err: "from 1 to 65536"},
		{in: "foo/1", err: "foo/1/LENGTH"},
	}
	for _, tt := range tests {
		got, err := Parse(tt.in)
		if tt.err != "" {
			if err == nil || !strings.Contains(err.Error(), tt.err) {
				t.Errorf("Parse(%q): error %v, want one with %q", tt.in, err, tt.err)
			}
			continue
		}
		if err != nil || got != tt.want {
			t.Errorf("Parse(%q) = %v, %v, want %v", tt.in, got, err, tt.want)
		}
		if again, err := Parse(got.String()); err != nil || again != got {
			t.Errorf("Parse(%q) = %v, %v: String is not the inverse", got.String(), again, err)
		}
	}
}

func TestOneCapabilityGivenTwiceIsRefused(t *testing.T) {
	if _, err := ParseAll([]string{"a/1/2", "b/1/2", "a/1/3"}); err == nil || !strings.Contains(err.Error(), "a/1 is given twice") {
		t.Errorf("error %v, want one that names a/1", err)
	}
	if all, err := ParseAll([]string{"a/1/2", "a/2/2"}); err != nil || len(all) != 2 {
		t.Errorf("two versions of one name: %v, %v", all, err)
	}
}

func TestOfferNeedsNoLength(t *testing.T) {
	got, err := ParseOffer([]string{"foo/7", "eth/69/18"})
	if want := []p2p.Cap{{Name: "foo", Version: 7}, {Name: "eth", Version: 69}}; err != nil || !cmp.Equal(got, want) {
		t.Errorf("got %v, %v, want %v", got, err, want)
	}
	for _, bad := range []string{"foo", "foo/x", "/1"} {
		if _, err := ParseOffer([]string{bad}); err == nil {
			t.Errorf("%q was accepted", bad)
		}
	}
}

func TestDefaultOfferHoldsTheNamedProtocols(t *testing.T) {
	var names []string
	for _, c := range Offer() {
		names = append(names, c.String())
	}
	want := "bzz/8 bzz/14 bzz-retrieve/2 bzz-stream/8 eth/63 eth/64 eth/65 eth/66 eth/67 eth/68 eth/69 eth/70 eth/71 eth/72 hive/8 hive/11 sennit/1 shh/6 snap/1 stream/8"
	if got := strings.Join(names, " "); got != want {
		t.Errorf("offer is\n%s, want\n%s", got, want)
	}
}

func TestMatchRunsTheHighestSharedVersionOfEachName(t *testing.T) {
	caps := func(s string) []p2p.Cap {
		if s == "" {
			return nil
		}
		list, err := ParseOffer(strings.Fields(s))
		if err != nil {
			t.Fatal(err)
		}
		return list
	}
	tests := []struct{ ours, theirs, shared, running string }{
		{"eth/68 eth/69 snap/1", "snap/1 eth/69 eth/68 eth/67", "eth/68 eth/69 snap/1", "eth/69 snap/1"},
		{"eth/68", "eth/68 eth/68", "eth/68", "eth/68"},
		{"eth/68", "eth/69", "", ""},
		{"", "eth/69", "", ""},
		{"eth/9 eth/10", "eth/10 eth/9", "eth/9 eth/10", "eth/10"},
	}
	for _, tt := range tests {
		got := Match(caps(tt.ours), caps(tt.theirs))
		if want := (Compare{caps(tt.shared), caps(tt.running)}); !cmp.Equal(got, want) {
			t.Errorf("%q with %q: got %v, want %v", tt.ours, tt.theirs, got, want)
		}
	}
}
