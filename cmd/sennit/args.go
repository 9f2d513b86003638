package main

import (
	"fmt"

	"github.com/spf13/cobra"
)

// wants refuses a command line whose arguments are not the named ones, in words that name them.
func wants(names ...string) cobra.PositionalArgs { return wantsFrom(len(names), names...) }

// wantsFrom is wants, but only the first least names have to be there.
func wantsFrom(least int, names ...string) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		switch {
		case len(args) < least:
			return fmt.Errorf("%s is missing", names[len(args)])
		case len(args) > len(names):
			return fmt.Errorf("%q is one argument too many", args[len(names)])
		}
		for i, arg := range args {
			if arg == "" {
				return fmt.Errorf("%s is empty", names[i])
			}
		}
		return nil
	}
}
