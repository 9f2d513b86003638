package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/sennit-net/sennit/cmd/sennit/internal/version"
)

func newVersion() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "version",
		Short: "Print what this program was built from",
		Long:  "Print the version of this program, of Go, and of the go-ethereum packages in it.",
		Example: `  sennit version
  sennit version --json`,
		Args: wants(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			info, out := version.Get(), cmd.OutOrStdout()
			if asJSON {
				return printJSON(out, info)
			}
			commit := ""
			if info.Commit != "" {
				commit = fmt.Sprintf("commit       %s of %s\n", info.Commit, info.Date)
			}
			if info.Modified {
				commit += "             with changes on top\n"
			}
			_, err := fmt.Fprintf(out, "sennit       %s\n%sgo           %s\nplatform     %s\ngo-ethereum  %s\n",
				info.Version, commit, info.Go, info.Platform, info.GoEthereum)
			return err
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}
