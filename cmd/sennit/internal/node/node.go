// Package node runs the peer layer as a program: the protocols of `sennit run`, and a log of what happens on its links.
package node

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/ethereum/go-ethereum/log"

	"github.com/sennit-net/sennit/cmd/sennit/internal/caps"
	"github.com/sennit-net/sennit/cmd/sennit/internal/config"
	"github.com/sennit-net/sennit/cmd/sennit/internal/filelock"
	"github.com/sennit-net/sennit/p2p"
)

// Node is a node that runs between [Node.Start] and [Node.Stop]. It is for one goroutine.
type Node struct {
	config    *config.Config
	log       log.Logger
	protocols []p2p.Protocol
	counts    []*counter

	// Set by Start.
	lock     *os.File // of the data directory; nil without one
	server   *p2p.Server
	events   *eventLog
	services []service
}

// New returns a node of the given configuration, which it does not change. It touches nothing yet; an error is about the
// configuration.
func New(c *config.Config, logger log.Logger) (*Node, error) {
	sinks, mirrors, err := readCaps(c)
	if err != nil {
		return nil, err
	}
	n := &Node{config: c, log: logger}
	n.protocols, n.counts = protocols(sinks, mirrors)
	return n, nil
}

// Start starts the node; it must be stopped then. Errors say what to do where the program knows.
func (n *Node) Start() (err error) {
	if err := n.lockDataDir(); err != nil {
		return err
	}
	defer func() {
		if err != nil {
			n.unlockDataDir()
		}
	}()
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
		cfg.NodeDatabase = filepath.Join(c.Node.DataDir, "nodes")
	}

	services, err := makeServices(c, logger)
	if err != nil {
		return err
	}
	cfg.Protocols = slices.Clone(n.protocols)
	for _, s := range services {
		cfg.Protocols = append(cfg.Protocols, s.Protocols()...)
	}
	n.events = newEventLog(logger)
	cfg.Recorder = n.events
	n.server = &p2p.Server{Config: cfg}
	if err := n.server.Start(); err != nil {
		stopServices(services)
		n.events.close()
		return explainStart(err, c)
	}
	if err := n.startServices(services); err != nil {
		n.server.Stop()
		n.events.close()
		return err
	}
	logger.Info("node started", "enode", n.Enode(), "name", cfg.Name, "listen", n.server.ListenAddr, "maxpeers", cfg.MaxPeers,
		"protocols", capNames(cfg.Protocols), "static", len(cfg.StaticNodes), "discovery", !cfg.NoDiscovery && (cfg.DiscoveryV4 || cfg.DiscoveryV5))
	return nil
}

// lockDataDir makes sure that no other node has the data directory, which is made if it is missing.
func (n *Node) lockDataDir() error {
	dir := n.config.Node.DataDir
	if dir == "" {
		return nil
	}
	var err error
	n.lock, err = filelock.Dir(dir)
	if errors.Is(err, filelock.ErrInUse) {
		return fmt.Errorf("the data directory %s is %w: a node runs there; choose another with --datadir", dir, filelock.ErrInUse)
	} else if err != nil {
		return n.config.Blame("node.DataDir", "datadir", fmt.Errorf("data directory: %w; choose another with --datadir", err))
	}
	return nil
}

func (n *Node) unlockDataDir() {
	if n.lock != nil {
		_ = n.lock.Close() // nothing was written
	}
}

// startServices starts all of the services or, if one fails, stops them all.
func (n *Node) startServices(services []service) error {
	for _, s := range services {
		if err := s.Start(n.server); err != nil {
			stopServices(services)
			return err
		}
	}
	n.services = services
	return nil
}

// readCaps reads the lists of protocols and refuses one that is in both or is sennit/1.
func readCaps(c *config.Config) (sinks, mirrors []caps.Cap, err error) {
	ours := fmt.Sprintf("%s/%d/%d", EchoName, EchoVersion, EchoLength)
	all, err := caps.ParseAll(append([]string{ours}, c.Node.Caps...))
	if err != nil {
		return nil, nil, c.Blame("node.Caps", "cap", err)
	}
	if mirrors, err = caps.ParseAll(c.Node.Echo); err == nil {
		_, err = caps.ParseAll(slices.Concat([]string{ours}, c.Node.Caps, c.Node.Echo))
	}
	return all[1:], mirrors, c.Blame("node.Echo", "echo", err)
}

// capNames names the protocols in order.
func capNames(protocols []p2p.Protocol) []string {
	caps := make([]p2p.Cap, len(protocols))
	for i, p := range protocols {
		caps[i] = p2p.Cap{Name: p.Name, Version: p.Version}
	}
	slices.SortFunc(caps, p2p.Cap.Cmp)
	names := make([]string, len(caps))
	for i, c := range caps {
		names[i] = c.String()
	}
	return names
}

// Enode returns the URL other nodes reach this one at.
func (n *Node) Enode() string { return n.server.Self().URLv4() }

// Stop tells every peer that the node quits, waits for all links to end, and logs what the protocols received.
func (n *Node) Stop() {
	n.log.Info("node stops", "peers", n.server.PeerCount())
	stopServices(n.services)
	n.server.Stop()
	n.events.close()
	for _, c := range n.counts {
		n.log.Info("protocol received", "protocol", c.cap.String(), "messages", c.messages.Load(), "bytes", c.bytes.Load())
	}
	n.unlockDataDir()
}
