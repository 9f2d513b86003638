package hello

import (
	"bytes"
	"encoding/json"
	"errors"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/p2p/enode"
	"github.com/google/go-cmp/cmp"

	"github.com/sennit-net/sennit/p2p"
)

const key = "ca634cae0d49acb401d8a4c6b6fe8c55b70d115bf400769cc1400f3258cd31387574077f301b421bc84df7266c44e9e6d569fc56be00812904767bf5ccd1fc7f"

var (
	remote  = enode.MustParseV4("enode://" + key + "@192.0.2.7:30303")
	offered = []p2p.Cap{{Name: "eth", Version: 68}, {Name: "eth", Version: 69}, {Name: "snap", Version: 1}}
)

func answer() *p2p.ProbeResult {
	return &p2p.ProbeResult{
		Name: "Geth/v1.17.10", Version: 5,
		Caps:          []p2p.Cap{{Name: "eth", Version: 68}, {Name: "eth", Version: 69}, {Name: "les", Version: 4}},
		RTT:           1500 * time.Microsecond,
		HandshakeTime: 20 * time.Millisecond,
		RemoteAddr:    &net.TCPAddr{IP: net.IP{192, 0, 2, 7}, Port: 30303},
	}
}

const idLine = "node id      a448f24c6d18e575453db13171562b71999873db5b286df957af199ec94617f7\n"

func TestReportForPeople(t *testing.T) {
	reason := p2p.DiscTooManyPeers
	tests := []struct {
		name   string
		change func(*p2p.ProbeResult)
		want   string
	}{
		{"a full answer", func(*p2p.ProbeResult) {}, idLine + `remote       192.0.2.7:30303
client       Geth/v1.17.10
p2p version  5 (messages are compressed with Snappy)
offers       eth/68 eth/69 les/4
shared       eth/68 eth/69
would run    eth/69
round trip   1.5ms
handshake    20ms
`},
		{"lanes/1", func(r *p2p.ProbeResult) { r.Framing = "lanes/1" }, idLine + `remote       192.0.2.7:30303
client       Geth/v1.17.10
p2p version  5 (messages are compressed where it helps)
framing      lanes/1
offers       eth/68 eth/69 les/4
shared       eth/68 eth/69
would run    eth/69
round trip   1.5ms
handshake    20ms
`},
		{"refused after Hello", func(r *p2p.ProbeResult) { r.Refused, r.RTT, r.Caps, r.Version = &reason, 0, nil, 4 }, idLine + `remote       192.0.2.7:30303
client       Geth/v1.17.10
p2p version  4 (messages are not compressed)
offers       nothing
shared       nothing
would run    nothing
handshake    20ms
refused      too many peers (reason 0x04)
`},
		{"refused instead of Hello", func(r *p2p.ProbeResult) { *r = p2p.ProbeResult{Refused: &reason, RemoteAddr: r.RemoteAddr} }, idLine + `remote       192.0.2.7:30303
refused      too many peers (reason 0x04)
`},
		{"a name for terminals", func(r *p2p.ProbeResult) {
			*r = p2p.ProbeResult{Version: 5, Name: "\x1b[2J", Caps: []p2p.Cap{{Name: "a\nb", Version: 1}}}
		}, idLine + `client       "\x1b[2J"
p2p version  5 (messages are compressed with Snappy)
offers       "a\nb/1"
shared       nothing
would run    nothing
handshake    0s
`},
	}
	for _, tt := range tests {
		result := answer()
		tt.change(result)
		var out bytes.Buffer
		if err := NewReport(remote, offered, result, nil).WriteText(&out); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(tt.want, out.String()); diff != "" {
			t.Errorf("%s:\n%s", tt.name, diff)
		}
	}
}

func TestReportForPrograms(t *testing.T) {
	text, err := json.Marshal(NewReport(remote, offered, answer(), nil))
	if err != nil {
		t.Fatal(err)
	}
	want := `{"id":"a448f24c6d18e575453db13171562b71999873db5b286df957af199ec94617f7","enode":"` + remote.URLv4() + `",` +
		`"client":"Geth/v1.17.10","p2pVersion":5,"caps":["eth/68","eth/69","les/4"],"shared":["eth/68","eth/69"],"running":["eth/69"],` +
		`"rttSeconds":0.0015,"handshakeSeconds":0.02,"remoteAddr":"192.0.2.7:30303"}`
	if string(text) != want {
		t.Errorf("got\n%s, want\n%s", text, want)
	}
}

func TestFailureNamesItsStage(t *testing.T) {
	r := NewReport(remote, offered, nil, &p2p.ProbeError{Stage: "dial", Err: errors.New("connection refused")})
	if want := (Failure{"dial", "connection refused"}); r.Error == nil || *r.Error != want {
		t.Errorf("got %+v, want %+v", r.Error, want)
	}
	reason := p2p.DiscUselessPeer
	r = NewReport(remote, offered, &p2p.ProbeResult{Refused: &reason}, &p2p.ProbeError{Stage: "hello", Err: reason})
	if r.Error != nil || r.Refused == nil || r.Refused.Reason != 3 || !strings.Contains(r.Refused.Text, "useless") {
		t.Errorf("a refusal is not a failure: %+v", r)
	}
}
