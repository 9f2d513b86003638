package p2p

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
)

// Cap is a capability: a protocol by name and version, as nodes announce them to each other in Hello. On the wire it is
// the RLP list [name, version]. Names are case-sensitive.
type Cap struct {
	Name    string
	Version uint
}

// String returns the capability as "name/version", for example "eth/69".
func (cap Cap) String() string {
	return cap.Name + "/" + strconv.FormatUint(uint64(cap.Version), 10)
}

// Cmp orders capabilities by name, byte by byte, and then by version; it returns -1, 0 or +1. This is the order of a
// Hello, and the one in which protocols get their message codes.
func (cap Cap) Cmp(other Cap) int {
	if c := strings.Compare(cap.Name, other.Name); c != 0 {
		return c
	}
	return cmp.Compare(cap.Version, other.Version)
}

// capsOf returns the capabilities of protocols in canonical order, each once.
func capsOf(protocols []Protocol) []Cap {
	caps := make([]Cap, 0, len(protocols))
	for i := range protocols {
		caps = append(caps, protocols[i].cap())
	}
	slices.SortFunc(caps, Cap.Cmp)
	return slices.Compact(caps)
}
