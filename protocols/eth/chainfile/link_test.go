package chainfile

import (
	"bytes"
	"context"
	"io"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/log"
	"go.uber.org/goleak"

	"github.com/sennit-net/sennit/p2p"
	"github.com/sennit-net/sennit/protocols/eth"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m,
		// Of a server's node database: it ends by itself, a second after the database was closed.
		goleak.IgnoreTopFunction("github.com/syndtr/goleveldb/leveldb.(*DB).mpoolDrain"))
}

// serve starts a server on 127.0.0.1 that the test's end stops.
func serve(t testing.TB, noLanes bool, protocols []p2p.Protocol) *p2p.Server {
	t.Helper()
	key, err := crypto.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	s := &p2p.Server{Config: p2p.Config{
		PrivateKey: key, Name: "test", MaxPeers: 5, ListenAddr: "127.0.0.1:0", NoDiscovery: true, NoLanes: noLanes, Protocols: protocols, Logger: log.NewLogger(log.DiscardHandler()),
	}}
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Stop)
	return s
}

// serveChain starts a server that serves a chain.
func serveChain(t testing.TB, noLanes bool, c *Chain) *p2p.Server {
	t.Helper()
	h, err := eth.New(eth.Config{Backend: c, Logger: log.NewLogger(log.DiscardHandler())})
	if err != nil {
		t.Fatal(err)
	}
	s := serve(t, noLanes, h.Protocols())
	t.Cleanup(h.Close)
	return s
}

func TestAPeerReadsTheWholeChain(t *testing.T) {
	m := makeChain(t, 1500)
	server := serveChain(t, false, open(t, m.options()))
	for _, version := range eth.Versions() {
		h, err := eth.New(eth.Config{Backend: eth.NewObserver(mustGenesis(t, m).Chain(0)), Versions: []uint{version}, Logger: log.NewLogger(log.DiscardHandler())})
		if err != nil {
			t.Fatal(err)
		}
		sub := h.Subscribe(0)
		client := serve(t, false, h.Protocols())
		t.Cleanup(h.Close)
		client.AddPeer(server.Self())
		peer := awaitPeer(t, sub)
		readChain(t, m, peer)
		client.RemovePeer(server.Self())
	}
}

// readChain compares all that a peer serves with what was made.
func readChain(t *testing.T, m *made, peer *eth.Peer) {
	t.Helper()
	ctx, last := t.Context(), len(m.hashes)-1
	var hashes []common.Hash
	for len(hashes) <= last {
		headers, err := peer.Headers(ctx, eth.HeadersQuery{Start: eth.Start{Number: uint64(len(hashes))}, Amount: eth.MaxHeaders})
		if err != nil || len(headers) == 0 {
			t.Fatalf("version %d: after %d headers: %v", peer.Version(), len(hashes), err)
		}
		for _, h := range headers {
			hashes = append(hashes, h.Hash())
		}
	}
	for n, hash := range hashes {
		if hash != m.hashes[n] {
			t.Fatalf("version %d: block %d is %v", peer.Version(), n, hash)
		}
	}
	bodies, err := peer.Bodies(ctx, hashes[:500])
	if err != nil || len(bodies) != 500 {
		t.Fatalf("version %d: %d bodies, %v", peer.Version(), len(bodies), err)
	}
	receipts, err := peer.Receipts(ctx, hashes[:500])
	if err != nil || len(receipts) != 500 {
		t.Fatalf("version %d: receipts of %d blocks, %v", peer.Version(), len(receipts), err)
	}
	for n := range bodies {
		if len(bodies[n].Transactions) != n%4 || len(receipts[n]) != n%4 {
			t.Fatalf("version %d: block %d has %d transactions, %d receipts", peer.Version(), n, len(bodies[n].Transactions), len(receipts[n]))
		}
	}
}

func mustGenesis(t testing.TB, m *made) *Genesis {
	t.Helper()
	g, err := ReadGenesis(m.genesis)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// awaitPeer returns the next peer that has finished its handshake.
func awaitPeer(t testing.TB, sub *eth.Subscription) *eth.Peer {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	for e := range sub.Events(ctx) {
		if joined, ok := e.(*eth.PeerJoined); ok {
			return joined.Peer
		}
	}
	t.Fatal("no peer")
	return nil
}

// BenchmarkHeadersOverALink reads the headers of a chain of 100,000 blocks from another server, in answers of 1024, on an
// RLPx link and on one with lanes. What it gets it counts and does not look at.
func BenchmarkHeadersOverALink(b *testing.B) {
	c := open(b, makeChain(b, benchBlocks).options())
	for name, noLanes := range map[string]bool{"rlpx": true, "lanes": false} {
		b.Run(name, func(b *testing.B) {
			server := serveChain(b, noLanes, c)
			reader := &headerReader{left: b.N, done: make(chan error, 1)}
			client := serve(b, noLanes, []p2p.Protocol{{Name: eth.Name, Version: 69, Length: eth.Length(69), Run: reader.run}})
			reader.peered = make(chan struct{})
			client.AddPeer(server.Self())
			<-reader.peered
			b.ResetTimer()
			if err := <-reader.done; err != nil {
				b.Fatal(err)
			}
			b.ReportMetric(float64(reader.headers)/b.Elapsed().Seconds(), "headers/s")
			b.ReportMetric(float64(reader.bytes)/b.Elapsed().Seconds()/1e6, "MB/s")
		})
	}
}

// headerReader asks for answers of 1024 headers, several ahead.
type headerReader struct {
	left           int // answers
	peered         chan struct{}
	done           chan error
	headers, bytes int
}

const readAhead = 4

func (r *headerReader) run(_ *p2p.Peer, rw p2p.MsgReadWriter) error {
	err := r.read(rw)
	r.done <- err
	return err
}

func (r *headerReader) read(rw p2p.MsgReadWriter) error {
	status, err := rw.ReadMsg()
	if err != nil {
		return err
	}
	payload, err := io.ReadAll(status.Payload)
	if err != nil {
		return err
	}
	if err := send(rw, eth.CodeStatus, payload); err != nil { // the same chain, the same head
		return err
	}
	close(r.peered)
	asked := 0
	ask := func() error {
		asked++
		m := &eth.GetBlockHeaders{ID: uint64(asked), Query: eth.HeadersQuery{Start: eth.Start{Number: uint64(asked) * eth.MaxHeaders % (benchBlocks - eth.MaxHeaders)}, Amount: eth.MaxHeaders}}
		payload, err := eth.Encode(69, m)
		if err != nil {
			return err
		}
		return send(rw, m.Code(), payload)
	}
	for got := 0; got < r.left; {
		for asked < min(got+readAhead, r.left) {
			if err := ask(); err != nil {
				return err
			}
		}
		msg, err := rw.ReadMsg()
		if err != nil {
			return err
		}
		if msg.Code == eth.CodeBlockHeaders {
			got, r.headers, r.bytes = got+1, r.headers+eth.MaxHeaders, r.bytes+int(msg.Size)
		}
		if err := msg.Discard(); err != nil {
			return err
		}
	}
	return nil
}

func send(rw p2p.MsgReadWriter, code uint64, payload []byte) error {
	return rw.WriteMsg(p2p.Msg{Code: code, Size: uint32(len(payload)), Payload: bytes.NewReader(payload)})
}
