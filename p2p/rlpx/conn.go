// Package rlpx is the encrypted transport of devp2p: the RLPx handshake, and a connection that reads and writes
// messages in RLPx frames (devp2p rlpx.md, EIP-8, EIP-706).
//
// [Conn] has the methods of go-ethereum's p2p/rlpx.Conn. A program that wants to run the connection in its own way does
// the handshake with a Conn and then takes it apart with [Conn.Detach].
//
// # What a remote can learn from a failed handshake
//
// Everything that can be wrong with a handshake packet ends in [ErrHandshake], without a byte sent in return. Except for
// a size that is refused before the packet is read, that is after the same point multiplications as for a packet that is
// right: where a packet yields no point, the generator stands in for it. A remote thus cannot use a node as an oracle
// that tells a bad point from a bad tag or from a bad signature. The price is that nonsense costs a recipient as much as
// a good packet up to the answer, three multiplications; whoever accepts connections has to limit how many shake hands at
// a time anyway.
//
// # Arithmetic on the curve
//
// Everything that touches a private key goes through go-ethereum's crypto package, which with cgo is libsecp256k1 and
// constant-time. Coordinates that come from outside are compared with the field's prime, and points put into the curve's
// equation, before that package sees them.
package rlpx

import (
	"crypto/ecdsa"
	"errors"
	"hash"
	"net"
	"slices"
	"sync/atomic"
	"time"

	"github.com/sennit-net/sennit/internal/frame"
)

// Errors of a Conn. What the socket returns is passed on as it is.
var (
	// ErrHandshake is returned by Handshake for every packet of the remote that cannot be accepted, whatever is wrong
	// with it: telling the cases apart would help only an attacker.
	ErrHandshake = errors.New("rlpx: handshake failed: packet of the remote is not valid for this key")
	// ErrNoHandshake is returned by Read and Write while the connection has no secrets.
	ErrNoHandshake = errors.New("rlpx: no handshake yet")
	// ErrHandshakeDone is returned by Handshake when the connection already has secrets.
	ErrHandshakeDone = errors.New("rlpx: handshake was done before")
	// ErrDetached is returned by all operations on a Conn after Detach.
	ErrDetached = errors.New("rlpx: connection was detached")
	// ErrBadKey is returned by Handshake for a local key, or a key to dial, that is not a secp256k1 key.
	ErrBadKey = errors.New("rlpx: not a secp256k1 key")
	// ErrMessageTooBig says that a message, in its plain or its compressed form, does not fit RLPx's 16 MiB - 1.
	ErrMessageTooBig = errors.New("rlpx: message of 16 MiB or more")
	// ErrBadSnappy says that the payload of a received message is not valid Snappy data.
	ErrBadSnappy = errors.New("rlpx: invalid snappy data")

	errAckWaits = errors.New("rlpx: the delayed answer to the handshake has not been sent")
)

// Conn is an RLPx connection around a network connection, which must not be used for anything else meanwhile. Make one
// with [NewConn]; the zero value is not usable.
//
// Handshake or InitWithSecrets comes first, from one goroutine. After that one goroutine may read while another writes;
// Close, SetSnappy and the deadlines may be called at any time. Conn sets no deadline of its own.
type Conn struct {
	// Static after construction.
	conn     net.Conn
	dialDest *ecdsa.PublicKey // key of the remote we dialed; nil: the remote dials us

	// Static after the handshake. Detach clears opener and sealer, and may not run beside Read or Write.
	legacy   bool
	delayAck bool
	detached bool
	opener   *frame.Opener
	sealer   *frame.Sealer

	// Static after the handshake, gone after Binding.
	ephemeral [secretSize]byte
	packets   hash.Hash // nil if secrets have been injected

	// Used by reader and writer.
	snappy atomic.Bool

	// Owned by the goroutine in Read (before: in Handshake).
	in      input
	plain   []byte // decompressed message, reused while small
	readErr error  // after it, nothing more can be read

	// Owned by the goroutine in Write (before: in Handshake).
	ack      []byte // packet that leaves with the first frame; nil if there is none
	out      []byte // frame being written, reused while small
	writeErr error  // after it, nothing more can be written
}

// NewConn wraps conn. With a dialDest the Conn is the initiator of the handshake and expects the owner of that key at
// the other end; with nil it is the recipient. Nothing is sent yet.
func NewConn(conn net.Conn, dialDest *ecdsa.PublicKey) *Conn {
	return &Conn{conn: conn, dialDest: dialDest, in: input{src: conn}}
}

// AcceptLegacy says whether a recipient accepts the plain handshake from before EIP-8 (2016) too, and answers it in kind.
// The default is no: of the implementations in use none sends it. It must be called before Handshake. An initiator
// always sends EIP-8 packets, so that it makes no difference there.
func (c *Conn) AcceptLegacy(accept bool) { c.legacy = accept }

