// Command geth runs an Ethereum node of go-ethereum v1.17.10, with its chain, its transaction pool and its eth protocol, on
// that release's p2p server and without a consensus client. Its chain is made when it starts, and is the same every time.
//
// It prints
//
//	CHAIN NETWORK-ID GENESIS-HASH GENESIS-TIME CONFIG   what it is on; the configuration is JSON
//	HEAD NUMBER HASH                                    its head, at first and whenever it moves
//	ENODE URL                                           it listens
//	PEER+ ID CAPS, PEER- ID ERROR                       a peer has come, has gone
//	TX HASH                                             a transaction is new in its pool
//	ERR ...                                             something has failed
//
// and takes the commands
//
//	dial URL | tx NONCE BYTES | blob NONCE | sync HASH | quit
//
// With -v4 or -v5 it looks for nodes of its chain as well. tx puts a transaction with so many bytes of data into the pool, blob
// one with a blob; sync downloads the chain up to a block from the peers.
package main

import (
	"bufio"
	"crypto/ecdsa"
	"encoding/json"
	"flag"
	"fmt"
	"log/slog"
	"math/big"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/eth"
	"github.com/ethereum/go-ethereum/eth/ethconfig"
	"github.com/ethereum/go-ethereum/log"
	"github.com/ethereum/go-ethereum/node"
	"github.com/ethereum/go-ethereum/p2p"
	"github.com/ethereum/go-ethereum/p2p/enode"
)

var out sync.Mutex

func say(format string, args ...any) {
	out.Lock()
	defer out.Unlock()
	fmt.Printf(format+"\n", args...)
}

func fail(what string, err error) {
	if err != nil {
		say("ERR %s: %v", what, err)
		os.Exit(1)
	}
}

// program is one node.
type program struct {
	stack   *node.Node
	eth     *eth.Ethereum
	genesis *core.Genesis
}

func main() {
	var (
		blocks   = flag.Int("blocks", 100, "length of the chain that it makes")
		empty    = flag.Bool("empty", false, "start with the genesis block only")
		required = flag.Bool("require", false, "drop peers that have another block 1, or do not answer when asked for it")
		verbose  = flag.Bool("v", false, "log to standard error")
		net      = p2p.Config{ListenAddr: "127.0.0.1:0", MaxPeers: 25}
	)
	flag.BoolVar(&net.DiscoveryV4, "v4", false, "run node discovery v4")
	flag.BoolVar(&net.DiscoveryV5, "v5", false, "run node discovery v5")
	flag.BoolVar(&net.NoDial, "nodial", false, "dial nobody")
	flag.Func("boot", "node that discovery starts from", func(url string) error {
		n, err := enode.Parse(enode.ValidSchemes, url)
		net.BootstrapNodes, net.BootstrapNodesV5 = append(net.BootstrapNodes, n), append(net.BootstrapNodesV5, n)
		return err
	})
	flag.Parse()
	level := log.LevelCrit
	if *verbose {
		level = log.LevelDebug
	}
	log.SetDefault(log.NewLogger(log.NewTerminalHandlerWithLevel(os.Stderr, slog.Level(level), false)))

	p := &program{genesis: newGenesis()}
	chain := makeChain(p.genesis, *blocks)
	p.open(net, chain, *required)
	if !*empty { // before it starts: a peer that comes at once would be told of the genesis block
		n, err := p.eth.BlockChain().InsertChain(chain)
		fail(fmt.Sprintf("block %d", n), err)
	}
	p.start()
	p.report()
	p.commands()
	fail("stop", p.stack.Close())
}

// open makes the node.
func (p *program) open(net p2p.Config, chain []*types.Block, required bool) {
	var err error
	net.PrivateKey, err = crypto.GenerateKey()
	fail("key", err)
	net.NoDiscovery = !net.DiscoveryV4 && !net.DiscoveryV5
	p.stack, err = node.New(&node.Config{Name: "geth", Version: "1.17.10", P2P: net})
	fail("node", err)
	config := ethconfig.Defaults
	config.Genesis, config.NetworkId = p.genesis, p.genesis.Config.ChainID.Uint64()
	config.SyncMode = ethconfig.FullSync
	config.DatabaseCache, config.TrieCleanCache, config.TrieDirtyCache, config.SnapshotCache = 16, 16, 16, 0
	if required {
		config.RequiredBlocks = map[uint64]common.Hash{1: chain[0].Hash()}
	}
	p.eth, err = eth.New(p.stack, &config)
	fail("eth", err)
}

