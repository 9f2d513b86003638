package wire

import (
	"math"

	"github.com/ethereum/go-ethereum/rlp"

	"github.com/sennit-net/sennit/protocols/bzz/chunk"
)

// RetrieveRequest asks for a chunk: [address, skip check, hop count].
type RetrieveRequest struct {
	Addr      chunk.Address
	SkipCheck bool  // send the chunk; otherwise offer it first
	Hops      uint8 // how many nodes have handed the request on
}

// Code implements [Message].
func (RetrieveRequest) Code() uint64 { return CodeRetrieveRequest }

func (m RetrieveRequest) encode(w rlp.EncoderBuffer) {
	list := w.List()
	w.WriteBytes(m.Addr[:])
	w.WriteBool(m.SkipCheck)
	w.WriteUint64(uint64(m.Hops))
	w.ListEnd(list)
}

// ParseRetrieveRequest parses a [RetrieveRequest].
func ParseRetrieveRequest(payload []byte) (m RetrieveRequest, err error) {
	r := openList("RetrieveRequest", payload)
	m.Addr = r.address("address")
	m.SkipCheck = r.bool("skip check")
	m.Hops = uint8(r.uint("hop count", math.MaxUint8))
	return m, r.end()
}

// Delivery carries a chunk: [address, data]. It has two codes, one for chunks that were asked for by a RetrieveRequest and
// one for those of an offer.
type Delivery struct {
	Addr    chunk.Address
	Data    []byte // span and payload
	Syncing bool   // the chunk is of an offer
}

// Code implements [Message].
func (m Delivery) Code() uint64 {
	if m.Syncing {
		return CodeDeliverySyncing
	}
	return CodeDeliveryRetrieval
}

func (m Delivery) encode(w rlp.EncoderBuffer) {
	list := w.List()
	w.WriteBytes(m.Addr[:])
	w.WriteBytes(m.Data)
	w.ListEnd(list)
}

// ParseDelivery parses a [Delivery] that has come with the given code. Whether the data is that of the address is for the
// caller to check; it is not longer than that of a chunk.
func ParseDelivery(code uint64, payload []byte) (m Delivery, err error) {
	r := openList("ChunkDelivery", payload)
	m.Syncing = code == CodeDeliverySyncing
	m.Addr = r.address("address")
	m.Data = r.bytes("data", chunk.MaxDataSize)
	return m, r.end()
}
