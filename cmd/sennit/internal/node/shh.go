package node

import (
	"github.com/ethereum/go-ethereum/log"

	"github.com/sennit-net/sennit/cmd/sennit/internal/config"
)

func newShh(c *config.Config, _ log.Logger) (service, error) {
	return nil, nil
}
