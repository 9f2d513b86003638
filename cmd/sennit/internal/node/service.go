package node

import (
	"github.com/ethereum/go-ethereum/log"
	"github.com/ethereum/go-ethereum/rpc"

	"github.com/sennit-net/sennit/cmd/sennit/internal/config"
	"github.com/sennit-net/sennit/p2p"
)

// service is a protocol family of the node, or something else that lives as long as its server.
type service interface {
	// Protocols are what it adds to the server.
	Protocols() []p2p.Protocol

	// Start runs after the server has started.
	Start(*p2p.Server) error

	// Stop runs before the server is stopped, or without one if Start has failed or never ran. It closes what was opened
	// and waits for the service's goroutines but for those of its protocols, which the server waits for.
	Stop()

	// APIs are its methods of the JSON-RPC endpoint.
	APIs() []rpc.API
}

// makers make the services that a configuration asks for; one that it does not ask for is nil. They touch files at most,
// not the network. The JSON-RPC endpoint, which serves the others' methods, comes after them.
var makers = []func(*config.Config, log.Logger) (service, error){newEth, newShh, newBzz}

func makeServices(c *config.Config, logger log.Logger) ([]service, error) {
	var list []service
	for _, f := range makers {
		s, err := f(c, logger)
		if err != nil {
			stopServices(list)
			return nil, err
		}
		if s != nil {
			list = append(list, s)
		}
	}
	if e := newEndpoint(c, logger, list); e != nil {
		list = append(list, e)
	}
	return list, nil
}

// stopServices stops the services in the reverse order of their start.
func stopServices(list []service) {
	for i := len(list) - 1; i >= 0; i-- {
		list[i].Stop()
	}
}
