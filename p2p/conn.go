package p2p

import (
	"crypto/ecdsa"
	"errors"
	"io"
	"net"
	"sync/atomic"
	"time"

	"github.com/ethereum/go-ethereum/p2p/enode"
	"github.com/ethereum/go-ethereum/p2p/netutil"

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

var (
	errSetupReadLimit = errors.New("remote has sent more than a handshake and a Hello before we knew it")
	errAuthTooLarge   = errors.New("handshake packet is too large")
	errAuthIncomplete = errors.New("handshake packet is not complete")
)

// boundedFD is a socket from which at most so many bytes can be read, and whose first bytes can be waited for.
type boundedFD struct {
	net.Conn
	ahead []byte // read from the socket already
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

// awaitAuth waits for the whole handshake packet, so that whoever has to decrypt it need not wait. legacy says that it
// may be one without a size.
func (b *boundedFD) awaitAuth(legacy bool) error {
	var prefix [2]byte
	if _, err := io.ReadFull(readerFunc(b.readSocket), prefix[:]); err != nil {
		return err
	}
	size := int(prefix[0])<<8 | int(prefix[1])
	if legacy && prefix[0] == 4 { // also the first byte of an elliptic curve point; no EIP-8 packet is that large
		size = legacyAuthSize - 2
	}
	if size > maxAuthSize {
		return errAuthTooLarge
	}
	buf := make([]byte, 2+size)
	copy(buf, prefix[:])
	n, err := io.ReadFull(readerFunc(b.readSocket), buf[2:])
	b.ahead = buf[:2+n]
	return err
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

// nodeOf returns the node of an inbound connection: all we know is its key and where it comes from. The ports are those
// of the connection, as in go-ethereum, so they are not where the node listens.
func nodeOf(fd net.Conn, key *ecdsa.PublicKey) *enode.Node {
	var port int
	if tcp, ok := fd.RemoteAddr().(*net.TCPAddr); ok {
		port = tcp.Port
	}
	ip := netutil.AddrAddr(fd.RemoteAddr())
	if !ip.IsValid() {
		return enode.NewV4(key, nil, port, port)
	}
	return enode.NewV4(key, ip.AsSlice(), port, port)
}
