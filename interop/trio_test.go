package interop

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/log"
	"github.com/ethereum/go-ethereum/p2p/enode"

	"github.com/sennit-net/sennit/p2p"
	"github.com/sennit-net/sennit/protocols/bzz"
	"github.com/sennit-net/sennit/protocols/bzz/file"
	"github.com/sennit-net/sennit/protocols/bzz/store"
	"github.com/sennit-net/sennit/protocols/eth"
	"github.com/sennit-net/sennit/protocols/shh"
)

// allThree is one node of ours that speaks eth, shh and bzz on one server.
type allThree struct {
	eth    *ethNode
	shh    *whisperNode
	bzz    *swarmNode
	server *p2p.Server
}

func startAllThree(t *testing.T, chain eth.Backend) *allThree {
	t.Helper()
	key, err := crypto.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	h, err := eth.New(eth.Config{Backend: chain, Versions: []uint{63}})
	if err != nil {
		t.Fatal(err)
	}
	w, err := shh.New(shh.Config{Logger: log.NewLogger(log.DiscardHandler())})
	if err != nil {
		t.Fatal(err)
	}
	base := bzz.OverlayOf(&key.PublicKey)
	chunks := store.NewMemory(store.Options{Base: base})
	b, err := bzz.New(bzz.Config{Overlay: base, Store: chunks, SyncDelay: 100 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	server := &p2p.Server{Config: p2p.Config{
		PrivateKey: key, Name: "sennit/interop", MaxPeers: 10, ListenAddr: "127.0.0.1:0", NoDiscovery: true,
		Logger: log.NewLogger(log.DiscardHandler()),
	}}
	for _, list := range [][]p2p.Protocol{h.Protocols(), w.Protocols(), b.Protocols()} {
		server.Protocols = append(server.Protocols, list...)
	}
	n := &allThree{
		server: server,
		eth:    &ethNode{Server: server, eth: h, sub: h.Subscribe(0)},
		shh:    &whisperNode{Whisper: w, server: server, key: key},
		bzz:    &swarmNode{Node: b, server: server, chunks: chunks, base: base},
	}
	if n.shh.symKey, err = shh.SymKeyFromPassword("test"); err != nil {
		t.Fatal(err)
	}
	n.shh.sym = n.shh.listen(t, shh.Filter{SymKey: n.shh.symKey, Topics: []shh.Topic{whisperTopic}})
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	if err := b.Start(server); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		server.Stop()
		b.Stop()
		h.Close()
	})
	return n
}

// TestThreeProtocolsShareALinkWithGoEthereum links a node of ours with go-ethereum 1.8.27, either side dialing, by a single
// connection on which eth/63, shh/6 and bzz/8 with hive/8 and stream/8 run. A file of 10 MB goes either way, and while each
// is under way headers are fetched and messages are exchanged; go-ethereum downloads the chain from us as well.
func TestThreeProtocolsShareALinkWithGoEthereum(t *testing.T) {
	t.Parallel()
	full := startOldGeth(t, 40)
	asking := startEth(t, eth.Config{Backend: eth.NewObserver(full.on)})
	chain := oldChain{fetchChain(t, linkOldGeth(t, asking, full, true), full.on), full.head.TD}
	full.Kill()
	for _, weDial := range []bool{true, false} {
		t.Run(map[bool]string{true: "we dial", false: "they dial"}[weDial], func(t *testing.T) {
			t.Parallel()
			n := startAllThree(t, chain)
			them := startCounterpart(t, "swarm", "trio", "-blocks", "5")
			if weDial {
				n.server.AddPeer(them.node)
			} else {
				them.Say("dial %s", n.server.Self().URLv4())
			}
			for _, proto := range []string{"eth", "shh", "bzz", "hive", "stream"} {
				them.expect("RUN+ " + id(n.server.Self()) + " " + proto)
			}
			p := awaitEth(t, n.eth, anyEvent[*eth.PeerJoined]).Peer
			n.shh.awaitWhisper(t, them.node.ID())

			path, content := randomFile(t, 10_000_000)
			them.Say("upload %s", path)
			hash := strings.Fields(them.expect("UPLOADED "))[1]
			down := make(chan error, 1)
			go func() { down <- n.bzz.compare(hash, content) }()
			n.carry(t, them, p, "down", func() bool { return len(down) > 0 })
			if err := <-down; err != nil {
				t.Fatal(err)
			}
			_, content = randomFile(t, 10_000_000)
			ref := n.bzz.upload(t, content, file.SplitOptions{})
			them.Say("download %s %s", ref, path)
			n.carry(t, them, p, "up", func() bool { return them.has("DOWNLOADED ") })
			if l := them.expect("DOWNLOADED "); l != fmt.Sprintf("DOWNLOADED %d <nil>", len(content)) {
				t.Fatal(l)
			}
			if got, err := os.ReadFile(path); err != nil || !bytes.Equal(got, content) {
				t.Fatalf("what they download is not what we uploaded: %v", err)
			}

			awaitTheirHead(t, them, chain.Head().Hash)
			if them.has("RUN-") {
				t.Errorf("the link did not stay up: %s", them.expect("RUN-"))
			}
			n.checkTraffic(t, them.node)
		})
	}
}

