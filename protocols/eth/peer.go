package eth

import (
	"errors"
	"fmt"
	"math/big"
	"sync"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/p2p/enode"

	"github.com/sennit-net/sennit/p2p"
	"github.com/sennit-net/sennit/protocols/internal/silence"
)

// Peer is a remote node that speaks the protocol with us. All methods are safe for concurrent use. Those that ask it for
// something take a context and return when it ends; they return [ErrGone] once the link has ended.
//
// A link has two goroutines for the protocol: the one that the server runs, which reads and does not wait for the remote to
// take what we send, unless it owes too many answers, and one that sends everything.
type Peer struct {
	// Static after construction.
	h       *Handler
	version uint
	peer    *p2p.Peer
	rw      p2p.MsgReadWriter
	joined  time.Time
	sent    chan struct{} // closed when our Status has been accepted
	gone    chan struct{} // closed by end
	quit    chan struct{} // closed when sendLoop has ended
	wake    chan struct{} // 1 slot: there is something to send
	room    chan struct{} // 1 slot: there is room in out.work again

	// Static once the handshake is over.
	status Status

	// Owned by the goroutine that reads.
	buf  []byte       // payloads that nobody keeps; at most keptBuffer
	news Announcement // the last one that was decoded; its list is kept up to MaxAnnounced

	invalid invalids // transactions it has sent

	// Under a lock of its own.
	known known

	// Guarded by mu.
	mu        sync.Mutex
	head      PeerHead
	ids       uint64 // the last request id
	asked     pendings
	late      *time.Timer // calls checkLate; nil before the first request
	out       outbox
	wants     wants
	following bool  // the header of head has been asked for
	cause     error // why we ended the link; nil if we have not
	ended     bool
}

// PeerHead is the last block of a peer's chain, as far as it has told.
type PeerHead struct {
	Hash     common.Hash
	Number   uint64   // 0 if only the hash is known, as after the Status of versions up to 68
	TD       *big.Int // up to version 68; nil if unknown
	Earliest uint64   // from version 69 on
	At       time.Time
}

const (
	// handshakeTimeout is how long both Status messages may take together.
	handshakeTimeout = 5 * time.Second
	// keptBuffer is the size of the largest buffer for payloads that a peer keeps, in bytes.
	keptBuffer = 64 << 10
)

// Why a link was ended or a request failed.
var (
	// ErrGone is the error of requests to a peer whose link has ended.
	ErrGone = errors.New("the peer is gone")
	// ErrBusy is the error of a request to a peer that owes too many answers already.
	ErrBusy = errors.New("too many requests are waiting for this peer's answers")
	// ErrUnsupported is the error of a request that the version spoken with a peer does not have.
	ErrUnsupported = errors.New("the version spoken with this peer has no such request")
	// ErrBadAnswer is in the chain of the error of a request whose answer is not one to it. The peer is dropped.
	ErrBadAnswer = errors.New("the answer does not fit the request")

	errStatusTimeout = disagree("no Status in time")
	errNoAnswer      = fmt.Errorf("a request was not answered in %v", answerTimeout)
	errUnsolicited   = errors.New("an answer that nobody has asked for")
	errClosing       = errors.New("the handler has been closed")
	errStatusAgain   = errors.New("a second Status")
	errPanicked      = errors.New("there was a panic here")
)

func newPeer(h *Handler, version uint, peer *p2p.Peer, rw p2p.MsgReadWriter) *Peer {
	p := &Peer{
		h: h, version: version, peer: peer, rw: rw, joined: time.Now(),
		sent: make(chan struct{}), gone: make(chan struct{}), quit: make(chan struct{}), wake: make(chan struct{}, 1), room: make(chan struct{}, 1),
	}
	p.known.seed = h.seed
	return p
}

// ID returns the node's ID.
func (p *Peer) ID() enode.ID { return p.peer.ID() }

// Version returns the version of the protocol that is spoken.
func (p *Peer) Version() uint { return p.version }

// P2P returns the peer that the protocol runs with.
func (p *Peer) P2P() *p2p.Peer { return p.peer }

// Status returns what the peer has said of itself at the start.
func (p *Peer) Status() Status { return p.status }

// Head returns the last block that the peer is known to have.
func (p *Peer) Head() PeerHead {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.head
}

// run is the protocol's Run.
func (p *Peer) run() error {
	h := p.h
	if !h.cfg.AnyChain {
		p.out.status = p.ourStatus()
	}
	if !h.enter(p) {
		return p2p.DiscQuitting
	}
	defer h.leave(p)
	defer silence.End(p.peer, Name)
	returned := false
	defer func() {
		if !returned { // a panic, which is for the server to report: what waits for this peer must not wait for ever
			h.remove(p)
			p.end(errPanicked)
		}
	}()

	err := p.handshake()
	if err == nil {
		p.noteHead() // before anybody can ask for it
		h.add(p)
		h.feed.send(&PeerJoined{Peer: p, At: time.Now()})
		p.welcome()
		err = p.read()
		h.remove(p)
	}
	if p.status.Version == 0 {
		err = p.yield(err)
	}
	err = p.end(err)
	returned = true
	if p.status.Version != 0 {
		h.feed.send(&PeerLeft{Peer: p, At: time.Now(), Err: err})
	}
	return err
}

// end lets everybody who waits for the peer go on, and returns the true cause of the end.
func (p *Peer) end(err error) error {
	p.mu.Lock()
	if p.cause != nil {
		err = p.cause
	}
	p.ended = true
	left := p.asked.clear()
	if p.late != nil {
		p.late.Stop()
	}
	claimed := p.wants.stop()
	p.mu.Unlock()

	close(p.gone)
	for _, a := range left {
		a.deliver(nil, ErrGone)
	}
	p.h.fetching.release(claimed, p)
	var broken *DecodeError
	if errors.As(err, &broken) || errors.Is(err, ErrBadAnswer) || errors.Is(err, errUnsolicited) || errors.Is(err, errInvalidTxs) {
		p.h.counters.breaches.Add(1)
		p.h.cfg.Logger.Debug("eth peer broke the protocol", "id", p.ID(), "version", p.version, "err", err)
	}
	return err
}

// drop ends the link for a reason of ours. The first cause stands.
func (p *Peer) drop(reason p2p.DiscReason, cause error) {
	p.mu.Lock()
	if p.cause == nil {
		p.cause = cause
	}
	p.mu.Unlock()
	p.peer.Disconnect(reason)
}

// read handles messages until the link ends or one is wrong.
func (p *Peer) read() error {
	for {
		msg, err := p.rw.ReadMsg()
		if err != nil {
			return err
		}
		if err := p.handle(msg); err != nil {
			return err
		}
	}
}

// setHead notes what the peer says of its head and tells subscriptions. It never goes back for news without a range, which
// may come late.
func (p *Peer) setHead(head PeerHead, always bool) {
	p.mu.Lock()
	if !always && head.Number < p.head.Number {
		p.mu.Unlock()
		return
	}
	p.head = head
	p.mu.Unlock()
	p.h.feed.send(&HeadSeen{Peer: p, At: head.At, Head: head})
	p.follow(head)
}
