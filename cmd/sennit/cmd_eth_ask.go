package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/spf13/cobra"

	"github.com/sennit-net/sennit/cmd/sennit/internal/ethcmd"
	"github.com/sennit-net/sennit/protocols/eth"
)

// errNotThere is what the commands fail with when the node does not have what was asked for.
var errNotThere = errors.New("the node does not have it")

// show prints v as JSON, or with text.
func (f *ethFlags) show(cmd *cobra.Command, v any, text func(io.Writer) error) error {
	if f.asJSON {
		return printJSON(cmd.OutOrStdout(), v)
	}
	return text(cmd.OutOrStdout())
}

func newEthHead() *cobra.Command {
	var flags ethFlags
	cmd := &cobra.Command{
		Use:   "head",
		Short: "Ask a node for its chain and head",
		Long: `Show what a node says of itself: client, network, genesis block, fork id and the
last block it has. Without --node, all peers of the running node.

Exit status: 0 if the node answered, 1 if it did not or there is no peer, 2 if
the command line is wrong.`,
		Example: `  sennit eth head --node enode://ca634cae...@192.0.2.7:30303
  sennit eth head --json | jq '.[].number'`,
		Args: wants(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return flags.ask(cmd.Context(), func(ctx context.Context, node ethcmd.Node) error {
				states, err := node.States(ctx)
				if err == nil && len(states) == 0 {
					err = errors.New("no peer of the running node speaks eth with it")
				}
				if err != nil {
					return err
				}
				return flags.show(cmd, states, func(w io.Writer) error { return ethcmd.WriteStates(w, states) })
			})
		},
	}
	flags.registerAsk(cmd)
	return cmd
}

func newEthBlock() *cobra.Command {
	var flags ethFlags
	cmd := &cobra.Command{
		Use:   "block BLOCK",
		Short: "Ask a node for a block",
		Long: `Show a block with its transactions. BLOCK is a number, a hash, or head. It is
checked that transactions, ommers and withdrawals are those of the header;
whether the block is on the chain, only a node that has the chain can tell.

Exit status: 0 if the block was shown, 1 if the node does not have it or did not
answer, 2 if the command line is wrong.`,
		Example: `  sennit eth block head --node enode://...
  sennit eth block 17034870 --json | jq '.transactions | length'`,
		Args: wants("BLOCK"),
		RunE: func(cmd *cobra.Command, args []string) error {
			request, err := parseBlock(args[0])
			if err != nil {
				return err
			}
			return flags.ask(cmd.Context(), func(ctx context.Context, node ethcmd.Node) error {
				block, err := node.Block(ctx, request)
				if err == nil && block == nil {
					err = errNotThere
				}
				if err != nil {
					return fmt.Errorf("block %s: %w", args[0], err)
				}
				return flags.show(cmd, block, func(w io.Writer) error { return ethcmd.WriteBlock(w, block) })
			})
		},
	}
	flags.registerAsk(cmd)
	return cmd
}

func newEthHeaders() *cobra.Command {
	var (
		flags       ethFlags
		count, skip uint64
		reverse     bool
	)
	cmd := &cobra.Command{
		Use:   "headers BLOCK",
		Short: "Ask a node for headers",
		Long: `Show headers from BLOCK on: a number, a hash, or head. It is checked that they
are what was asked for, and without --skip that each is the parent of the next.

Exit status: 0 if there were headers, 1 if the node has none or did not answer,
2 if the command line is wrong.`,
		Example: `  sennit eth headers 1000000 --count 100 --node enode://...
  sennit eth headers head --reverse --skip 99 --json`,
		Args: wants("BLOCK"),
		RunE: func(cmd *cobra.Command, args []string) error {
			request, err := parseBlock(args[0])
			if err != nil {
				return err
			}
			if count == 0 || count > eth.MaxHeaders {
				return usageError(fmt.Errorf("--count: %d is not 1 to %d", count, eth.MaxHeaders))
			}
			request.Amount, request.Skip, request.Reverse = hexutil.Uint64(count), hexutil.Uint64(skip), reverse
			return flags.ask(cmd.Context(), func(ctx context.Context, node ethcmd.Node) error {
				headers, err := node.Headers(ctx, request)
				if err == nil && len(headers) == 0 {
					err = errNotThere
				}
				if err != nil {
					return fmt.Errorf("block %s: %w", args[0], err)
				}
				return flags.show(cmd, headers, func(w io.Writer) error { return ethcmd.WriteHeaders(w, headers) })
			})
		},
	}
	cmd.Flags().Uint64Var(&count, "count", 10, "how many, up to 1024: `N`")
	cmd.Flags().Uint64Var(&skip, "skip", 0, "leave `N` out between two")
	cmd.Flags().BoolVar(&reverse, "reverse", false, "towards the genesis block")
	flags.registerAsk(cmd)
	return cmd
}

func newEthTx() *cobra.Command {
	var flags ethFlags
	cmd := &cobra.Command{
		Use:   "tx HASH",
		Short: "Ask a node for a transaction that waits to be in a block",
		Long: `Show a transaction from the pool of a node. The protocol has no request for
transactions in blocks: 'sennit eth block' shows those. Versions from 68 on have
the request, and go-ethereum answers when it is in sync.

Exit status: 0 if the transaction was shown, 1 if the node does not have it or
did not answer, 2 if the command line is wrong.`,
		Example: `  sennit eth tx 0x5c504ed4... --node enode://...
  sennit eth tx 5c504ed4... --json`,
		Args: wants("HASH"),
		RunE: func(cmd *cobra.Command, args []string) error {
			hash, err := parseHash(args[0])
			if err != nil {
				return err
			}
			return flags.ask(cmd.Context(), func(ctx context.Context, node ethcmd.Node) error {
				tx, err := node.Transaction(ctx, hash)
				if err == nil && tx == nil {
					err = errNotThere
				}
				if err != nil {
					return fmt.Errorf("transaction %s: %w", args[0], err)
				}
				return flags.show(cmd, tx, func(w io.Writer) error { return ethcmd.WriteTransaction(w, tx) })
			})
		},
	}
	flags.registerAsk(cmd)
	return cmd
}
