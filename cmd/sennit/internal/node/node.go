// Package node runs the peer layer as a program: the protocols of `sennit run`, and a log of what happens on its links.
package node

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"syscall"

	"github.com/ethereum/go-ethereum/log"

	"github.com/sennit-net/sennit/cmd/sennit/internal/caps"
	"github.com/sennit-net/sennit/cmd/sennit/internal/config"
	"github.com/sennit-net/sennit/p2p"
)

// Node is a node that runs between [Node.Start] and [Node.Stop]. It is for one goroutine.
type Node struct {
	config    *config.Config
	log       log.Logger
	protocols []p2p.Protocol
	counts    []*counter

	// Set by Start.
	server *p2p.Server
	events *eventLog
}

// New returns a node of the given configuration, which it does not change. It touches nothing yet; an error is about the
// configuration.
func New(c *config.Config, logger log.Logger) (*Node, error) {
	sinks, mirrors, err := readCaps(c.Node)
	if err != nil {
		return nil, err
	}
	n := &Node{config: c, log: logger}
	n.protocols, n.counts = protocols(sinks, mirrors)
	return n, nil
}

// Start starts the node; it must be stopped then. Errors say what to do where the program knows.
func (n *Node) Start() error {
	c, logger := n.config, n.log
	key, made, err := c.Key()
	if err != nil {
		return err
	}
	if made != "" {
		logger.Info("made a new key", "file", made)
	}
	cfg := c.P2P
	cfg.PrivateKey, cfg.Name, cfg.Logger = key, c.Node.Name, logger
	if cfg.NodeDatabase == "" && c.Node.DataDir != "" && !cfg.NoDiscovery {
		if err := os.MkdirAll(c.Node.DataDir, 0o700); err != nil {
			return fmt.Errorf("data directory: %w", err)
		}
		cfg.NodeDatabase = filepath.Join(c.Node.DataDir, "nodes")
	}

	n.events = newEventLog(logger)
	cfg.Protocols, cfg.Recorder = n.protocols, n.events
	n.server = &p2p.Server{Config: cfg}
	if err := n.server.Start(); err != nil {
		n.events.close()
		return explainStart(err, cfg.ListenAddr)
	}
	logger.Info("node started", "enode", n.Enode(), "name", cfg.Name, "listen", n.server.ListenAddr, "maxpeers", cfg.MaxPeers,
		"protocols", n.capNames(), "static", len(cfg.StaticNodes), "discovery", !cfg.NoDiscovery && (cfg.DiscoveryV4 || cfg.DiscoveryV5))
	return nil
}

// readCaps reads the lists of protocols and refuses one that is in both or is sennit/1.
func readCaps(c config.Node) (sinks, mirrors []caps.Cap, err error) {
	if _, err := caps.ParseAll(slices.Concat(c.Caps, c.Echo, []string{fmt.Sprintf("%s/%d/%d", EchoName, EchoVersion, EchoLength)})); err != nil {
		return nil, nil, err
	}
	if sinks, err = caps.ParseAll(c.Caps); err != nil {
		return nil, nil, err
	}
	mirrors, err = caps.ParseAll(c.Echo)
	return sinks, mirrors, err
}

func explainStart(err error, addr string) error {
	if errors.Is(err, syscall.EADDRINUSE) {
		return fmt.Errorf("%w; another program has this port, choose another with --listen (%q has it now)", err, addr)
	}
	return fmt.Errorf("starting the node: %w", err)
}

func (n *Node) capNames() []string {
	var names []string
	for _, c := range n.counts {
		names = append(names, c.cap.String())
	}
	return names
}

// Enode returns the URL other nodes reach this one at.
func (n *Node) Enode() string { return n.server.Self().URLv4() }

// Stop tells every peer that the node quits, waits for all links to end, and logs what the protocols received.
func (n *Node) Stop() {
	n.log.Info("node stops", "peers", n.server.PeerCount())
	n.server.Stop()
	n.events.close()
	for _, c := range n.counts {
		n.log.Info("protocol received", "protocol", c.cap.String(), "messages", c.messages.Load(), "bytes", c.bytes.Load())
	}
}
