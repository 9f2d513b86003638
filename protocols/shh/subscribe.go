package shh

import (
	"context"
	"crypto/cipher"
	"crypto/ecdsa"
	"errors"
	"slices"
	"sync"

	"github.com/ethereum/go-ethereum/common"
)

// Message is a message that a subscription could read. It is shared between subscriptions and must not be changed.
type Message struct {
	Payload []byte
	Padding []byte
	From    *ecdsa.PublicKey // who signed it; nil if nobody did
	To      *ecdsa.PublicKey // whom it was encrypted to; nil if with a symmetric key
	Topic   Topic
	Sent    uint32 // by the sender's account, in Unix seconds
	TTL     uint32 // in seconds
	Work    Work   // zero for a direct message
	Hash    common.Hash
	Direct  bool // from a trusted peer, not relayed
}

// messageOverhead is what a message is charged for in a queue besides payload and padding.
const messageOverhead = 512

func (m *Message) charge() int { return len(m.Payload) + len(m.Padding) + messageOverhead }

// Filter says which messages a subscription wants. It has one key, symmetric or private.
type Filter struct {
	SymKey     []byte            // 32 bytes
	PrivateKey *ecdsa.PrivateKey // the recipient's

	Topics      []Topic          // none: any topic
	From        *ecdsa.PublicKey // nil: whoever signed, and unsigned messages
	MinWork     float64          // by either rule
	AllowDirect bool             // direct messages from trusted peers as well; MinWork is not for them

	// QueueBytes is how many bytes of messages wait for [Subscription.Next], 512 for each included. Beyond that those
	// that have waited longest are dropped, and counted. 0 means 4 MiB. One message is always kept.
	QueueBytes int
}

const defaultQueueBytes = 4 << 20

// ErrUnsubscribed is what [Subscription.Next] returns once the subscription has been closed.
var ErrUnsubscribed = errors.New("subscription closed")

// Subscription is a queue of messages that a filter lets pass. Its methods are safe for concurrent use. It must be closed.
type Subscription struct {
	// Static after construction.
	w      *Whisper
	filter filter
	limit  int
	ready  chan struct{} // of size 1: there are messages
	closed chan struct{}
	once   sync.Once

	mu      sync.Mutex // guards what follows
	queue   []*Message
	bytes   int
	dropped uint64
	recent  []common.Hash // of the latest messages, in turn
	oldest  int           // in recent
}

// recentMessages is how many messages a subscription knows again, should a copy of one come another way.
const recentMessages = 1024

// Subscribe returns a subscription of the messages that come from now on. If the node has a bloom filter that does not let its
// topics pass, it is widened.
func (w *Whisper) Subscribe(f Filter) (*Subscription, error) {
	inner, err := newFilter(f)
	if err != nil {
		return nil, err
	}
	limit := f.QueueBytes
	if limit <= 0 {
		limit = defaultQueueBytes
	}
	s := &Subscription{w: w, filter: inner, limit: limit, ready: make(chan struct{}, 1), closed: make(chan struct{})}
	w.mu.Lock()
	list := append(slices.Clone(*w.subs.Load()), s)
	w.subs.Store(&list)
	w.mu.Unlock()
	w.widen(f.Topics)
	return s, nil
}

// Close ends the subscription.
func (s *Subscription) Close() {
	s.once.Do(func() {
		s.w.mu.Lock()
		list := slices.DeleteFunc(slices.Clone(*s.w.subs.Load()), func(other *Subscription) bool { return other == s })
		s.w.subs.Store(&list)
		s.w.mu.Unlock()
		close(s.closed)
	})
}

