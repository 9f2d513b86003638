package wire

import (
	"errors"
	"fmt"
	"math"

	"github.com/ethereum/go-ethereum/rlp"

	"github.com/sennit-net/sennit/protocols/bzz/chunk"
)

// What Swarm 0.5.3 to 0.5.8 speaks: bzz/14, hive/11, bzz-stream/8 and bzz-retrieve/2 (section 9). The names of these
// messages begin with Later where there is an earlier one of the same name. They have no wrapper; [AppendLater] writes
// them.
const (
	LaterBzzVersion  = 14
	LaterHiveVersion = 11

	PullName    = "bzz-stream"
	PullVersion = 8
	PullLength  = 6

	RetrieveName    = "bzz-retrieve"
	RetrieveVersion = 2
	RetrieveLength  = 2
)

// Codes of messages of bzz-stream and bzz-retrieve. Those of bzz and hive are as before.
const (
	CodeStreamInfoReq  = 0 // bzz-stream: StreamInfoReq
	CodeStreamInfoRes  = 1 // bzz-stream: StreamInfoRes
	CodeGetRange       = 2 // bzz-stream: GetRange
	CodePullOffer      = 3 // bzz-stream: PullOffer
	CodePullDelivery   = 4 // bzz-stream: PullDelivery
	CodePullWanted     = 5 // bzz-stream: PullWanted
	CodeLaterDelivery  = 0 // bzz-retrieve: LaterDelivery
	CodeLaterRetrieval = 1 // bzz-retrieve: LaterRetrieveRequest
)

// Limits of what is accepted in one message.
const (
	MaxCaps       = 256 // bytes of capabilities
	MaxStreamInfo = 256 // streams in a StreamInfoReq or StreamInfoRes
)

// AppendLater appends a message without a wrapper.
func AppendLater(dst []byte, m Message) []byte {
	w := rlp.NewEncoderBuffer(nil)
	m.encode(w)
	dst = w.AppendToBytes(dst)
	_ = w.Flush() // gives the buffer back; it has no writer that could fail
	return dst
}

// Capabilities of the two kinds of nodes there are: [[[0, [bit, ...16]]]].
var (
	CapsFull  = encodeCaps(0, 1, 4, 5, 15)
	CapsLight = encodeCaps(0, 1)
)

func encodeCaps(bits ...int) []byte {
	var set [16]bool
	for _, b := range bits {
		set[b] = true
	}
	w := rlp.NewEncoderBuffer(nil)
	outer, list, one := w.List(), w.List(), w.List()
	w.WriteUint64(0)
	flags := w.List()
	for _, b := range set {
		w.WriteBool(b)
	}
	w.ListEnd(flags)
	w.ListEnd(one)
	w.ListEnd(list)
	w.ListEnd(outer)
	b := w.ToBytes()
	_ = w.Flush()
	return b
}

// ErrCaps is returned for capabilities that are neither those of a full nor those of a light node.
var ErrCaps = errors.New("bzz: capabilities of neither a full nor a light node")

// LightCaps tells whether capabilities are those of a light node. Those of neither kind are [ErrCaps].
func LightCaps(caps []byte) (bool, error) {
	switch string(caps) {
	case string(CapsFull):
		return false, nil
	case string(CapsLight):
		return true, nil
	}
	return false, fmt.Errorf("%w: %x", ErrCaps, caps)
}

// LaterHandshake is the only message of bzz: [version, network, overlay, underlay, capabilities].
type LaterHandshake struct {
	Version   uint64
	NetworkID uint64
	Addr      PeerAddr // with Caps
}

// Code implements [Message].
func (LaterHandshake) Code() uint64 { return CodeHandshake }

func (m LaterHandshake) encode(w rlp.EncoderBuffer) {
	list := w.List()
	w.WriteUint64(m.Version)
	w.WriteUint64(m.NetworkID)
	m.Addr.encodeFlat(w)
	w.ListEnd(list)
}

func (a PeerAddr) encodeFlat(w rlp.EncoderBuffer) {
	w.WriteBytes(a.Overlay[:])
	w.WriteBytes(a.Underlay)
	w.WriteBytes(a.Caps)
}

func (r *items) flatAddr() (a PeerAddr) {
	a.Overlay = r.address("overlay")
	a.Underlay = r.bytes("underlay", MaxUnderlay)
	a.Caps = r.bytes("capabilities", MaxCaps)
	return a
}

// ParseLaterHandshake parses a [LaterHandshake]. What the capabilities are is for [LightCaps] to say.
func ParseLaterHandshake(payload []byte) (m LaterHandshake, err error) {
	r := openList("Handshake", payload)
	m.Version = r.uint("version", math.MaxUint64)
	m.NetworkID = r.uint("network id", math.MaxUint64)
	m.Addr = r.flatAddr()
	return m, r.end()
}

// LaterPeers tells a node of others: [[overlay, underlay, capabilities, overlay, ...]].
type LaterPeers struct {
	Addrs []PeerAddr
}

// Code implements [Message].
func (LaterPeers) Code() uint64 { return CodePeers }

func (m LaterPeers) encode(w rlp.EncoderBuffer) {
	list := w.List()
	addrs := w.List()
	for _, a := range m.Addrs {
		a.encodeFlat(w)
	}
	w.ListEnd(addrs)
	w.ListEnd(list)
}

// ParseLaterPeers parses a [LaterPeers] of up to [MaxPeers] addresses.
func ParseLaterPeers(payload []byte) (m LaterPeers, err error) {
	r := openList("Peers", payload)
	r.each("addresses", MaxPeers, func(r *items) { m.Addrs = append(m.Addrs, r.flatAddr()) })
	return m, r.end()
}

// LaterRetrieveRequest asks for a chunk: [id, address].
type LaterRetrieveRequest struct {
	ID   uint64
	Addr chunk.Address
}

// Code implements [Message].
func (LaterRetrieveRequest) Code() uint64 { return CodeLaterRetrieval }

func (m LaterRetrieveRequest) encode(w rlp.EncoderBuffer) {
	list := w.List()
	w.WriteUint64(m.ID)
	w.WriteBytes(m.Addr[:])
	w.ListEnd(list)
}

// ParseLaterRetrieveRequest parses a [LaterRetrieveRequest].
func ParseLaterRetrieveRequest(payload []byte) (m LaterRetrieveRequest, err error) {
	r := openList("RetrieveRequest", payload)
	m.ID = r.uint("id", math.MaxUint64)
	m.Addr = r.address("address")
	return m, r.end()
}

// LaterDelivery answers a [LaterRetrieveRequest]: [id, address, data].
type LaterDelivery struct {
	ID   uint64
	Addr chunk.Address
	Data []byte
}

// Code implements [Message].
func (LaterDelivery) Code() uint64 { return CodeLaterDelivery }

func (m LaterDelivery) encode(w rlp.EncoderBuffer) {
	list := w.List()
	w.WriteUint64(m.ID)
	w.WriteBytes(m.Addr[:])
	w.WriteBytes(m.Data)
	w.ListEnd(list)
}

// ParseLaterDelivery parses a [LaterDelivery].
func ParseLaterDelivery(payload []byte) (m LaterDelivery, err error) {
	r := openList("ChunkDelivery", payload)
	m.ID = r.uint("id", math.MaxUint64)
	m.Addr = r.address("address")
	m.Data = r.bytes("data", chunk.MaxDataSize)
	return m, r.end()
}
