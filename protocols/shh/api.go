package shh

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/p2p/enode"
	"github.com/ethereum/go-ethereum/rpc"
)

// rpcVersion is the version of the JSON-RPC namespace.
const rpcVersion = "6.0"

// API is the JSON-RPC namespace shh, version 6.0, as go-ethereum had it: its methods are called as shh_post, shh_newSymKey
// and so on, with the same parameters, results and errors. Keys stay in memory, named by their ids, and are gone when the
// program ends. Numbers of keys, and of filters and subscriptions, are bounded, and so are the bytes that wait in one. Its methods
// are safe for concurrent use.
type API struct {
	// Static after construction.
	w    *Whisper
	keys *keyring

	serving sync.WaitGroup // subscriptions

	mu      sync.Mutex // guards what follows
	filters map[string]*polled
	others  int // subscriptions, and filters on their way into filters
}

// polled is a filter that is asked for its messages now and then.
type polled struct {
	sub  *Subscription
	used time.Time
}

const (
	// maxFilters is how many filters and subscriptions there may be.
	maxFilters = 1024

	// filterTimeout is how long a filter is kept that nobody asks.
	filterTimeout = 5 * time.Minute
)

// NewAPI returns the methods of a node. They must be closed.
func NewAPI(w *Whisper) *API {
	return &API{w: w, keys: newKeyring(), filters: make(map[string]*polled)}
}

// APIs returns the methods with their namespace, as an endpoint wants them.
func (a *API) APIs() []rpc.API { return []rpc.API{{Namespace: ProtocolName, Service: &methods{a}}} }

// Close ends all filters, and waits for the subscriptions that the end of their endpoint has ended.
func (a *API) Close() {
	a.serving.Wait()
	a.mu.Lock()
	defer a.mu.Unlock()
	for id := range a.filters {
		a.dropLocked(id)
	}
}

func (a *API) dropLocked(id string) {
	a.filters[id].sub.Close()
	delete(a.filters, id)
}

// reserve counts one of others, in the place of filters that were forgotten. release undoes it.
func (a *API) reserve() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	for id, f := range a.filters {
		if time.Since(f.used) > filterTimeout {
			a.dropLocked(id)
		}
	}
	if len(a.filters)+a.others >= maxFilters {
		return fmt.Errorf("there are %d filters and subscriptions already", maxFilters)
	}
	a.others++
	return nil
}

func (a *API) release() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.others--
}

// addFilter keeps a subscription to be asked.
func (a *API) addFilter(c Criteria) (string, error) {
	if err := a.reserve(); err != nil {
		return "", err
	}
	sub, err := a.subscribe(c)
	a.mu.Lock()
	defer a.mu.Unlock()
	a.others--
	if err != nil {
		return "", err
	}
	id := newID()
	a.filters[id] = &polled{sub, time.Now()}
	return id, nil
}

// retrieve returns what waits in a filter.
func (a *API) retrieve(id string) ([]*Message, error) {
	a.mu.Lock()
	f, ok := a.filters[id]
	if ok {
		f.used = time.Now()
	}
	a.mu.Unlock()
	if !ok {
		return nil, fmt.Errorf("there is no filter %q", id)
	}
	return f.sub.Retrieve(), nil
}

func (a *API) deleteFilter(id string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if _, ok := a.filters[id]; !ok {
		return false
	}
	a.dropLocked(id)
	return true
}

func (a *API) subscribe(c Criteria) (*Subscription, error) {
	f, err := a.filter(c)
	if err != nil {
		return nil, err
	}
	return a.w.Subscribe(f)
}

// filter reads criteria.
func (a *API) filter(c Criteria) (Filter, error) {
	f := Filter{Topics: c.Topics, MinWork: c.MinPow, AllowDirect: c.AllowP2P}
	if (c.SymKeyID != "") == (c.PrivateKeyID != "") {
		return f, errOneKey
	}
	var err error
	if len(c.Sig) > 0 {
		if f.From, err = parsePublicKey(c.Sig); err != nil {
			return f, errBadSigner
		}
	}
	if c.PrivateKeyID != "" {
		f.PrivateKey, err = a.keys.pair(c.PrivateKeyID)
		return f, err
	}
	if len(c.Topics) == 0 {
		return f, errNoTopic
	}
	f.SymKey, err = a.keys.symmetricKey(c.SymKeyID)
	return f, err
}

var (
	errNoTopic  = errors.New("missing topic(s)")
	errTooCheap = errors.New("message rejected, PoW too low")
)

