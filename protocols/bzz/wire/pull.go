package wire

import (
	"fmt"
	"math"

	"github.com/ethereum/go-ethereum/rlp"

	"github.com/sennit-net/sennit/protocols/bzz/chunk"
)

// StreamInfoReq asks how far streams have come: [[[name, key], ...]]. Of the streams only SYNC is known, with the keys of
// [BinKey]; whether they are live is not said here.
type StreamInfoReq struct {
	Streams []Stream
}

// Code implements [Message].
func (StreamInfoReq) Code() uint64 { return CodeStreamInfoReq }

func (m StreamInfoReq) encode(w rlp.EncoderBuffer) {
	list := w.List()
	streams := w.List()
	for _, s := range m.Streams {
		s.encodeID(w)
	}
	w.ListEnd(streams)
	w.ListEnd(list)
}

func (s Stream) encodeID(w rlp.EncoderBuffer) {
	list := w.List()
	w.WriteString(s.Name)
	w.WriteString(s.Key)
	w.ListEnd(list)
}

func (r *items) streamID() (s Stream) {
	r.within("stream", func(r *items) {
		s.Name = string(r.bytes("name", MaxName))
		s.Key = string(r.bytes("key", MaxName))
	})
	return s
}

// ParseStreamInfoReq parses a [StreamInfoReq] of up to [MaxStreamInfo] streams.
func ParseStreamInfoReq(payload []byte) (m StreamInfoReq, err error) {
	r := openList("StreamInfoReq", payload)
	r.each("streams", MaxStreamInfo, func(r *items) { m.Streams = append(m.Streams, r.streamID()) })
	return m, r.end()
}

// StreamInfo says how far a stream has come.
type StreamInfo struct {
	Stream  Stream
	Cursor  uint64 // the number of its newest chunk, 0 if there is none
	Bounded bool   // it does not grow any more
}

// StreamInfoRes answers a [StreamInfoReq]: [[[[name, key], cursor, bounded], ...]].
type StreamInfoRes struct {
	Streams []StreamInfo
}

// Code implements [Message].
func (StreamInfoRes) Code() uint64 { return CodeStreamInfoRes }

func (m StreamInfoRes) encode(w rlp.EncoderBuffer) {
	list := w.List()
	streams := w.List()
	for _, s := range m.Streams {
		one := w.List()
		s.Stream.encodeID(w)
		w.WriteUint64(s.Cursor)
		w.WriteBool(s.Bounded)
		w.ListEnd(one)
	}
	w.ListEnd(streams)
	w.ListEnd(list)
}

// ParseStreamInfoRes parses a [StreamInfoRes] of up to [MaxStreamInfo] streams.
func ParseStreamInfoRes(payload []byte) (m StreamInfoRes, err error) {
	r := openList("StreamInfoRes", payload)
	r.each("streams", MaxStreamInfo, func(r *items) {
		r.within("stream", func(r *items) {
			m.Streams = append(m.Streams, StreamInfo{r.streamID(), r.uint("cursor", math.MaxUint64), r.bool("bounded")})
		})
	})
	return m, r.end()
}

// GetRange asks for an offer of chunks of a stream: [id, [name, key], from, to, batch size].
type GetRange struct {
	ID       uint64
	Stream   Stream
	From, To uint64 // both included; a To of 0 leaves the end open: the offer is made when there is something
	Batch    uint64 // hashes to offer at most
}

// Code implements [Message].
func (GetRange) Code() uint64 { return CodeGetRange }

func (m GetRange) encode(w rlp.EncoderBuffer) {
	list := w.List()
	w.WriteUint64(m.ID)
	m.Stream.encodeID(w)
	w.WriteUint64(m.From)
	w.WriteUint64(m.To)
	w.WriteUint64(m.Batch)
	w.ListEnd(list)
}

// ParseGetRange parses a [GetRange].
func ParseGetRange(payload []byte) (m GetRange, err error) {
	r := openList("GetRange", payload)
	m.ID = r.uint("id", math.MaxUint64)
	m.Stream = r.streamID()
	m.From = r.uint("from", math.MaxUint64)
	m.To = r.uint("to", math.MaxUint64)
	m.Batch = r.uint("batch size", math.MaxUint64)
	return m, r.end()
}

// PullOffer answers a [GetRange]: [id, last index, hashes].
type PullOffer struct {
	ID     uint64
	Last   uint64 // the number of the last hash
	Hashes []byte // the addresses, one after the other; a multiple of 32 bytes
}

// Code implements [Message].
func (PullOffer) Code() uint64 { return CodePullOffer }

func (m PullOffer) encode(w rlp.EncoderBuffer) {
	list := w.List()
	w.WriteUint64(m.ID)
	w.WriteUint64(m.Last)
	w.WriteBytes(m.Hashes)
	w.ListEnd(list)
}

// ParsePullOffer parses a [PullOffer] of up to [MaxOffer] hashes.
func ParsePullOffer(payload []byte) (m PullOffer, err error) {
	r := openList("OfferedHashes", payload)
	m.ID = r.uint("id", math.MaxUint64)
	m.Last = r.uint("last index", math.MaxUint64)
	m.Hashes = r.bytes("hashes", MaxOffer*chunk.AddressSize)
	if n := len(m.Hashes) % chunk.AddressSize; n != 0 {
		r.fail("hashes", fmt.Errorf("%d bytes follow the last one", n))
	}
	return m, r.end()
}

// PullWanted answers a [PullOffer]: [id, bits]. No bits at all want nothing.
type PullWanted struct {
	ID   uint64
	Want Bits
}

// Code implements [Message].
func (PullWanted) Code() uint64 { return CodePullWanted }

func (m PullWanted) encode(w rlp.EncoderBuffer) {
	list := w.List()
	w.WriteUint64(m.ID)
	w.WriteBytes(m.Want)
	w.ListEnd(list)
}

// ParsePullWanted parses a [PullWanted]. How many bits there are is for the caller to check with [Bits.Fit].
func ParsePullWanted(payload []byte) (m PullWanted, err error) {
	r := openList("WantedHashes", payload)
	m.ID = r.uint("id", math.MaxUint64)
	m.Want = r.bytes("bits", MaxOffer/8+1)
	return m, r.end()
}

// Delivered is a chunk of a [PullDelivery].
type Delivered struct {
	Addr chunk.Address
	Data []byte
}

// PullDelivery carries chunks of an offer that were wanted: [id, [[address, data], ...]].
type PullDelivery struct {
	ID     uint64
	Chunks []Delivered
}

// Code implements [Message].
func (PullDelivery) Code() uint64 { return CodePullDelivery }

func (m PullDelivery) encode(w rlp.EncoderBuffer) {
	list := w.List()
	w.WriteUint64(m.ID)
	chunks := w.List()
	for _, c := range m.Chunks {
		one := w.List()
		w.WriteBytes(c.Addr[:])
		w.WriteBytes(c.Data)
		w.ListEnd(one)
	}
	w.ListEnd(chunks)
	w.ListEnd(list)
}

// ParsePullDelivery parses a [PullDelivery] of up to [MaxOffer] chunks.
func ParsePullDelivery(payload []byte) (m PullDelivery, err error) {
	r := openList("ChunkDelivery", payload)
	m.ID = r.uint("id", math.MaxUint64)
	r.each("chunks", MaxOffer, func(r *items) {
		r.within("chunk", func(r *items) {
			m.Chunks = append(m.Chunks, Delivered{r.address("address"), r.bytes("data", chunk.MaxDataSize)})
		})
	})
	return m, r.end()
}
