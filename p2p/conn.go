package p2p

import (
	"errors"
	"io"
	"net"
	"sync/atomic"
	"time"

	"github.com/ethereum/go-ethereum/p2p/enode"

	"github.com/sennit-net/sennit/p2p/rlpx"
	"github.com/sennit-net/sennit/trace"
)

// linkSeq numbers the connections of the process, for the recorder.
var linkSeq atomic.Uint64

// conn is a connection on its way to become a peer, and then what is known of the peer's connection. Until the peer is
// launched it belongs to the goroutine that sets it up; after that only the flags change.
type conn struct {
	fd      net.Conn   // the socket; all that was read ahead has been consumed when the peer is launched
	bounded *boundedFD // what rlpx reads from meanwhile
	rlpx    *rlpx.Conn
	seq     uint64
	opened  time.Time
	flags   connFlag // through its methods only

	// Guarded by peerSet.mu.
	setupID enode.ID      // the node, as far as it is known while the connection is set up
	over    chan struct{} // made by whoever waits for the end of the set-up; closed then

	// Known after the RLPx handshake.
	node *enode.Node

	// Known after Hello.
	version uint64 // of devp2p, as the remote says
	name    string // as the remote says: any bytes
	caps    []Cap  // as the remote says
}

// link identifies the connection in events; the node is missing before the RLPx handshake.
func (c *conn) link() trace.Link {
	l := trace.Link{Seq: c.seq, Inbound: c.flags.is(inboundConn)}
	if c.node != nil {
		l.Peer = c.node.ID()
	}
	return l
}

// setupReadLimit is how many bytes of a connection are read before its peer is launched: the handshake packet of the
// remote and a frame with the largest Hello. Nothing that the remote claims about sizes makes us read more.
const setupReadLimit = 2 + maxAuthSize + 32 + 8 + maxHelloSize + 15 + 16

// maxAuthSize is the largest size that a handshake packet may announce, in bytes (EIP-8; go-ethereum has the same).
const maxAuthSize = 2048

// legacyAuthSize is the size of the handshake packet of nodes from before EIP-8, which have no prefix.
const legacyAuthSize = 307

// pointPrefix is the first byte of an uncompressed point on the curve.
const pointPrefix = 4

var (
	errSetupReadLimit = errors.New("remote has sent more than a handshake and a Hello before we knew it")
	errAuthTooLarge   = errors.New("handshake packet is too large")
	errAuthIncomplete = errors.New("handshake packet is not complete")
)

// boundedFD is a socket from which at most so many bytes can be read, and whose first bytes can be waited for.
type boundedFD struct {
	net.Conn
	auth  []byte // read from the socket by awaitAuth
	ahead []byte // its part that Read has not returned yet
	left  int    // bytes that may still be read from it
	held  bool   // none may be read now
}

func newBoundedFD(fd net.Conn) *boundedFD { return &boundedFD{Conn: fd, left: setupReadLimit} }

func (b *boundedFD) Read(p []byte) (int, error) {
	if len(b.ahead) > 0 {
		n := copy(p, b.ahead)
		b.ahead = b.ahead[n:]
		return n, nil
	}
	return b.readSocket(p)
}

func (b *boundedFD) readSocket(p []byte) (int, error) {
	switch {
	case b.held:
		return 0, errAuthIncomplete
	case b.left == 0 && len(p) > 0:
		return 0, errSetupReadLimit
	}
	n, err := b.Conn.Read(p[:min(len(p), b.left)])
	b.left -= n
	return n, err
}

// awaitAuth waits for the whole handshake packet, so that whoever has to decrypt it need not wait; Read returns it then.
//
// With plain, a packet that may be one from before EIP-8 is waited for as such: it has no size, and starts with the first
// byte of a point on the curve, as the sizes from 0x0400 to 0x04ff do. If it turns out to be none, calling awaitAuth again
// without plain waits for the rest of it, and Read starts over.
func (b *boundedFD) awaitAuth(plain bool) error {
	if err := b.awaitBytes(2); err != nil {
		return err
	}
	size := int(b.auth[0])<<8 | int(b.auth[1])
	if plain && b.auth[0] == pointPrefix {
		size = legacyAuthSize - 2
	}
	if size > maxAuthSize {
		return errAuthTooLarge
	}
	err := b.awaitBytes(2 + size)
	b.ahead = b.auth
	return err
}

// awaitBytes waits until auth has n bytes.
func (b *boundedFD) awaitBytes(n int) error {
	have := len(b.auth)
	if have >= n {
		return nil
	}
	b.auth = append(b.auth, make([]byte, n-have)...)
	m, err := io.ReadFull(readerFunc(b.readSocket), b.auth[have:])
	b.auth = b.auth[:have+m]
	return err
}

// readAsPlain reports whether there may be more of the packet than awaitAuth has waited for with plain.
func (b *boundedFD) readAsPlain() bool {
	return len(b.auth) == legacyAuthSize && b.auth[0] == pointPrefix
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }
