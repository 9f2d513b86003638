package bzz

import (
	"context"
	"crypto/ecdsa"
	"errors"
	"time"

	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/log"
	"github.com/ethereum/go-ethereum/p2p/enode"

	"github.com/sennit-net/sennit/p2p"
	"github.com/sennit-net/sennit/protocols/bzz/chunk"
	"github.com/sennit-net/sennit/protocols/bzz/store"
)

// The networks that Swarm was run as.
const (
	DefaultNetworkID      = 3 // of Swarm 0.3
	DefaultLaterNetworkID = 4 // of Swarm 0.5
)

// Dialects is a set of protocol families. The zero value stands for all of them.
type Dialects uint8

// The dialects. Which of them two nodes speak follows from the versions that both have of bzz, the later first.
const (
	Early Dialects = 1 << iota // of Swarm 0.3.15: bzz/8, hive/8, stream/8
	Later                      // of Swarm 0.5.3 to 0.5.8: bzz/14, hive/11, bzz-stream/8, bzz-retrieve/2
)

// Config says what a node is. Overlay and Store have to be set.
type Config struct {
	// Overlay is the node's place in the address space, by custom [OverlayOf] its key. It must be the base of Store.
	Overlay chunk.Address

	// NetworkID tells networks apart: nodes with another one refuse each other. 0 means [DefaultNetworkID].
	NetworkID uint64

	// LaterNetworkID is the same for peers of the later dialect. 0 means [DefaultLaterNetworkID].
	LaterNetworkID uint64

	// Dialects says which protocol families the node speaks; zero means all. A node that speaks both belongs to both
	// networks, and chunks go from one to the other through it.
	Dialects Dialects

	// Store is where chunks are kept: those put here, those fetched, and those synced.
	Store Store

	// Light makes a node that fetches but neither keeps nor serves anything for others. It cannot sync.
	Light bool

	// NoSync turns syncing off: the node neither offers chunks to its neighbours nor takes theirs.
	NoSync bool

	// NoDial has the node connect to nobody it hears of; the server's own dialing is not touched.
	NoDial bool

	// SyncDelay is how long after a change among the peers it is decided what to sync with whom, so that many changes
	// are one. 0 means 15 s. It is waited for again with each change, but no longer than 3 min in all.
	SyncDelay time.Duration

	// SearchTimeout is how long a chunk is looked for among the peers. 0 means 10 s.
	SearchTimeout time.Duration

	// SendQueue is how many bytes may wait to be sent to each peer. 0 means 4 MiB.
	SendQueue int

	// Logger, if not nil, is told what happens.
	Logger log.Logger
}

// Store is where a node keeps chunks; [store.Store] and [store.Memory] are such. Its methods are called from many
// goroutines at the same time. A store that has the method Touch(chunk.Address) as well is told of chunks that a peer waits for,
// and should not let these be the next to leave: if one is gone when its turn to be sent comes, the link ends.
type Store interface {
	// Get returns a chunk, or an error that is [store.ErrNotFound] if it is not there.
	Get(ctx context.Context, addr chunk.Address) (chunk.Chunk, error)
	// Put keeps a chunk and tells whether it was there before.
	Put(ctx context.Context, c chunk.Chunk) (existed bool, err error)
	// Has tells whether a chunk is there.
	Has(ctx context.Context, addr chunk.Address) (bool, error)
	// Cursor returns the number of the newest chunk of a bin, 0 if there was none yet.
	Cursor(bin int) uint64
	// Range returns up to limit chunks of a bin in the order of their numbers, which are within from and to.
	Range(bin int, from, to uint64, limit int) ([]store.Entry, error)
	// Changed returns a channel that is closed when the bin has a new chunk or the store is closed.
	Changed(bin int) <-chan struct{}
}

// Server is what a node needs of a [p2p.Server].
type Server interface {
	Self() *enode.Node
	AddPeer(*enode.Node)
	RemovePeer(*enode.Node)
	Peers() []*p2p.Peer
}

