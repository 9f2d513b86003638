package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/sennit-net/sennit/cmd/sennit/demo"
	"github.com/sennit-net/sennit/cmd/sennit/internal/scene"
)

const demoLong = `Start two nodes in this process, with one link between them over 127.0.0.1 and
four protocols on it, and show what each of them gets done:

  echo    one request of 64 bytes after the other, each when the answer to the
          one before has come
  bulk    messages of 1 MiB, as fast as they go
  flood   messages of 64 bytes, as fast as they go
  stuck   messages of 1 KiB, as fast as they go, to an end that never reads

All of it is shown twice: on a classic RLPx link, as with any other
implementation, and on lanes/1, which two Sennit nodes speak between them. On
the classic link stuck's policy decides when its inbox of 4 MiB is full: stop
that protocol, drop messages, or wait and hold the link up for a limited time.
On lanes/1 its sender waits, and nobody else. On a terminal the table is redrawn
in place, elsewhere a line is printed each second.

The last scene is of real protocols: two nodes with one link between them, which
a Whisper message, a Swarm file and Ethereum headers cross at the same time.

The same work on go-ethereum's p2p, for comparison, is in the source tree:
'make compare', or 'go run ./cmd/demo' in the directory interop.

Exit status: 0 if the links lived and all that crossed them arrived, 1 if not, 2
if the command line is wrong.`

func newDemo() *cobra.Command {
	settings := demo.DefaultSettings()
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Show several protocols on one link, of which one never reads",
		Long:  demoLong,
		Example: `  sennit demo
  sennit demo --seconds 20 --policy drop-oldest
  sennit demo --policy wait --wait 2s`,
		Args: wants(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			out := cmd.OutOrStdout()
			options, err := settings.Options(out)
			if err != nil {
				return usageError(err)
			}
			if err := demo.Run(cmd.Context(), out, options, demo.SennitClassic(), demo.Sennit()); err != nil {
				return err
			}
			fmt.Fprintln(out)
			return scene.Run(cmd.Context(), out)
		},
	}
	flags := cmd.Flags()
	flags.Float64Var(&settings.Seconds, "seconds", settings.Seconds, "how many `SECONDS` to show each link")
	flags.StringVar(&settings.Policy, "policy", settings.Policy, "`POLICY` when stuck's inbox is full: "+strings.Join(demo.Policies, ", "))
	flags.DurationVar(&settings.Wait, "wait", settings.Wait, "with --policy wait, the `TIME` in all; then stuck is stopped")
	flags.BoolVar(&settings.Plain, "plain", settings.Plain, "print lines on a terminal too")
	completeWith(cmd, "policy", demo.Policies)
	return cmd
}
