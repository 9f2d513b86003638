package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/spf13/cobra"

	"github.com/sennit-net/sennit/cmd/sennit/internal/ethcmd"
	"github.com/sennit-net/sennit/cmd/sennit/internal/version"
	"github.com/sennit-net/sennit/protocols/eth"
)

const ethLong = `Ask Ethereum nodes over eth/63 to eth/72, and watch what they say. Nothing has
to be known of a node's chain: to ask a node, we say to be on whichever chain it
is on, and to have its genesis block only.

The commands go through the node that 'sennit run --eth' runs on this machine,
and ask one of its peers, the one with the highest head or that of --peer; or
with --node they link to any node that speaks eth, for as long as the command
takes.`

func newEth() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "eth",
		Short: "Ask Ethereum nodes, and watch what they say",
		Long:  ethLong,
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newEthHead(), newEthBlock(), newEthHeaders(), newEthTx(), newEthWatch())
	return cmd
}

// ethFlags are what all of the commands are told.
type ethFlags struct {
	rpcFlags
	nodes    []string
	peer     string
	timeout  time.Duration
	versions []int
	asJSON   bool
}

func (f *ethFlags) register(cmd *cobra.Command) {
	fs := cmd.Flags()
	f.rpcFlags.register(fs)
	fs.IntSliceVar(&f.versions, "eth-version", nil, "`VERSION` of eth to offer with --node, may be repeated (default: all)")
	fs.BoolVar(&f.asJSON, "json", false, "print JSON")
	cmd.MarkFlagsMutuallyExclusive("node", "rpc")
	cmd.MarkFlagsMutuallyExclusive("node", "datadir")
}

// registerAsk adds the flags of a command that asks one node.
func (f *ethFlags) registerAsk(cmd *cobra.Command) {
	cmd.Flags().StringSliceVar(&f.nodes, "node", nil, "link to this `NODE`, an enode URL or a record (default: go through the running node)")
	cmd.Flags().DurationVar(&f.timeout, "timeout", 15*time.Second, "`TIME` it may take in all")
	cmd.Flags().StringVar(&f.peer, "peer", "", "ask the peer of the running node whose id begins with `ID` (default: the one with the highest head)")
	f.register(cmd)
	cmd.MarkFlagsMutuallyExclusive("node", "peer")
}

// dialConfig is how we present ourselves.
func (f *ethFlags) dialConfig() (ethcmd.DialConfig, error) {
	var versions []uint
	for _, v := range f.versions {
		if v < 0 || eth.Length(uint(v)) == 0 {
			return ethcmd.DialConfig{}, usageError(fmt.Errorf("--eth-version: %d is none of %v", v, eth.Versions()))
		}
		versions = append(versions, uint(v))
	}
	key, err := crypto.GenerateKey()
	return ethcmd.DialConfig{Name: version.Get().ClientName(), Key: key, Versions: versions}, err
}

// connect returns the running node.
func (f *ethFlags) connect(ctx context.Context) (ethcmd.Node, error) {
	endpoint, err := f.where()
	if err != nil {
		return nil, err
	}
	return ethcmd.Connect(ctx, endpoint, f.peer)
}

// ask opens the node that is asked, has f ask it, and takes leave.
func (f *ethFlags) ask(ctx context.Context, ask func(context.Context, ethcmd.Node) error) error {
	if f.timeout <= 0 {
		return usageError(fmt.Errorf("--timeout: %v is no time to wait, want more than 0", f.timeout))
	}
	ctx, cancel := context.WithTimeoutCause(ctx, f.timeout, fmt.Errorf("no answer in %v", f.timeout))
	defer cancel()
	node, err := f.open(ctx)
	if err != nil {
		return err
	}
	defer node.Close()
	return ask(ctx, node)
}

func (f *ethFlags) open(ctx context.Context) (ethcmd.Node, error) {
	switch len(f.nodes) {
	case 0:
		return f.connect(ctx)
	case 1:
		targets, err := parseTargets(f.nodes...)
		if err != nil {
			return nil, err
		}
		c, err := f.dialConfig()
		if err != nil {
			return nil, err
		}
		return ethcmd.Dial(ctx, c, targets[0])
	}
	return nil, usageError(errors.New("--node: one node is asked at a time"))
}

// parseBlock reads which block is meant: a number, a hash, or "head".
func parseBlock(text string) (eth.HeadersRequest, error) {
	var r eth.HeadersRequest
	if text == "head" {
		return r, nil
	}
	if hash, err := parseHash(text); err == nil {
		r.Hash = &hash
		return r, nil
	}
	var number uint64
	if _, err := fmt.Sscan(text, &number); err != nil || fmt.Sprint(number) != text {
		return r, usageError(fmt.Errorf("%q is no block: want a number, a hash of 64 hexadecimal digits, or head", text))
	}
	r.Number = (*hexutil.Uint64)(&number)
	return r, nil
}

// parseHash reads a hash, with or without 0x.
func parseHash(text string) (common.Hash, error) {
	var hash common.Hash
	if len(text) == 2*common.HashLength {
		text = "0x" + text
	}
	if err := hash.UnmarshalText([]byte(text)); err != nil {
		return hash, usageError(fmt.Errorf("%q is no hash of 64 hexadecimal digits", text))
	}
	return hash, nil
}
