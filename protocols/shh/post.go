package shh

import (
	"context"
	"crypto/ecdsa"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/ethereum/go-ethereum/p2p/enode"
)

// maxNonceSize is what a nonce adds to an envelope at most: itself, and a longer head.
const maxNonceSize = 9 + 1

// DefaultWorkTime is how long a nonce is looked for if nothing else is said.
const DefaultWorkTime = 5 * time.Second

// Outgoing is a message to be sent. It has one key: a symmetric one or the recipient's.
type Outgoing struct {
	SymKey []byte           // 32 bytes
	To     *ecdsa.PublicKey // the recipient

	From    *ecdsa.PrivateKey // signs the message; nil: nobody does
	Topic   Topic
	Payload []byte
	Padding []byte        // nil: random bytes, up to a multiple of 256 bytes in all
	TTL     time.Duration // in whole seconds; 0 means [DefaultTTL]

	// Work is the proof of work to aim at; a negative number means none. A peer that asks for more is not sent the message. 0
	// means what this node and its peers ask for, except peers that ask for more than ten times what this node does, and
	// than ten times [DefaultMinWork].
	Work float64

	// WorkTime is how long a nonce is looked for; 0 means [DefaultWorkTime].
	WorkTime time.Duration

	// Rules are the rules to prove work by. 0 means what the peers need at the moment: one rule if all of them go by it;
	// if they differ, or there are none, both if that can be done in WorkTime, and if it cannot, Rule19.
	Rules Rules
}

// Envelope encrypts the message into an envelope that was sent at the given time. It is not sealed yet.
func (m *Outgoing) Envelope(sent time.Time) (*Envelope, error) {
	if (m.SymKey != nil) == (m.To != nil) {
		return nil, errOneKey
	}
	ttl := m.TTL
	if ttl == 0 {
		ttl = DefaultTTL
	}
	seconds := int64(ttl / time.Second)
	if seconds <= 0 {
		return nil, fmt.Errorf("a TTL of %v, want one second or more", ttl)
	}
	if seconds+sent.Unix() > math.MaxUint32 {
		return nil, fmt.Errorf("a TTL of %v, want an end before the year 2106", ttl)
	}
	if len(m.Padding) > 0 && allZero(m.Padding) {
		return nil, errors.New("padding of zeros alone")
	}
	plain, err := encodePlaintext(m.Payload, m.Padding, m.From)
	if err != nil {
		return nil, err
	}
	e := &Envelope{Expiry: uint32(sent.Unix() + seconds), TTL: uint32(seconds), Topic: m.Topic}
	if m.To != nil {
		e.Data, err = encryptAsymmetric(m.To, plain)
	} else {
		e.Data, err = encryptSymmetric(m.SymKey, plain)
	}
	return e, err
}

// Post encrypts a message, seals it and relays it, and returns its envelope; [Envelope.Work] says by which rules it can be
// sent on. It takes as long as the search for a nonce, which ends with ctx.
func (w *Whisper) Post(ctx context.Context, m Outgoing) (*Envelope, error) {
	e, err := w.seal(ctx, m)
	if err != nil {
		return nil, err
	}
	if err := w.PostEnvelope(e); err != nil {
		return nil, err
	}
	w.counts.posted.Add(1)
	return e, nil
}

// PostDirect encrypts a message and sends it to one peer, which accepts it if it trusts this node, and does not relay it. It
// needs no proof of work, so none is made unless m.Work is more than 0. If ctx ends while a peer that does not read is waited
// for, the message may be sent all the same.
func (w *Whisper) PostDirect(ctx context.Context, id enode.ID, m Outgoing) (*Envelope, error) {
	s := w.session(id)
	if s == nil {
		return nil, fmt.Errorf("no peer %v speaks %s", id, ProtocolName)
	}
	if m.Work == 0 {
		m.Work = -1
	}
	e, err := w.seal(ctx, m)
	if err != nil {
		return nil, err
	}
	if err := s.sendDirect(ctx, e); err != nil {
		return nil, err
	}
	w.counts.posted.Add(1)
	return e, nil
}

// seal returns the sealed envelope of a message.
func (w *Whisper) seal(ctx context.Context, m Outgoing) (*Envelope, error) {
	if m.Work == 0 {
		m.Work = w.usualWork()
	}
	if m.WorkTime == 0 {
		m.WorkTime = DefaultWorkTime
	}
	e, err := m.Envelope(time.Now())
	if err != nil {
		return nil, err
	}
	if size, limit := packetOf(e.shortSize()+maxNonceSize), w.MaxMessageSize(); size > limit {
		return nil, fmt.Errorf("the message takes %d bytes, want at most %d: %w", size, limit, &EnvelopeError{FaultSize})
	}
	ctx, cancel := context.WithTimeout(ctx, m.WorkTime)
	defer cancel()
	if m.Rules != 0 {
		return e, Seal(ctx, e, m.Work, m.Rules)
	}
	return e, sealAuto(ctx, e, m.Work, w.rulesOfPeers())
}

// usualWork returns the proof of work that is enough for this node and for peers that do not ask for absurdly much.
func (w *Whisper) usualWork() float64 {
	work := w.MinWork()
	limit := 10 * max(work, DefaultMinWork)
	for _, p := range w.Peers() {
		if p.MinWork <= limit && p.Ended == "" {
			work = max(work, p.MinWork)
		}
	}
	return work
}

// rulesOfPeers returns the rules that an envelope has to satisfy for all peers to accept it. Without peers nobody knows who
// will come, so that is both; if all accept either, the newer one.
func (w *Whisper) rulesOfPeers() Rules {
	sessions := *w.sessions.Load()
	if len(sessions) == 0 {
		return BothRules
	}
	var need Rules
	for _, s := range sessions {
		s.mu.Lock()
		if !s.counting.any && s.wants.minWork > 0 && s.muted == nil {
			need |= s.counting.rules
		}
		s.mu.Unlock()
	}
	if need == 0 {
		return Rule19
	}
	return need
}