// Next waits for a message. The error is that of ctx, or [ErrUnsubscribed].
func (s *Subscription) Next(ctx context.Context) (*Message, error) {
	for {
		if list := s.take(1); len(list) > 0 {
			return list[0], nil
		}
		select {
		case <-s.ready:
		case <-s.closed:
			return nil, ErrUnsubscribed
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// Retrieve returns all messages that wait, without waiting.
func (s *Subscription) Retrieve() []*Message { return s.take(-1) }

// Dropped returns how many messages were dropped because the queue was full.
func (s *Subscription) Dropped() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.dropped
}

// take takes n messages, or all if n is negative, out of the queue.
func (s *Subscription) take(n int) []*Message {
	s.mu.Lock()
	if n < 0 || n > len(s.queue) {
		n = len(s.queue)
	}
	list := slices.Clone(s.queue[:n])
	clear(s.queue[:n])
	s.queue = s.queue[n:]
	for _, m := range list {
		s.bytes -= m.charge()
	}
	if len(s.queue) == 0 {
		s.queue = nil
	}
	more := len(s.queue) > 0
	s.mu.Unlock()
	if more {
		s.rouse() // there may be others that wait
	}
	return list
}

func (s *Subscription) rouse() {
	select {
	case s.ready <- struct{}{}:
	default:
	}
}

// put puts a message into the queue unless it was there lately.
func (s *Subscription) put(m *Message) {
	s.mu.Lock()
	if slices.Contains(s.recent, m.Hash) {
		s.mu.Unlock()
		return
	}
	if len(s.recent) < recentMessages {
		s.recent = append(s.recent, m.Hash)
	} else {
		s.recent[s.oldest] = m.Hash
		s.oldest = (s.oldest + 1) % recentMessages
	}
	s.queue = append(s.queue, m)
	s.bytes += m.charge()
	for s.bytes > s.limit && len(s.queue) > 1 {
		s.bytes -= s.queue[0].charge()
		s.queue[0] = nil
		s.queue = s.queue[1:]
		s.dropped++
	}
	s.mu.Unlock()
	s.rouse()
}

// filter is a [Filter] made ready for use. It is static.
type filter struct {
	Filter
	aead cipher.AEAD // of the symmetric key
}

func newFilter(f Filter) (filter, error) {
	out := filter{Filter: f}
	if (f.SymKey != nil) == (f.PrivateKey != nil) {
		return out, errOneKey
	}
	if f.From != nil {
		if err := checkPublicKey(f.From); err != nil {
			return out, errBadSigner
		}
	}
	out.Topics = slices.Clone(f.Topics)
	if f.PrivateKey != nil {
		return out, nil
	}
	if err := checkSymKey(f.SymKey); err != nil {
		return out, err
	}
	var err error
	out.SymKey = slices.Clone(f.SymKey)
	out.aead, err = newGCM(out.SymKey)
	return out, err
}

// The errors that JSON-RPC has always returned, word for word.
var (
	errOneKey    = errors.New("specify either a symmetric or an asymmetric key")
	errBadSigner = errors.New("invalid signing public key")
)

// opener opens one envelope for many filters, and with each key once.
type opener struct {
	env    *Envelope
	work   Work
	direct bool
	tried  []attempt
}

// attempt is what came of a key.
type attempt struct {
	symKey []byte
	to     *ecdsa.PublicKey
	msg    *Message // nil if it is not for this key, or makes no sense
}

// open returns the message if the filter wants it and can read it.
func (f *filter) open(o *opener) *Message {
	switch {
	case len(f.Topics) > 0 && !slices.Contains(f.Topics, o.env.Topic):
		return nil
	case o.direct && !f.AllowDirect:
		return nil
	case !o.direct && o.work.Best() < f.MinWork:
		return nil
	}
	m := o.with(f)
	if m == nil || f.From != nil && (m.From == nil || !f.From.Equal(m.From)) {
		return nil
	}
	return m
}

// with returns what the filter's key reads.
func (o *opener) with(f *filter) *Message {
	a := attempt{symKey: f.SymKey}
	if f.PrivateKey != nil {
		a.to = &f.PrivateKey.PublicKey
	}
	for _, t := range o.tried {
		if slices.Equal(t.symKey, a.symKey) && (t.to == nil) == (a.to == nil) && (a.to == nil || a.to.Equal(t.to)) {
			return t.msg
		}
	}
	var plain []byte
	var err error
	if a.to != nil {
		plain, err = decryptAsymmetric(f.PrivateKey, o.env.Data)
	} else {
		plain, err = decryptSymmetric(f.aead, o.env.Data)
	}
	if err == nil {
		a.msg = o.message(plain, a.to)
	}
	o.tried = append(o.tried, a)
	return a.msg
}

// message takes the plaintext apart; nil if it makes no sense or its signature is no one's.
func (o *opener) message(plain []byte, to *ecdsa.PublicKey) *Message {
	p, err := decodePlaintext(plain)
	if err != nil {
		return nil
	}
	from, err := p.signer()
	if err != nil {
		return nil
	}
	return &Message{
		Payload: p.payload, Padding: p.padding, From: from, To: to, Topic: o.env.Topic, Sent: o.env.Sent(), TTL: o.env.TTL,
		Work: o.work, Hash: o.env.Hash(), Direct: o.direct,
	}
}
