package shh

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/ethereum/go-ethereum/log"
	"github.com/ethereum/go-ethereum/p2p/enode"
	"golang.org/x/time/rate"

	"github.com/sennit-net/sennit/p2p"
	"github.com/sennit-net/sennit/protocols/internal/silence"
)

// Bad envelopes that a peer may send: so many at once, and so many a second. go-ethereum allows none; but other
// implementations differ in their rules, and links carry other protocols as well.
const (
	faultBurst = 64
	faultRate  = 1
)

// session is the protocol with one peer.
type session struct {
	// Static after construction.
	w      *Whisper
	peer   *p2p.Peer
	rw     p2p.MsgReadWriter
	log    log.Logger
	number int           // in the pool
	wake   chan struct{} // of size 1: there may be something to send
	direct chan direct   // to the relay
	done   chan struct{} // closed by the goroutine of Run when nothing is to be sent any more

	// Owned by the goroutine of Run.
	faults *rate.Limiter

	mu       sync.Mutex // guards what follows
	ready    bool       // the peer's status has arrived
	wants    status     // what the peer has told us
	counting counting
	muted    error           // why the session has ended while the link goes on
	pending  map[uint64]bool // codes of settings the peer is to be told
	restart  bool            // envelopes that were passed over may be wanted now
}

// counting is how a peer counts proof of work.
type counting struct {
	rules Rules
	any   bool // one of the rules is enough
	known bool // what the peer sends tells nothing more
}

// String describes it in PeerInfo.
func (c counting) String() string {
	switch {
	case c.any:
		return "either"
	case !c.known:
		return "unknown"
	}
	return c.rules.String()
}

// satisfied tells whether the peer accepts what reaches its minimum by the given rules.
func (c counting) satisfied(by Rules) bool {
	if c.any {
		return by&c.rules != 0
	}
	return by&c.rules == c.rules
}

// gethVersion matches the client names of go-ethereum, which may have an identity of the operator's in the middle.
var gethVersion = regexp.MustCompile(`^Geth/(?:.*/)?v1\.(\d+)\.`)

// countingOf tells by a client's name how it counts; those that operators have given names of their own, of Sennit, by the
// capabilities that only it has. Until it is known, envelopes have to satisfy both rules.
func countingOf(name string, caps []p2p.Cap, choose func(string) Rules) counting {
	if choose != nil {
		if r := choose(name) & BothRules; r != 0 {
			return counting{rules: r, any: r == BothRules, known: true}
		}
	}
	ours := func(c p2p.Cap) bool { return c.Name == "lanes" || c.Name == "sennit" }
	if strings.HasPrefix(name, "sennit/") || slices.ContainsFunc(caps, ours) {
		return counting{rules: BothRules, any: true, known: true}
	}
	if m := gethVersion.FindStringSubmatch(name); m != nil {
		if minor, err := strconv.Atoi(m[1]); err == nil && minor <= 8 {
			return counting{rules: Rule18, known: true}
		}
		return counting{rules: Rule19, known: true}
	}
	return counting{rules: BothRules}
}

// learn concludes from an envelope that the peer has accepted itself how it counts, if it is enough by one rule alone.
func (s *session) learn(work Work) {
	s.mu.Lock()
	by := work.Reaching(s.wants.minWork)
	learnt := !s.counting.known && (by == Rule18 || by == Rule19)
	if learnt {
		s.counting = counting{rules: by, known: true}
		s.restart = true
	}
	s.mu.Unlock()
	if learnt {
		s.rouse()
	}
}

// rouse has the relay look what there is to send. It never waits.
func (s *session) rouse() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// announce has the peer told of a setting.
func (s *session) announce(code uint64) {
	s.mu.Lock()
	s.pending[code] = true
	s.mu.Unlock()
	s.rouse()
}

// run is the protocol's Run.
func (w *Whisper) run(peer *p2p.Peer, rw p2p.MsgReadWriter) error {
	s := &session{
		w: w, peer: peer, rw: rw, log: peer.Log(), number: w.pool.join(), wake: make(chan struct{}, 1), direct: make(chan direct), done: make(chan struct{}),
		faults: rate.NewLimiter(faultRate, faultBurst), counting: countingOf(peer.Fullname(), peer.Caps(), w.peerRules), pending: make(map[uint64]bool),
	}
	w.addSession(s)
	defer w.removeSession(s)

	relayed := make(chan struct{})
	go func() {
		defer close(relayed)
		s.relay()
	}()
	err := s.read()
	s.finish(relayed)
	return err
}

func (w *Whisper) addSession(s *session) {
	w.mu.Lock()
	defer w.mu.Unlock()
	list := append(append([]*session(nil), *w.sessions.Load()...), s)
	w.sessions.Store(&list)
}

func (w *Whisper) removeSession(s *session) {
	w.mu.Lock()
	var list []*session
	for _, other := range *w.sessions.Load() {
		if other != s {
			list = append(list, other)
		}
	}
	w.sessions.Store(&list)
	w.mu.Unlock()
	w.pool.leave(s.number)
}

// session returns the session with a peer; nil if there is none.
func (w *Whisper) session(id enode.ID) *session {
	for _, s := range *w.sessions.Load() {
		if s.peer.ID() == id {
			return s
		}
	}
	return nil
}

// breach ends the session because the peer broke the rules. If nothing else runs on the link, the link ends with the error.
// Otherwise the session falls silent: what the peer sends for it is read and forgotten, and the other protocols go on, until
// the last of them is stopped.
func (s *session) breach(err error) error {
	s.w.counts.breaches.Add(1)
	s.log.Debug("Whisper session ends", "err", err)
	if !silence.Begin(s.peer, ProtocolName) {
		return err
	}
	defer silence.End(s.peer, ProtocolName)
	s.mu.Lock()
	s.muted = err
	s.mu.Unlock()
	s.stopRelay()
	return silence.Attend(s.peer, s.rw, ProtocolName)
}

func (s *session) stopRelay() {
	select {
	case <-s.done:
	default:
		close(s.done)
	}
}
