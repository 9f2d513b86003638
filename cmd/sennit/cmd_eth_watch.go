package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/ethereum/go-ethereum/p2p/enode"
	"github.com/spf13/cobra"

	"github.com/sennit-net/sennit/cmd/sennit/internal/ethcmd"
	"github.com/sennit-net/sennit/protocols/eth"
)

const ethWatchLong = `Show what nodes say as they say it, until told to stop: transactions and blocks
that they announce or send, the heads of their chains, their coming and going.
A transaction or block is shown when the first node names it; with --all again
for each of the others, with the time that has passed since.

Watches the peers of the running node, and begins with those it has already and
their heads; or with --node, once or more often, these nodes, which are dialed
again when a link is lost or does not come about (the first time, standard error
says so); or with --network nodes of a public network that discovery finds.

Each line has the time, the beginning of the node's id, and what it said. With
--json each is an object: event, at, peer, client, and hash, first, full, type,
afterSeconds, size, number, earliest, difficulty, version, error where they
apply.

When more is heard than the output takes, events are lost. Standard error says
how many; with --json an object in their place, of the event "lost", has the
number in lost.

Exit status: 0 when it was told to stop, 1 if there is nothing to watch, 2 if
the command line is wrong.`

func newEthWatch() *cobra.Command {
	var (
		flags   ethFlags
		network string
		all     bool
		only    []string
	)
	cmd := &cobra.Command{
		Use:   "watch",
		Short: "Watch what nodes announce",
		Long:  ethWatchLong,
		Example: `  sennit eth watch --node enode://...
  sennit eth watch --network sepolia --only block,head
  sennit eth watch --json | jq -r 'select(.event == "transaction") .hash'`,
		Args: wants(),
	}
	fs := cmd.Flags()
	fs.StringSliceVar(&flags.nodes, "node", nil, "link to this `NODE`, an enode URL or a record; may be repeated (default: watch the running node's peers)")
	fs.StringVar(&network, "network", "", "find nodes of the public network `NAME`: "+strings.Join(eth.Networks(), ", "))
	fs.BoolVar(&all, "all", false, "show what other nodes have named before as well")
	fs.StringSliceVar(&only, "only", nil, "`EVENTS` to show: transaction, block, head, present, joined, left (default: all of them)")
	flags.register(cmd)
	cmd.MarkFlagsMutuallyExclusive("network", "rpc")
	cmd.MarkFlagsMutuallyExclusive("network", "datadir")
	completeWith(cmd, "network", eth.Networks())
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		for _, event := range only {
			if !slices.Contains(ethEvents, event) {
				return usageError(fmt.Errorf("--only: %q is none of %s", event, strings.Join(ethEvents, ", ")))
			}
		}
		node, err := flags.watched(cmd, network)
		if err != nil {
			return err
		}
		defer node.Close()
		return watchEth(cmd, node, flags.asJSON, func(r *eth.EventRecord) bool {
			switch {
			case r.Event == "lost":
				return true
			case len(only) > 0 && !slices.Contains(only, r.Event):
				return false
			case r.Event == "transaction" || r.Event == "block":
				return all || r.First
			}
			return true
		})
	}
	return cmd
}

var ethEvents = []string{"transaction", "block", "head", "present", "joined", "left"}

// connectTimeout is how long it may take to reach the running node.
const connectTimeout = 15 * time.Second

// watched opens what is to be watched.
func (f *ethFlags) watched(cmd *cobra.Command, network string) (ethcmd.Node, error) {
	if len(f.nodes) == 0 && network == "" {
		ctx, cancel := context.WithTimeout(cmd.Context(), connectTimeout)
		defer cancel()
		return f.connect(ctx)
	}
	if network != "" && !slices.Contains(eth.Networks(), network) {
		return nil, usageError(fmt.Errorf("--network: %q is none of %s", network, strings.Join(eth.Networks(), ", ")))
	}
	targets, err := parseTargets(f.nodes...)
	if err != nil {
		return nil, err
	}
	c, err := f.dialConfig()
	if err != nil {
		return nil, err
	}
	c.Network = network
	return ethcmd.Listen(c, targets, func(id enode.ID, why error) {
		fmt.Fprintf(cmd.ErrOrStderr(), "no link to node %s yet: %v; it is tried again\n", id.TerminalString(), why)
	})
}

// watchEth prints the records that wanted lets pass until the command's context ends, which is no failure.
func watchEth(cmd *cobra.Command, node ethcmd.Node, asJSON bool, wanted func(*eth.EventRecord) bool) error {
	out := cmd.OutOrStdout()
	enc := json.NewEncoder(out)
	enc.SetEscapeHTML(false)
	losses := ethcmd.Losses{Out: cmd.ErrOrStderr()}
	err := node.Watch(cmd.Context(), func(r *eth.EventRecord) error {
		if !asJSON {
			losses.Add(r.Lost, time.Now()) // also of 0: what was lost before may be due
		}
		switch {
		case !wanted(r):
			return nil
		case asJSON:
			return enc.Encode(r)
		case r.Event == "lost":
			return nil
		}
		_, err := fmt.Fprintln(out, ethcmd.Line(r))
		return err
	})
	losses.Tell()
	if errors.Is(err, context.Cause(cmd.Context())) {
		return nil
	}
	return err
}
