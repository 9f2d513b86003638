package explain

import (
	"bytes"
	"encoding/base64"
	"errors"
	"net"
	"strings"
	"testing"

	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/p2p/enode"
	"github.com/ethereum/go-ethereum/p2p/enr"
	"github.com/ethereum/go-ethereum/rlp"
	"github.com/google/go-cmp/cmp"
)

// The record of EIP-778's test vector.
const (
	vectorENR = "enr:-IS4QHCYrYZbAKWCBRlAy5zzaDZXJBGkcnh4MHcBFZntXNFrdvJjX04jRzjzCBOonrkTfj499SZuOh8R33Ls8RRcy5wBgmlkgnY0gmlwhH8AAAGJc2VjcDI1NmsxoQPKY0yuDUmstAHYpMa2_oxVtw0RW_QAdpzBQA8yWM0xOIN1ZHCCdl8"
	vectorID  = "a448f24c6d18e575453db13171562b71999873db5b286df957af199ec94617f7"
	vectorKey = "ca634cae0d49acb401d8a4c6b6fe8c55b70d115bf400769cc1400f3258cd31387574077f301b421bc84df7266c44e9e6d569fc56be00812904767bf5ccd1fc7f"
)

func TestVectorOfEIP778IsExplained(t *testing.T) {
	for _, text := range []string{vectorENR, vectorENR[4:], "  " + vectorENR + "\n"} {
		r, err := Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		want := &Report{
			Form: "record", Seq: 1, Size: 134, Scheme: "v4", Signature: "valid", ID: vectorID, PublicKey: vectorKey,
			UDP: []string{"127.0.0.1:30303"},
			Entries: []Entry{
				{"id", "v4", "identity scheme", "827634"},
				{"ip", "127.0.0.1", "IPv4 address", "847f000001"},
				{"secp256k1", "03ca634cae0d49acb401d8a4c6b6fe8c55b70d115bf400769cc1400f3258cd3138", "public key, compressed",
					"a103ca634cae0d49acb401d8a4c6b6fe8c55b70d115bf400769cc1400f3258cd3138"},
				{"udp", "30303", "UDP port", "82765f"},
			},
			Enode: "enode://" + vectorKey + "@127.0.0.1:0?discport=30303", ENR: vectorENR,
		}
		if diff := cmp.Diff(want, r); diff != "" {
			t.Error(diff)
		}
	}
}

func TestChangedRecordHasAnInvalidSignature(t *testing.T) {
	raw, err := base64.RawURLEncoding.DecodeString(vectorENR[4:])
	if err != nil {
		t.Fatal(err)
	}
	raw[len(raw)-1]++ // the UDP port
	r, err := Parse("enr:" + base64.RawURLEncoding.EncodeToString(raw))
	if !errors.Is(err, ErrSignature) {
		t.Fatalf("error %v, want ErrSignature", err)
	}
	if r.Signature != "invalid" || r.ID != "" || r.Enode != "" || len(r.Entries) != 4 {
		t.Errorf("report %+v", r)
	}
	var text bytes.Buffer
	if err := r.WriteText(&text); err != nil || !strings.Contains(text.String(), "INVALID") || !strings.Contains(text.String(), "30304") {
		t.Errorf("text %v:\n%s", err, &text)
	}
}

func TestURLIsExplained(t *testing.T) {
	url := "enode://" + vectorKey + "@192.0.2.7:30303?discport=30301"
	r, err := Parse(url)
	if err != nil {
		t.Fatal(err)
	}
	want := &Report{
		Form: "enode", Signature: "none", ID: vectorID, PublicKey: vectorKey,
		TCP: []string{"192.0.2.7:30303"}, UDP: []string{"192.0.2.7:30301"}, Enode: url,
	}
	if diff := cmp.Diff(want, r); diff != "" {
		t.Error(diff)
	}
	if r, err = Parse("enode://" + vectorKey + "@node.example.org:30303"); err != nil || r.Hostname != "node.example.org" {
		t.Errorf("with a DNS name: %+v, %v", r, err)
	}
	if r, err = Parse("enode://" + vectorKey); err != nil || r.Enode != "enode://"+vectorKey {
		t.Errorf("key alone: %+v, %v", r, err)
	}
}

func TestWhatIsNeitherRecordNorURLIsRefused(t *testing.T) {
	long := strings.Repeat("é", 400)
	tests := []struct{ in, err string }{
		{"", "empty"},
		{" \n", "empty"},
		{"enr:", "nothing follows the prefix"},
		{"enr:****", "base64"},
		{"enr:AAAA", "record"},
		{"http://example.org", "neither"},
		{"enode://1234", "4 hex digits, want 128"},
		{"enode://" + vectorKey + "@1.2.3.4:70000", `port is "70000"`},
		{long, "base64"},
	}
	for _, tt := range tests {
		if _, err := Parse(tt.in); err == nil || !strings.Contains(err.Error(), tt.err) || len(err.Error()) > 200 {
			t.Errorf("Parse(%q): error %v, want a short one with %q", clip(tt.in), err, tt.err)
		}
	}
}