// compare downloads a file and wants it to have a content.
func (s *swarmNode) compare(hash string, content []byte) error {
	got, err := s.fetch(hash)
	if err == nil && !bytes.Equal(got, content) {
		err = errors.New("what we download is not what they uploaded")
	}
	return err
}

// carry fetches headers and exchanges messages until a file has gone over the link. All three must have got on meanwhile.
func (n *allThree) carry(t *testing.T, them *counterpart, p *eth.Peer, way string, done func() bool) {
	t.Helper()
	before := n.traffic(t, them.node)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	rounds := 0
	for ; !done(); rounds++ {
		if got, err := p.Headers(ctx, eth.HeadersQuery{Amount: 5}); err != nil || len(got) == 0 {
			t.Fatalf("headers: %d, %v", len(got), err)
		}
		text := fmt.Sprintf("%s %d", way, rounds)
		n.shh.post(t, shh.Outgoing{Payload: []byte("from us " + text), TTL: 50 * time.Second})
		them.expect(fmt.Sprintf("MSG %q", "from us "+text))
		them.Say("post from them %s", text)
		hear(t, n.shh.sym, "from them "+text)
	}
	t.Logf("%s: while the file was under way, %d answers with headers, and as many messages to and fro", way, rounds)
	after := n.traffic(t, them.node)
	for _, proto := range []string{"eth", "shh", "stream"} {
		if after[proto] == before[proto] {
			t.Errorf("%s has carried nothing while the file was under way", proto)
		}
	}
}

// traffic returns how many messages each protocol has carried on the only link, both ways together.
func (n *allThree) traffic(t *testing.T, node *enode.Node) map[string]uint64 {
	t.Helper()
	peers := n.server.Peers()
	if len(peers) != 1 || peers[0].ID() != node.ID() {
		t.Fatalf("there are %d links", len(peers))
	}
	sums := make(map[string]uint64)
	for _, s := range peers[0].Stats().Protocols {
		sums[s.Name] = s.MessagesIn + s.MessagesOut
	}
	return sums
}

// checkTraffic wants every protocol to have been used on the only link, and nothing dropped or stopped.
func (n *allThree) checkTraffic(t *testing.T, node *enode.Node) {
	t.Helper()
	for name, sum := range n.traffic(t, node) {
		if sum == 0 {
			t.Errorf("%s has carried nothing", name)
		}
	}
	for _, s := range n.server.Peers()[0].Stats().Protocols {
		t.Logf("%s/%d: %d messages and %d bytes in, %d and %d out", s.Name, s.Version, s.MessagesIn, s.BytesIn, s.MessagesOut, s.BytesOut)
		if s.Dropped != 0 || s.Stopped {
			t.Errorf("%s: %d messages were dropped, stopped: %v", s.Name, s.Dropped, s.Stopped)
		}
	}
}

// awaitTheirHead waits until the counterpart has downloaded the chain up to a block.
func awaitTheirHead(t *testing.T, them *counterpart, hash common.Hash) {
	t.Helper()
	timeout, again := time.After(patience), time.NewTicker(200*time.Millisecond)
	defer again.Stop()
	them.expect("HEAD ") // the one it began with
	for {
		them.Say("head")
		if l := strings.Fields(them.expect("HEAD ")); common.HexToHash(l[2]) == hash {
			return
		}
		select {
		case <-again.C:
		case <-timeout:
			t.Fatal("they do not download the chain")
		}
	}
}
