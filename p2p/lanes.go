package p2p

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"time"

	"github.com/sennit-net/sennit/internal/lanes"
	"github.com/sennit-net/sennit/internal/link"
	"github.com/sennit-net/sennit/p2p/rlpx"
)

// lanesCap is the capability by which two nodes agree on lanes/1, the framing of docs/spec/lanes.md. It is no protocol: it
// has no messages and takes no message codes.
var lanesCap = Cap{Name: "lanes", Version: 1}

// The names of framings, as [PeerInfo.Framing] shows them.
const (
	framingRLPx  = "rlpx"
	framingLanes = "lanes/1"
)

// withLanes returns the capabilities with lanes/1 among them, in canonical order.
func withLanes(caps []Cap) []Cap {
	caps = append(slices.Clone(caps), lanesCap)
	slices.SortFunc(caps, Cap.Cmp)
	return slices.Compact(caps)
}

// offersLanes tells whether the sender of the Hello can speak lanes/1. Versions below 5 do not count, as everything that
// may be sent between two of them is settled.
func (h *hello) offersLanes() bool {
	return h.Version >= snappyProtocolVersion && slices.Contains(h.Caps, lanesCap)
}

// laneCodec is both halves of lanes/1 on a connection whose Hellos have been exchanged.
type laneCodec struct {
	sealer *lanes.Sealer
	opener *lanes.Opener
}

var errNoBinding = errors.New("the handshake left nothing to derive the keys of lanes/1 from")

// agreeOnLanes returns the codec of lanes/1 if both Hellos offer it, else nil: from here on nothing else is sent and read.
func agreeOnLanes(conn *rlpx.Conn, initiator bool, ours, theirs *hello) (*laneCodec, error) {
	if !ours.offersLanes() || !theirs.offersLanes() {
		return nil, nil
	}
	secret, transcript, ok := conn.Binding()
	if !ok {
		return nil, errNoBinding
	}
	defer clear(secret)
	if !initiator {
		ours, theirs = theirs, ours
	}
	// A Hello's frame is its code, which is 0x80 in RLP, and its payload.
	for _, h := range []*hello{ours, theirs} {
		transcript.Write([]byte{0x80})
		transcript.Write(h.payload)
	}
	out, in, err := lanes.Derive(secret, [sha256.Size]byte(transcript.Sum(nil)))
	if err != nil {
		return nil, fmt.Errorf("keys of %v: %w", lanesCap, err)
	}
	if !initiator {
		out, in = in, out
	}
	codec := new(laneCodec)
	if codec.sealer, err = lanes.NewSealer(out); err != nil {
		return nil, err
	}
	codec.opener, err = lanes.NewOpener(in)
	return codec, err
}

// framing returns how messages travel on a connection that has been detached from its handshake. It works for the nil
// codec.
func (l *laneCodec) framing(s rlpx.Session) link.Framing {
	if l == nil {
		return link.RLPx(s.Sealer, s.Opener, s.Snappy)
	}
	return link.Lanes(l.sealer, l.opener)
}

// name returns the framing's name. It works for the nil codec.
func (l *laneCodec) name() string {
	if l == nil {
		return framingRLPx
	}
	return framingLanes
}

// record returns the frames that are appended by add, sealed.
func (l *laneCodec) record(add func([]byte) []byte) []byte {
	room := make([]byte, lanes.PrefixSize, 64)
	return l.sealer.Seal(slices.Grow(add(room), lanes.TagSize))
}

// sayDisconnect tells the remote the reason why the connection ends before it was a link. codec is nil on RLPx.
func sayDisconnect(conn *rlpx.Conn, fd net.Conn, codec *laneCodec, reason DiscReason, timeout time.Duration) error {
	deadline := time.Now().Add(timeout)
	if codec == nil {
		conn.SetWriteDeadline(deadline)
		_, err := conn.Write(discMsg, encodeDisconnect(reason))
		return err
	}
	fd.SetWriteDeadline(deadline)
	_, err := fd.Write(codec.record(func(b []byte) []byte { return lanes.AppendDisconnect(b, uint64(reason)) }))
	return err
}

// pingLanes sends a ping and returns how long the answer takes, on a connection that has agreed on lanes/1. What comes
// in between is passed over.
func pingLanes(conn *rlpx.Conn, fd net.Conn, codec *laneCodec, start time.Time) (time.Duration, error) {
	session := conn.Detach()
	fd.SetDeadline(start.Add(probePingTimeout))
	var id [lanes.OpaqueSize]byte
	rand.Read(id[:]) // never fails
	if _, err := fd.Write(codec.record(func(b []byte) []byte { return lanes.AppendPing(b, lanes.Ping, id) })); err != nil {
		return 0, fmt.Errorf("sending the ping: %w", err)
	}
	in := io.MultiReader(bytes.NewReader(session.Buffered), fd)
	for range probeSkipped {
		plain, err := codec.readRecord(in)
		if err == nil {
			var found bool
			if found, err = findPong(plain, id); found {
				return time.Since(start), nil
			}
		}
		if errors.Is(err, errSetupReadLimit) {
			return 0, fmt.Errorf("no answer among %d bytes", probeReadLimit)
		}
		if err != nil {
			return 0, fmt.Errorf("awaiting the answer: %w", err)
		}
	}
	return 0, fmt.Errorf("no answer among %d records", probeSkipped)
}

// findPong tells whether the answer to the ping id is among the frames of a record. A DISCONNECT is a refusedError.
func findPong(plain []byte, id [lanes.OpaqueSize]byte) (found bool, err error) {
	parser := lanes.Parse(plain)
	for {
		var f lanes.Frame
		more, err := parser.Next(&f)
		switch {
		case err != nil || !more:
			return false, err
		case f.Type == lanes.Pong && bytes.Equal(f.Data, id[:]):
			return true, nil
		case f.Type == lanes.Disconnect:
			return false, &refusedError{DiscReason(min(f.Value, link.ReasonInvalid))}
		}
	}
}

// readRecord reads and opens one record.
func (l *laneCodec) readRecord(r io.Reader) ([]byte, error) {
	var prefix [lanes.PrefixSize]byte
	if _, err := io.ReadFull(r, prefix[:]); err != nil {
		return nil, err
	}
	size, err := lanes.RecordSize(prefix[:])
	if err != nil {
		return nil, err
	}
	record := append(make([]byte, 0, size), prefix[:]...)[:size]
	if _, err := io.ReadFull(r, record[lanes.PrefixSize:]); err != nil {
		return nil, err
	}
	return l.opener.Open(record)
}
