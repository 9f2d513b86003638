package p2p

import (
	"bytes"
	"crypto/ecdsa"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/p2p/enode"
	"github.com/ethereum/go-ethereum/rlp"

	"github.com/sennit-net/sennit/internal/frame"
)

// Message codes of devp2p itself.
const (
	helloMsg = frame.CodeHello
	discMsg  = frame.CodeDisconnect
	pingMsg  = frame.CodePing
	pongMsg  = frame.CodePong
)

const (
	baseProtocolVersion   = 5       // the version we announce
	snappyProtocolVersion = 5       // the version from which payloads are compressed (EIP-706)
	maxHelloSize          = 2 << 10 // of a Hello's payload, in bytes
)

// hello is the payload of the first message each side sends (rlpx.md, "Hello (0x00)").
type hello struct {
	Version    uint64
	Name       string
	Caps       []Cap
	ListenPort uint64
	ID         []byte // secp256k1 public key, 64 bytes

	// Rest takes what later versions may append.
	Rest []rlp.RawValue `rlp:"tail"`

	payload []byte // the Hello as it travels; RLP passes it over
}

// newHello returns the Hello of the local node. The port is always 0, as discovery is where ports are learnt.
func newHello(key *ecdsa.PublicKey, name string, caps []Cap) *hello {
	h := &hello{
		Version: baseProtocolVersion,
		Name:    name,
		Caps:    caps,
		ID:      crypto.FromECDSAPub(key)[1:],
	}
	h.encode()
	return h
}

// encode makes the payload, of what the other fields say.
func (h *hello) encode() {
	payload, err := rlp.EncodeToBytes(h)
	if err != nil {
		panic(err) // there is nothing in it that cannot be encoded
	}
	h.payload = payload
}

// checkSize returns an error if other nodes would refuse the Hello for its size. So the number of protocols that two nodes
// can share is bounded too: a capability takes at least 3 bytes.
func (h *hello) checkSize() error {
	if len(h.payload) > maxHelloSize {
		return fmt.Errorf("the Hello of this node would have %d bytes, with a Name of %d and %d capabilities, and other nodes take at most %d: shorten Config.Name or offer fewer protocols",
			len(h.payload), len(h.Name), len(h.Caps), maxHelloSize)
	}
	return nil
}

// nodeID returns the ID of the node whose key the Hello names.
func (h *hello) nodeID() enode.ID { return enode.ID(crypto.Keccak256Hash(h.ID)) }

// helloConn is what the exchange needs of an *rlpx.Conn after its handshake.
type helloConn interface {
	Read() (code uint64, data []byte, wireSize int, err error)
	Write(code uint64, data []byte) (uint32, error)
	SetSnappy(bool)
	SetDeadline(time.Time) error
	SetWriteDeadline(time.Time) error
}

var (
	errHelloKeyLength = errors.New("its public key is not 64 bytes long")
	errHelloKeyPoint  = errors.New("its public key is not a point on the curve")
)

// refusedError is a Disconnect that came instead of a Hello. It unwraps to the DiscReason, and is none itself: a reason
// that the remote gave is not one to answer it with.
type refusedError struct{ reason DiscReason }

func (e *refusedError) Error() string { return "refused by the remote node: " + e.reason.String() }

func (e *refusedError) Unwrap() error { return e.reason }

// exchangeHello sends ours and reads the remote's Hello, both at once so that two nodes that do the same cannot wait for
// each other, and turns compression on if the remote knows it. It sets the connection's deadlines to timeout from now
// and clears them at the end. The error, when it is a Disconnect, unwraps to a DiscReason. How large a frame may come
// instead of a Hello is up to what conn reads from: a boundedFD.
func exchangeHello(conn helloConn, ours *hello, timeout time.Duration) (*hello, error) {
	conn.SetDeadline(time.Now().Add(timeout))
	var theirs *hello
	err := writeWhile(conn, helloMsg, ours.payload, func() (err error) {
		theirs, err = readHello(conn)
		return err
	})
	if err != nil {
		return nil, err
	}
	conn.SetDeadline(time.Time{})
	conn.SetSnappy(theirs.Version >= snappyProtocolVersion)
	return theirs, nil
}

// writeWhile sends a message while read reads what the remote has to say, so that a remote which speaks before it listens
// is heard. If read fails, a write that is stuck is not waited for, and the connection is fit only to be closed.
func writeWhile(conn helloConn, code uint64, payload []byte, read func() error) error {
	written := make(chan error, 1)
	go func() {
		_, err := conn.Write(code, payload)
		written <- err
	}()
	if err := read(); err != nil {
		conn.SetWriteDeadline(time.Unix(1, 0))
		<-written // what was wrong with it follows from err
		return err
	}
	if err := <-written; err != nil {
		return fmt.Errorf("writing our message %#x: %w", code, err)
	}
	return nil
}

// errBadHello is in the chain of the errors for a first message that is not a valid Hello.
var errBadHello = errors.New("bad first message")

// readHello reads the first message of the remote node.
func readHello(conn helloConn) (*hello, error) {
	code, data, _, err := conn.Read()
	if err != nil {
		return nil, fmt.Errorf("reading the remote's Hello: %w", err)
	}
	switch {
	case code == discMsg:
		return nil, &refusedError{decodeDisconnect(data)}
	case code != helloMsg:
		return nil, fmt.Errorf("%w: code %#x instead of Hello", errBadHello, code)
	}
	return decodeHello(data)
}

// decodeHello decodes and checks a Hello's payload. Names and capabilities are bounded by the size of the payload
// alone; they may hold any bytes, and are made fit to be seen where they are shown.
func decodeHello(payload []byte) (*hello, error) {
	if len(payload) > maxHelloSize {
		return nil, fmt.Errorf("%w: Hello of %d bytes is longer than %d", errBadHello, len(payload), maxHelloSize)
	}
	h := &hello{payload: slices.Clone(payload)}
	// A stream, unlike rlp.DecodeBytes, lets bytes after the list pass, as go-ethereum does.
	if err := rlp.NewStream(bytes.NewReader(payload), uint64(len(payload))).Decode(h); err != nil {
		return nil, fmt.Errorf("%w: Hello does not decode: %w", errBadHello, err)
	}
	if err := checkPublicKey(h.ID); err != nil {
		return nil, fmt.Errorf("%w: Hello: %w", errBadHello, err)
	}
	return h, nil
}

// checkPublicKey checks the key of a Hello. Its point goes through the library's one gate here, so that nothing behind
// ever computes with one that is not on the curve; all zeros is not.
func checkPublicKey(id []byte) error {
	if len(id) != 64 {
		return errHelloKeyLength
	}
	var point [65]byte
	point[0] = 4 // uncompressed
	copy(point[1:], id)
	if _, err := crypto.UnmarshalPubkey(point[:]); err != nil {
		return errHelloKeyPoint
	}
	return nil
}
