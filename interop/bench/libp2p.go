package main

import (
	"bufio"
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/peerstore"
	"github.com/libp2p/go-libp2p/core/protocol"
	"github.com/libp2p/go-libp2p/core/sec"
	blankhost "github.com/libp2p/go-libp2p/p2p/host/blank"
	"github.com/libp2p/go-libp2p/p2p/host/eventbus"
	"github.com/libp2p/go-libp2p/p2p/host/peerstore/pstoremem"
	"github.com/libp2p/go-libp2p/p2p/muxer/yamux"
	"github.com/libp2p/go-libp2p/p2p/net/swarm"
	"github.com/libp2p/go-libp2p/p2p/net/upgrader"
	libp2ptls "github.com/libp2p/go-libp2p/p2p/security/tls"
	"github.com/libp2p/go-libp2p/p2p/transport/tcp"
	"github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"

	"github.com/sennit-net/sennit/interop/stack"
)

const (
	// lengthSize is what stands before each message on a stream: its length, big-endian.
	lengthSize = 4
	// streamBuffer is what a reader takes from a stream at once.
	streamBuffer = 64 << 10
	// maxMessage is one more than the largest message, as in devp2p.
	maxMessage = 1 << 24
)

// libp2pNode is a go-libp2p host with TCP, TLS and yamux and nothing else: no discovery, no identify, no relay. A protocol
// is one stream.
type libp2pNode struct {
	host    *blankhost.BlankHost
	store   peerstore.Peerstore
	ends    chan *stack.End // of streams that the other side has opened
	running sync.WaitGroup

	mu   sync.Mutex
	open []*stack.End // guarded by mu: ends whose Serve has begun
}

func newLibp2pNode() (*libp2pNode, error) {
	key, _, err := crypto.GenerateEd25519Key(rand.Reader)
	if err != nil {
		return nil, err
	}
	id, err := peer.IDFromPrivateKey(key)
	if err != nil {
		return nil, err
	}
	store, err := pstoremem.NewPeerstore()
	if err != nil {
		return nil, err
	}
	if err := errors.Join(store.AddPrivKey(id, key), store.AddPubKey(id, key.GetPublic())); err != nil {
		return nil, err
	}
	net, err := newSwarm(id, key, store)
	if err != nil {
		return nil, errors.Join(err, store.Close())
	}
	return &libp2pNode{host: blankhost.NewBlankHost(net), store: store, ends: make(chan *stack.End, 16)}, nil
}

