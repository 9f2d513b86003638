package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"
)

// The program's exit statuses. What a command means by them is in its help.
const (
	exitOK          = 0
	exitFailed      = 1
	exitUsage       = 2
	exitUnreachable = 2 // of `hello`
)

// exitError is an error that says which status the program exits with.
type exitError struct {
	status int
	err    error
}

func (e *exitError) Error() string { return e.err.Error() }
func (e *exitError) Unwrap() error { return e.err }

var errInterrupted = errors.New("interrupted")

// usageError is the error of a command line or a configuration that cannot be meant.
func usageError(err error) error { return &exitError{exitUsage, err} }

// run is the program: it does what args say and returns the exit status. Everything it starts has ended when it returns.
// The end of ctx stops the commands that run for long, as a signal does.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	root := newRoot()
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)
	mendStock(root)

	// Errors before a command's own code is reached are about the command line.
	began := false
	root.PersistentPreRunE = func(cmd *cobra.Command, _ []string) error {
		if err := cmd.ValidateFlagGroups(); err != nil {
			return explainGroup(err) // cobra looks at these only after this function
		}
		began = true
		return nil
	}

	cmd, err := root.ExecuteContextC(ctx)
	if err == nil {
		return exitOK
	}
	said := err
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		said = errInterrupted // whatever was under way just then
	}
	fmt.Fprintf(stderr, "%s: %v\n", cmd.CommandPath(), said)
	if !began {
		fmt.Fprintf(stderr, "Run '%s --help' for what it takes.\n", cmd.CommandPath())
		return exitUsage
	}
	if e, ok := errors.AsType[*exitError](err); ok {
		return e.status
	}
	return exitFailed
}

const rootLong = `Sennit is a devp2p peer layer: one encrypted link to each remote node, several
protocols on that link, and none of them able to stop another one.

Exit status: 0 if all went well, 1 if the command failed, 2 if the command line
or the configuration is wrong. Commands that differ say so in their help.`

func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:   "sennit",
		Short: "Run a devp2p node, and look at keys, records and other nodes",
		Long:  rootLong,
		Example: `  sennit demo
  sennit run --static enode://...
  sennit hello enode://...`,
		SilenceUsage:  true,
		SilenceErrors: true,
		Args:          cobra.NoArgs,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.AddCommand(newDemo(), newRun(), newHello(), newEth(), newWhisper(), newSwarm(), newKey(), newENR(), newVersion())
	return root
}

// printJSON writes v for programs to read.
func printJSON(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}
