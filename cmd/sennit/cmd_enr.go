package main

import (
	"errors"

	"github.com/spf13/cobra"

	"github.com/sennit-net/sennit/cmd/sennit/internal/explain"
)

func newENR() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "enr ENR|ENODE",
		Short: "Decode and explain a node record or an enode URL",
		Long: `Decode a node record (EIP-778, enr:...) or an enode URL and explain it: sequence
number, whether the signature holds, node ID, addresses, the fork identifier of
the chain if there is one, every entry, and the record as an enode URL.

Exit status: 0 if it could be decoded and the signature of a record holds, 1 if
not, 2 for a wrong command line.`,
		Example: `  sennit enr enr:-IS4QHCYrYZbAKWCBRlAy5zzaDZXJBGkcnh4MHcBFZntXNFrdvJj...
  sennit enr --json enode://ca634cae...@192.0.2.7:30303 | jq .id`,
		Args: wants("ENR or ENODE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			report, err := explain.Parse(args[0])
			if report == nil {
				return err
			}
			// A record with a bad signature is shown all the same: that is when one looks at it.
			out := cmd.OutOrStdout()
			if asJSON {
				return errors.Join(err, printJSON(out, report))
			}
			return errors.Join(err, report.WriteText(out))
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}
