package eth

import (
	"fmt"
	"time"

	"github.com/ethereum/go-ethereum/core/types"

	"github.com/sennit-net/sennit/p2p"
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

// handshake waits for the remote's Status and for ours to have been accepted.
func (p *Peer) handshake() error {
	timer := time.AfterFunc(handshakeTimeout, func() { p.drop(p2p.DiscReadTimeout, errStatusTimeout) })
	defer timer.Stop()
	msg, err := p.rw.ReadMsg()
	if err != nil {
		return err
	}
	if msg.Code != CodeStatus {
		return fmt.Errorf("eth/%d: the first message is %s, not Status", p.version, CodeName(msg.Code))
	}
	payload, err := p.payload(msg, false)
	if err != nil {
		return err
	}
	var s Status
	if err := decodeInto(&s, p.version, payload); err != nil {
		return err
	}
	if err := p.checkStatus(&s); err != nil {
		return fmt.Errorf("eth/%d: %w", p.version, err)
	}
	if p.h.cfg.AnyChain {
		p.agree(s)
	}
	<-p.sent // it is closed when sending failed as well
	if !timer.Stop() {
		return errStatusTimeout
	}
	p.status = s
	return nil
}

// agree has us send the Status of a node that is where the remote is, and has the genesis block only.
func (p *Peer) agree(s Status) {
	s.TD, s.Head, s.Earliest, s.Latest = nil, s.Genesis, 0, 0
	p.mu.Lock()
	p.out.status = &s
	p.mu.Unlock()
	signal(p.wake)
}

// checkStatus says why we cannot be peers, in the order of section 2.
func (p *Peer) checkStatus(s *Status) error {
	c := p.h.chain
	if p.h.cfg.AnyChain {
		c = &ChainConfig{NetworkID: s.NetworkID, Genesis: s.Genesis}
	}
	switch {
	case s.NetworkID != c.NetworkID:
		return fmt.Errorf("the remote is on network %d, we are on %d", s.NetworkID, c.NetworkID)
	case s.Version != uint64(p.version):
		return fmt.Errorf("the remote's Status is of version %d", s.Version)
	case s.Genesis != c.Genesis:
		return fmt.Errorf("the remote's genesis block is %x, ours is %x", s.Genesis, c.Genesis)
	}
	if p.version >= 64 && !p.h.cfg.AnyChain {
		if err := p.h.checkForkID(s.ForkID); err != nil {
			return fmt.Errorf("fork id %v, ours is %v: %w", s.ForkID, p.h.forkID(), err)
		}
	}
	if p.version >= 69 {
		return (&BlockRange{s.Earliest, s.Latest, s.Head}).check()
	}
	return nil
}

// welcome does what is due when the handshake is over.
func (p *Peer) welcome() {
	s := &p.status
	p.setHead(PeerHead{Hash: s.Head, Number: s.Latest, TD: s.TD, Earliest: s.Earliest, At: time.Now()}, true)
	if p.h.cfg.Pool != nil {
		p.announce(p.h.infosFor(p.h.cfg.Pool.Pending(maxQueuedInfos), p.version))
	}
}

// infosFor is what announcements of a version say about transactions that the backend has. It may change infos.
func (h *Handler) infosFor(infos []TxInfo, version uint) []TxInfo {
	for i := range infos {
		if version < 72 || infos[i].Type != types.BlobTxType {
			continue
		}
		if tx, err := ReadTransaction(h.cfg.Backend.PooledTransaction(infos[i].Hash)); err == nil {
			infos[i] = tx.infoFor(version)
		}
	}
	return infos
}