// start starts the node. It counts as synced, or it would ignore transactions.
func (p *program) start() {
	fail("start", p.stack.Start())
	p.eth.SetSynced()
}

// report prints what there is to know, and goes on to print what happens.
func (p *program) report() {
	chain := p.eth.BlockChain()
	config, err := json.Marshal(p.genesis.Config)
	fail("config", err)
	say("CHAIN %d %v %d %s", p.genesis.Config.ChainID, chain.Genesis().Hash(), p.genesis.Timestamp, config)
	head := chain.CurrentBlock()
	say("HEAD %v %v", head.Number, head.Hash())

	heads := make(chan core.ChainHeadEvent, 1024)
	txs := make(chan core.NewTxsEvent, 1024)
	peers := make(chan *p2p.PeerEvent, 1024)
	chain.SubscribeChainHeadEvent(heads)
	p.eth.TxPool().SubscribeTransactions(txs, false)
	p.stack.Server().SubscribeEvents(peers)
	go func() {
		for {
			select {
			case e := <-heads:
				say("HEAD %v %v", e.Header.Number, e.Header.Hash())
			case e := <-txs:
				for _, tx := range e.Txs {
					say("TX %v", tx.Hash())
				}
			case e := <-peers:
				p.sayPeer(e)
			}
		}
	}()
	say("ENODE %s", p.stack.Server().Self().URLv4())
}

func (p *program) sayPeer(e *p2p.PeerEvent) {
	switch e.Type {
	case p2p.PeerEventTypeAdd:
		for _, info := range p.stack.Server().PeersInfo() {
			if info.ID == e.Peer.String() {
				say("PEER+ %v %s", e.Peer, strings.Join(info.Caps, ","))
			}
		}
	case p2p.PeerEventTypeDrop:
		say("PEER- %v %s", e.Peer, e.Error)
	}
}

// commands does what standard input says until it ends.
func (p *program) commands() {
	scanner := bufio.NewScanner(os.Stdin)
	for scanner.Scan() {
		words := strings.Fields(scanner.Text())
		if len(words) == 0 {
			continue
		}
		if words[0] == "quit" {
			return
		}
		if err := p.command(words); err != nil {
			say("ERR %s: %v", scanner.Text(), err)
		}
	}
}

func (p *program) command(words []string) error {
	switch arg := append(words, "", ""); arg[0] {
	case "dial":
		n, err := enode.Parse(enode.ValidSchemes, arg[1])
		if err != nil {
			return err
		}
		p.stack.Server().AddPeer(n)
		return nil
	case "tx":
		var nonce uint64
		var size int
		if _, err := fmt.Sscan(arg[1]+" "+arg[2], &nonce, &size); err != nil {
			return err
		}
		return p.eth.TxPool().Add([]*types.Transaction{newTx(p.genesis.Config.ChainID, funded, nonce, nil, size)}, false)[0]
	case "blob":
		nonce, err := strconv.ParseUint(arg[1], 10, 64)
		if err != nil {
			return err
		}
		tx, err := newBlobTx(p.genesis.Config.ChainID, nonce)
		if err != nil {
			return err
		}
		return p.eth.TxPool().Add([]*types.Transaction{tx}, false)[0]
	case "sync":
		return p.sync(common.HexToHash(arg[1]))
	}
	return fmt.Errorf("no such command")
}

// sync downloads the chain up to a block. A peer that has just come may not be one to download from yet.
func (p *program) sync(hash common.Hash) error {
	for tries := 0; ; tries++ {
		header, err := p.eth.Downloader().GetHeader(hash)
		if err == nil {
			return p.eth.Downloader().BeaconSync(header, header)
		}
		if tries == 100 {
			return err
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// newTx is a signed transaction that carries so many bytes; without a recipient it makes a contract of them.
func newTx(chainID *big.Int, key *ecdsa.PrivateKey, nonce uint64, to *common.Address, size int) *types.Transaction {
	if to == nil && size >= 0 {
		to = &common.Address{0xaa}
	}
	data := make([]byte, max(size, 0))
	if size < 0 {
		data = emitLog
	}
	return types.MustSignNewTx(key, types.LatestSignerForChainID(chainID), &types.DynamicFeeTx{
		ChainID: chainID, Nonce: nonce, GasTipCap: big.NewInt(1e9), GasFeeCap: big.NewInt(1e11), Gas: 2_000_000, To: to, Value: new(big.Int), Data: data,
	})
}
