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

	// Known after the RLPx handshake; of a node that was dialed, what is expected is known before it.
	id   enode.ID
	key  []byte                     // the node's, 65 bytes, if the connection is inbound; nil if the node was dialed
	node atomic.Pointer[enode.Node] // made from the key when somebody asks for it, see known

	// Known after Hello.
	version uint64     // of devp2p, as the remote says
	name    string     // as the remote says: any bytes
	caps    []Cap      // as the remote says
	lanes   *laneCodec // nil on RLPx
}

// link identifies the connection in events; the node is missing before the RLPx handshake of an inbound one.
func (c *conn) link() trace.Link {
	return trace.Link{Seq: c.seq, Inbound: c.flags.is(inboundConn), Peer: c.id}
}

// setupReadLimit is how many bytes of a connection are read before its peer is launched: the handshake packet of the
// remote and a frame with the largest Hello. Nothing that the remote claims about sizes makes us read more.
const setupReadLimit = rlpx.MaxPacketSize + 32 + 8 + maxHelloSize + 15 + 16

var (
	errSetupReadLimit = errors.New("remote has sent more than a handshake and a Hello before we knew it")
	errAuthTooLarge   = errors.New("handshake packet is too large")
	errAuthIncomplete = errors.New("handshake packet is not complete")
)

// boundedFD is a socket from which at most so many bytes can be read, and whose first bytes can be waited for.
type boundedFD struct {
	net.Conn
	auth  []byte // read from the socket by awaitAuth
	plain bool   // auth may be the beginning of a longer packet: it was waited for as one from before EIP-8
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
// With legacy, a packet that may be one from before EIP-8 is waited for as such ([rlpx.AuthSize]). If it turns out to be
// none, calling awaitAuth again without legacy waits for the rest of it, and Read starts over.
func (b *boundedFD) awaitAuth(legacy bool) error {
	if err := b.awaitBytes(2); err != nil {
		return err
	}
	size, plain := rlpx.AuthSize([2]byte(b.auth), legacy)
	if size > rlpx.MaxPacketSize {
		return errAuthTooLarge
	}
	err := b.awaitBytes(size)
	b.plain, b.ahead = plain, b.auth
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

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }
