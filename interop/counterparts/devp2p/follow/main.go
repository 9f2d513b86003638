// The program is a go-ethereum node that has nothing but a genesis block, downloads a chain from one peer and executes it.
//
//	follow GENESIS ENODE HASH
//
// It prints "HEAD NUMBER HASH" when the block with the hash is its head, and ends; "ERR ..." if something fails.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/eth"
	"github.com/ethereum/go-ethereum/eth/ethconfig"
	"github.com/ethereum/go-ethereum/node"
	"github.com/ethereum/go-ethereum/p2p"
	"github.com/ethereum/go-ethereum/p2p/enode"
)

// patience is how long the peer may take to connect, and the download to go on.
const patience = 60 * time.Second

func main() {
	if len(os.Args) != 4 {
		fmt.Println("ERR usage: follow GENESIS ENODE HASH")
		os.Exit(2)
	}
	if err := run(os.Args[1], os.Args[2], common.HexToHash(os.Args[3])); err != nil {
		fmt.Println("ERR", err)
		os.Exit(1)
	}
}

func run(genesisFile, url string, hash common.Hash) error {
	genesis := new(core.Genesis)
	data, err := os.ReadFile(genesisFile)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(data, genesis); err != nil {
		return err
	}
	peer, err := enode.ParseV4(url)
	if err != nil {
		return err
	}
	key, err := crypto.GenerateKey()
	if err != nil {
		return err
	}
	stack, err := node.New(&node.Config{
		Name: "geth", Version: "1.17.10",
		P2P: p2p.Config{PrivateKey: key, NoDiscovery: true, MaxPeers: 5, StaticNodes: []*enode.Node{peer}},
	})
	if err != nil {
		return err
	}
	defer stack.Close()
	config := ethconfig.Defaults
	config.Genesis, config.NetworkId, config.SyncMode = genesis, genesis.Config.ChainID.Uint64(), ethconfig.FullSync
	config.DatabaseCache, config.TrieCleanCache, config.TrieDirtyCache, config.SnapshotCache = 16, 16, 16, 0
	backend, err := eth.New(stack, &config)
	if err != nil {
		return err
	}
	heads := make(chan core.ChainHeadEvent, 1024)
	defer backend.BlockChain().SubscribeChainHeadEvent(heads).Unsubscribe()
	if err := stack.Start(); err != nil {
		return err
	}
	if err := sync(backend, hash); err != nil {
		return err
	}
	for {
		select {
		case e := <-heads:
			if e.Header.Hash() == hash {
				fmt.Println("HEAD", e.Header.Number, hash)
				return nil
			}
		case <-time.After(patience):
			return fmt.Errorf("the download stands still at block %v", backend.BlockChain().CurrentBlock().Number)
		}
	}
}

// sync begins to download the chain up to a block, as a consensus client would have it. A peer that has just come may not be
// one to download from yet.
func sync(backend *eth.Ethereum, hash common.Hash) error {
	for end := time.Now().Add(patience); ; time.Sleep(50 * time.Millisecond) {
		header, err := backend.Downloader().GetHeader(hash)
		if err == nil {
			return backend.Downloader().BeaconSync(header, header)
		}
		if time.Now().After(end) {
			return err
		}
	}
}
