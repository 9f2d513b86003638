// Package config says how a node is to run: defaults, a TOML file over them, flags over both.
package config

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/ethereum/go-ethereum/log"
	"github.com/ethereum/go-ethereum/p2p/nat"

	"github.com/sennit-net/sennit/cmd/sennit/internal/version"
	"github.com/sennit-net/sennit/p2p"
)

// Config is all that `sennit run` can be told.
type Config struct {
	Node Node
	P2P  p2p.Config
	Eth  Eth
	Shh  Shh
	Bzz  Bzz
	RPC  RPC

	from origin // set by Load and by Flags.Config
}

// Node is the [node] section of the file: what concerns the program and not the peer layer.
type Node struct {
	Name      string   // client name in Hello
	DataDir   string   // holds the key and the database of known nodes
	NodeKey   string   // key file; empty: "nodekey" below DataDir
	LogLevel  string   // trace, debug, info, warn, error
	LogFormat string   // text, json
	Caps      []string // protocols to read and count, never to answer: name/version/length
	Echo      []string // protocols that send every message back
}

// Default returns what applies where neither file nor flag says otherwise. DataDir is empty if the system has no
// configuration directory for the user.
func Default() Config {
	c := Config{
		Node: Node{Name: version.Get().ClientName(), LogLevel: "info", LogFormat: "text"},
		P2P: p2p.Config{
			MaxPeers:    50,
			ListenAddr:  ":30303",
			NAT:         nat.Any(),
			DiscoveryV4: true,
			DiscoveryV5: true,
		},
		Eth: defaultEth(), Shh: defaultShh(), Bzz: defaultBzz(), RPC: defaultRPC(),
	}
	if dir, err := os.UserConfigDir(); err == nil {
		c.Node.DataDir = filepath.Join(dir, "sennit")
	}
	return c
}

// KeyFile returns the path of the key file.
func (n Node) KeyFile(defaultName string) (string, error) {
	switch {
	case n.NodeKey != "":
		return n.NodeKey, nil
	case n.DataDir != "":
		return filepath.Join(n.DataDir, defaultName), nil
	}
	return "", errors.New("no data directory: this system has no configuration directory for you, say one with --datadir")
}

// LogLevels and LogFormats are the values that [Node.LogLevel] and [Node.LogFormat] may have.
var (
	LogLevels  = []string{"trace", "debug", "info", "warn", "error"}
	LogFormats = []string{"text", "json"}
)

var slogLevels = []slog.Level{log.LevelTrace, log.LevelDebug, log.LevelInfo, log.LevelWarn, log.LevelError}

// Logger returns a structured logger that writes to w.
func (n Node) Logger(w io.Writer) (log.Logger, error) {
	i := slices.Index(LogLevels, n.LogLevel)
	if i < 0 {
		return nil, fmt.Errorf("log level %q: want one of %s", n.LogLevel, strings.Join(LogLevels, ", "))
	}
	switch n.LogFormat {
	case "text":
		return log.NewLogger(log.LogfmtHandlerWithLevel(w, slogLevels[i])), nil
	case "json":
		return log.NewLogger(log.JSONHandlerWithLevel(w, slogLevels[i])), nil
	}
	return nil, fmt.Errorf("log format %q: want one of %s", n.LogFormat, strings.Join(LogFormats, ", "))
}
