package interop

import (
	"crypto/ecdsa"
	"errors"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/p2p/enode"

	"github.com/sennit-net/sennit/interop/stack"
)

// tap is a connection of a raw client that can spoil what goes out.
type tap struct {
	net.Conn
	spoil atomic.Bool // flips a bit of the last byte of each write
}

func (c *tap) Write(b []byte) (int, error) {
	if c.spoil.Load() && len(b) > 0 {
		b = append([]byte(nil), b...)
		b[len(b)-1] ^= 1
	}
	return c.Conn.Write(b)
}

// client is a bare RLPx connection to a node, with which a test sees what is on the wire.
type client struct {
	stack.Conn
	tap *tap
	key *ecdsa.PrivateKey
}

// dialClient connects to a node with a transport of stack s and runs the RLPx handshake.
func dialClient(t *testing.T, s stack.Stack, h *stack.Host, key *ecdsa.PrivateKey) *client {
	t.Helper()
	addr, _ := h.Self().TCPEndpoint()
	fd, err := net.Dial("tcp", addr.String())
	if err != nil {
		t.Fatal(err)
	}
	tp := &tap{Conn: fd}
	c := &client{Conn: s.NewConn(tp, h.Self().Pubkey()), tap: tp, key: key}
	t.Cleanup(func() { c.Close() })
	if err := shake(c.Conn, key); err != nil {
		t.Fatal(err)
	}
	return c
}

// hello exchanges Hellos with version and caps.
func (c *client) hello(t *testing.T, version uint64, caps ...stack.Cap) stack.Hello {
	t.Helper()
	h, err := stack.ExchangeHello(c.Conn, stack.NewHello(c.key, version, caps...))
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// next returns the next message that is not a ping; pings are answered.
func (c *client) next() (code uint64, data []byte, err error) {
	for {
		code, data, _, err = c.Read()
		if err != nil || code != stack.PingCode {
			return code, append([]byte(nil), data...), err
		}
		if _, err := c.Write(stack.PongCode, []byte{0xc0}); err != nil {
			return 0, nil, err
		}
	}
}

// end reads until the connection ends and returns the payload of the Disconnect that came before, nil if none did.
func (c *client) end(t *testing.T) []byte {
	t.Helper()
	var reason []byte
	for {
		code, data, err := c.next()
		if err != nil {
			if timeout := net.Error(nil); errors.As(err, &timeout) && timeout.Timeout() {
				t.Fatal("the node does not end the connection")
			}
			return reason
		}
		if code == stack.DiscCode {
			if reason != nil {
				t.Errorf("a second Disconnect: %x after %x", data, reason)
			}
			reason = data
		}
	}
}

var alphaCap = stack.Cap{Name: "alpha", Version: 1}

// target is a node for raw clients to connect to, with protocols alpha, beta and gamma at codes 16, 24 and 32.
func target(t *testing.T, s stack.Stack, c stack.Config) *stack.Host {
	t.Helper()
	return startHost(t, s, c, serving("alpha", returning(decodeLoop)), serving("beta", returning(stack.Echo)), serving("gamma", returning(stack.Sink)))
}

// linked is a raw client of go-ethereum's with a link to the node over all three protocols, and the node's ends of it.
func linked(t *testing.T, h *stack.Host) (*client, map[string]*stack.End) {
	t.Helper()
	c := dialClient(t, stack.Geth{}, h, stack.NewKey())
	c.hello(t, 5, alphaCap, stack.Cap{Name: "beta", Version: 1}, stack.Cap{Name: "gamma", Version: 1})
	ends, err := h.Ends(3, patience)
	if err != nil {
		t.Fatal(err)
	}
	m := map[string]*stack.End{}
	for _, e := range ends {
		m[e.Proto] = e
	}
	return c, m
}

// quiet wants a node to have had no event but those already taken.
func quiet(t *testing.T, h *stack.Host) {
	t.Helper()
	select {
	case e := <-h.Events():
		t.Errorf("an event for a connection that never became a link: %+v", e)
	case <-time.After(50 * time.Millisecond):
	}
}

// enodeAt is the node with a key that listens at an address.
func enodeAt(key *ecdsa.PrivateKey, addr net.Addr) *enode.Node {
	tcp := addr.(*net.TCPAddr)
	return enode.NewV4(&key.PublicKey, tcp.IP, tcp.Port, 0)
}
