package node

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"syscall"

	"github.com/sennit-net/sennit/cmd/sennit/internal/config"
)

// explainStart adds to an error of the server's start what to do about it and which value it is about, where that is known.
func explainStart(err error, c *config.Config) error {
	err = fmt.Errorf("starting the node: %w", err)
	_, isFile := errors.AsType[*fs.PathError](err) // of files, a server opens the database's only
	switch {
	case errors.Is(err, syscall.EAGAIN) && c.P2P.NodeDatabase != "":
		return c.Blame("p2p.NodeDatabase", "", fmt.Errorf("%w; another node uses it, choose another", err))
	case errors.Is(err, syscall.EAGAIN):
		return fmt.Errorf("%w; another node uses it, choose another data directory with --datadir", err)
	case isFile && c.P2P.NodeDatabase != "":
		return c.Blame("p2p.NodeDatabase", "", fmt.Errorf("%w; it is to be a directory that this program may write", err))
	}
	if op, ok := errors.AsType[*net.OpError](err); ok && op.Net == "udp" && c.P2P.DiscAddr != "" {
		return c.Blame("p2p.DiscAddr", "", explainListen(err, "", c.P2P.DiscAddr))
	}
	explained := explainListen(err, "--listen", c.P2P.ListenAddr)
	if explained == err {
		return err
	}
	return c.Blame("p2p.ListenAddr", "listen", explained)
}

// explainRPC says which value an error of opening the JSON-RPC endpoint is about.
func explainRPC(err error, c *config.Config) error {
	if op, ok := errors.AsType[*net.OpError](err); ok && op.Net == "tcp" {
		return c.Blame("rpc.HTTP", "http", explainListen(err, "--http", c.RPC.HTTP))
	}
	return c.Blame("rpc.IPC", "ipc", err)
}

// explainListen adds to an error of listening at addr what to do about it, where that is known; with is the flag that sets the
// address, empty if there is none.
func explainListen(err error, with, addr string) error {
	if with != "" {
		with = " with " + with
	}
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return fmt.Errorf("%w; another program has this port, choose another%s (now %q)", err, with, addr)
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return fmt.Errorf("%w; this machine does not have the address, choose another%s (now %q)", err, with, addr)
	}
	return err
}
