package stack

import (
	"crypto/ecdsa"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/p2p/enode"
)

// endQueue is how many protocol ends may wait in a Host for somebody to ask for them: more than any run here starts.
const endQueue = 1 << 14

// errTimeout is what waiting for something that does not come ends with.
var errTimeout = errors.New("timed out")

// Host is a node whose protocols hand over their ends of each link as the links come up.
type Host struct {
	Node
	Stack Stack
	Key   *ecdsa.PrivateKey
	ends  chan *End

	mu      sync.Mutex
	running map[*End]struct{} // guarded by mu: ends whose Serve has not returned
}

// Serving is a protocol of a Host. Serve is what its Run does; the link's other users find the same End through
// [Host.Ends].
type Serving struct {
	Protocol // without Run
	Serve    func(*End) error
}

// End is one protocol's end of one link.
type End struct {
	Peer  Peer
	Proto string
	RW    ReadWriter
	// Return makes Run return an error, if the protocol's Serve heeds it.
	Return chan error
	// Done is closed when Serve has returned.
	Done chan struct{}
}

// NewKey returns a fresh node key.
func NewKey() *ecdsa.PrivateKey {
	key, err := crypto.GenerateKey()
	if err != nil {
		panic(err) // the system's random source failed
	}
	return key
}

// NewHost starts a node of a stack. A zero c.Key is replaced by a fresh one; c.Protocols is ignored.
func NewHost(s Stack, c Config, protos ...Serving) (*Host, error) {
	if c.Key == nil {
		c.Key = NewKey()
	}
	if c.Name == "" {
		c.Name = s.Name() + "/interop"
	}
	h := &Host{Stack: s, Key: c.Key, ends: make(chan *End, endQueue), running: map[*End]struct{}{}}
	c.Protocols = nil
	for _, p := range protos {
		proto := p.Protocol
		proto.Run = func(peer Peer, rw ReadWriter) error { return h.run(p, peer, rw) }
		c.Protocols = append(c.Protocols, proto)
	}
	node, err := s.Start(c)
	if err != nil {
		return nil, fmt.Errorf("start a node of %s: %w", s.Name(), err)
	}
	h.Node = node
	return h, nil
}

func (h *Host) run(p Serving, peer Peer, rw ReadWriter) error {
	e := &End{Peer: peer, Proto: p.Name, RW: rw, Return: make(chan error, 1), Done: make(chan struct{})}
	h.mu.Lock()
	h.running[e] = struct{}{}
	h.mu.Unlock()
	h.ends <- e
	defer func() {
		h.mu.Lock()
		delete(h.running, e)
		h.mu.Unlock()
		close(e.Done)
	}()
	return p.Serve(e)
}

// Close has every Serve that waits on End.Return return, then stops the node. Stop alone waits for them.
func (h *Host) Close() {
	h.mu.Lock()
	for e := range h.running {
		select {
		case e.Return <- nil:
		default:
		}
	}
	h.mu.Unlock()
	h.Stop()
}

// Ends waits for n ends of links that nobody has asked for yet.
func (h *Host) Ends(n int, timeout time.Duration) ([]*End, error) {
	timer := time.NewTimer(timeout)
	defer timer.Stop()
	out := make([]*End, 0, n)
	for len(out) < n {
		select {
		case e := <-h.ends:
			out = append(out, e)
		case <-timer.C:
			return nil, fmt.Errorf("%s: %d of %d protocol ends came up: %w", h.Stack.Name(), len(out), n, errTimeout)
		}
	}
	return out, nil
}

// Link is a connection between two hosts: the protocols' ends on both sides by protocol name.
type Link struct {
	Dialer, Listener map[string]*End
}

// Connect makes dialer dial listener and waits until n protocols run on both sides.
func Connect(dialer, listener *Host, n int, timeout time.Duration) (*Link, error) {
	return ConnectAt(dialer, listener, listener.Self(), n, timeout)
}

// ConnectAt is [Connect] for a listener that is reached as node: its identity at another address, that of a proxy say.
func ConnectAt(dialer, listener *Host, node *enode.Node, n int, timeout time.Duration) (*Link, error) {
	dialer.AddPeer(node)
	d, err := dialer.Ends(n, timeout)
	if err != nil {
		return nil, err
	}
	l, err := listener.Ends(n, timeout)
	if err != nil {
		return nil, err
	}
	return &Link{Dialer: byName(d), Listener: byName(l)}, nil
}

func byName(ends []*End) map[string]*End {
	m := make(map[string]*End, len(ends))
	for _, e := range ends {
		m[e.Proto] = e
	}
	return m
}

// Echo answers each message with the same one until the link ends.
func Echo(e *End) error {
	for {
		m, err := e.RW.Read()
		if err != nil {
			return err
		}
		if err := e.RW.Write(m.Code, m.Size, m.Payload); err != nil {
			return err
		}
	}
}

// Sink discards every message until the link ends.
func Sink(e *End) error {
	for {
		if _, _, err := e.RW.Skip(); err != nil {
			return err
		}
	}
}

// Hold leaves the end to others until something comes on End.Return.
func Hold(e *End) error { return <-e.Return }
