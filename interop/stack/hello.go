package stack

import (
	"crypto/ecdsa"
	"fmt"
	"net"
	"time"

	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/p2p/enode"
	"github.com/ethereum/go-ethereum/rlp"
)

// Message codes of the base protocol (devp2p rlpx.md, "p2p" capability).
const (
	HelloCode = 0x00
	DiscCode  = 0x01
	PingCode  = 0x02
	PongCode  = 0x03
	BaseCodes = 16 // the first code of the first capability
)

// Cap is a capability as Hello lists it.
type Cap struct {
	Name    string
	Version uint
}

// Hello is the first message of a connection (devp2p rlpx.md, Hello).
type Hello struct {
	Version    uint64
	Name       string
	Caps       []Cap
	ListenPort uint64
	ID         []byte
	Rest       []rlp.RawValue `rlp:"tail"`
}

// NewHello returns the Hello of a node with that key.
func NewHello(key *ecdsa.PrivateKey, version uint64, caps ...Cap) Hello {
	return Hello{Version: version, Name: "interop/raw", Caps: caps, ID: crypto.FromECDSAPub(&key.PublicKey)[1:]}
}

// EarlyEnd reports a remote that sent something other than Hello first.
type EarlyEnd struct {
	Code uint64
	Data []byte
}

// Error says what came.
func (e *EarlyEnd) Error() string {
	return fmt.Sprintf("message %d (%x) came instead of Hello", e.Code, e.Data)
}

// DialRaw connects to a node over TCP and runs the RLPx handshake of stack s.
func DialRaw(s Stack, node *enode.Node, key *ecdsa.PrivateKey, timeout time.Duration) (Conn, error) {
	addr, _ := node.TCPEndpoint()
	fd, err := net.DialTimeout("tcp", addr.String(), timeout)
	if err != nil {
		return nil, err
	}
	c := s.NewConn(fd, node.Pubkey())
	_ = c.SetDeadline(time.Now().Add(timeout))
	if _, err := c.Handshake(key); err != nil {
		c.Close()
		return nil, fmt.Errorf("rlpx handshake: %w", err)
	}
	return c, nil
}

// ExchangeHello sends a Hello, reads the remote's and switches Snappy on if the remote speaks version 5 and so do we.
func ExchangeHello(c Conn, ours Hello) (Hello, error) {
	var theirs Hello
	data, err := rlp.EncodeToBytes(&ours)
	if err != nil {
		return theirs, err
	}
	if _, err := c.Write(HelloCode, data); err != nil {
		return theirs, fmt.Errorf("write Hello: %w", err)
	}
	code, data, _, err := c.Read()
	if err != nil {
		return theirs, fmt.Errorf("read Hello: %w", err)
	}
	if code != HelloCode {
		return theirs, &EarlyEnd{Code: code, Data: append([]byte(nil), data...)}
	}
	if err := rlp.DecodeBytes(data, &theirs); err != nil {
		return theirs, fmt.Errorf("decode Hello: %w", err)
	}
	c.SetSnappy(theirs.Version >= 5 && ours.Version >= 5)
	return theirs, nil
}