// DelayAck says whether the answer of a recipient waits for the first Write, with which it then leaves in one write to the
// network connection (rlpx.md allows the first frame right behind the ack). The default is no. It must be called before
// Handshake. The caller has to Write before it waits for the remote in any way: a Read alone would wait for ever. It makes
// no difference to an initiator.
func (c *Conn) DelayAck(delay bool) { c.delayAck = delay }

// Secrets are the results of a handshake (rlpx.md, "Initial Handshake").
type Secrets struct {
	AES, MAC              []byte    // AES-256 keys of cipher and MAC, 32 bytes each
	EgressMAC, IngressMAC hash.Hash // running Keccak-256 states of the MACs of sent and of received frames
	remote                *ecdsa.PublicKey

	// What Binding returns.
	ephemeral [secretSize]byte
	packets   hash.Hash
}

// InitWithSecrets injects the secrets of a connection as if a handshake had been done. It panics if there are secrets
// already, or if these have a wrong length.
func (c *Conn) InitWithSecrets(sec Secrets) {
	if c.detached || c.opener != nil {
		panic(ErrHandshakeDone)
	}
	if err := c.install(sec); err != nil {
		panic(err)
	}
}

// install makes the two halves of the frame codec.
func (c *Conn) install(sec Secrets) error {
	sealer, opener, err := frame.NewPair(sec.AES, sec.MAC, sec.EgressMAC, sec.IngressMAC)
	if err != nil {
		return err
	}
	c.opener, c.sealer = opener, sealer
	c.ephemeral, c.packets = sec.ephemeral, sec.packets
	return nil
}

// SetSnappy switches compression of payloads on or off, for messages read and written from now on (EIP-706). It is
// called once the Hello of the remote has been read and has version 5 or higher.
func (c *Conn) SetSnappy(snappy bool) { c.snappy.Store(snappy) }

// SetDeadline sets the deadline of all future reads and writes. Those in progress are affected too.
func (c *Conn) SetDeadline(time time.Time) error { return c.conn.SetDeadline(time) }

// SetReadDeadline sets the deadline of all future reads, and of one in progress. A message that was cut off by the
// deadline after its header cannot be resumed: every later Read returns the same error.
func (c *Conn) SetReadDeadline(time time.Time) error { return c.conn.SetReadDeadline(time) }

// SetWriteDeadline sets the deadline of all future writes, and of one in progress. After a Write that failed, every
// later one returns the same error.
func (c *Conn) SetWriteDeadline(time time.Time) error { return c.conn.SetWriteDeadline(time) }

// Close closes the network connection. Reads and writes in progress end with an error.
func (c *Conn) Close() error { return c.conn.Close() }

// Session is a connection after the handshake, in its parts.
type Session struct {
	Conn     net.Conn
	Opener   *frame.Opener
	Sealer   *frame.Sealer
	Buffered []byte // bytes that came in behind the last message read; they precede what Conn still has
	Snappy   bool   // whether SetSnappy had switched compression on
}

// Detach hands the connection over to the caller, who from now on does the reading, the writing and the closing; the
// Conn returns [ErrDetached] ever after. It must not run beside Read or Write, and panics without a handshake, with an
// answer that still waits because of DelayAck, or when called twice.
func (c *Conn) Detach() Session {
	if err := c.usable(); err != nil {
		panic(err)
	}
	if c.ack != nil {
		panic(errAckWaits)
	}
	s := Session{Conn: c.conn, Opener: c.opener, Sealer: c.sealer, Snappy: c.snappy.Load()}
	if rest := c.in.unread(); len(rest) > 0 {
		s.Buffered = slices.Clone(rest)
	}
	c.detached, c.opener, c.sealer = true, nil, nil
	c.in, c.plain, c.out = input{}, nil, nil
	clear(c.ephemeral[:])
	c.packets = nil
	return s
}

// Binding returns what another framing on this connection can derive its keys from, so that they belong to this handshake
// and no other: the RLPx ephemeral key, 32 bytes, and a SHA-256 state that has been fed with the auth and the ack packet as
// they were on the wire, for the caller to add what came after them. It may be called once, after a handshake and not
// beside one; else, and with injected secrets, ok is false.
func (c *Conn) Binding() (ephemeral []byte, packets hash.Hash, ok bool) {
	if c.packets == nil {
		return nil, nil, false
	}
	ephemeral, packets = slices.Clone(c.ephemeral[:]), c.packets
	clear(c.ephemeral[:])
	c.packets = nil
	return ephemeral, packets, true
}

// usable returns the reason why messages cannot be exchanged, if there is one.
func (c *Conn) usable() error {
	switch {
	case c.detached:
		return ErrDetached
	case c.opener == nil:
		return ErrNoHandshake
	}
	return nil
}
