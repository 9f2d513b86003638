package wire

import (
	"math"

	"github.com/ethereum/go-ethereum/rlp"
)

// Peers tells a node of others: [[[overlay, underlay], ...]]. It may come unasked (section 4).
type Peers struct {
	Addrs []PeerAddr
}

// Code implements [Message].
func (Peers) Code() uint64 { return CodePeers }

func (m Peers) encode(w rlp.EncoderBuffer) {
	list := w.List()
	addrs := w.List()
	for _, a := range m.Addrs {
		a.encode(w)
	}
	w.ListEnd(addrs)
	w.ListEnd(list)
}

// ParsePeers parses a [Peers] of up to [MaxPeers] addresses.
func ParsePeers(payload []byte) (m Peers, err error) {
	r := openList("Peers", payload)
	r.each("addresses", MaxPeers, func(r *items) { m.Addrs = append(m.Addrs, r.peerAddr("address")) })
	return m, r.end()
}

// SubPeers asks for addresses and tells up to which depth the sender has enough of them: [depth].
type SubPeers struct {
	Depth uint8
}

// Code implements [Message].
func (SubPeers) Code() uint64 { return CodeSubPeers }

func (m SubPeers) encode(w rlp.EncoderBuffer) {
	list := w.List()
	w.WriteUint64(uint64(m.Depth))
	w.ListEnd(list)
}

// ParseSubPeers parses a [SubPeers].
func ParseSubPeers(payload []byte) (m SubPeers, err error) {
	r := openList("SubPeers", payload)
	m.Depth = uint8(r.uint("depth", math.MaxUint8))
	return m, r.end()
}
