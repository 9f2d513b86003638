package main

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/sennit-net/sennit/cmd/sennit/internal/version"
)

// mendStock makes what comes with cobra (the commands help and completion, the errors of flags) keep to the rules of the
// others: what cannot be meant is an error that names it and says what could be. The root's output must have been set.
func mendStock(root *cobra.Command) {
	root.Version = version.Get().Version
	root.SetVersionTemplate("sennit {{.Version}}\n")
	root.SetFlagErrorFunc(explainFlag)
	root.InitDefaultHelpCmd()
	root.InitDefaultCompletionCmd()
	for _, cmd := range root.Commands() {
		switch cmd.Name() {
		case "help":
			cmd.Args = isCommand
		case "completion":
			mendCompletion(cmd)
		}
	}
}

// isCommand refuses arguments of help that lead to no command.
func isCommand(cmd *cobra.Command, args []string) error {
	found, rest, err := cmd.Root().Find(args)
	if err == nil && len(rest) == 0 {
		return nil
	}
	if len(rest) == 0 {
		rest = args
	}
	var names []string
	for _, c := range found.Commands() {
		if c.IsAvailableCommand() {
			names = append(names, c.Name())
		}
	}
	if len(names) == 0 {
		return fmt.Errorf("%q is one argument too many: %s has no commands", rest[0], found.CommandPath())
	}
	return fmt.Errorf("%q is no command of %s: want one of %s", rest[0], found.CommandPath(), strings.Join(names, ", "))
}

// mendCompletion makes the command refuse shells it does not know.
func mendCompletion(cmd *cobra.Command) {
	var shells []string
	for _, c := range cmd.Commands() {
		shells = append(shells, c.Name())
		c.Args = wants()
	}
	slices.Sort(shells)
	cmd.Args = func(_ *cobra.Command, args []string) error {
		if len(args) > 0 {
			return fmt.Errorf("shell %q is not known: want one of %s", args[0], strings.Join(shells, ", "))
		}
		return nil
	}
	cmd.RunE = func(cmd *cobra.Command, _ []string) error { return cmd.Help() }
}

// flagWords are the words for the types of flags whose values may be wrong.
var flagWords = map[string]string{
	"bool":     "true or false",
	"duration": "a time such as 500ms, 3s or 2m",
	"float64":  "a number",
	"int":      "a whole number",
	"int64":    "a whole number",
	"uint":     "a whole number",
	"uint16":   "a whole number from 0 to 65535",
	"uint64":   "a whole number",

	"intSlice": "a whole number, or some with commas between them",
}

// flagGroup matches the words of the library for flags of which one, or only one, may be given.
var flagGroup = regexp.MustCompile(`^(if any flags|at least one of the flags) in the group \[([^]]+)\] (?:is required$|are set none of the others can be; \[([^]]+)\])`)

// explainGroup puts an error about flags that belong together into words; those of the library take long to be understood.
func explainGroup(err error) error {
	m := flagGroup.FindStringSubmatch(err.Error())
	switch {
	case m == nil:
		return err
	case m[3] != "":
		return fmt.Errorf("%s: say one of them", listFlags(m[3], " and "))
	}
	return fmt.Errorf("%s: one of them is needed", listFlags(m[2], ", "))
}

// listFlags names the flags of a list.
func listFlags(list, between string) string {
	return "--" + strings.ReplaceAll(list, " ", between+"--")
}

// explainFlag puts the error for a flag's value into words; the library quotes strconv.
func explainFlag(_ *cobra.Command, err error) error {
	invalid, ok := errors.AsType[*pflag.InvalidValueError](err)
	if !ok {
		return err
	}
	flag := invalid.GetFlag()
	words, ok := flagWords[flag.Value.Type()]
	if !ok {
		return err
	}
	return fmt.Errorf("--%s: %q is not %s", flag.Name, invalid.GetValue(), words)
}
