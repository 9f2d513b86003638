package silence

import (
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/log"
	"go.uber.org/goleak"

	"github.com/sennit-net/sennit/p2p"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m,
		// Of a server's node database: it ends by itself, a second after the database was closed.
		goleak.IgnoreTopFunction("github.com/syndtr/goleveldb/leveldb.(*DB).mpoolDrain"))
}

func serve(t *testing.T, protocols ...p2p.Protocol) *p2p.Server {
	t.Helper()
	key, err := crypto.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	s := &p2p.Server{Config: p2p.Config{
		PrivateKey: key, Name: "test", MaxPeers: 10, ListenAddr: "127.0.0.1:0", NoDiscovery: true, NoLanes: true, Protocols: protocols,
		Logger: log.NewLogger(log.DiscardHandler()),
	}}
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Stop)
	return s
}

func TestTheLastThatWouldFallSilentHasToEndTheLink(t *testing.T) {
	links := make(chan *p2p.Peer, 2)
	protocol := func(name string) p2p.Protocol {
		return p2p.Protocol{Name: name, Version: 1, Length: 1, Run: func(peer *p2p.Peer, rw p2p.MsgReadWriter) error {
			defer End(peer, name)
			links <- peer
			return Discard(rw)
		}}
	}
	quiet := func(name string) p2p.Protocol {
		return p2p.Protocol{Name: name, Version: 1, Length: 1, Run: func(_ *p2p.Peer, rw p2p.MsgReadWriter) error { return Discard(rw) }}
	}
	us, them := serve(t, protocol("aaa"), protocol("bbb")), serve(t, quiet("aaa"), quiet("bbb"))
	us.AddPeer(them.Self())
	var peer *p2p.Peer
	for range 2 {
		select {
		case peer = <-links:
		case <-time.After(time.Minute):
			t.Fatal("no link")
		}
	}
	if Begin(peer, "aaa", "bbb") {
		t.Error("all fall silent at once, and the link goes on")
	}
	for range 2 { // the second time changes nothing
		if !Begin(peer, "aaa") || !Silent(peer, "aaa") {
			t.Error("the link does not go on for the other one")
		}
	}
	if Begin(peer, "bbb") || Silent(peer, "bbb") {
		t.Error("the link goes on for nobody")
	}
	us.Stop()
	if Silent(peer, "aaa") {
		t.Error("a link that has ended is remembered")
	}
}
