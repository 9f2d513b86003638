package wire

import (
	"math"

	"github.com/ethereum/go-ethereum/rlp"
)

// Handshake is the only message of bzz: [version, network, [overlay, underlay], light]. Each side sends one (section 3).
type Handshake struct {
	Version   uint64
	NetworkID uint64
	Addr      PeerAddr
	Light     bool // stores nothing for others and serves nobody
}

// Code implements [Message].
func (Handshake) Code() uint64 { return CodeHandshake }

func (m Handshake) encode(w rlp.EncoderBuffer) {
	list := w.List()
	w.WriteUint64(m.Version)
	w.WriteUint64(m.NetworkID)
	m.Addr.encode(w)
	w.WriteBool(m.Light)
	w.ListEnd(list)
}

// ParseHandshake parses a [Handshake]. It does not compare version and network with anything.
func ParseHandshake(payload []byte) (m Handshake, err error) {
	r := openList("Handshake", payload)
	m.Version = r.uint("version", math.MaxUint64)
	m.NetworkID = r.uint("network id", math.MaxUint64)
	m.Addr = r.peerAddr("address")
	m.Light = r.bool("light node")
	return m, r.end()
}

func (a PeerAddr) encode(w rlp.EncoderBuffer) {
	list := w.List()
	w.WriteBytes(a.Overlay[:])
	w.WriteBytes(a.Underlay)
	w.ListEnd(list)
}

func (r *items) peerAddr(field string) (a PeerAddr) {
	r.within(field, func(r *items) {
		a.Overlay = r.address("overlay")
		a.Underlay = r.bytes("underlay", MaxUnderlay)
	})
	return a
}
