// Package hello turns what a probe found out into a report for people and programs.
package hello

import (
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"time"

	"github.com/ethereum/go-ethereum/p2p/enode"

	"github.com/sennit-net/sennit/cmd/sennit/internal/caps"
	"github.com/sennit-net/sennit/cmd/sennit/internal/plain"
	"github.com/sennit-net/sennit/p2p"
)

// Report is what `sennit hello` shows. Durations are in seconds; what is not known is left out.
type Report struct {
	ID         string   `json:"id"`
	Enode      string   `json:"enode"`
	Client     string   `json:"client,omitempty"` // as the remote sent it; WriteText quotes it if need be
	P2PVersion uint64   `json:"p2pVersion,omitempty"`
	Caps       []string `json:"caps,omitempty"`       // as the remote sent them
	Shared     []string `json:"shared,omitempty"`     // with what we offered
	Running    []string `json:"running,omitempty"`    // those a link would run
	ListenPort uint64   `json:"listenPort,omitempty"` // most clients send 0
	Framing    string   `json:"framing,omitempty"`    // how messages travel on the link: "rlpx" or "lanes/1"
	RTT        float64  `json:"rttSeconds,omitempty"`
	Handshake  float64  `json:"handshakeSeconds,omitempty"`
	LocalAddr  string   `json:"localAddr,omitempty"`
	RemoteAddr string   `json:"remoteAddr,omitempty"`
	Refused    *Refusal `json:"refused,omitempty"`
	Error      *Failure `json:"error,omitempty"`
}

// Refusal is the Disconnect the remote sent.
type Refusal struct {
	Reason uint8  `json:"reason"`
	Text   string `json:"text"`
}

// Failure is why there is no full answer.
type Failure struct {
	Stage string `json:"stage"` // "node", "dial", "rlpx", "hello", "ping"
	Text  string `json:"text"`
}

// NewReport puts together what [p2p.Probe] returned for node after we offered the given capabilities. result may be nil.
func NewReport(node *enode.Node, offered []p2p.Cap, result *p2p.ProbeResult, err error) *Report {
	r := &Report{ID: node.ID().String(), Enode: node.URLv4()}
	if result != nil {
		r.fill(result, offered)
	}
	if err != nil && r.Refused == nil {
		r.Error = &Failure{Text: err.Error()}
		if probe, ok := errors.AsType[*p2p.ProbeError](err); ok {
			r.Error = &Failure{Stage: probe.Stage, Text: probe.Err.Error()}
		}
	}
	return r
}

func (r *Report) fill(result *p2p.ProbeResult, offered []p2p.Cap) {
	match := caps.Match(offered, result.Caps)
	r.Client, r.P2PVersion, r.ListenPort, r.Framing = result.Name, result.Version, result.ListenPort, result.Framing
	r.Caps, r.Shared, r.Running = names(result.Caps), names(match.Shared), names(match.Running)
	r.RTT, r.Handshake = result.RTT.Seconds(), result.HandshakeTime.Seconds()
	r.LocalAddr, r.RemoteAddr = addr(result.LocalAddr), addr(result.RemoteAddr)
	if result.Refused != nil {
		r.Refused = &Refusal{Reason: uint8(*result.Refused), Text: result.Refused.String()}
	}
}

// WriteText writes the report for people.
func (r *Report) WriteText(w io.Writer) error {
	var text strings.Builder
	line := func(name, value string) {
		if value != "" {
			fmt.Fprintf(&text, "%-11s  %s\n", name, value)
		}
	}
	line("node id", r.ID)
	line("remote", r.RemoteAddr)
	answered := r.P2PVersion != 0
	if answered {
		line("client", plain.Text(r.Client))
		line("p2p version", r.version())
		line("framing", r.Framing)
		line("offers", orNone(r.Caps))
		line("shared", orNone(r.Shared))
		line("would run", orNone(r.Running))
	}
	if r.RTT > 0 {
		line("round trip", seconds(r.RTT))
	}
	if answered {
		line("handshake", seconds(r.Handshake))
	}
	if r.Refused != nil {
		line("refused", fmt.Sprintf("%s (reason 0x%02x)", r.Refused.Text, r.Refused.Reason))
	}
	_, err := io.WriteString(w, text.String())
	return err
}

// snappyVersion is the devp2p version from which messages are compressed (EIP-706).
const snappyVersion = 5

func (r *Report) version() string {
	if r.Framing == "lanes/1" {
		return fmt.Sprintf("%d (messages are compressed where it helps)", r.P2PVersion)
	}
	if r.P2PVersion >= snappyVersion {
		return fmt.Sprintf("%d (messages are compressed with Snappy)", r.P2PVersion)
	}
	return fmt.Sprintf("%d (messages are not compressed)", r.P2PVersion)
}

func names(list []p2p.Cap) []string {
	var out []string
	for _, c := range list {
		out = append(out, c.String())
	}
	return out
}

func orNone(list []string) string {
	if len(list) == 0 {
		return "nothing"
	}
	quoted := make([]string, len(list))
	for i, s := range list {
		quoted[i] = plain.Text(s)
	}
	return strings.Join(quoted, " ")
}

func seconds(s float64) string {
	return time.Duration(s * float64(time.Second)).Round(time.Microsecond).String()
}

func addr(a net.Addr) string {
	if a == nil {
		return ""
	}
	return a.String()
}
