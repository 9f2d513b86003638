package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/sennit-net/sennit/cmd/sennit/demo"
	"github.com/sennit-net/sennit/p2p"
)

const demoLong = `Start two nodes in this process, with one link between them over 127.0.0.1 and
four protocols on it, and show what each of them gets done:

  echo    one request of 64 bytes after the other, each when the answer to the
          one before has come
  bulk    messages of 1 MiB, as fast as they go
  flood   messages of 64 bytes, as fast as they go
  stuck   messages of 1 KiB, as fast as they go, to an end that never reads

When stuck's inbox of 4 MiB is full, its policy decides: stop that protocol,
drop messages, or wait and hold the link up for a limited time. On a terminal
the table is redrawn in place, elsewhere a line is printed each second.

Exit status: 0 if the link lived, 1 if not, 2 if the command line is wrong.`

var policies = []string{"stop", "wait", "drop-newest", "drop-oldest"}

func newDemo() *cobra.Command {
	var (
		seconds float64
		policy  string
		wait    time.Duration
		plain   bool
	)
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Show four protocols on one link, of which one never reads",
		Long:  demoLong,
		Example: `  sennit demo
  sennit demo --seconds 20 --policy drop-oldest
  sennit demo --policy wait --wait 2s`,
		Args: wants(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			chosen, err := parsePolicy(policy, wait)
			if err == nil && (seconds <= 0 || seconds > 3600) {
				err = errors.New("--seconds: want more than 0 and at most 3600")
			}
			if err != nil {
				return usageError(err)
			}
			out := cmd.OutOrStdout()
			return demo.Run(cmd.Context(), out, demo.Options{
				Duration: time.Duration(seconds * float64(time.Second)),
				Policy:   chosen,
				Live:     !plain && isTerminal(out),
			}, demo.Sennit())
		},
	}
	cmd.Flags().Float64Var(&seconds, "seconds", 5, "how long to show it")
	cmd.Flags().StringVar(&policy, "policy", "stop", "when stuck's inbox is full: "+strings.Join(policies, ", "))
	cmd.Flags().DurationVar(&wait, "wait", time.Second, "with --policy wait, for how long in all; then stuck is stopped")
	cmd.Flags().BoolVar(&plain, "plain", false, "print lines on a terminal too")
	completeWith(cmd, "policy", policies)
	return cmd
}

func parsePolicy(name string, wait time.Duration) (p2p.OverloadPolicy, error) {
	switch name {
	case "stop":
		return p2p.OverloadStop(), nil
	case "wait":
		if wait <= 0 {
			return p2p.OverloadPolicy{}, fmt.Errorf("--wait %v: want more than 0", wait)
		}
		return p2p.OverloadWait(wait), nil
	case "drop-newest":
		return p2p.OverloadDropNewest(), nil
	case "drop-oldest":
		return p2p.OverloadDropOldest(), nil
	}
	return p2p.OverloadPolicy{}, fmt.Errorf("--policy %q: want one of %s", name, strings.Join(policies, ", "))
}

// isTerminal tells whether w understands the control sequences that move the cursor.
func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok || slices.Contains([]string{"", "dumb"}, os.Getenv("TERM")) && runtime.GOOS != "windows" {
		return false
	}
	// The old console of Windows does not understand them unless asked to; Windows Terminal sets this variable.
	if runtime.GOOS == "windows" && os.Getenv("WT_SESSION") == "" {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}
