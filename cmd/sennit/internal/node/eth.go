package node

import (
	"errors"
	"os"
	"path/filepath"
	"sync"

	"github.com/ethereum/go-ethereum/log"
	"github.com/ethereum/go-ethereum/rpc"

	"github.com/sennit-net/sennit/cmd/sennit/internal/config"
	"github.com/sennit-net/sennit/p2p"
	"github.com/sennit-net/sennit/protocols/eth"
	"github.com/sennit-net/sennit/protocols/eth/chainfile"
)

// ethService is the protocol eth.
type ethService struct {
	handler *eth.Handler
	chain   *chainfile.Chain // nil for an observer
	relay   bool
	loading sync.WaitGroup
}

func newEth(c *config.Config, logger log.Logger) (service, error) {
	if !c.Eth.Enabled {
		return nil, nil
	}
	s := &ethService{relay: c.Eth.Relay}
	cfg := eth.Config{Versions: c.Eth.Versions, Discover: true, DialUnknown: dialsUnknown(c), Logger: logger}
	var err error
	if c.Eth.ServesChain() {
		err = s.openChain(c, logger, &cfg)
	} else {
		cfg.Backend, err = newObserver(c.Eth)
	}
	if err == nil {
		s.handler, err = eth.New(cfg)
	}
	if err != nil {
		return nil, errors.Join(err, s.close())
	}
	return s, nil
}

// dialsUnknown reports whether nodes are dialed whose record does not say which chain they are on. On a public network all say
// it that are of use. On another one they may be older than the entry; and other protocols want to meet anybody.
func dialsUnknown(c *config.Config) bool {
	return c.Eth.Genesis != "" || c.Shh.Enabled || c.Bzz.Enabled || len(c.Node.Caps)+len(c.Node.Echo) > 0
}

// newObserver makes the backend of a node without a chain.
func newObserver(c config.Eth) (eth.Backend, error) {
	if c.Genesis == "" {
		chain, err := eth.Network(c.Network)
		if err != nil {
			return nil, err
		}
		if c.NetworkID != 0 {
			chain.NetworkID = c.NetworkID
		}
		return eth.NewObserver(chain), nil
	}
	g, err := chainfile.ReadGenesis(c.Genesis)
	if err != nil {
		return nil, err
	}
	return eth.NewObserver(g.Chain(c.NetworkID)), nil
}

// openChain opens the chain in files and makes what keeps transactions.
func (s *ethService) openChain(c *config.Config, logger log.Logger, cfg *eth.Config) error {
	o := chainfile.Options{
		Genesis: c.Eth.Genesis, Blocks: c.Eth.Chain, Receipts: c.Eth.Receipts, NetworkID: c.Eth.NetworkID, Logger: logger,
	}
	if c.Node.DataDir != "" {
		o.Dir = filepath.Join(c.Node.DataDir, "eth")
		if err := os.MkdirAll(c.Node.DataDir, 0o700); err != nil {
			return err
		}
	}
	g, err := chainfile.ReadGenesis(o.Genesis)
	if err != nil {
		return c.Blame("eth.Genesis", "eth-genesis", err)
	}
	if s.relay {
		pool, err := eth.NewTxPool(eth.TxPoolConfig{Chain: g.Chain(o.NetworkID)})
		if err != nil {
			return err
		}
		cfg.Pool, o.Pooled = pool, pool.PooledTransaction
	}
	s.chain, err = chainfile.Open(o)
	if err != nil {
		return err
	}
	head := s.chain.Head()
	logger.Info("serving a chain", "head", head.Number, "hash", head.Hash, "genesis", g.Hash, "network", s.chain.Chain().NetworkID)
	cfg.Backend = s.chain
	return nil
}

// Protocols are the versions of eth.
func (s *ethService) Protocols() []p2p.Protocol { return s.handler.Protocols() }

// Start gives the protocol what the server's discovery finds, and gets ready what checking blobs needs, which takes a second
// or two.
func (s *ethService) Start(server *p2p.Server) error {
	s.handler.Attach(server)
	if s.relay {
		s.loading.Go(eth.LoadTrustedSetup)
	}
	return nil
}

// Stop ends the links of the protocol and closes the files.
func (s *ethService) Stop() {
	s.handler.Close()
	s.loading.Wait()
	_ = s.close() // they were only read
}

func (s *ethService) close() error {
	if s.chain == nil {
		return nil
	}
	return s.chain.Close()
}

// APIs is the namespace eth.
func (s *ethService) APIs() []rpc.API { return s.handler.APIs() }
