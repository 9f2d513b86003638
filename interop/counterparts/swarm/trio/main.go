// Command trio runs three systems of go-ethereum 1.8.27 in one process and on one server of its peer layer, as they
// shipped: Ethereum (eth/63, eth/62), Whisper (shh/6) and Swarm (bzz/8, hive/8, stream/8). It listens on 127.0.0.1.
//
// The chain is a private one, network id 1337, with fake proof of work. Its first blocks are always the same, so nodes
// with the same -blocks agree on the head, and one with fewer syncs those it lacks.
//
// It prints OVERLAY, HEAD, CAPS and ENODE lines, then what package kit says. The commands it takes on standard input are
// those of kit.Swarm and kit.ServerCommands, and
//
//	tx         send a transaction: TX hash error
//	mine       make a block and send it: HEAD number hash ...
//	head       HEAD number hash td genesis
//	post TEXT  send a Whisper message: POSTED hash error
//	quit
package main

import (
	"flag"
	"fmt"
	"io/ioutil"
	"os"
	"time"

	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/log"
	"github.com/ethereum/go-ethereum/node"
	"github.com/ethereum/go-ethereum/p2p"
	"github.com/ethereum/go-ethereum/rpc"

	"github.com/sennit-net/sennit/interop/counterparts/swarm/kit"
)

// tapped is a service whose protocols are tapped.
type tapped struct {
	node.Service
	all bool
}

// Protocols implements node.Service.
func (t tapped) Protocols() []p2p.Protocol { return kit.Tap(t.Service.Protocols(), t.all) }

// One type for each system, since a node refuses two services of the same type.
type (
	ethService   struct{ tapped }
	shhService   struct{ tapped }
	swarmService struct{ tapped }
)

// swarmNode makes a Swarm a node.Service.
type swarmNode struct{ *kit.Swarm }

// Protocols implements node.Service.
func (b swarmNode) Protocols() []p2p.Protocol { return b.Bzz.Protocols() }

// APIs implements node.Service.
func (b swarmNode) APIs() []rpc.API { return nil }

// Start implements node.Service.
func (b swarmNode) Start(srv *p2p.Server) error { return b.Swarm.Start(srv) }

// Stop implements node.Service.
func (b swarmNode) Stop() error { return b.Bzz.Stop() }

func main() {
	var (
		port    = flag.Int("port", 0, "TCP port on 127.0.0.1, 0 for any")
		blocks  = flag.Int("blocks", 16, "blocks of the chain")
		minpow  = flag.Float64("minpow", 0, "least proof of work that Whisper accepts")
		syncing = flag.Bool("sync", false, "Swarm syncs with neighbours as well as retrieves")
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
	dir, err := ioutil.TempDir("", "trio")
	kit.Die("directory", err)
	defer os.RemoveAll(dir)
	stack, err := node.New(&node.Config{
		Name: "geth", Version: "1.8.27-trio", NoUSB: true,
		P2P: p2p.Config{PrivateKey: key, MaxPeers: 25, NoDiscovery: true, ListenAddr: fmt.Sprintf("127.0.0.1:%d", *port)},
	})
	kit.Die("node", err)

	var ch chain
	kit.Die("eth", stack.Register(func(ctx *node.ServiceContext) (node.Service, error) {
		err := ch.open(ctx)
		return ethService{tapped{ch.eth, *all}}, err
	}))
	wh, err := kit.NewShh("test", "deadbeef", *minpow)
	kit.Die("shh", err)
	kit.Die("shh", stack.Register(func(*node.ServiceContext) (node.Service, error) {
		return shhService{tapped{wh.W, *all}}, nil
	}))
	sw, err := kit.NewSwarm(kit.SwarmConfig{Key: key, Dir: dir, Network: 3, Sync: *syncing, Delay: 2 * time.Second})
	kit.Die("swarm", err)
	kit.Die("swarm", stack.Register(func(*node.ServiceContext) (node.Service, error) {
		return swarmService{tapped{swarmNode{sw}, *all}}, nil
	}))
	kit.Die("start", stack.Start())
	ch.extend(*blocks)
	kit.Say("OVERLAY %x", sw.Overlay)
	ch.say()
	kit.Announce(stack.Server(), *dial)
	commands := kit.Join(sw.Commands(), kit.ServerCommands(stack.Server()), ch.commands())
	commands["post"] = wh.Post
	kit.Console(commands)
	_ = stack.Stop()
}
