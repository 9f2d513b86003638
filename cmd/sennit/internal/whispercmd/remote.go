package whispercmd

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/rpc"

	"github.com/sennit-net/sennit/cmd/sennit/internal/attach"
	"github.com/sennit-net/sennit/protocols/shh"
)

// remote is a running node. Keys are handed to it for the time of the call and deleted then.
type remote struct{ client *rpc.Client }

// Connect returns a running node, by the path of its socket or its URL.
func Connect(ctx context.Context, endpoint string) (Node, error) {
	client, err := attach.Dial(ctx, endpoint, "Whisper", shh.ProtocolName)
	if err != nil {
		return nil, err
	}
	return &remote{client}, nil
}

func (r *remote) Close() { r.client.Close() }

// key hands the node a key and returns its id. forget has the node forget it, also after ctx has ended.
func (r *remote) key(ctx context.Context, add, remove string, key []byte) (id string, forget func(), err error) {
	if err := r.client.CallContext(ctx, &id, add, hexutil.Bytes(key)); err != nil {
		return "", nil, fmt.Errorf("%s: %w", add, err)
	}
	return id, func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		_ = r.client.CallContext(ctx, nil, remove, id) // it forgets them all when it ends
	}, nil
}

const (
	addSymKey, deleteSymKey = "shh_addSymKey", "shh_deleteSymKey"
	addPair, deletePair     = "shh_addPrivateKey", "shh_deleteKeyPair"
)

// Send has the node post a message.
func (r *remote) Send(ctx context.Context, m shh.Outgoing, slow func(string)) (common.Hash, error) {
	n := shh.NewMessage{
		TTL: seconds(m.TTL.Truncate(time.Second)), Topic: m.Topic, Payload: m.Payload, Padding: m.Padding,
		PowTime: seconds(m.WorkTime), PowTarget: m.Work,
	}
	if m.Work == 0 {
		var info shh.Info
		if err := r.client.CallContext(ctx, &info, "shh_info"); err != nil {
			return common.Hash{}, err
		}
		n.PowTarget = max(info.MinPow, info.UsualPow)
	}
	if m.To != nil {
		n.PublicKey = crypto.FromECDSAPub(m.To)
	} else {
		id, forget, err := r.key(ctx, addSymKey, deleteSymKey, m.SymKey)
		if err != nil {
			return common.Hash{}, err
		}
		defer forget()
		n.SymKeyID = id
	}
	if m.From != nil {
		id, forget, err := r.key(ctx, addPair, deletePair, crypto.FromECDSA(m.From))
		if err != nil {
			return common.Hash{}, err
		}
		defer forget()
		n.Sig = id
	}
	var hash common.Hash
	err := sealing(slow, m.WorkTime, func() error { return r.client.CallContext(ctx, &hash, "shh_post", n) })
	return hash, err
}

// seconds rounds a time up to seconds, of which JSON-RPC takes no more than a uint32 holds.
func seconds(d time.Duration) uint32 { return uint32(min(math.Ceil(d.Seconds()), math.MaxUint32)) }

// Listen subscribes to messages.
func (r *remote) Listen(ctx context.Context, f shh.Filter, got func(*shh.ReceivedMessage) error) error {
	c := shh.Criteria{MinPow: f.MinWork, Topics: f.Topics, AllowP2P: f.AllowDirect}
	if f.From != nil {
		c.Sig = crypto.FromECDSAPub(f.From)
	}
	id, forget, err := r.filterKey(ctx, f)
	if err != nil {
		return err
	}
	defer forget()
	if f.PrivateKey != nil {
		c.PrivateKeyID = id
	} else {
		c.SymKeyID = id
	}
	messages := make(chan *shh.ReceivedMessage)
	sub, err := r.client.Subscribe(ctx, shh.ProtocolName, messages, "messages", c)
	if err != nil {
		return err
	}
	defer sub.Unsubscribe()
	for {
		select {
		case m := <-messages:
			if err := got(m); err != nil {
				return err
			}
		case err := <-sub.Err():
			if err == nil {
				err = rpc.ErrClientQuit
			}
			if errors.Is(err, rpc.ErrSubscriptionQueueOverflow) {
				return fmt.Errorf("the output takes less than the running node hears: %w", err)
			}
			return fmt.Errorf("the running node has gone: %w", err)
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

func (r *remote) filterKey(ctx context.Context, f shh.Filter) (id string, forget func(), err error) {
	if f.PrivateKey != nil {
		return r.key(ctx, addPair, deletePair, crypto.FromECDSA(f.PrivateKey))
	}
	return r.key(ctx, addSymKey, deleteSymKey, f.SymKey)
}
