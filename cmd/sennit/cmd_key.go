package main

import (
	"crypto/ecdsa"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"

	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/p2p/enode"
	"github.com/spf13/cobra"

	"github.com/sennit-net/sennit/cmd/sennit/internal/config"
	"github.com/sennit-net/sennit/cmd/sennit/internal/nodekey"
)

func newKey() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "key",
		Short: "Make and show node keys",
		Long: `Make and show node keys. A node's key is its identity: whoever has it can be
that node. A key file holds 64 hex digits, as with go-ethereum, and must be
readable by its owner only.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newKeyNew(), newKeyShow())
	return cmd
}

func newKeyNew() *cobra.Command {
	return &cobra.Command{
		Use:   "new [FILE]",
		Short: "Make a new key",
		Long: `Make a new key and write it to FILE with mode 0600, along with the directories
above it. Without FILE it goes to where 'sennit run' looks for it: nodekey in
the directory sennit below your configuration directory. A file that exists is
never overwritten.`,
		Example: `  sennit key new
  sennit key new ./a.key`,
		Args: wantsFrom(0, "FILE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			file, err := keyFile(args)
			if err != nil {
				return err
			}
			key, err := nodekey.Create(file)
			if errors.Is(err, fs.ErrExist) {
				return fmt.Errorf("%w; a key cannot be had back, so move the file away yourself if you do not need it", err)
			}
			if err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "key file    %s\n", file)
			return printKey(cmd, key)
		},
	}
}

func keyFile(args []string) (string, error) {
	if len(args) > 0 {
		return args[0], nil
	}
	file, err := config.Default().Node.KeyFile(nodekey.FileName)
	if err != nil {
		return "", fmt.Errorf("say a FILE: %w", err)
	}
	return file, nil
}

func newKeyShow() *cobra.Command {
	var (
		url      bool
		ip       string
		tcp, udp uint16
	)
	cmd := &cobra.Command{
		Use:   "show FILE",
		Short: "Show the public half of a key",
		Long: `Show the node ID and the public key that belong to the key in FILE, never the
key itself. With --enode print the node's enode URL alone, for a node that
listens on the given address.`,
		Example: `  sennit key show ./a.key
  sennit key show ./a.key --enode --ip 192.0.2.7 --port 30303`,
		Args: wants("FILE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			for _, flag := range []string{"ip", "port", "udp"} {
				if cmd.Flags().Changed(flag) && !url {
					return usageError(fmt.Errorf("--%s says what is in the URL: give --enode as well", flag))
				}
			}
			key, err := nodekey.Load(args[0])
			if errors.Is(err, fs.ErrNotExist) {
				return fmt.Errorf("%w; make a key with: sennit key new %s", err, args[0])
			}
			if err != nil {
				return err
			}
			if !url {
				return printKey(cmd, key)
			}
			addr, err := netip.ParseAddr(ip)
			if err != nil {
				return usageError(fmt.Errorf("--ip: %q is not an IP address", ip))
			}
			if tcp == 0 {
				return usageError(errors.New("--port: nobody can connect to port 0"))
			}
			if !cmd.Flags().Changed("udp") {
				udp = tcp
			}
			node := enode.NewV4(&key.PublicKey, addr.AsSlice(), int(tcp), int(udp))
			_, err = fmt.Fprintln(cmd.OutOrStdout(), node.URLv4())
			return err
		},
	}
	cmd.Flags().BoolVar(&url, "enode", false, "print the enode URL alone")
	cmd.Flags().StringVar(&ip, "ip", "127.0.0.1", "`IP` address in the URL")
	cmd.Flags().Uint16Var(&tcp, "port", 30303, "TCP `PORT` in the URL")
	cmd.Flags().Uint16Var(&udp, "udp", 0, "UDP `PORT` in the URL, if it is another")
	return cmd
}

func printKey(cmd *cobra.Command, key *ecdsa.PrivateKey) error {
	_, err := fmt.Fprintf(cmd.OutOrStdout(), "node id     %s\npublic key  %s\n",
		enode.PubkeyToIDV4(&key.PublicKey), hex.EncodeToString(crypto.FromECDSAPub(&key.PublicKey)[1:]))
	return err
}
