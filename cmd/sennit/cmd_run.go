package main

import (
	"errors"
	"fmt"
	"slices"

	"github.com/ethereum/go-ethereum/log"
	"github.com/spf13/cobra"

	"github.com/sennit-net/sennit/cmd/sennit/internal/config"
	"github.com/sennit-net/sennit/cmd/sennit/internal/node"
)

const runLong = `Run a node until it is told to stop (SIGINT or SIGTERM; a second one ends it at
once). Its first line on standard output is its enode URL; the log goes to
standard error.

The node has a key of its own, which it makes at the first start and keeps in
the file nodekey below the data directory. One node at a time can use a data
directory. It reads the TOML file given with --config; flags override the file.

  [node]
  Name = "my-node"
  DataDir = "/var/lib/sennit"
  LogLevel = "info"
  LogFormat = "json"
  Caps = ["snap/1/8"]

  [p2p]
  ListenAddr = ":30303"
  MaxPeers = 50
  StaticNodes = ["enode://..."]

  [eth]
  Enabled = true
  Network = "sepolia"

  [shh]
  Enabled = true
  MinPoW = 0.2

  [bzz]
  Enabled = true
  Capacity = 5368709120

  [rpc]
  HTTP = "127.0.0.1:8545"
  HTTPNamespaces = ["eth", "net"]

Protocols
  sennit/1   always there: an echo. Code 0, a request with any payload up to
             1 MiB; code 1, the answer with the same payload. Answers come in
             the order of the requests. 2 message codes.
  --eth      eth/63 and eth/68 to eth/72, as an observer without a chain, or
             with the one in the files of --eth-chain and --eth-genesis.
  --shh      Whisper, shh/6.
  --bzz      Swarm 0.3 and 0.5, with a store of chunks in the data directory.
  --cap      holds a link to nodes that speak a protocol this program does not:
             whatever arrives is read and counted, nothing is ever sent. A node
             that waits for an answer will end the link when its time is up.
  --echo     the same, but each message is sent back with its code.
Two nodes must agree on the number of message codes, which is the LENGTH in
NAME/VERSION/LENGTH. It may be left out for the public versions of bzz,
bzz-retrieve, bzz-stream, eth, hive, pss, shh, snap and stream.

Exit status: 0 after a stop in good order, 1 if the node could not start, 2 if
the command line or the configuration is wrong.`

func newRun() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "run",
		Short: "Run a node",
		Long:  runLong,
		Example: `  sennit run
  sennit run --listen 127.0.0.1:0 --nodiscover --static enode://...
  sennit run --config sennit.toml --log-format json --cap eth/69/18 --cap snap/1`,
		Args: wants(),
	}
	flags := config.Register(cmd.Flags())
	completeWith(cmd, "log-level", config.LogLevels)
	completeWith(cmd, "log-format", config.LogFormats)
	completeWith(cmd, "nat", []string{"any", "none", "upnp", "pmp", "extip:", "stun"})
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		c, err := flags.Config()
		if err != nil {
			return usageError(err)
		}
		return runNode(cmd, c, flags.Unused(c))
	}
	return cmd
}

func completeWith(cmd *cobra.Command, flag string, values []string) {
	err := cmd.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(slices.Clone(values), cobra.ShellCompDirectiveNoFileComp))
	if err != nil {
		panic(err) // the flag does not exist: a mistake in this program
	}
}

// runNode runs a node until the command's context ends. unused is what was said and has no effect.
func runNode(cmd *cobra.Command, c *config.Config, unused []string) error {
	if err := errors.Join(c.Check(), c.CheckFiles()); err != nil {
		return usageError(err)
	}
	logger, err := c.Node.Logger(cmd.ErrOrStderr())
	if err != nil {
		return usageError(err)
	}
	for _, what := range unused {
		logger.Warn("a setting has no effect", "reason", what)
	}
	// go-ethereum's packages log to the default where they are not told otherwise.
	before := log.Root()
	log.SetDefault(logger)
	defer log.SetDefault(before)

	n, err := node.New(c, logger)
	if err != nil {
		return usageError(err)
	}
	if err := n.Start(); err != nil {
		return err
	}
	defer n.Stop()
	if _, err := fmt.Fprintln(cmd.OutOrStdout(), n.Enode()); err != nil {
		return err
	}
	<-cmd.Context().Done()
	return nil
}
