package eth

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/ethereum/go-ethereum/core/types"

	"github.com/sennit-net/sennit/p2p"
	"github.com/sennit-net/sennit/protocols/internal/silence"
)

// ourStatus is what we say of ourselves.
func (p *Peer) ourStatus() *Status {
	b := p.h.cfg.Backend
	head := b.Head()
	return &Status{
		Version: uint64(p.version), NetworkID: p.h.chain.NetworkID, Genesis: p.h.chain.Genesis, ForkID: p.h.forkID(),
		TD: head.TD, Head: head.Hash, Earliest: min(b.Earliest(), head.Number), Latest: head.Number,
	}
}

// handshake waits for the remote's Status and for ours to have been accepted, but not for ever.
func (p *Peer) handshake() error {
	expired := make(chan struct{})
	unwatch := func() {}
	timer := time.AfterFunc(p.h.handshakeTimeout, func() {
		defer close(expired)
		if p.fallSilent(errStatusTimeout) {
			unwatch = silence.Watch(p.peer, Name) // yield may never get to it: the remote may never send anything
		} else {
			p.drop(p2p.DiscReadTimeout, errStatusTimeout)
		}
	})
	s, err := p.shakeHands(expired)
	if !timer.Stop() {
		<-expired // what it notes of the link is forgotten by run
		unwatch()
		return errStatusTimeout
	}
	if err == nil {
		p.status = s
	}
	return err
}

// shakeHands is the handshake, unless it has expired by the time the remote's Status comes.
func (p *Peer) shakeHands(expired <-chan struct{}) (s Status, err error) {
	msg, err := p.rw.ReadMsg()
	if err != nil {
		return s, err
	}
	select {
	case <-expired:
		_ = msg.Discard() // if the link has ended, the next ReadMsg says so
		return s, errStatusTimeout
	default:
	}
	if msg.Code != CodeStatus {
		return s, fmt.Errorf("eth/%d: the first message is %s, not Status", p.version, CodeName(msg.Code))
	}
	payload, err := p.payload(msg, false)
	if err != nil {
		return s, err
	}
	if err := decodeInto(&s, p.version, payload); err != nil {
		return s, err
	}
	if err := p.checkStatus(&s); err != nil {
		return s, fmt.Errorf("eth/%d: %w", p.version, err)
	}
	if p.h.cfg.AnyChain {
		p.agree(s)
	}
	<-p.sent // it is closed when sending failed as well
	return s, nil
}

// agree has us send the Status of a node that is where the remote is, and has the genesis block only.
func (p *Peer) agree(s Status) {
	s.TD, s.Head, s.Earliest, s.Latest = nil, s.Genesis, 0, 0
	p.mu.Lock()
	p.out.status = &s
	p.mu.Unlock()
	signal(p.wake)
}

// disagreement is why the two nodes cannot be peers although neither has broken the protocol.
type disagreement struct{ error }

func (d *disagreement) Unwrap() error { return d.error }

func disagree(format string, args ...any) error { return &disagreement{fmt.Errorf(format, args...)} }

// yield is what the end of the handshake is for if the nodes do not agree: as long as other protocols run on the link, they go
// on, and what the peer sends for this one is read and forgotten. Otherwise, and after any other error, the link ends with it.
func (p *Peer) yield(err error) error {
	var d *disagreement
	if !errors.As(err, &d) || !p.fallSilent(err) {
		return err
	}
	return silence.Attend(p.peer, p.rw, Name)
}

// fallSilent reports whether the link goes on without us.
func (p *Peer) fallSilent(err error) bool {
	already := silence.Silent(p.peer, Name)
	if !silence.Begin(p.peer, Name) {
		return false
	}
	if !already {
		p.h.cfg.Logger.Debug("eth falls silent on a link", "id", p.ID(), "version", p.version, "err", err)
	}
	return true
}

// checkStatus says why we cannot be peers, in the order of section 2.
func (p *Peer) checkStatus(s *Status) error {
	c := p.h.chain
	if p.h.cfg.AnyChain {
		c = &ChainConfig{NetworkID: s.NetworkID, Genesis: s.Genesis}
	}
	switch {
	case s.NetworkID != c.NetworkID:
		return disagree("the remote is on network %d, we are on %d", s.NetworkID, c.NetworkID)
	case s.Version != uint64(p.version):
		return fmt.Errorf("the remote's Status is of version %d", s.Version)
	case s.Genesis != c.Genesis:
		return disagree("the remote's genesis block is %x, ours is %x", s.Genesis, c.Genesis)
	}
	if p.version >= 64 && !p.h.cfg.AnyChain {
		if err := p.h.checkForkID(s.ForkID); err != nil {
			return disagree("fork id %v, ours is %v: %w", s.ForkID, p.h.forkID(), err)
		}
	}
	if p.version >= 69 {
		return (&BlockRange{s.Earliest, s.Latest, s.Head}).check()
	}
	return nil
}

// noteHead takes the head from the remote's Status.
func (p *Peer) noteHead() {
	s := &p.status
	p.mu.Lock()
	p.head = PeerHead{Hash: s.Head, Number: s.Latest, TD: s.TD, Earliest: s.Earliest, At: time.Now()}
	p.mu.Unlock()
}

// welcome does what is due when the handshake is over. Blob transactions are not announced to who joins (section 7).
func (p *Peer) welcome() {
	p.setHead(p.Head(), true)
	if p.h.cfg.Pool == nil {
		return
	}
	p.announce(slices.DeleteFunc(p.h.cfg.Pool.Pending(maxQueuedInfos), func(tx TxInfo) bool { return tx.Type == types.BlobTxType }))
}