// signed returns the record with the given extra entries.
func signed(t *testing.T, extra map[string]any) string {
	t.Helper()
	key, err := crypto.ToECDSA(bytes.Repeat([]byte{7}, 32))
	if err != nil {
		t.Fatal(err)
	}
	var r enr.Record
	for k, v := range extra {
		r.Set(enr.WithEntry(k, v))
	}
	r.SetSeq(5)
	if err := enode.SignV4(&r, key); err != nil {
		t.Fatal(err)
	}
	raw, err := rlp.EncodeToBytes(&r)
	if err != nil {
		t.Fatal(err)
	}
	return "enr:" + base64.RawURLEncoding.EncodeToString(raw)
}

func TestEntriesOfTheFieldAreExplained(t *testing.T) {
	type forkID struct {
		Hash [4]byte
		Next uint64
	}
	fork := func(next uint64) any { return []any{forkID{[4]byte{0xfc, 0x64, 0xec, 0x04}, next}} }
	eth2 := append([]byte{1, 2, 3, 4, 5, 6, 7, 8}, 9, 0, 0, 0, 0, 0, 0, 0)
	last := append([]byte{1, 2, 3, 4, 5, 6, 7, 8}, bytes.Repeat([]byte{0xff}, 8)...)
	tests := []struct {
		key   string
		value any
		want  string
	}{
		{"eth", fork(1150000), "fork hash 0xfc64ec04, next fork at 1150000"},
		{"eth", fork(1_800_000_000), "fork hash 0xfc64ec04, next fork at 2027-01-15T08:00:00Z"},
		{"eth", fork(0), "fork hash 0xfc64ec04, no next fork known"},
		{"eth", fork(1 << 63), "fork hash 0xfc64ec04, next fork at 9223372036854775808"},
		{"eth", []byte{1}, "malformed: "},
		{"eth2", eth2, "fork digest 0x01020304, next fork version 0x05060708 at epoch 9"},
		{"eth2", last, "fork digest 0x01020304, next fork version 0x05060708, no next fork known"},
		{"eth2", eth2[1:], "malformed: 15 bytes, want 16"},
		{"attnets", []byte{3, 0, 0, 0, 0, 0, 0, 0x80}, "3 of 64 (0x0300000000000080)"},
		{"cgc", uint(8), "8"},
		{"ip", net.IP{1, 2, 3}, "malformed: 3 bytes are not an IP address"},
		{"tcp", uint(70000), "malformed: "},
		{"zz", []byte("plain"), "plain"},
		{"zz", []byte("\x1b[2J"), "0x841b5b324a (RLP)"},
		{"zz", []any{}, "0xc0 (RLP)"},
		{"\x1b[2J", uint(1), "0x01 (RLP)"},
	}
	for _, tt := range tests {
		r, err := Parse(signed(t, map[string]any{tt.key: tt.value}))
		if err != nil {
			t.Errorf("%s %v: %v", tt.key, tt.value, err)
			continue
		}
		for _, e := range r.Entries {
			if e.Key == printable([]byte(tt.key)) && !strings.HasPrefix(e.Value, tt.want) {
				t.Errorf("%s: %q, want %q", e.Key, e.Value, tt.want)
			}
		}
		if len(r.Entries) != 3 {
			t.Errorf("%s: %d entries, want id, secp256k1 and it", tt.key, len(r.Entries))
		}
		var text bytes.Buffer
		if err := r.WriteText(&text); err != nil || strings.Contains(text.String(), "\x1b") {
			t.Errorf("%s: text %v: %q", tt.key, err, &text)
		}
	}
}

func TestBothAddressFamiliesBecomeEndpoints(t *testing.T) {
	ip4, ip6 := net.IP{192, 0, 2, 1}, net.ParseIP("2001:db8::1")
	r, err := Parse(signed(t, map[string]any{"ip": enr.IPv4(ip4), "ip6": enr.IPv6(ip6), "tcp": uint(1), "udp": uint(2), "udp6": uint(3)}))
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"192.0.2.1:1", "[2001:db8::1]:1"}; !cmp.Equal(r.TCP, want) {
		t.Errorf("tcp %v, want %v", r.TCP, want)
	}
	if want := []string{"192.0.2.1:2", "[2001:db8::1]:3"}; !cmp.Equal(r.UDP, want) {
		t.Errorf("udp %v, want %v", r.UDP, want)
	}
}

func FuzzParse(f *testing.F) {
	f.Add(vectorENR)
	f.Add("enode://" + vectorKey + "@127.0.0.1:30303")
	f.Add("enr:")
	f.Add("enr:wIA")
	f.Fuzz(func(t *testing.T, text string) {
		r, err := Parse(text)
		if r == nil {
			if err == nil {
				t.Fatal("neither report nor error")
			}
			return
		}
		if err := r.WriteText(new(bytes.Buffer)); err != nil {
			t.Fatal(err)
		}
	})
}
