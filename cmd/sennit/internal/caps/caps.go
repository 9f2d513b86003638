// Package caps reads and compares capabilities as people write them: "eth/69" or "eth/69/18".
package caps

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/sennit-net/sennit/p2p"
)

const (
	maxNameLength = 32      // devp2p asks for short ASCII names; the longest in use has 12 letters
	maxLength     = 1 << 16 // message codes one protocol may take
)

// Cap is a protocol name and version together with the number of message codes it takes on a link. Both ends must agree
// on Length, which never crosses the wire. The zero value is not valid.
type Cap struct {
	Name    string
	Version uint
	Length  uint64
}

// String returns "name/version/length", the form [Parse] reads.
func (c Cap) String() string {
	return fmt.Sprintf("%s/%d/%d", c.Name, c.Version, c.Length)
}

// P2P returns c without its length, as it appears in Hello.
func (c Cap) P2P() p2p.Cap {
	return p2p.Cap{Name: c.Name, Version: c.Version}
}

// known lists the protocols whose length needs no saying, in ascending order of name and version.
var known = []Cap{
	{"bzz", 8, 1},
	{"bzz", 14, 1},
	{"bzz-retrieve", 2, 2},
	{"bzz-stream", 8, 6},
	{"eth", 62, 8},
	{"eth", 63, 17},
	{"eth", 64, 17},
	{"eth", 65, 17},
	{"eth", 66, 17},
	{"eth", 67, 17},
	{"eth", 68, 17},
	{"eth", 69, 18},
	{"eth", 70, 18},
	{"eth", 71, 20},
	{"eth", 72, 22},
	{"hive", 8, 2},
	{"hive", 11, 2},
	{"pss", 2, 1},
	{"sennit", 1, 2},
	{"shh", 5, 64},
	{"shh", 6, 128},
	{"snap", 1, 8},
	{"snap", 2, 10},
	{"stream", 8, 11},
}

// Offer returns the capabilities `sennit hello` offers unless told otherwise: the public protocols of Ethereum, Whisper
// and Swarm that a node can be found to speak, and that of `sennit run`.
func Offer() []p2p.Cap {
	var offer []p2p.Cap
	for _, c := range known {
		switch {
		case c.Name == "eth" && c.Version < 63, c.Name == "shh" && c.Version < 6, c.Name == "pss", c == Cap{"snap", 2, 10}:
		default:
			offer = append(offer, c.P2P())
		}
	}
	return offer
}

// Parse reads "name/version/length". The length may be left out for the protocols that are known to this package.
func Parse(s string) (Cap, error) {
	fields := strings.Split(s, "/")
	if len(fields) != 2 && len(fields) != 3 {
		return Cap{}, fmt.Errorf("capability %q: want name/version/length, for example eth/69/18", s)
	}
	c, err := parseNameVersion(fields[0], fields[1])
	if err != nil {
		return Cap{}, fmt.Errorf("capability %q: %w", s, err)
	}
	if len(fields) == 2 {
		if c.Length = knownLength(c); c.Length == 0 {
			return Cap{}, fmt.Errorf("capability %q: its number of message codes is not known here, write it as %s/LENGTH", s, s)
		}
		return c, nil
	}
	c.Length, err = strconv.ParseUint(fields[2], 10, 32)
	if err != nil || c.Length == 0 || c.Length > maxLength {
		return Cap{}, fmt.Errorf("capability %q: length %q is not a number from 1 to %d", s, fields[2], maxLength)
	}
	return c, nil
}

// ParseAll reads a list with [Parse] and refuses a name and version given twice.
func ParseAll(list []string) ([]Cap, error) {
	var all []Cap
	for _, s := range list {
		c, err := Parse(s)
		if err != nil {
			return nil, err
		}
		if slices.ContainsFunc(all, func(o Cap) bool { return o.P2P() == c.P2P() }) {
			return nil, fmt.Errorf("capability %s/%d is given twice", c.Name, c.Version)
		}
		all = append(all, c)
	}
	return all, nil
}

// ParseOffer reads a list of "name/version" for Hello; a length is allowed and ignored.
func ParseOffer(list []string) ([]p2p.Cap, error) {
	var offer []p2p.Cap
	for _, s := range list {
		fields := strings.Split(s, "/")
		if len(fields) != 2 && len(fields) != 3 {
			return nil, fmt.Errorf("capability %q: want name/version, for example eth/69", s)
		}
		c, err := parseNameVersion(fields[0], fields[1])
		if err != nil {
			return nil, fmt.Errorf("capability %q: %w", s, err)
		}
		offer = append(offer, c.P2P())
	}
	return offer, nil
}

func parseNameVersion(name, version string) (Cap, error) {
	if name == "" || len(name) > maxNameLength {
		return Cap{}, fmt.Errorf("the name must have 1 to %d letters", maxNameLength)
	}
	if strings.ContainsFunc(name, func(r rune) bool { return r <= ' ' || r > '~' || r == ',' }) {
		return Cap{}, errors.New("the name must be printable ASCII without blanks and commas")
	}
	v, err := strconv.ParseUint(version, 10, 31)
	if err != nil {
		return Cap{}, fmt.Errorf("version %q is not a number", version)
	}
	return Cap{Name: name, Version: uint(v)}, nil
}

func knownLength(c Cap) uint64 {
	for _, k := range known {
		if k.Name == c.Name && k.Version == c.Version {
			return k.Length
		}
	}
	return 0
}

// Compare is what two nodes have in common.
type Compare struct {
	Shared  []p2p.Cap // name and version on both sides, ascending
	Running []p2p.Cap // those a link would run: the highest shared version of each name
}

// Match compares what two nodes offer. Order and repetition do not matter.
func Match(ours, theirs []p2p.Cap) Compare {
	var m Compare
	for _, c := range theirs {
		if slices.Contains(ours, c) {
			m.Shared = append(m.Shared, c)
		}
	}
	slices.SortFunc(m.Shared, p2p.Cap.Cmp)
	m.Shared = slices.Compact(m.Shared)
	for i, c := range m.Shared {
		if last := i+1 == len(m.Shared); last || m.Shared[i+1].Name != c.Name {
			m.Running = append(m.Running, c)
		}
	}
	return m
}
