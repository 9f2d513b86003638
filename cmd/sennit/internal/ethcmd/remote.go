package ethcmd

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/p2p/enode"
	"github.com/ethereum/go-ethereum/rpc"

	"github.com/sennit-net/sennit/cmd/sennit/internal/attach"
	"github.com/sennit-net/sennit/protocols/eth"
)

// remote is a running node, reached through its JSON-RPC endpoint.
type remote struct {
	client *rpc.Client
	peer   string // beginning of the ID of the peer that is asked; empty: the one with the highest head
}

// Connect connects to the endpoint of a running node: the path of a socket or a URL. peer is the ID, or the beginning of it, of
// the one of its peers that is asked; empty means the one with the highest head.
func Connect(ctx context.Context, endpoint, peer string) (Node, error) {
	client, err := attach.Dial(ctx, endpoint, "eth", "eth")
	if err != nil {
		return nil, err
	}
	return &remote{client, strings.TrimPrefix(peer, "0x")}, nil
}

func (r *remote) Close() { r.client.Close() }

func (r *remote) States(ctx context.Context) (list []*eth.PeerState, err error) {
	err = r.client.CallContext(ctx, &list, "eth_peerStates")
	list = slices.DeleteFunc(list, func(s *eth.PeerState) bool { return !strings.HasPrefix(s.ID, r.peer) })
	return list, err
}

func (r *remote) Headers(ctx context.Context, q eth.HeadersRequest) (list []*types.Header, err error) {
	err = r.client.CallContext(ctx, &list, "eth_peerHeaders", r.peer, q)
	return list, err
}

func (r *remote) Block(ctx context.Context, q eth.HeadersRequest) (b *eth.Block, err error) {
	err = r.client.CallContext(ctx, &b, "eth_peerBlock", r.peer, q)
	return b, err
}

func (r *remote) Transaction(ctx context.Context, hash common.Hash) (tx *types.Transaction, err error) {
	err = r.client.CallContext(ctx, &tx, "eth_peerTransaction", r.peer, hash)
	return tx, err
}

// Watch subscribes to what the node's peers say. It begins with those that are there already.
func (r *remote) Watch(ctx context.Context, got func(*eth.EventRecord) error) error {
	records := make(chan *eth.EventRecord, 1024)
	sub, err := r.client.EthSubscribe(ctx, records, "seen")
	if err != nil {
		return err
	}
	defer sub.Unsubscribe()
	present, err := r.present(ctx, got)
	if err != nil {
		return err
	}
	for {
		select {
		case record := <-records:
			if again := present[record.Peer]; record.Event == "joined" || record.Event == "left" {
				delete(present, record.Peer)
				if again && record.Event == "joined" { // between the subscription and the list
					continue
				}
			}
			if err := got(record); err != nil {
				return err
			}
		case err := <-sub.Err():
			if errors.Is(err, rpc.ErrSubscriptionQueueOverflow) {
				return fmt.Errorf("the output takes less than the running node hears: %w", err)
			}
			return fmt.Errorf("the running node has gone: %w", err)
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// present hands on what is known of the peers that are there, and returns who they are.
func (r *remote) present(ctx context.Context, got func(*eth.EventRecord) error) (map[enode.ID]bool, error) {
	states, err := r.States(ctx)
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	if err != nil {
		return nil, err
	}
	present := make(map[enode.ID]bool)
	for _, s := range states {
		records, err := s.Records(time.Now())
		if err != nil {
			return nil, err
		}
		for _, record := range records {
			present[record.Peer] = true
			if err := got(record); err != nil {
				return nil, err
			}
		}
	}
	return present, nil
}
