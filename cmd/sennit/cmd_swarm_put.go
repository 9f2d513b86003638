package main

import (
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/sennit-net/sennit/cmd/sennit/internal/swarmcmd"
	"github.com/sennit-net/sennit/protocols/bzz/file"
)

const swarmPutLong = `Put a file into Swarm and print its reference. "-" is standard input, of any
length. If that is interrupted, the same command reads the file again, but does
not send what is there already.

Without --encrypt the reference depends on the content alone, and is that of
go-ethereum's 'swarm up --manifest=false'. With it, chunks can only be read by
who has the reference, which is twice as long and different each time, so that
nothing is there already.

With --node the file is kept in the local store as well, and the command ends
when the nodes have taken it, each its share if there are more than two; they
must be nodes that sync. A running node carries the chunks to its neighbours in
its own time.

Nodes are asked for Swarm 0.3 first. One of Swarm 0.5 at a public address can
be linked to only half a minute after that, which --timeout does not count.

Exit status: 0 if the file is there, 1 if not, 2 if the command line is wrong or
the file cannot be read.`

func newSwarmPut() *cobra.Command {
	var (
		f               swarmFlags
		encrypt, asJSON bool
	)
	cmd := &cobra.Command{
		Use:   "put FILE",
		Short: "Put a file into Swarm",
		Long:  swarmPutLong,
		Example: `  sennit swarm put movie.mkv
  sennit swarm put --node enode://... movie.mkv
  tar c photos | sennit swarm put --encrypt -`,
		Args: wants("FILE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			in, size, err := openInput(cmd, args[0])
			if err != nil {
				return err
			}
			defer in.Close()
			place, err := f.open(cmd, swarmcmd.ToPut)
			if err != nil {
				return err
			}
			ref, n, err := putFile(cmd, place, in, size, encrypt)
			if err := errors.Join(err, place.Close()); err != nil {
				return err
			}
			if asJSON {
				return printJSON(cmd.OutOrStdout(), putResult{ref, n})
			}
			_, err = fmt.Fprintln(cmd.OutOrStdout(), ref)
			return err
		},
	}
	f.register(cmd)
	cmd.Flags().BoolVar(&encrypt, "encrypt", false, "encrypt the file; the reference holds the key")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

// putResult is what put prints as JSON.
type putResult struct {
	Reference file.Reference `json:"reference"`
	Size      int64          `json:"size"` // bytes
}

// putFile puts one file and shows on a terminal how far that is.
func putFile(cmd *cobra.Command, place swarmcmd.Place, in *os.File, size int64, encrypt bool) (file.Reference, int64, error) {
	split, carry := swarmcmd.NewBar(cmd.ErrOrStderr(), "splitting"), swarmcmd.NewBar(cmd.ErrOrStderr(), "offering")
	ref, n, err := swarmcmd.Put(cmd.Context(), place, in, size, encrypt, split.Tell, carry.Tell)
	split.End()
	carry.End()
	if errors.Is(err, file.ErrEmpty) {
		return ref, n, fmt.Errorf("%s: %w", in.Name(), err)
	}
	if err != nil && ref != (file.Reference{}) {
		err = fmt.Errorf("%w (the reference is %s)", err, ref)
	}
	return ref, n, err
}
