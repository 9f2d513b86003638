package eth

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/p2p/enode"
	"github.com/ethereum/go-ethereum/rpc"
)

// API is the JSON-RPC namespace eth of a node: what its peers have, and what they say. Its methods have nothing to do with
// those that execution clients have in the namespace of this name. They are safe for concurrent use.
type API struct{ h *Handler }

// NewAPI returns the methods about the peers of a handler.
func NewAPI(h *Handler) *API { return &API{h} }

// APIs is the namespace eth, see [API].
func (h *Handler) APIs() []rpc.API { return []rpc.API{{Namespace: "eth", Service: NewAPI(h)}} }

// PeerState is what is known of a peer and its head.
type PeerState struct {
	ID       string       `json:"id"`
	Enode    string       `json:"enode"`
	Client   string       `json:"client"` // as the remote sent it: untrusted text
	Version  uint         `json:"version"`
	Network  uint64       `json:"network"`
	Genesis  common.Hash  `json:"genesis"`
	ForkID   string       `json:"forkId,omitempty"` // from version 64 on; as ForkID.String
	Head     common.Hash  `json:"head"`
	Number   uint64       `json:"number"`               // of Head; up to version 68, 0 as well if it is not known
	Earliest uint64       `json:"earliest"`             // from version 69 on
	TD       *hexutil.Big `json:"difficulty,omitempty"` // total; up to version 68
	At       time.Time    `json:"at"`                   // when the peer told of Head
}

// State returns what is known of the peer and its head.
func (p *Peer) State() *PeerState {
	s, head := p.Status(), p.Head()
	state := &PeerState{
		ID: p.ID().String(), Enode: p.peer.Node().URLv4(), Client: p.peer.Fullname(), Version: p.version, Network: s.NetworkID,
		Genesis: s.Genesis, Head: head.Hash, Number: head.Number, Earliest: head.Earliest, At: head.At,
	}
	if p.version >= 64 {
		state.ForkID = s.ForkID.String()
	}
	if head.TD != nil {
		state.TD = (*hexutil.Big)(head.TD)
	}
	return state
}

// PeerStates describes the peers that have finished the handshake, the highest head first.
func (a *API) PeerStates() []*PeerState {
	list := []*PeerState{}
	for _, p := range a.h.Peers() {
		list = append(list, p.State())
	}
	slices.SortFunc(list, func(x, y *PeerState) int {
		switch {
		case x.Number > y.Number:
			return -1
		case x.Number < y.Number:
			return 1
		}
		return strings.Compare(x.ID, y.ID)
	})
	return list
}

// peer finds a peer by its ID or the beginning of it; "" means the one with the highest head.
func (a *API) peer(id string) (*Peer, error) {
	for _, s := range a.PeerStates() {
		if strings.HasPrefix(s.ID, strings.TrimPrefix(id, "0x")) {
			if node, err := enode.ParseID(s.ID); err == nil {
				if p := a.h.Peer(node); p != nil {
					return p, nil
				}
			}
		}
	}
	if id == "" {
		return nil, fmt.Errorf("there is no peer that speaks eth")
	}
	return nil, fmt.Errorf("no peer that speaks eth has an ID that begins with %q", id)
}

// HeadersRequest says which headers PeerHeaders asks for. In JSON, numbers are strings of hex digits, as "0x5"; what has another
// name than these is refused.
type HeadersRequest struct {
	Hash    *common.Hash    `json:"hash,omitempty"` // the start; nil: Number, or the head if that is nil as well
	Number  *hexutil.Uint64 `json:"number,omitempty"`
	Amount  hexutil.Uint64  `json:"amount"`
	Skip    hexutil.Uint64  `json:"skip,omitempty"`
	Reverse bool            `json:"reverse,omitempty"`
}

// UnmarshalJSON implements [json.Unmarshaler].
func (r *HeadersRequest) UnmarshalJSON(b []byte) error {
	type plain HeadersRequest
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	return d.Decode((*plain)(r))
}

// Query is the request to a peer. Without a start it starts at the peer's head.
func (r *HeadersRequest) Query(p *Peer) HeadersQuery {
	q := HeadersQuery{Amount: uint64(r.Amount), Skip: uint64(r.Skip), Reverse: r.Reverse}
	switch {
	case r.Hash != nil:
		q.Start.Hash = *r.Hash
	case r.Number != nil:
		q.Start.Number = uint64(*r.Number)
	default:
		q.Start.Hash = p.Head().Hash
	}
	return q
}

// PeerHeaders asks a peer for headers. peer is an ID or the beginning of one; with "" the peer with the highest head is asked.
func (a *API) PeerHeaders(ctx context.Context, peer string, r HeadersRequest) ([]*types.Header, error) {
	if r.Amount == 0 {
		return nil, errors.New("no headers are asked for: amount is missing or 0")
	}
	p, err := a.peer(peer)
	if err != nil {
		return nil, err
	}
	return p.Headers(ctx, r.Query(p))
}

// Block is a block in full, as PeerBlock returns it.
type Block struct {
	Header       *types.Header        `json:"header"`
	Transactions []*types.Transaction `json:"transactions"`
	Uncles       []*types.Header      `json:"uncles"`
	Withdrawals  []*types.Withdrawal  `json:"withdrawals,omitempty"`
	Size         uint64               `json:"size"` // bytes of its RLP
}

// PeerBlock asks a peer for a block with its header and body; nil if it does not have it.
func (a *API) PeerBlock(ctx context.Context, peer string, r HeadersRequest) (*Block, error) {
	p, err := a.peer(peer)
	if err != nil {
		return nil, err
	}
	r.Amount = 1
	return p.Block(ctx, r.Query(p).Start)
}

// PeerTransaction asks a peer for a transaction that is in its pool, a [types.Transaction]; nil if it does not have it.
func (a *API) PeerTransaction(ctx context.Context, peer string, hash common.Hash) (any, error) {
	p, err := a.peer(peer)
	if err != nil {
		return nil, err
	}
	tx, err := p.Transaction(ctx, hash)
	if tx == nil || err != nil {
		return nil, err // a nil pointer would be asked for its JSON
	}
	return tx, nil
}

// Seen is the subscription of what peers say: eth_subscribe with the parameter "seen" gives an [EventRecord] for each event.
func (a *API) Seen(ctx context.Context) (*rpc.Subscription, error) {
	notifier, ok := rpc.NotifierFromContext(ctx)
	if !ok {
		return nil, rpc.ErrNotificationsUnsupported
	}
	sub, events := notifier.CreateSubscription(), a.h.Subscribe(0)
	ok = a.h.spawn(func() {
		defer events.Close()
		for {
			select {
			case <-events.wake:
			case <-events.done:
				return
			case <-sub.Err():
				return
			}
			for e, ok := events.take(); ok; e, ok = events.take() {
				for r := range Records(e) {
					if notifier.Notify(sub.ID, r) != nil {
						return
					}
				}
			}
		}
	})
	if !ok {
		events.Close()
		return nil, ErrClosed
	}
	return sub, nil
}
