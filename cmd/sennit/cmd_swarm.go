package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/sennit-net/sennit/cmd/sennit/internal/attach"
	"github.com/sennit-net/sennit/cmd/sennit/internal/config"
	"github.com/sennit-net/sennit/cmd/sennit/internal/swarmcmd"
	"github.com/sennit-net/sennit/protocols/bzz"
)

const swarmLong = `Keep files in Swarm, and get them from there. Swarm cuts a file into chunks of
up to 4096 bytes, each named by the hash of what it holds, above them chunks
that list the hashes of others, and so on to a single one. Its hash is the
file's reference: who has it can get the file from any node of the network.

Swarm is that of go-ethereum 1.8 (bzz/8, hive/8, stream/8) and that of its
later program of its own up to 0.5 (bzz/14, bzz-stream/8, bzz-retrieve/2).

Where the chunks are:
  a running node   if 'sennit run --bzz' runs on this machine, or with --rpc
  --node           nodes that are linked to for as long as the command takes
  the local store  otherwise; it is that of 'sennit run --bzz', which has it for
                   itself while it runs`

func newSwarm() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "swarm",
		Short: "Put files into Swarm, get them, and serve them",
		Long:  swarmLong,
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newSwarmPut(), newSwarmGet(), newSwarmServe())
	return cmd
}

// swarmFlags are what put and get are told of where chunks are.
type swarmFlags struct {
	nodes             []string
	endpoint, dataDir string
	keyFile           string
	network, later    uint64
	capacity          int64
	timeout           time.Duration
}

func (f *swarmFlags) register(cmd *cobra.Command) {
	fs := cmd.Flags()
	fs.StringSliceVar(&f.nodes, "node", nil, "link to this `NODE`, an enode URL or a record; may be repeated")
	fs.StringVar(&f.endpoint, "rpc", "", "`PATH` of a running node's socket, or its URL (default: sennit.ipc below the data directory, if a node runs)")
	fs.StringVar(&f.dataDir, "datadir", "", "data directory `DIR` of the store and of the running node (default: as of 'sennit run')")
	fs.StringVar(&f.keyFile, "nodekey", "", "key `FILE` that the store belongs to (default: nodekey below the data directory)")
	fs.Uint64Var(&f.network, "network", bzz.DefaultNetworkID, "network id `N` of Swarm 0.3, with --node")
	fs.Uint64Var(&f.later, "later-network", bzz.DefaultLaterNetworkID, "network id `N` of Swarm 0.5, with --node")
	fs.Int64Var(&f.capacity, "capacity", 0, "let the local store hold up to `BYTES`; those unused for longest leave first (default: as before; at first, and when its index was lost, 5 GiB or what there is)")
	fs.DurationVar(&f.timeout, "timeout", 15*time.Second, "`TIME` that connecting may take")
	cmd.MarkFlagsMutuallyExclusive("node", "rpc")
}

// open returns the place for chunks that the flags mean.
func (f *swarmFlags) open(cmd *cobra.Command, purpose swarmcmd.Purpose) (swarmcmd.Place, error) {
	switch {
	case f.network == 0:
		return nil, usageError(errors.New("--network: there is no network 0"))
	case f.later == 0:
		return nil, usageError(errors.New("--later-network: there is no network 0"))
	case f.timeout <= 0:
		return nil, usageError(fmt.Errorf("--timeout: %v is no time to wait, want more than 0", f.timeout))
	case f.capacity < 0:
		return nil, usageError(fmt.Errorf("--capacity: %d bytes, want more than 0", f.capacity))
	}
	c := config.Default()
	if f.dataDir != "" {
		c.Node.DataDir = f.dataDir
	}
	c.Node.NodeKey, c.Bzz.NetworkID, c.Bzz.LaterNetworkID = f.keyFile, f.network, f.later
	if len(f.nodes) > 0 {
		return f.dial(cmd.Context(), &c, purpose, sayTo(cmd))
	}
	ctx, cancel := context.WithTimeoutCause(cmd.Context(), f.timeout, fmt.Errorf("no answer in %v", f.timeout))
	defer cancel()
	if f.endpoint != "" {
		return swarmcmd.Connect(ctx, f.endpoint)
	}
	if path := c.IPCPath(); path != "" {
		place, err := swarmcmd.Connect(ctx, path)
		if err == nil || errors.Is(err, attach.ErrNotServed) {
			return place, err
		}
		if ctx.Err() != nil {
			return nil, err // there is somebody, who does not answer
		}
	}
	return swarmcmd.OpenLocal(&c, f.capacity, sayTo(cmd))
}

// sayTo returns what writes lines to standard error.
func sayTo(cmd *cobra.Command) swarmcmd.Say {
	return swarmcmd.Lines(cmd.ErrOrStderr(), cmd.CommandPath())
}

func (f *swarmFlags) dial(ctx context.Context, c *config.Config, purpose swarmcmd.Purpose, say swarmcmd.Say) (swarmcmd.Place, error) {
	nodes, err := parseTargets(f.nodes...)
	if err != nil {
		return nil, err
	}
	return swarmcmd.Dial(ctx, c, f.capacity, purpose, nodes, f.timeout, say)
}

// openInput opens a file to be put, and returns its size if that is known, else 0. "-" is standard input.
func openInput(cmd *cobra.Command, path string) (*os.File, int64, error) {
	if path == "-" {
		if in, ok := cmd.InOrStdin().(*os.File); ok {
			return in, 0, nil
		}
		return nil, 0, usageError(errors.New("there is no standard input"))
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, 0, usageError(err)
	}
	info, err := f.Stat()
	if err == nil && info.IsDir() {
		err = fmt.Errorf("%s: %w", path, errDirectory)
	}
	if err != nil {
		f.Close()
		return nil, 0, usageError(err)
	}
	if info.Mode()&fs.ModeType != 0 {
		return f, 0, nil // a pipe or a device
	}
	return f, info.Size(), nil
}

var errDirectory = errors.New("is a directory; put a single file, such as an archive of it")