// outgoing reads a message that is to be posted.
func (a *API) outgoing(n NewMessage) (Outgoing, error) {
	m := Outgoing{
		Topic: n.Topic, Payload: n.Payload, Padding: n.Padding, TTL: time.Duration(n.TTL) * time.Second,
		Work: n.PowTarget, WorkTime: time.Duration(n.PowTime) * time.Second,
	}
	if (n.SymKeyID != "") == (len(n.PublicKey) > 0) {
		return m, errOneKey
	}
	if n.TargetPeer == "" && n.PowTarget < a.w.MinWork() {
		return m, errTooCheap
	}
	if n.PowTarget == 0 {
		m.Work = -1
	}
	var err error
	if n.Sig != "" {
		if m.From, err = a.keys.pair(n.Sig); err != nil {
			return m, err
		}
	}
	if n.SymKeyID == "" {
		m.To, err = parsePublicKey(n.PublicKey)
		return m, err
	}
	if m.Topic == (Topic{}) {
		return m, errNoTopic
	}
	m.SymKey, err = a.keys.symmetricKey(n.SymKeyID)
	return m, err
}

func (a *API) post(ctx context.Context, n NewMessage) (*Envelope, error) {
	m, err := a.outgoing(n)
	if err != nil {
		return nil, err
	}
	if n.TargetPeer == "" {
		return a.w.Post(ctx, m)
	}
	node, err := enode.Parse(enode.ValidSchemes, n.TargetPeer)
	if err != nil {
		return nil, fmt.Errorf("targetPeer %q is no enode URL and no record: %w", n.TargetPeer, err)
	}
	return a.w.PostDirect(ctx, node.ID(), m)
}

// notify hands a subscriber its messages until it goes.
func (a *API) notify(notifier *rpc.Notifier, rpcSub *rpc.Subscription, sub *Subscription) {
	defer a.serving.Done()
	defer a.release()
	defer sub.Close()
	ctx, cancel := context.WithCancel(context.Background())
	a.serving.Go(func() {
		<-rpcSub.Err()
		cancel()
	})
	for {
		m, err := sub.Next(ctx)
		if err != nil || notifier.Notify(rpcSub.ID, NewReceivedMessage(m)) != nil {
			return
		}
	}
}

// NewReceivedMessage returns a message as JSON-RPC shows it.
func NewReceivedMessage(m *Message) *ReceivedMessage {
	r := &ReceivedMessage{
		TTL: m.TTL, Timestamp: m.Sent, Topic: m.Topic, Payload: m.Payload, Padding: m.Padding, PoW: m.Work.Best(), Hash: m.Hash[:],
	}
	if m.From != nil {
		r.Sig = crypto.FromECDSAPub(m.From)
	}
	if m.To != nil {
		r.To = crypto.FromECDSAPub(m.To)
	}
	return r
}

// NewMessage is the parameter of shh_post.
type NewMessage struct {
	SymKeyID   string        `json:"symKeyID,omitempty"` // of the symmetric key
	PublicKey  hexutil.Bytes `json:"pubKey,omitempty"`   // of the recipient, 65 bytes; one of the two keys
	Sig        string        `json:"sig,omitempty"`      // id of the key pair to sign with
	TTL        uint32        `json:"ttl"`                // in seconds; 0: 50
	Topic      Topic         `json:"topic"`              // needed with a symmetric key
	Payload    hexutil.Bytes `json:"payload"`
	Padding    hexutil.Bytes `json:"padding,omitempty"`
	PowTime    uint32        `json:"powTime"`              // how long to look for a nonce, in seconds; 0: 5
	PowTarget  float64       `json:"powTarget"`            // not below the node's minimum, unless there is a targetPeer
	TargetPeer string        `json:"targetPeer,omitempty"` // enode URL of a peer to send it to directly
}

// Criteria are the parameter of shh_newMessageFilter and shh_subscribe.
type Criteria struct {
	SymKeyID     string        `json:"symKeyID,omitempty"`
	PrivateKeyID string        `json:"privateKeyID,omitempty"` // one of the two keys
	Sig          hexutil.Bytes `json:"sig,omitempty"`          // public key of the signer
	MinPow       float64       `json:"minPow,omitempty"`
	Topics       []Topic       `json:"topics,omitempty"` // needed with a symmetric key
	AllowP2P     bool          `json:"allowP2P,omitempty"`
}

// ReceivedMessage is a message as shh_getFilterMessages and subscriptions show it.
type ReceivedMessage struct {
	Sig       hexutil.Bytes `json:"sig,omitempty"` // public key of the signer
	TTL       uint32        `json:"ttl"`
	Timestamp uint32        `json:"timestamp"`
	Topic     Topic         `json:"topic"`
	Payload   hexutil.Bytes `json:"payload"`
	Padding   hexutil.Bytes `json:"padding"`
	PoW       float64       `json:"pow"` // by the rule by which it is more
	Hash      hexutil.Bytes `json:"hash"`
	To        hexutil.Bytes `json:"recipientPublicKey,omitempty"`
}
