package wire

import (
	"math"
	"strconv"

	"github.com/ethereum/go-ethereum/rlp"
)

// Names of streams.
const (
	RetrieveStream = "RETRIEVE_REQUEST" // has the key ""; a node that has it may ask for chunks
	SyncStream     = "SYNC"             // has the key [BinKey] of a bin
)

// Priorities of messages, and of the streams they belong to.
const (
	PriorityLow = iota
	PriorityMid
	PriorityHigh
	PriorityTop

	Priorities // how many there are
)

// Stream names a sequence of chunks that one node offers another: [name, key, live]. Streams compare with ==.
type Stream struct {
	Name string
	Key  string
	Live bool // what comes in from now on; otherwise what was there before
}

// String returns the stream as "SYNC|6|live".
func (s Stream) String() string {
	if s.Live {
		return s.Name + "|" + s.Key + "|live"
	}
	return s.Name + "|" + s.Key + "|history"
}

// History returns the stream of what was there before a live stream began.
func (s Stream) History() Stream {
	s.Live = false
	return s
}

// SyncBin returns the live stream of a bin.
func SyncBin(bin int) Stream { return Stream{Name: SyncStream, Key: BinKey(bin), Live: true} }

// BinKey returns the key of the stream of a bin: its number to base 36.
func BinKey(bin int) string { return strconv.FormatInt(int64(bin), 36) }

// Bin returns the bin that a SYNC stream is of; false if the key is not one that [BinKey] makes of 0 to 255.
func (s Stream) Bin() (int, bool) {
	bin, err := strconv.ParseUint(s.Key, 36, 8)
	return int(bin), err == nil && s.Name == SyncStream && BinKey(int(bin)) == s.Key
}

func (s Stream) encode(w rlp.EncoderBuffer) {
	list := w.List()
	w.WriteString(s.Name)
	w.WriteString(s.Key)
	w.WriteBool(s.Live)
	w.ListEnd(list)
}

func (r *items) stream() (s Stream) {
	r.within("stream", func(r *items) {
		s.Name = string(r.bytes("name", MaxName))
		s.Key = string(r.bytes("key", MaxName))
		s.Live = r.bool("live")
	})
	return s
}

// Range is a part of a stream, both ends included: [from, to]. A To of 0 leaves the end open.
type Range struct {
	From, To uint64
}

// Subscribe asks for a stream: [stream, range or nothing, priority]. With a live stream and a range the history in that
// range is asked for as well, as a stream of its own with a priority one lower.
type Subscribe struct {
	Stream   Stream
	Range    *Range // may be nil
	Priority uint8
}

// Code implements [Message].
func (Subscribe) Code() uint64 { return CodeSubscribe }

func (m Subscribe) encode(w rlp.EncoderBuffer) {
	list := w.List()
	m.Stream.encode(w)
	r := w.List()
	if m.Range != nil {
		w.WriteUint64(m.Range.From)
		w.WriteUint64(m.Range.To)
	}
	w.ListEnd(r)
	w.WriteUint64(uint64(m.Priority))
	w.ListEnd(list)
}

// ParseSubscribe parses a [Subscribe]. A priority that does not exist is left for the caller to judge.
func ParseSubscribe(payload []byte) (Subscribe, error) { return parseSubscribe("Subscribe", payload) }

func parseSubscribe(what string, payload []byte) (m Subscribe, err error) {
	r := openList(what, payload)
	m.Stream = r.stream()
	r.within("range", func(r *items) {
		if r.more() {
			m.Range = &Range{From: r.uint("from", math.MaxUint64), To: r.uint("to", math.MaxUint64)}
		}
	})
	m.Priority = uint8(r.uint("priority", math.MaxUint8))
	return m, r.end()
}

// RequestSubscription asks for a Subscribe of the same content: the node that has something to offer speaks first.
type RequestSubscription Subscribe

// Code implements [Message].
func (RequestSubscription) Code() uint64 { return CodeRequestSubscription }

func (m RequestSubscription) encode(w rlp.EncoderBuffer) { Subscribe(m).encode(w) }

// ParseRequestSubscription parses a [RequestSubscription].
func ParseRequestSubscription(payload []byte) (RequestSubscription, error) {
	m, err := parseSubscribe("RequestSubscription", payload)
	return RequestSubscription(m), err
}

// Unsubscribe ends a stream from the side that receives it: [stream].
type Unsubscribe struct {
	Stream Stream
}

// Code implements [Message].
func (Unsubscribe) Code() uint64 { return CodeUnsubscribe }

func (m Unsubscribe) encode(w rlp.EncoderBuffer) { encodeOneStream(w, m.Stream) }

// ParseUnsubscribe parses an [Unsubscribe].
func ParseUnsubscribe(payload []byte) (Unsubscribe, error) {
	s, err := parseOneStream("Unsubscribe", payload)
	return Unsubscribe{s}, err
}

// Quit ends a stream from the side that offers it: [stream].
type Quit struct {
	Stream Stream
}

// Code implements [Message].
func (Quit) Code() uint64 { return CodeQuit }

func (m Quit) encode(w rlp.EncoderBuffer) { encodeOneStream(w, m.Stream) }

// ParseQuit parses a [Quit].
func ParseQuit(payload []byte) (Quit, error) {
	s, err := parseOneStream("Quit", payload)
	return Quit{s}, err
}

func encodeOneStream(w rlp.EncoderBuffer, s Stream) {
	list := w.List()
	s.encode(w)
	w.ListEnd(list)
}

func parseOneStream(what string, payload []byte) (Stream, error) {
	r := openList(what, payload)
	s := r.stream()
	return s, r.end()
}

// SubscribeError says why a Subscribe failed: [text]. Whoever receives it ends the connection.
type SubscribeError struct {
	Text string
}

// Code implements [Message].
func (SubscribeError) Code() uint64 { return CodeSubscribeError }

func (m SubscribeError) encode(w rlp.EncoderBuffer) {
	list := w.List()
	w.WriteString(m.Text)
	w.ListEnd(list)
}

// ParseSubscribeError parses a [SubscribeError].
func ParseSubscribeError(payload []byte) (m SubscribeError, err error) {
	r := openList("SubscribeError", payload)
	m.Text = string(r.bytes("text", MaxText))
	return m, r.end()
}