// newSwarm returns a network whose one transport is TCP with TLS and yamux, which TLS negotiates.
func newSwarm(id peer.ID, key crypto.PrivKey, store peerstore.Peerstore) (*swarm.Swarm, error) {
	muxers := []upgrader.StreamMuxer{{ID: yamux.ID, Muxer: yamux.DefaultTransport}}
	secure, err := libp2ptls.New(libp2ptls.ID, key, muxers)
	if err != nil {
		return nil, err
	}
	up, err := upgrader.New([]sec.SecureTransport{secure}, muxers, nil, nil, nil)
	if err != nil {
		return nil, err
	}
	transport, err := tcp.NewTCPTransport(up, nil, nil)
	if err != nil {
		return nil, err
	}
	s, err := swarm.NewSwarm(id, store, eventbus.NewBus())
	if err != nil {
		return nil, err
	}
	if err := s.AddTransport(transport); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// run serves a stream until serve returns.
func (n *libp2pNode) run(name string, s network.Stream, serve func(*stack.End) error) *stack.End {
	e := &stack.End{Proto: name, RW: newStreamRW(s), Return: make(chan error, 1), Done: make(chan struct{})}
	n.mu.Lock()
	n.open = append(n.open, e)
	n.mu.Unlock()
	n.running.Go(func() {
		defer close(e.Done)
		_ = serve(e) // the end of the link, which is how every Serve ends
	})
	return e
}

// close has every Serve return and ends the node.
func (n *libp2pNode) close() {
	n.mu.Lock()
	for _, e := range n.open {
		select {
		case e.Return <- nil:
		default:
		}
	}
	n.mu.Unlock()
	_ = n.host.Close()
	_ = n.store.Close()
	n.running.Wait()
}

func streamID(name string) protocol.ID { return protocol.ID("/" + name + "/1") }

// linkLibp2p is the linker of go-libp2p.
func linkLibp2p(_ variant, wire wiring, protos []proto) (*pair, error) {
	l, err := newLibp2pNode()
	if err != nil {
		return nil, err
	}
	d, err := newLibp2pNode()
	if err != nil {
		l.close()
		return nil, err
	}
	p, err := connectLibp2p(d, l, wire, protos)
	if err != nil {
		l.close()
		d.close()
		return nil, err
	}
	return p, nil
}

// connectLibp2p has d dial l by way of wire and open a stream for each protocol.
func connectLibp2p(d, l *libp2pNode, wire wiring, protos []proto) (*pair, error) {
	for _, p := range protos {
		l.host.SetStreamHandler(streamID(p.name), func(s network.Stream) { l.ends <- l.run(p.name, s, p.listener) })
	}
	if err := l.host.Network().Listen(multiaddr.StringCast("/ip4/127.0.0.1/tcp/0")); err != nil {
		return nil, err
	}
	addr, err := manet.ToNetAddr(l.host.Addrs()[0])
	if err != nil {
		return nil, err
	}
	proxy, err := wire(addr.(*net.TCPAddr))
	if err != nil {
		return nil, err
	}
	if proxy != nil {
		addr = proxy.Addr()
	}
	p := &pair{Link: &stack.Link{Dialer: map[string]*stack.End{}, Listener: map[string]*stack.End{}}, wire: proxy, stop: func() {
		closeWire(proxy)
		l.close()
		d.close()
	}}
	if err := openStreams(p, d, l, addr, protos); err != nil {
		closeWire(proxy)
		return nil, err
	}
	return p, nil
}

func openStreams(p *pair, d, l *libp2pNode, addr net.Addr, protos []proto) error {
	ctx, cancel := context.WithTimeout(context.Background(), setupTime)
	defer cancel()
	maddr, err := manet.FromNetAddr(addr)
	if err != nil {
		return err
	}
	if err := d.host.Connect(ctx, peer.AddrInfo{ID: l.host.ID(), Addrs: []multiaddr.Multiaddr{maddr}}); err != nil {
		return err
	}
	for _, proto := range protos {
		s, err := d.host.NewStream(ctx, l.host.ID(), streamID(proto.name))
		if err != nil {
			return err
		}
		p.Dialer[proto.name] = d.run(proto.name, s, proto.dialer)
		select {
		case e := <-l.ends:
			p.Listener[e.Proto] = e
		case <-ctx.Done():
			return fmt.Errorf("go-libp2p: stream %s does not come up: %w", proto.name, ctx.Err())
		}
	}
	return nil
}

// streamRW puts messages on a stream: 4 bytes of length, then the payload; one write for each. Codes are not sent, nobody here
// looks at them. One goroutine may read while many write.
type streamRW struct {
	stream network.Stream
	out    chan []byte // the one buffer to write from; who has it writes

	// Owned by the goroutine that reads.
	in      *bufio.Reader
	payload io.LimitedReader
}

func newStreamRW(s network.Stream) *streamRW {
	rw := &streamRW{stream: s, out: make(chan []byte, 1), in: bufio.NewReaderSize(s, streamBuffer)}
	rw.out <- nil
	return rw
}

func (rw *streamRW) length() (uint32, error) {
	head, err := rw.in.Peek(lengthSize)
	if err != nil {
		return 0, err
	}
	size := binary.BigEndian.Uint32(head)
	if size >= maxMessage {
		return 0, fmt.Errorf("a message of %d bytes, at most %d are allowed", size, maxMessage)
	}
	_, err = rw.in.Discard(lengthSize)
	return size, err
}

// Read implements [stack.ReadWriter]; the payload is good until Read is called again.
func (rw *streamRW) Read() (stack.Msg, error) {
	size, err := rw.length()
	if err != nil {
		return stack.Msg{}, err
	}
	rw.payload = io.LimitedReader{R: rw.in, N: int64(size)}
	return stack.Msg{Size: size, Payload: &rw.payload}, nil
}

// Skip implements [stack.ReadWriter].
func (rw *streamRW) Skip() (uint64, uint32, error) {
	size, err := rw.length()
	if err != nil {
		return 0, 0, err
	}
	_, err = rw.in.Discard(int(size))
	return 0, size, err
}

// Decode implements [stack.ReadWriter]: RLP belongs to devp2p, so there is nothing to decode.
func (rw *streamRW) Decode(any) error { return errors.ErrUnsupported }

// Write implements [stack.ReadWriter].
func (rw *streamRW) Write(_ uint64, size uint32, payload io.Reader) error {
	buf := <-rw.out
	defer func() { rw.out <- buf }()
	n := lengthSize + int(size)
	if len(buf) < n {
		buf = make([]byte, n)
	}
	binary.BigEndian.PutUint32(buf, size)
	if _, err := io.ReadFull(payload, buf[lengthSize:n]); err != nil {
		return err
	}
	_, err := rw.stream.Write(buf[:n])
	return err
}
