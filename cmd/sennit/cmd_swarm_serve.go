package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/sennit-net/sennit/cmd/sennit/internal/config"
	"github.com/sennit-net/sennit/cmd/sennit/internal/swarmcmd"
)

const swarmServeLong = `Run a node that speaks Swarm until it is told to stop, as 'sennit run --bzz'
does, with the same flags. Files are put into its store before it starts: a line
for each says its reference and its name. The line after them is the node's
enode URL, which others can name with --node.

Exit status: 0 after a stop in good order, 1 if the node could not start or a
file could not be put, 2 if the command line or the configuration is wrong.`

func newSwarmServe() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "serve [FILE...]",
		Short: "Run a Swarm node that has files",
		Long:  swarmServeLong,
		Example: `  sennit swarm serve movie.mkv
  sennit swarm serve --listen 127.0.0.1:0 --nodiscover --static enode://...`,
		Args: cobra.ArbitraryArgs,
	}
	flags := config.Register(cmd.Flags())
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		c, err := flags.Config()
		if err != nil {
			return usageError(err)
		}
		c.Bzz.Enabled = true
		if err := c.Check(); err != nil {
			return usageError(err)
		}
		if err := putBefore(cmd, c, args); err != nil {
			return err
		}
		return runNode(cmd, c, flags.Unused(c))
	}
	return cmd
}

// putBefore puts files into the store of a node that does not run yet.
func putBefore(cmd *cobra.Command, c *config.Config, files []string) (err error) {
	if len(files) == 0 {
		return nil
	}
	place, err := swarmcmd.OpenLocal(c, c.Bzz.Capacity, sayTo(cmd))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, place.Close()) }()
	for _, path := range files {
		in, size, err := openInput(cmd, path)
		if err != nil {
			return err
		}
		ref, _, err := putFile(cmd, place, in, size, false)
		in.Close()
		if err != nil {
			return err
		}
		if _, err := fmt.Fprintf(cmd.OutOrStdout(), "%s  %s\n", ref, path); err != nil {
			return err
		}
	}
	return nil
}
