package eth

import (
	"fmt"
	"iter"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/p2p/enode"
)

// EventRecord is one thing that a peer has said, as a JSON object. What does not go with the event is left out.
type EventRecord struct {
	Event  string    `json:"event"`            // "transaction", "block", "head", "joined", "left"; "present" of [PeerState.Records]; or "lost"
	At     time.Time `json:"at"`               // when the link had read the message
	Peer   enode.ID  `json:"peer,omitzero"`    // but not with "lost"
	Client string    `json:"client,omitempty"` // as the remote sent it: untrusted text

	Hash  *common.Hash    `json:"hash,omitempty"`
	First bool            `json:"first,omitempty"`        // no peer had named it before, as far as is remembered
	After float64         `json:"afterSeconds,omitempty"` // since a peer named it first
	Full  bool            `json:"full,omitempty"`         // it came in full, not as an announcement
	Type  *hexutil.Uint64 `json:"type,omitempty"`         // of a transaction
	Size  uint64          `json:"size,omitempty"`         // of a transaction, in bytes

	Number   *uint64      `json:"number,omitempty"`     // of a block or head; left out if it is not known
	Earliest uint64       `json:"earliest,omitempty"`   // with a head: the first block that the peer has
	TD       *hexutil.Big `json:"difficulty,omitempty"` // total

	Version uint   `json:"version,omitempty"` // of the protocol, with "joined" and "present"
	Error   string `json:"error,omitempty"`   // with "left"
	Lost    uint64 `json:"lost,omitempty"`    // with "lost": how many records are missing here, as they were not taken in time
}

// Records makes records of an event: one for each transaction or block in it.
func Records(e Event) iter.Seq[*EventRecord] {
	return func(yield func(*EventRecord) bool) {
		switch e := e.(type) {
		case *TransactionsSeen:
			for i := range e.Txs {
				tx := &e.Txs[i]
				kind := hexutil.Uint64(tx.Type)
				r := newRecord("transaction", e.Peer, e.At)
				r.Hash, r.First, r.After, r.Full, r.Type, r.Size = &tx.Hash, tx.First, tx.After.Seconds(), e.Full, &kind, tx.Size
				if !yield(r) {
					return
				}
			}
		case *BlocksSeen:
			for i := range e.Blocks {
				b := &e.Blocks[i]
				r := newRecord("block", e.Peer, e.At)
				r.Hash, r.First, r.After, r.Full, r.Number, r.TD = &b.Hash, b.First, b.After.Seconds(), e.Header != nil, &b.Number, (*hexutil.Big)(e.TD)
				if !yield(r) {
					return
				}
			}
		case *HeadSeen:
			r := newRecord("head", e.Peer, e.At)
			r.Hash, r.Earliest, r.TD = &e.Head.Hash, e.Head.Earliest, (*hexutil.Big)(e.Head.TD)
			if e.Head.Number > 0 || e.Peer.version >= 69 {
				r.Number = &e.Head.Number
			}
			yield(r)
		case *PeerJoined:
			r := newRecord("joined", e.Peer, e.At)
			r.Version = e.Peer.version
			yield(r)
		case *PeerLeft:
			r := newRecord("left", e.Peer, e.At)
			if e.Err != nil {
				r.Error = e.Err.Error()
			}
			yield(r)
		case *EventsLost:
			yield(&EventRecord{Event: "lost", At: e.At, Lost: e.Count})
		}
	}
}

// Records makes records of a peer that was there before anybody listened: "present", and "head" with what it had told by then.
func (s *PeerState) Records(now time.Time) ([]*EventRecord, error) {
	id, err := enode.ParseID(s.ID)
	if err != nil {
		return nil, fmt.Errorf("id of a peer: %w", err)
	}
	head := &EventRecord{Event: "head", At: s.At, Peer: id, Client: s.Client, Hash: &s.Head, Earliest: s.Earliest, TD: s.TD}
	if s.Number > 0 || s.Version >= 69 {
		head.Number = &s.Number
	}
	return []*EventRecord{{Event: "present", At: now, Peer: id, Client: s.Client, Version: s.Version}, head}, nil
}

func newRecord(event string, p *Peer, at time.Time) *EventRecord {
	return &EventRecord{Event: event, At: at, Peer: p.ID(), Client: p.peer.Fullname()}
}
