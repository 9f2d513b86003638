package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/ethereum/go-ethereum/p2p/enode"
	"github.com/spf13/cobra"

	"github.com/sennit-net/sennit/cmd/sennit/internal/caps"
	"github.com/sennit-net/sennit/cmd/sennit/internal/hello"
	"github.com/sennit-net/sennit/cmd/sennit/internal/nodekey"
	"github.com/sennit-net/sennit/cmd/sennit/internal/version"
	"github.com/sennit-net/sennit/p2p"
)

const helloLong = `Dial a node, exchange Hellos, measure the round-trip time of one ping, and take
leave. Shows the client name, the p2p version, the capabilities, what both
sides share, or the exact reason for which the node refused. No protocol runs.

A node may refuse whoever shares nothing with it as useless, so much is offered
unless --cap says what: eth/63 to eth/72 and snap/1, shh/6, those of Swarm 0.3
(bzz/8, hive/8, stream/8) and 0.5 (bzz/14, hive/11, bzz-stream/8 and
bzz-retrieve/2), and sennit/1.

Exit status: 0 if the node answered, 1 if it refused with a reason, 2 if it
could not be reached, did not answer as a node, or the command line is wrong.`

func newHello() *cobra.Command {
	var (
		asJSON  bool
		timeout time.Duration
		keyFile string
		offer   []string
		noLanes bool
	)
	cmd := &cobra.Command{
		Use:   "hello ENODE",
		Short: "Ask a node who it is and what it speaks",
		Long:  helloLong,
		Example: `  sennit hello enode://ca634cae...@192.0.2.7:30303
  sennit hello --cap eth/69 --timeout 3s enr:-IS4QHCY...
  sennit hello --json enode://... | jq -r .client`,
		Args: wants("ENODE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			node, err := p2p.ParseNode(args[0])
			if err != nil {
				return usageError(err)
			}
			cfg := p2p.ProbeConfig{Name: version.Get().ClientName(), Caps: caps.Offer(), NoLanes: noLanes}
			if len(offer) > 0 {
				if cfg.Caps, err = caps.ParseOffer(offer); err != nil {
					return usageError(fmt.Errorf("--cap: %w", err))
				}
			}
			if keyFile != "" {
				if cfg.PrivateKey, err = nodekey.Load(keyFile); err != nil {
					return usageError(fmt.Errorf("--key: %w", err))
				}
			}
			if timeout <= 0 {
				return usageError(fmt.Errorf("--timeout: %v is no time to wait, want more than 0", timeout))
			}
			ctx, cancel := context.WithTimeoutCause(cmd.Context(), timeout, fmt.Errorf("no answer in %v", timeout))
			defer cancel()
			return sayHello(ctx, cmd, cfg, node, asJSON)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	cmd.Flags().DurationVar(&timeout, "timeout", 15*time.Second, "`TIME` it may take in all")
	cmd.Flags().StringVar(&keyFile, "key", "", "`FILE` of the key to dial with (default: a new key for this one call)")
	cmd.Flags().BoolVar(&noLanes, "nolanes", false, "do not offer lanes/1: plain RLPx")
	cmd.Flags().StringSliceVar(&offer, "cap", nil, "what to offer, instead of all known: `NAME/VERSION`")
	return cmd
}

// sayHello probes the node, prints the report and returns the error that makes the exit status.
func sayHello(ctx context.Context, cmd *cobra.Command, cfg p2p.ProbeConfig, node *enode.Node, asJSON bool) error {
	result, err := p2p.Probe(ctx, cfg, node)
	report := hello.NewReport(node, cfg.Caps, result, err)

	write := report.WriteText
	if asJSON {
		write = func(w io.Writer) error { return printJSON(w, report) }
	}
	if err := write(cmd.OutOrStdout()); err != nil {
		return err
	}
	switch {
	case report.Refused != nil:
		return &exitError{exitFailed, fmt.Errorf("the node refused: %s", report.Refused.Text)}
	case err != nil:
		return &exitError{exitUnreachable, explainProbe(err)}
	}
	return nil
}

// explainProbe adds what to do about a probe that failed, where that is known.
func explainProbe(err error) error {
	probe, ok := errors.AsType[*p2p.ProbeError](err)
	if ok && probe.Stage == "node" {
		return fmt.Errorf("this node cannot be dialed: %w; give an enode URL with @IP:PORT", probe.Err)
	}
	return fmt.Errorf("the node did not answer: %w", err)
}
