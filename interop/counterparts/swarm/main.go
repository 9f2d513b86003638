// Command swarm runs the Swarm of go-ethereum 1.8.27 (bzz/8, hive/8, stream/8) on a real server of its peer layer, which
// listens on 127.0.0.1. It prints OVERLAY, CAPS and ENODE lines, then what package kit says; the commands it takes on
// standard input are those of kit.Swarm and kit.ServerCommands, and quit. It quits as well when its input ends.
package main

import (
	"flag"
	"fmt"
	"io/ioutil"
	"os"
	"time"

	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/log"
	"github.com/ethereum/go-ethereum/p2p"

	"github.com/sennit-net/sennit/interop/counterparts/swarm/kit"
)

func main() {
	var (
		port    = flag.Int("port", 0, "TCP port on 127.0.0.1, 0 for any")
		network = flag.Uint64("network", 3, "network id")
		light   = flag.Bool("light", false, "be a light node")
		syncing = flag.Bool("sync", false, "sync with neighbours as well as retrieve")
		delay   = flag.Duration("delay", 2*time.Second, "wait before it is decided what to sync")
		all     = flag.Bool("tap", false, "print every message")
		keyhex  = flag.String("key", "", "node key in hex (empty: random)")
		dial    = flag.String("dial", "", "enode URLs to dial, separated by commas")
		verb    = flag.Int("v", 1, "log level")
	)
	flag.Parse()
	log.Root().SetHandler(log.LvlFilterHandler(log.Lvl(*verb), log.StreamHandler(os.Stderr, log.TerminalFormat(false))))
	key, err := crypto.GenerateKey()
	if *keyhex != "" {
		key, err = crypto.HexToECDSA(*keyhex)
	}
	kit.Die("key", err)
	dir, err := ioutil.TempDir("", "swarm")
	kit.Die("directory", err)
	defer os.RemoveAll(dir)

	sw, err := kit.NewSwarm(kit.SwarmConfig{Key: key, Dir: dir, Network: *network, Light: *light, Sync: *syncing, Delay: *delay})
	kit.Die("swarm", err)
	srv := &p2p.Server{Config: p2p.Config{
		PrivateKey: key, MaxPeers: 25, NoDiscovery: true, Name: "Geth/v1.8.27-swarm",
		ListenAddr: fmt.Sprintf("127.0.0.1:%d", *port), Protocols: kit.Tap(sw.Bzz.Protocols(), *all),
	}}
	kit.Die("server", srv.Start())
	kit.Die("bzz", sw.Start(srv))
	kit.Say("OVERLAY %x", sw.Overlay)
	kit.Announce(srv, *dial)
	kit.Console(kit.Join(sw.Commands(), kit.ServerCommands(srv)))
	_ = sw.Bzz.Stop()
	srv.Stop()
}
