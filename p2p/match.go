package p2p

import (
	"slices"

	"github.com/sennit-net/sennit/internal/frame"
)

// matchedProtocol is a local protocol that runs on a link, with its place in the link's message codes.
type matchedProtocol struct {
	*Protocol
	offset uint64 // its code 0 is this code on the link
}

// end returns the first code of the link after those of the protocol.
func (m *matchedProtocol) end() uint64 { return m.offset + m.Length }

// matchProtocols returns the protocols that run on a link: those of local whose name and version the remote has
// announced too, of each name only the highest version. They come in the order of their names, which is the order of
// their codes. Of two local protocols with the same name and version the first counts.
func matchProtocols(local []Protocol, remote []Cap) []matchedProtocol {
	announced := make(map[Cap]bool, len(remote))
	for _, c := range remote {
		announced[c] = true
	}
	best := make(map[string]*Protocol)
	for i := range local {
		p := &local[i]
		if !announced[p.cap()] {
			continue
		}
		if b := best[p.Name]; b == nil || p.Version > b.Version {
			best[p.Name] = p
		}
	}
	matched := make([]matchedProtocol, 0, len(best))
	for _, p := range best {
		matched = append(matched, matchedProtocol{Protocol: p})
	}
	slices.SortFunc(matched, func(a, b matchedProtocol) int { return a.cap().Cmp(b.cap()) })
	offset := uint64(frame.BaseLength)
	for i := range matched {
		matched[i].offset = offset
		offset = matched[i].end()
	}
	return matched
}
