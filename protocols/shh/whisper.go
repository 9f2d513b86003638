package shh

import (
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ethereum/go-ethereum/log"
	"github.com/ethereum/go-ethereum/p2p/enode"

	"github.com/sennit-net/sennit/p2p"
)

// Defaults and limits of [Config].
const (
	// DefaultMinWork is the least proof of work that is accepted, and aimed at in what is posted.
	DefaultMinWork = 0.2

	// DefaultTTL is the life of a message that does not say how long it is to live.
	DefaultTTL = 50 * time.Second

	// DefaultMaxMessageSize and MaxMessageSizeLimit are sizes of the largest envelope, in bytes of data and 20.
	DefaultMaxMessageSize = 1 << 20
	MaxMessageSizeLimit   = 10 << 20

	// DefaultPoolBytes is what the pool holds.
	DefaultPoolBytes = 32 << 20
)

// Config is what a node is told when it is made. The zero value is that of a full node with the usual settings.
type Config struct {
	// MinWork is the least proof of work of an envelope that is accepted. 0 means [DefaultMinWork], and a negative number
	// that none is needed.
	MinWork float64

	// Accept are the rules by any of which MinWork counts. 0 means both.
	Accept Rules

	// MaxMessageSize is the size of the largest envelope, in bytes of data and 20, up to [MaxMessageSizeLimit]. 0 means
	// [DefaultMaxMessageSize].
	MaxMessageSize int

	// PoolBytes is how many bytes of envelopes are kept, 512 bytes for each included. When they are used up, envelopes
	// with the least proof of work make way for those with more, and those with less are refused. 0 means
	// [DefaultPoolBytes].
	PoolBytes int64

	// Light makes a light node: it relays nothing but what it posts itself, and shares no session with another light
	// node.
	Light bool

	// Bloom, if not nil, is the filter of what the node wants to be sent. nil stands for everything.
	Bloom *Bloom

	// PeerRules, if not nil, says by which rule a peer of that client name counts proof of work: Rule18, Rule19, or
	// BothRules for one that accepts either. 0 leaves it to the node, which goes by the names of known clients and by
	// what the peer sends.
	PeerRules func(clientName string) Rules

	// Logger, if not nil, is where the node logs.
	Logger log.Logger
}

// Whisper is a node of the protocol. It has no goroutines of its own besides those of its sessions, which end with their
// links, and needs not be closed. It is safe for concurrent use.
type Whisper struct {
	// Static after construction.
	log       log.Logger
	accept    Rules
	peerRules func(string) Rules
	pool      *pool

	// Safe by themselves.
	light    atomic.Bool
	counts   counters
	sessions atomic.Pointer[[]*session]      // replaced, never changed; under mu
	subs     atomic.Pointer[[]*Subscription] // the same

	mu       sync.Mutex // guards what follows
	settings settings
	trusted  map[enode.ID]bool
}

// settings are what can be changed while the node runs. The values before a change are tolerated for some seconds, since
// peers hear of it later.
type settings struct {
	maxSize               int
	minWork, oldMinWork   float64
	bloom, oldBloom       Bloom
	workSince, bloomSince time.Time
}

// New returns a node. An error names the setting that makes no sense.
func New(c Config) (*Whisper, error) {
	switch {
	case c.MinWork == 0:
		c.MinWork = DefaultMinWork
	case c.MinWork < 0:
		c.MinWork = 0
	}
	if c.MaxMessageSize == 0 {
		c.MaxMessageSize = DefaultMaxMessageSize
	}
	if c.PoolBytes == 0 {
		c.PoolBytes = DefaultPoolBytes
	}
	if c.Accept == 0 {
		c.Accept = BothRules
	}
	if err := checkMinWork(c.MinWork); err != nil {
		return nil, fmt.Errorf("%w (MinWork)", err)
	}
	if err := checkMaxSize(c.MaxMessageSize, c.PoolBytes); err != nil {
		return nil, err
	}
	if c.Accept&^BothRules != 0 {
		return nil, fmt.Errorf("rules %#x to accept (Accept), some of which do not exist", uint8(c.Accept))
	}
	w := &Whisper{
		log: c.Logger, accept: c.Accept, peerRules: c.PeerRules, pool: newPool(c.PoolBytes), trusted: make(map[enode.ID]bool),
		settings: settings{maxSize: c.MaxMessageSize, minWork: c.MinWork, oldMinWork: c.MinWork, bloom: FullBloom()},
	}
	if c.Bloom != nil {
		w.settings.bloom = *c.Bloom
	}
	if w.log == nil {
		w.log = log.Root()
	}
	w.light.Store(c.Light)
	w.sessions.Store(new([]*session))
	w.subs.Store(new([]*Subscription))
	return w, nil
}

