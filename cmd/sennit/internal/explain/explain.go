// Package explain decodes a node record (EIP-778) or an enode URL and says what each part means.
package explain

import (
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"net/netip"
	"strings"

	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/p2p/enode"
	"github.com/ethereum/go-ethereum/p2p/enr"
	"github.com/ethereum/go-ethereum/rlp"

	"github.com/sennit-net/sennit/p2p"
)

// Report is what is known of a node from its record or URL. Texts in it are safe to print: what is not plain ASCII is
// shown as hex.
type Report struct {
	Form      string   `json:"form"`                // "record" or "enode"
	Seq       uint64   `json:"seq"`                 // 0 for an enode URL
	Size      int      `json:"size,omitempty"`      // bytes of the record; EIP-778 allows 300
	Scheme    string   `json:"scheme,omitempty"`    // identity scheme, "v4" everywhere so far
	Signature string   `json:"signature"`           // "valid", "invalid" or "none" (an enode URL has none)
	Problem   string   `json:"problem,omitempty"`   // why the signature is invalid
	ID        string   `json:"id,omitempty"`        // node ID, 64 hex digits; empty if the signature is invalid
	PublicKey string   `json:"publicKey,omitempty"` // 128 hex digits
	Hostname  string   `json:"hostname,omitempty"`  // of an enode URL that gives a DNS name
	TCP       []string `json:"tcp,omitempty"`       // endpoints, "192.0.2.1:30303"
	UDP       []string `json:"udp,omitempty"`
	QUIC      []string `json:"quic,omitempty"`
	Fork      *Fork    `json:"eth,omitempty"` // EIP-2124 fork identifier, if there is one
	Entries   []Entry  `json:"entries,omitempty"`
	Enode     string   `json:"enode,omitempty"`
	ENR       string   `json:"enr,omitempty"`
}

// Entry is one key/value pair of a record.
type Entry struct {
	Key     string `json:"key"`
	Value   string `json:"value"`   // explained
	Meaning string `json:"meaning"` // of the key; empty if it is not known here
	Raw     string `json:"raw"`     // the value's RLP in hex
}

// ErrSignature is wrapped by the error of [Parse] for a record whose signature does not hold. The report is still filled
// with what the record claims.
var ErrSignature = errors.New("the signature does not hold")

// Parse explains text, which is an "enr:..." record, with or without the prefix, or an "enode://..." URL.
func Parse(text string) (*Report, error) {
	text = strings.TrimSpace(text)
	if text == "" {
		return nil, errors.New("an empty text is neither a record (enr:...) nor an enode URL (enode://...)")
	}
	if strings.HasPrefix(text, "enode://") {
		return parseURL(text)
	}
	if strings.Contains(text, "://") {
		return nil, fmt.Errorf("%q is neither a record (enr:...) nor an enode URL (enode://...)", clip(text))
	}
	return parseRecord(text)
}

func parseURL(text string) (*Report, error) {
	node, err := p2p.ParseNode(text)
	if err != nil {
		return nil, err
	}
	r := &Report{Form: "enode", Signature: "none"}
	r.describe(node)
	r.ENR = ""
	return r, nil
}

func parseRecord(text string) (*Report, error) {
	var record enr.Record
	text = strings.TrimPrefix(text, "enr:")
	raw, err := base64.RawURLEncoding.DecodeString(text)
	if err == nil {
		err = rlp.DecodeBytes(raw, &record)
	}
	if err != nil {
		_, err = p2p.ParseNode("enr:" + text) // the same, in words
		return nil, err
	}
	r := &Report{Form: "record", Seq: record.Seq(), Size: len(raw), Scheme: printable([]byte(record.IdentityScheme()))}
	r.Entries, r.Fork = entries(&record)

	node, err := enode.New(enode.ValidSchemes, &record)
	if err != nil {
		r.Signature, r.Problem = "invalid", err.Error()
		return r, fmt.Errorf("record: %w: %w", ErrSignature, err)
	}
	r.Signature = "valid"
	r.describe(node)
	return r, nil
}

// describe fills in what follows from a node whose identity is sure.
func (r *Report) describe(node *enode.Node) {
	r.ID = node.ID().String()
	if key := node.Pubkey(); key != nil {
		r.PublicKey = hex.EncodeToString(crypto.FromECDSAPub(key)[1:])
	}
	r.Hostname = printable([]byte(node.Hostname()))
	r.TCP = endpoints(node, new(enr.TCP), new(enr.TCP6))
	r.UDP = endpoints(node, new(enr.UDP), new(enr.UDP6))
	r.QUIC = endpoints(node, new(enr.QUIC), new(enr.QUIC6))
	r.Enode, r.ENR = node.URLv4(), node.String()
	if r.Hostname == "" && len(r.TCP) == 0 && len(r.UDP) == 0 {
		// Nothing to dial; the URL holds the key alone.
		r.Enode = "enode://" + r.PublicKey
	}
}

// port is the entry of a port number: enr.TCP and its likes.
type port interface {
	*enr.TCP | *enr.TCP6 | *enr.UDP | *enr.UDP6 | *enr.QUIC | *enr.QUIC6
	enr.Entry
}

// endpoints pairs the addresses of the record with their ports. The port for IPv4 counts for IPv6 as well if there is no
// other (EIP-778).
func endpoints[P4, P6 port](node *enode.Node, p4 P4, p6 P6) []string {
	var (
		list []string
		ip4  enr.IPv4Addr
		ip6  enr.IPv6Addr
	)
	have4 := node.Load(p4) == nil
	if node.Load(&ip4) == nil && have4 {
		list = append(list, netip.AddrPortFrom(netip.Addr(ip4), portOf(p4)).String())
	}
	if node.Load(&ip6) == nil {
		if node.Load(p6) == nil {
			list = append(list, netip.AddrPortFrom(netip.Addr(ip6), portOf(p6)).String())
		} else if have4 {
			list = append(list, netip.AddrPortFrom(netip.Addr(ip6), portOf(p4)).String())
		}
	}
	return list
}

func portOf(e enr.Entry) uint16 {
	switch p := e.(type) {
	case *enr.TCP:
		return uint16(*p)
	case *enr.TCP6:
		return uint16(*p)
	case *enr.UDP:
		return uint16(*p)
	case *enr.UDP6:
		return uint16(*p)
	case *enr.QUIC:
		return uint16(*p)
	case *enr.QUIC6:
		return uint16(*p)
	}
	return 0
}

// clip shortens what somebody typed or pasted for an error message.
func clip(text string) string {
	if len(text) > 40 {
		return text[:37] + "..."
	}
	return text
}
