package main

import (
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/sennit-net/sennit/cmd/sennit/internal/swarmcmd"
	"github.com/sennit-net/sennit/protocols/bzz/file"
)

const swarmGetLong = `Get a file from Swarm by its reference and write it to FILE, or to standard
output without one. Each chunk is checked against its hash.

What has arrived is kept in a file beside FILE until all has. If that is
interrupted, the same command goes on where it was, after checking what is
there.

Exit status: 0 if the file is complete, 1 if not, 2 if the command line is
wrong.`

func newSwarmGet() *cobra.Command {
	var (
		f     swarmFlags
		force bool
	)
	cmd := &cobra.Command{
		Use:   "get REFERENCE [FILE]",
		Short: "Get a file from Swarm",
		Long:  swarmGetLong,
		Example: `  sennit swarm get 92672a471f4419b255d7cb0cf313474a6f5856fb347c5ece85fb706d644b630f
  sennit swarm get --node enode://... 52219456... movie.mkv
  sennit swarm get 52219456... | mpv -`,
		RunE: func(cmd *cobra.Command, args []string) error {
			ref, err := file.ParseReference(args[0])
			if err != nil {
				return usageError(err)
			}
			place, err := f.open(cmd, swarmcmd.ToGet)
			if err != nil {
				return err
			}
			if len(args) == 1 || args[1] == "-" {
				err = printFile(cmd, place, ref)
			} else {
				err = getFile(cmd, place, ref, args[1], force)
			}
			return errors.Join(err, place.Close())
		},
		Args: wantsFrom(1, "REFERENCE", "FILE"),
	}
	f.register(cmd)
	cmd.Flags().BoolVar(&force, "force", false, "overwrite FILE if it exists")
	return cmd
}

// printFile writes a file to standard output. How far that is is shown unless the two would get into each other's way.
func printFile(cmd *cobra.Command, place swarmcmd.Place, ref file.Reference) error {
	var bar *swarmcmd.Bar
	if !swarmcmd.IsTerminal(cmd.OutOrStdout()) {
		bar = swarmcmd.NewBar(cmd.ErrOrStderr(), "getting")
	}
	_, err := swarmcmd.Get(cmd.Context(), place, ref, 0, cmd.OutOrStdout(), bar.Tell)
	bar.End()
	return err
}

// getFile writes a file to a path.
func getFile(cmd *cobra.Command, place swarmcmd.Place, ref file.Reference, path string, force bool) error {
	bar := swarmcmd.NewBar(cmd.ErrOrStderr(), "getting")
	_, resumed, err := swarmcmd.GetFile(cmd.Context(), place, ref, path, force, bar.Tell)
	bar.End()
	switch {
	case errors.Is(err, os.ErrExist):
		return usageError(fmt.Errorf("%w; --force overwrites it", err))
	case err == nil && resumed > 0:
		_, err = fmt.Fprintf(cmd.ErrOrStderr(), "%s were there already\n", swarmcmd.Bytes(resumed))
	}
	return err
}
