// Demo shows four protocols on one link, of which one never reads, on Sennit, over lanes/1 and over a classic link, and then on go-ethereum's p2p: what
// `sennit demo` shows, with the same flags, and a verdict on each.
//
//	go run ./cmd/demo
//	go run ./cmd/demo --seconds 20 --policy drop-oldest
//
// Exit status: 0 if Sennit's links lived, 1 if not, 2 if the command line is wrong.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"

	"github.com/sennit-net/sennit/cmd/sennit/demo"
)

const (
	exitFailed = 1
	exitUsage  = 2
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	status := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(status)
}

// run shows the stacks and returns the exit status.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	settings := demo.DefaultSettings()
	flags := flag.NewFlagSet("demo", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.Float64Var(&settings.Seconds, "seconds", settings.Seconds, "how long to show each stack")
	flags.StringVar(&settings.Policy, "policy", settings.Policy, "when stuck's inbox is full, on Sennit: "+strings.Join(demo.Policies, ", "))
	flags.DurationVar(&settings.Wait, "wait", settings.Wait, "with --policy wait, for how long in all; then stuck is stopped")
	flags.BoolVar(&settings.Plain, "plain", settings.Plain, "print lines on a terminal too")
	switch err := flags.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case err != nil: // Parse has said it
		return exitUsage
	case flags.NArg() > 0:
		fmt.Fprintf(stderr, "demo: %q is one argument too many\n", flags.Arg(0))
		return exitUsage
	}
	options, err := settings.Options(stdout)
	if err != nil {
		fmt.Fprintln(stderr, "demo:", err)
		return exitUsage
	}
	if err := demo.Run(ctx, stdout, options, demo.Sennit(), demo.SennitClassic(), gethStack()); err != nil {
		fmt.Fprintln(stderr, "demo:", err)
		return exitFailed
	}
	return 0
}