// ErrNotFound is what a chunk is that neither the store has nor a peer has sent in time. Errors wrap it.
var ErrNotFound = store.ErrNotFound

// Defaults of a Config.
const (
	defaultSyncDelay     = 15 * time.Second
	maxSyncDelay         = 3 * time.Minute
	defaultSearchTimeout = 10 * time.Second
	defaultSendQueue     = 4 << 20
)

// Limits of what peers can make a node keep and do. Each peer has its own unless it says otherwise.
const (
	maxRefusals  = 128  // of subscriptions, before the link ends
	maxRanges    = 64   // ranges of the later dialect that are offered to a peer at a time
	maxSeen      = 4096 // addresses remembered as known to a peer; beyond that all are forgotten
	maxForwards  = 256  // chunks looked for on a peer's behalf; further requests are not answered
	maxSearches  = 4096 // chunks looked for, all peers and users together; a quarter is for users alone
	maxDialing   = 64   // nodes being dialed because hive suggested them, all together
	offerSize    = 128  // hashes in an offer of ours
	maxHops      = 20   // a request that has come this far is not handed on
	maxKeptInput = 64 << 10

	// Addresses that a peer tells of are told to others at this rate; the rest is only remembered.
	tellPerSecond = 16
	tellBurst     = 256
)

// Times of the protocols.
const (
	handshakeTimeout = 3 * time.Second
	batchTimeout     = 30 * time.Second       // for all chunks of an offer to come
	searchStep       = time.Second            // for a peer to send a chunk before the next is asked
	askAgain         = 10 * time.Second       // before a peer is asked for the same chunk again
	hiveTick         = 500 * time.Millisecond // between looks at whom to connect to
	dialPatience     = 30 * time.Second       // before a node that hive suggested is given up
	searchTick       = 100 * time.Millisecond // between looks at who has not answered

	// An answer of the later dialect is not sent before. Swarm 0.5.8 asks first and notes down afterwards that it has: an
	// answer that comes within less than a millisecond may end the link as one that nobody asked for.
	laterGrace = 5 * time.Millisecond
)

func (c *Config) check() error {
	switch {
	case c.Store == nil:
		return errors.New("bzz: Config.Store is not set")
	case c.Overlay == chunk.Address{}:
		return errors.New("bzz: Config.Overlay is not set")
	case c.Dialects > Early|Later:
		return errors.New("bzz: Config.Dialects has a dialect that does not exist")
	case c.SyncDelay < 0, c.SearchTimeout < 0, c.SendQueue < 0:
		return errors.New("bzz: a time or size in Config is negative")
	}
	return nil
}

// withDefaults returns the configuration with what was left out.
func (c Config) withDefaults() Config {
	if c.NetworkID == 0 {
		c.NetworkID = DefaultNetworkID
	}
	if c.LaterNetworkID == 0 {
		c.LaterNetworkID = DefaultLaterNetworkID
	}
	if c.Dialects == 0 {
		c.Dialects = Early | Later
	}
	if c.SyncDelay == 0 {
		c.SyncDelay = defaultSyncDelay
	}
	if c.SearchTimeout == 0 {
		c.SearchTimeout = defaultSearchTimeout
	}
	if c.SendQueue == 0 {
		c.SendQueue = defaultSendQueue
	}
	if c.Logger == nil {
		c.Logger = log.NewLogger(log.DiscardHandler())
	}
	return c
}

// syncs reports whether the node takes part in syncing.
func (c *Config) syncs() bool { return !c.Light && !c.NoSync }

// OverlayOf returns the address of the node with this key: the hash of the uncompressed key with its leading byte. It is
// not the node ID, which is the hash of the key without that byte (section 3).
func OverlayOf(key *ecdsa.PublicKey) chunk.Address {
	return chunk.Address(crypto.Keccak256(crypto.FromECDSAPub(key)))
}
