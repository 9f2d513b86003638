package main

import (
	"fmt"
	"io"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/spf13/cobra"

	"github.com/sennit-net/sennit/cmd/sennit/internal/whispercmd"
	"github.com/sennit-net/sennit/protocols/shh"
)

const whisperSendLong = `Encrypt a message, do its proof of work and send it. TEXT is the payload; "-"
reads it from standard input. Prints the hash of the envelope.

The key is a symmetric one (--password or --key, and then --topic is needed) or
the recipient's public one (--to).

go-ethereum counts proof of work in one way in its releases 1.8 and in another
one from 1.9 on. The message is sealed for what the node and its peers count by;
if that is both or unknown, it takes some seconds longer.

Exit status: 0 if the message is on its way: the node that was linked to has it
and has kept the link, or the running node has it. 1 if not, 2 if the command
line is wrong.`

// sendFlags are what `whisper send` is told.
type sendFlags struct {
	whisperFlags
	to, sign string
	ttl      time.Duration
	work     float64
	workTime time.Duration
}

func newWhisperSend() *cobra.Command {
	var f sendFlags
	cmd := &cobra.Command{
		Use:   "send TEXT",
		Short: "Send a message",
		Long:  whisperSendLong,
		Example: `  sennit whisper send --password secret --topic deadbeef "hello"
  sennit whisper send --node enode://... --to ca634cae... --sign my.key "hello"
  date | sennit whisper send --password secret --topic deadbeef -`,
		Args: wants("TEXT"),
		RunE: func(cmd *cobra.Command, args []string) error {
			m, err := f.message(cmd, args[0])
			if err != nil {
				return usageError(err)
			}
			node, err := f.open(cmd.Context(), &m.Topic)
			if err != nil {
				return err
			}
			defer node.Close()
			hash, err := node.Send(cmd.Context(), m, func(text string) { fmt.Fprintln(cmd.ErrOrStderr(), text) })
			if err != nil {
				return err
			}
			if f.asJSON {
				return printJSON(cmd.OutOrStdout(), struct {
					Hash common.Hash `json:"hash"`
				}{hash})
			}
			_, err = fmt.Fprintln(cmd.OutOrStdout(), hash)
			return err
		},
	}
	f.register(cmd)
	cmd.Flags().StringVar(&f.to, "to", "", "public `KEY` of the recipient: 128 hex digits, as 'sennit key show' prints them, or an enode URL")
	cmd.Flags().StringVar(&f.sign, "sign", "", "`FILE` of the key to sign with (default: not signed)")
	cmd.Flags().DurationVar(&f.ttl, "ttl", shh.DefaultTTL, "`TIME` that the message lives")
	cmd.Flags().Float64Var(&f.work, "pow", 0, "proof of `WORK` (default: what the node and its peers ask for)")
	cmd.Flags().DurationVar(&f.workTime, "pow-time", 30*time.Second, "`TIME` that the proof of work may take")
	cmd.MarkFlagsMutuallyExclusive("to", "password")
	cmd.MarkFlagsMutuallyExclusive("to", "key")
	cmd.MarkFlagsOneRequired("to", "password", "key")
	return cmd
}

// message returns what the command line says.
func (f *sendFlags) message(cmd *cobra.Command, text string) (m shh.Outgoing, err error) {
	m = shh.Outgoing{Payload: []byte(text), TTL: f.ttl, Work: f.work, WorkTime: f.workTime}
	if f.ttl < time.Second {
		return m, fmt.Errorf("--ttl: %v, want a second or more", f.ttl)
	}
	if f.workTime <= 0 {
		return m, fmt.Errorf("--pow-time: %v is no time to search, want more than 0", f.workTime)
	}
	topic, err := f.parseTopic()
	if err != nil {
		return m, err
	}
	if f.to == "" && (topic == nil || *topic == shh.Topic{}) {
		return m, fmt.Errorf("--topic is needed with a symmetric key, and not zeros")
	}
	if topic != nil {
		m.Topic = *topic
	}
	if m.SymKey, err = f.symKey(cmd); err != nil {
		return m, err
	}
	if f.to != "" {
		if m.To, err = whispercmd.ParsePublicKey(f.to); err != nil {
			return m, fmt.Errorf("--to: %w", err)
		}
	}
	if m.From, err = loadKey("sign", f.sign); err != nil {
		return m, err
	}
	if text == "-" {
		m.Payload, err = io.ReadAll(io.LimitReader(cmd.InOrStdin(), shh.MaxMessageSizeLimit+1))
	}
	return m, err
}
