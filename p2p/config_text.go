package p2p

import (
	"encoding"
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"github.com/ethereum/go-ethereum/p2p/enode"
	"github.com/ethereum/go-ethereum/p2p/nat"
	"github.com/ethereum/go-ethereum/p2p/netutil"
)

// NodeSpec is a node in the text forms of [ParseNode]. The zero value is no node, and has no text.
type NodeSpec struct{ Node *enode.Node }

// MarshalText returns the enode URL, or the record of a node that has a signed one.
func (s NodeSpec) MarshalText() ([]byte, error) {
	if s.Node == nil {
		return nil, errors.New("a node that is nil has no text form")
	}
	return s.Node.MarshalText()
}

// UnmarshalText sets s to what the text says.
func (s *NodeSpec) UnmarshalText(text []byte) (err error) {
	s.Node, err = ParseNode(string(text))
	return err
}

func nodeSpecs(nodes []*enode.Node) []NodeSpec {
	if nodes == nil {
		return nil
	}
	specs := make([]NodeSpec, len(nodes))
	for i, n := range nodes {
		specs[i].Node = n
	}
	return specs
}

func specNodes(specs []NodeSpec) []*enode.Node {
	if specs == nil {
		return nil
	}
	nodes := make([]*enode.Node, len(specs))
	for i, s := range specs {
		nodes[i] = s.Node
	}
	return nodes
}

// NetworkSpec is an IP network in the form ADDRESS/BITS, such as 192.0.2.0/24 or 2001:db8::/32.
type NetworkSpec struct{ Prefix netip.Prefix }

// NetworkSpecs is a list of networks, which may be empty, as [Config.NetRestrict] is one.
type NetworkSpecs []NetworkSpec

// MarshalText returns the text form; it is empty for the zero value.
func (s NetworkSpec) MarshalText() ([]byte, error) { return s.Prefix.MarshalText() }

// UnmarshalText sets s to what the text says. The error says what is wrong with it.
func (s *NetworkSpec) UnmarshalText(text []byte) error {
	prefix, err := netip.ParsePrefix(string(text))
	if err != nil {
		return fmt.Errorf("network %q: %w", clipText(string(text)), explainNetwork(string(text), err))
	}
	s.Prefix = prefix
	return nil
}

// explainNetwork returns what is wrong with the text of a network; err if that is nothing known.
func explainNetwork(text string, err error) error {
	host, bits, ok := strings.Cut(text, "/")
	addr, addrErr := netip.ParseAddr(host)
	switch {
	case addrErr != nil:
		return fmt.Errorf("%q is not an IP address, want ADDRESS/BITS such as 192.0.2.0/24", clipText(host))
	case !ok:
		return fmt.Errorf("want ADDRESS/BITS; this one address is %v", netip.PrefixFrom(addr, addr.BitLen()))
	case addr.Zone() != "":
		return fmt.Errorf("%q has a zone, which a network cannot have", host)
	}
	if n, bitsErr := strconv.Atoi(bits); bitsErr != nil || n < 0 || n > addr.BitLen() {
		return fmt.Errorf("%q behind the / is not a number from 0 to %d", clipText(bits), addr.BitLen())
	}
	return err
}

// ParseNetworks reads a list of networks (see [NetworkSpec]), separated by commas. Blanks, and commas that separate
// nothing, are ignored.
func ParseNetworks(text string) (*netutil.Netlist, error) {
	list := make(netutil.Netlist, 0)
	for field := range strings.SplitSeq(text, ",") {
		if field = strings.TrimSpace(field); field == "" {
			continue
		}
		var spec NetworkSpec
		if err := spec.UnmarshalText([]byte(field)); err != nil {
			return nil, err
		}
		list = append(list, spec.Prefix)
	}
	return &list, nil
}

func networkSpecs(list *netutil.Netlist) *NetworkSpecs {
	if list == nil {
		return nil
	}
	specs := make(NetworkSpecs, len(*list))
	for i, prefix := range *list {
		specs[i].Prefix = prefix
	}
	return &specs
}

func (s *NetworkSpecs) netlist() *netutil.Netlist {
	if s == nil {
		return nil
	}
	list := make(netutil.Netlist, len(*s))
	for i, spec := range *s {
		list[i] = spec.Prefix
	}
	return &list
}

// NATSpec is a NAT setting in the text form of nat.Parse: "none", "any", "upnp", "pmp", "pmp:192.0.2.1",
// "extip:192.0.2.1", "stun" and so on. The zero value and the empty text are "none".
type NATSpec struct{ nat.Interface }

// MarshalText returns the text form. A nat.Interface that has none, one that is not from package nat, is an error.
func (s NATSpec) MarshalText() ([]byte, error) {
	switch i := s.Interface.(type) {
	case nil:
		return []byte("none"), nil
	case encoding.TextMarshaler:
		return i.MarshalText()
	default:
		return nil, errNoText(i)
	}
}

// UnmarshalText sets s to what the text says. The error says what it may be.
func (s *NATSpec) UnmarshalText(text []byte) error {
	i, err := nat.Parse(string(text))
	if err != nil {
		return fmt.Errorf("NAT setting %q: %w; want none, any, upnp, pmp, pmp:IP, extip:IP, stun or stun:HOST:PORT", clipText(string(text)), err)
	}
	s.Interface = i
	return nil
}

// errNoText is the error of a NAT setting that cannot be written down.
func errNoText(i nat.Interface) error {
	return fmt.Errorf("a NAT setting of type %T has no text form", i)
}
