package bzz

import (
	"context"
	"log/slog"
	"os"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/log"
	"github.com/sennit-net/sennit/p2p"
	"github.com/ethereum/go-ethereum/p2p/enode"
	"github.com/sennit-net/sennit/protocols/bzz/chunk"
	"github.com/sennit-net/sennit/protocols/bzz/store"
)

func TestSmoke(t *testing.T) {
	e := os.Getenv("E")
	key, _ := crypto.GenerateKey()
	lg := log.NewLogger(log.NewTerminalHandlerWithLevel(os.Stderr, slog.LevelDebug, false))
	ov := OverlayOf(&key.PublicKey)
	st := store.NewMemory(store.Options{Base: ov})
	n, err := New(Config{Overlay: ov, Store: st, Logger: lg, SyncDelay: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	srv := &p2p.Server{Config: p2p.Config{PrivateKey: key, MaxPeers: 10, NoDiscovery: true, ListenAddr: "127.0.0.1:0", Name: "x", Protocols: n.Protocols(), Logger: lg}}
	if err := srv.Start(); err != nil {
		t.Fatal(err)
	}
	n.Start(srv)
	c, _ := chunk.New(6, []byte("sennit"))
	n.Put(context.Background(), c)
	t.Log(c.Address())
	srv.AddPeer(enode.MustParse(e))
	a, _ := chunk.ParseAddress(os.Getenv("A"))
	got, err := n.Get(context.Background(), a)
	t.Log(string(got.Payload()), err)
	time.Sleep(8 * time.Second)
	t.Logf("%+v", n.Stats())
	srv.Stop()
	n.Stop()
}
