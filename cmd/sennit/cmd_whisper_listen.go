package main

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/sennit-net/sennit/cmd/sennit/internal/whispercmd"
	"github.com/sennit-net/sennit/protocols/shh"
)

const whisperListenLong = `Print Whisper messages as they come, a line for each: when it was sent, its
topic, the first bytes of the key that signed it, and its text, until the
command is told to stop (SIGINT or SIGTERM) or --count messages have come.

The key is a symmetric one (--password or --key, and then --topic is needed) or
the recipient's private one (--private-key).

With --json each line is an object as of shh_subscribe: sig, ttl, timestamp,
topic, payload, padding, pow, hash, recipientPublicKey.

Exit status: 0 after a stop, 1 if the node cannot be reached or has gone, 2 if
the command line is wrong.`

// listenFlags are what `whisper listen` is told.
type listenFlags struct {
	whisperFlags
	privateKey, from string
	count            int
}

// errEnough ends listening.
var errEnough = errors.New("enough messages")

func newWhisperListen() *cobra.Command {
	var f listenFlags
	cmd := &cobra.Command{
		Use:   "listen",
		Short: "Print messages as they come",
		Long:  whisperListenLong,
		Example: `  sennit whisper listen --password secret --topic deadbeef
  sennit whisper listen --node enode://... --private-key my.key --from ca634cae...
  sennit whisper listen --password secret --topic deadbeef --json --count 1`,
		Args: wants(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			filter, err := f.filter(cmd)
			if err != nil {
				return usageError(err)
			}
			var topic *shh.Topic
			if len(filter.Topics) > 0 {
				topic = &filter.Topics[0]
			}
			node, err := f.open(cmd.Context(), topic)
			if err != nil {
				return err
			}
			defer node.Close()
			heard := 0
			err = node.Listen(cmd.Context(), filter, func(m *shh.ReceivedMessage) error {
				if err := f.print(cmd, m); err != nil {
					return err
				}
				if heard++; heard == f.count {
					return errEnough
				}
				return nil
			})
			if errors.Is(err, errEnough) || cmd.Context().Err() != nil {
				return nil
			}
			return err
		},
	}
	f.register(cmd)
	cmd.Flags().StringVar(&f.privateKey, "private-key", "", "`FILE` of the recipient's key, to read messages to its public key")
	cmd.Flags().StringVar(&f.from, "from", "", "only what was signed with this public `KEY`: 128 hex digits, or an enode URL")
	cmd.Flags().IntVar(&f.count, "count", 0, "stop after `N` messages; 0: never")
	cmd.MarkFlagsMutuallyExclusive("private-key", "password")
	cmd.MarkFlagsMutuallyExclusive("private-key", "key")
	cmd.MarkFlagsOneRequired("private-key", "password", "key")
	return cmd
}

func (f *listenFlags) print(cmd *cobra.Command, m *shh.ReceivedMessage) error {
	if f.asJSON {
		return json.NewEncoder(cmd.OutOrStdout()).Encode(m)
	}
	_, err := fmt.Fprintln(cmd.OutOrStdout(), whispercmd.Line(m))
	return err
}

// filter returns what the command line says.
func (f *listenFlags) filter(cmd *cobra.Command) (filter shh.Filter, err error) {
	if f.count < 0 {
		return filter, fmt.Errorf("--count: %d, want 0 or more", f.count)
	}
	topic, err := f.parseTopic()
	if err != nil {
		return filter, err
	}
	if topic != nil {
		filter.Topics = []shh.Topic{*topic}
	} else if f.privateKey == "" {
		return filter, errors.New("--topic is needed with a symmetric key")
	}
	if filter.SymKey, err = f.symKey(cmd); err != nil {
		return filter, err
	}
	if filter.PrivateKey, err = loadKey("private-key", f.privateKey); err != nil {
		return filter, err
	}
	if f.from != "" {
		if filter.From, err = whispercmd.ParsePublicKey(f.from); err != nil {
			return filter, fmt.Errorf("--from: %w", err)
		}
	}
	filter.AllowDirect = true
	return filter, nil
}