func checkMaxSize(n int, pool int64) error {
	if n <= headerLength || n > MaxMessageSizeLimit {
		return fmt.Errorf("a largest message of %d bytes (MaxMessageSize), want %d to %d", n, headerLength+1, MaxMessageSizeLimit)
	}
	if pool < int64(n)+entryOverhead {
		return fmt.Errorf("a pool of %d bytes (PoolBytes), too small for one message of %d", pool, n)
	}
	return nil
}

// Protocols returns shh/6. Messages that arrive faster than they are handled are dropped, as gossip may be, and never hold up
// the link.
func (w *Whisper) Protocols() []p2p.Protocol {
	return []p2p.Protocol{{
		Name: ProtocolName, Version: ProtocolVersion, Length: ProtocolLength,
		Run:      w.run,
		NodeInfo: func() any { return w.nodeInfo() },
		PeerInfo: func(id enode.ID) any { return w.peerInfo(id) },
		Overload: p2p.OverloadDropNewest(),
	}}
}

// terms returns what envelopes have to meet.
func (w *Whisper) terms(now time.Time) terms {
	w.mu.Lock()
	defer w.mu.Unlock()
	s := &w.settings
	t := terms{maxSize: s.maxSize, minWork: s.minWork, rules: w.accept, bloom: s.bloom}
	if now.Sub(s.workSince) < syncAllowance {
		t.minWork = min(t.minWork, s.oldMinWork)
	}
	if now.Sub(s.bloomSince) < syncAllowance {
		t.bloom.add(s.oldBloom)
	}
	return t
}

// MinWork returns the least proof of work that is accepted.
func (w *Whisper) MinWork() float64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.settings.minWork
}

// SetMinWork changes the least proof of work that is accepted, and tells the peers. What met the old one is accepted for
// another 10 s.
func (w *Whisper) SetMinWork(work float64) error {
	if err := checkMinWork(work); err != nil {
		return err
	}
	w.mu.Lock()
	s := &w.settings
	s.oldMinWork, s.minWork, s.workSince = s.minWork, work, time.Now()
	w.mu.Unlock()
	w.announce(workCode)
	return nil
}

// Bloom returns the filter of what the node wants to be sent.
func (w *Whisper) Bloom() Bloom {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.settings.bloom
}

// SetBloom changes the filter of what the node wants to be sent, and tells the peers. What passed the old one is accepted for
// another 10 s.
func (w *Whisper) SetBloom(b Bloom) {
	w.mu.Lock()
	changed := w.settings.setBloom(b)
	w.mu.Unlock()
	if changed {
		w.announce(bloomCode)
	}
}

// widen lets topics pass the filter, all of them if none is named.
func (w *Whisper) widen(topics []Topic) {
	wider := FullBloom()
	w.mu.Lock()
	if len(topics) > 0 {
		wider = BloomOf(topics...)
		wider.add(w.settings.bloom)
	}
	changed := w.settings.setBloom(wider)
	w.mu.Unlock()
	if changed {
		w.announce(bloomCode)
	}
}

// setBloom tells whether the filter was another. The caller holds the lock.
func (s *settings) setBloom(b Bloom) (changed bool) {
	if b == s.bloom {
		return false
	}
	s.oldBloom, s.bloom, s.bloomSince = s.bloom, b, time.Now()
	return true
}

// announce has all peers told of a setting.
func (w *Whisper) announce(code uint64) {
	for _, peer := range *w.sessions.Load() {
		peer.announce(code)
	}
}

// MaxMessageSize returns the size of the largest envelope, in bytes of data and 20.
func (w *Whisper) MaxMessageSize() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.settings.maxSize
}

// SetMaxMessageSize changes the size of the largest envelope, for which there has to be room in the pool.
func (w *Whisper) SetMaxMessageSize(n int) error {
	if err := checkMaxSize(n, w.pool.limit); err != nil {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.settings.maxSize = n
	return nil
}

// Light tells whether this is a light node.
func (w *Whisper) Light() bool { return w.light.Load() }

// SetLight makes the node a light one or a full one. Peers learn of it when they connect.
func (w *Whisper) SetLight(light bool) { w.light.Store(light) }

// Trust accepts direct messages from a node, whether or not it is a peer.
func (w *Whisper) Trust(id enode.ID) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.trusted[id] = true
}

// Distrust undoes Trust.
func (w *Whisper) Distrust(id enode.ID) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.trusted, id)
}

func (w *Whisper) trusts(id enode.ID) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.trusted[id]
}

// ownStatus is what peers are told first.
func (w *Whisper) ownStatus() status {
	w.mu.Lock()
	defer w.mu.Unlock()
	return status{minWork: w.settings.minWork, bloom: w.settings.bloom, light: w.light.Load()}
}

// Envelopes returns what is in the pool, in the order of its arrival.
func (w *Whisper) Envelopes() []*Envelope { return w.pool.all(time.Now()) }
