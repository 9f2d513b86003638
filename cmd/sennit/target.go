package main

import (
	"errors"
	"fmt"

	"github.com/ethereum/go-ethereum/p2p/enode"
	"github.com/spf13/pflag"

	"github.com/sennit-net/sennit/cmd/sennit/internal/config"
	"github.com/sennit-net/sennit/p2p"
)

// rpcFlags say where the running node answers that a command goes through.
type rpcFlags struct{ endpoint, dataDir string }

func (f *rpcFlags) register(fs *pflag.FlagSet) {
	fs.StringVar(&f.endpoint, "rpc", "", "`PATH` of the running node's socket, or its URL (default: sennit.ipc below the data directory)")
	fs.StringVar(&f.dataDir, "datadir", "", "data directory `DIR` of the running node (default: as of 'sennit run')")
}

// where returns the endpoint of the running node.
func (f *rpcFlags) where() (string, error) {
	if f.endpoint != "" {
		return f.endpoint, nil
	}
	c := config.Default()
	if f.dataDir != "" {
		c.Node.DataDir = f.dataDir
	}
	if path := c.IPCPath(); path != "" {
		return path, nil
	}
	return "", usageError(errors.New("this system has no configuration directory for you: say where the running node's socket is with --rpc, or name a node with --node"))
}

// parseTargets returns the nodes that --node names.
func parseTargets(texts ...string) ([]*enode.Node, error) {
	nodes := make([]*enode.Node, len(texts))
	for i, text := range texts {
		var err error
		if nodes[i], err = p2p.ParseNode(text); err != nil {
			return nil, usageError(fmt.Errorf("--node: %w", err))
		}
	}
	return nodes, nil
}
