package main

import (
	"context"
	"crypto/ecdsa"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/ethereum/go-ethereum/crypto"
	"github.com/spf13/cobra"

	"github.com/sennit-net/sennit/cmd/sennit/internal/nodekey"
	"github.com/sennit-net/sennit/cmd/sennit/internal/version"
	"github.com/sennit-net/sennit/cmd/sennit/internal/whispercmd"
	"github.com/sennit-net/sennit/protocols/shh"
)

const whisperLong = `Send Whisper messages, and listen to them. Whisper (shh/6) broadcasts small
encrypted messages that live for seconds to minutes. Who has the key for one can
read it: the symmetric key, or its password, that sender and recipients share,
or the recipient's private key. The topic, four bytes, is public.

Both commands go through the node that 'sennit run --shh' runs on this machine,
or with --node link to any node that speaks shh, for as long as the command
takes.`

func newWhisper() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "whisper",
		Short: "Send and receive Whisper messages",
		Long:  whisperLong,
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newWhisperSend(), newWhisperListen())
	return cmd
}

// whisperFlags are what both commands are told.
type whisperFlags struct {
	rpcFlags
	node                 string
	timeout              time.Duration
	password, key, topic string
	asJSON               bool
}

func (f *whisperFlags) register(cmd *cobra.Command) {
	fs := cmd.Flags()
	fs.StringVar(&f.node, "node", "", "link to this `NODE`, an enode URL or a record (default: go through the running node)")
	f.rpcFlags.register(fs)
	fs.DurationVar(&f.timeout, "timeout", 15*time.Second, "`TIME` that connecting may take")
	fs.StringVar(&f.password, "password", "", "`PASSWORD` that the symmetric key is made of")
	fs.StringVar(&f.key, "key", "", "symmetric key, 64 `HEX` digits; others can see it in the list of processes")
	fs.StringVar(&f.topic, "topic", "", "topic, 8 `HEX` digits")
	fs.BoolVar(&f.asJSON, "json", false, "print JSON")
	cmd.MarkFlagsMutuallyExclusive("node", "rpc")
	cmd.MarkFlagsMutuallyExclusive("node", "datadir")
	cmd.MarkFlagsMutuallyExclusive("password", "key")
}

// symKey returns the symmetric key; nil if none was given.
func (f *whisperFlags) symKey(cmd *cobra.Command) ([]byte, error) {
	switch {
	case cmd.Flags().Changed("password"):
		if f.password == "" {
			return nil, errors.New("--password: it is empty, so everybody would have the key")
		}
		return shh.SymKeyFromPassword(f.password)
	case f.key != "":
		key, err := whispercmd.ParseSymKey(f.key)
		if err != nil {
			return nil, fmt.Errorf("--key: %w", err)
		}
		return key, nil
	}
	return nil, nil
}

// parseTopic returns the topic; nil if none was given.
func (f *whisperFlags) parseTopic() (*shh.Topic, error) {
	if f.topic == "" {
		return nil, nil
	}
	topic, err := shh.ParseTopic(f.topic)
	if digits := strings.TrimPrefix(f.topic, "0x"); err == nil && len(digits) != 2*shh.TopicSize {
		err = fmt.Errorf("topic %q: want %d hex digits", f.topic, 2*shh.TopicSize)
	}
	if err != nil {
		return nil, fmt.Errorf("--topic: %w", err)
	}
	return &topic, nil
}

// open returns the node to go through. topic is the only one that messages are wanted of; nil: all.
func (f *whisperFlags) open(ctx context.Context, topic *shh.Topic) (whispercmd.Node, error) {
	if f.timeout <= 0 {
		return nil, usageError(fmt.Errorf("--timeout: %v is no time to wait, want more than 0", f.timeout))
	}
	ctx, cancel := context.WithTimeoutCause(ctx, f.timeout, fmt.Errorf("no answer in %v", f.timeout))
	defer cancel()
	if f.node == "" {
		endpoint, err := f.where()
		if err != nil {
			return nil, err
		}
		return whispercmd.Connect(ctx, endpoint)
	}
	targets, err := parseTargets(f.node)
	if err != nil {
		return nil, err
	}
	key, err := crypto.GenerateKey()
	if err != nil {
		return nil, err
	}
	return whispercmd.Dial(ctx, whispercmd.DialConfig{Name: version.Get().ClientName(), Key: key, Topic: topic}, targets[0])
}

// loadKey reads a key file that a flag names; nil if it names none.
func loadKey(flag, file string) (*ecdsa.PrivateKey, error) {
	if file == "" {
		return nil, nil
	}
	key, err := nodekey.Load(file)
	if err != nil {
		return nil, fmt.Errorf("--%s: %w", flag, err)
	}
	return key, nil
}
