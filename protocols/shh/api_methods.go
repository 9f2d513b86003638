package shh

import (
	"context"
	"fmt"

	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/p2p/enode"
	"github.com/ethereum/go-ethereum/rpc"
)

// methods are the methods of the namespace shh. Their names and signatures are go-ethereum's.
type methods struct{ api *API }

// Info is the result of shh_info.
type Info struct {
	Memory         int64   `json:"memory"`   // bytes in the pool
	Messages       int     `json:"messages"` // envelopes in the pool
	MinPow         float64 `json:"minPow"`
	UsualPow       float64 `json:"usualPow"` // what peers ask for as well, as far as that is usual; ours
	MaxMessageSize int     `json:"maxMessageSize"`
}

func (m *methods) Version() string { return rpcVersion }

func (m *methods) Info() Info {
	s := m.api.w.Stats()
	return Info{Memory: s.Bytes, Messages: s.Envelopes, MinPow: m.api.w.MinWork(), UsualPow: m.api.w.usualWork(), MaxMessageSize: m.api.w.MaxMessageSize()}
}

// Stats is ours: the counters of the node.
func (m *methods) Stats() Stats { return m.api.w.Stats() }

func (m *methods) SetMaxMessageSize(n uint32) (bool, error) {
	err := m.api.w.SetMaxMessageSize(int(n))
	return err == nil, err
}

func (m *methods) SetMinPoW(work float64) (bool, error) {
	err := m.api.w.SetMinWork(work)
	return err == nil, err
}

func (m *methods) SetBloomFilter(b hexutil.Bytes) (bool, error) {
	bloom, err := bloomFromBytes(b)
	if err != nil {
		return false, err
	}
	m.api.w.SetBloom(bloom)
	return true, nil
}

func (m *methods) MarkTrustedPeer(url string) (bool, error) {
	node, err := enode.Parse(enode.ValidSchemes, url)
	if err != nil {
		return false, fmt.Errorf("%q is no enode URL and no record: %w", url, err)
	}
	m.api.w.Trust(node.ID())
	return true, nil
}

func (m *methods) MakeLightClient() bool {
	m.api.w.SetLight(true)
	return m.api.w.Light()
}

func (m *methods) CancelLightClient() bool {
	m.api.w.SetLight(false)
	return !m.api.w.Light()
}

func (m *methods) NewKeyPair() (string, error) {
	key, err := crypto.GenerateKey()
	if err != nil {
		return "", err
	}
	return m.api.keys.addPair(key)
}

func (m *methods) AddPrivateKey(b hexutil.Bytes) (string, error) {
	key, err := crypto.ToECDSA(b)
	if err != nil {
		return "", err
	}
	return m.api.keys.addPair(key)
}

func (m *methods) DeleteKeyPair(id string) bool { return m.api.keys.deletePair(id) }

func (m *methods) HasKeyPair(id string) bool {
	_, err := m.api.keys.pair(id)
	return err == nil
}

func (m *methods) GetPublicKey(id string) (hexutil.Bytes, error) {
	key, err := m.api.keys.pair(id)
	if err != nil {
		return nil, err
	}
	return crypto.FromECDSAPub(&key.PublicKey), nil
}

func (m *methods) GetPrivateKey(id string) (hexutil.Bytes, error) {
	key, err := m.api.keys.pair(id)
	if err != nil {
		return nil, err
	}
	return crypto.FromECDSA(key), nil
}

func (m *methods) NewSymKey() (string, error) { return m.api.keys.addSymmetric(NewSymKey()) }

func (m *methods) AddSymKey(key hexutil.Bytes) (string, error) { return m.api.keys.addSymmetric(key) }

func (m *methods) GenerateSymKeyFromPassword(password string) (string, error) {
	key, err := SymKeyFromPassword(password)
	if err != nil {
		return "", err
	}
	return m.api.keys.addSymmetric(key)
}

func (m *methods) HasSymKey(id string) bool {
	_, err := m.api.keys.symmetricKey(id)
	return err == nil
}

func (m *methods) GetSymKey(id string) (hexutil.Bytes, error) {
	return m.api.keys.symmetricKey(id)
}

func (m *methods) DeleteSymKey(id string) bool { return m.api.keys.deleteSymmetric(id) }

func (m *methods) Post(ctx context.Context, n NewMessage) (hexutil.Bytes, error) {
	e, err := m.api.post(ctx, n)
	if err != nil {
		return nil, err
	}
	hash := e.Hash()
	return hash[:], nil
}

func (m *methods) NewMessageFilter(c Criteria) (string, error) { return m.api.addFilter(c) }

func (m *methods) GetFilterMessages(id string) ([]*ReceivedMessage, error) {
	list, err := m.api.retrieve(id)
	if err != nil {
		return nil, err
	}
	out := make([]*ReceivedMessage, len(list))
	for i, msg := range list {
		out[i] = NewReceivedMessage(msg)
	}
	return out, nil
}

func (m *methods) DeleteMessageFilter(id string) bool { return m.api.deleteFilter(id) }

// Messages is the subscription "messages".
func (m *methods) Messages(ctx context.Context, c Criteria) (*rpc.Subscription, error) {
	notifier, ok := rpc.NotifierFromContext(ctx)
	if !ok {
		return nil, rpc.ErrNotificationsUnsupported
	}
	if err := m.api.reserve(); err != nil {
		return nil, err
	}
	sub, err := m.api.subscribe(c)
	if err != nil {
		m.api.release()
		return nil, err
	}
	rpcSub := notifier.CreateSubscription()
	m.api.serving.Add(1)
	go m.api.notify(notifier, rpcSub, sub)
	return rpcSub, nil
}
