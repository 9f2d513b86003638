package node

import (
	"errors"
	"fmt"
	"slices"
	"syscall"

	"github.com/ethereum/go-ethereum/log"
	"github.com/ethereum/go-ethereum/rpc"

	"github.com/sennit-net/sennit/admin"
	"github.com/sennit-net/sennit/cmd/sennit/internal/config"
	"github.com/sennit-net/sennit/p2p"
)

// endpoint is the service that answers JSON-RPC: about the peer layer, and what the other services have.
type endpoint struct {
	config  *config.Config
	log     log.Logger
	apis    []rpc.API
	serving *admin.Endpoint // set by Start
}

// newEndpoint returns nil if the configuration asks for no endpoint.
func newEndpoint(c *config.Config, logger log.Logger, others []service) service {
	if c.IPCPath() == "" && c.RPC.HTTP == "" {
		return nil
	}
	e := &endpoint{config: c, log: logger}
	for _, s := range others {
		e.apis = append(e.apis, s.APIs()...)
	}
	return e
}

func (e *endpoint) Protocols() []p2p.Protocol { return nil }
func (e *endpoint) APIs() []rpc.API           { return nil }

// Start opens the endpoint. Of the namespaces for HTTP it leaves out those of protocols that do not run.
func (e *endpoint) Start(server *p2p.Server) error {
	c := admin.Config{
		IPCPath: e.config.IPCPath(), HTTPAddr: e.config.RPC.HTTP, Hosts: e.config.RPC.HTTPHosts, Origins: e.config.RPC.HTTPOrigins,
		APIs: append(admin.APIs(server), e.apis...), Logger: e.log,
	}
	for _, name := range e.config.RPC.HTTPNamespaces {
		there := slices.ContainsFunc(c.APIs, func(a rpc.API) bool { return a.Namespace == name })
		if there || !slices.Contains(protocolNamespaces, name) {
			c.HTTPNamespaces = append(c.HTTPNamespaces, name)
		}
	}
	if c.HTTPAddr != "" && len(c.HTTPNamespaces) == 0 {
		return e.config.Blame("rpc.HTTPNamespaces", "http-namespaces", fmt.Errorf("RPC over HTTP: none of the protocols %q runs, and nothing else is to be served", e.config.RPC.HTTPNamespaces))
	}
	var err error
	e.serving, err = admin.Listen(c)
	if errors.Is(err, syscall.EINVAL) && e.config.RPC.IPC == "" && c.IPCPath != "" {
		e.log.Warn("no RPC socket: its path below the data directory is too long, choose another with --ipc", "path", c.IPCPath)
		c.IPCPath = ""
		e.serving, err = admin.Listen(c)
	}
	return explainRPC(err, e.config)
}

// protocolNamespaces are the namespaces that there may be or not be.
var protocolNamespaces = []string{"eth", "shh", "bzz"}

func (e *endpoint) Stop() {
	if e.serving != nil {
		e.serving.Close()
	}
}
