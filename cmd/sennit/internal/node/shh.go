package node

import (
	"github.com/ethereum/go-ethereum/log"
	"github.com/ethereum/go-ethereum/rpc"

	"github.com/sennit-net/sennit/cmd/sennit/internal/config"
	"github.com/sennit-net/sennit/p2p"
	"github.com/sennit-net/sennit/protocols/shh"
)

// whisper is the service of Whisper.
type whisper struct {
	*shh.Whisper
	*shh.API
	log log.Logger
}

func newShh(c *config.Config, logger log.Logger) (service, error) {
	if !c.Shh.Enabled {
		return nil, nil
	}
	settings := c.Shh.Settings()
	settings.Logger = logger
	w, err := shh.New(settings)
	if err != nil {
		return nil, err
	}
	return &whisper{Whisper: w, API: shh.NewAPI(w), log: logger}, nil
}

func (w *whisper) Start(*p2p.Server) error { return nil }
func (w *whisper) APIs() []rpc.API         { return w.API.APIs() }

// Stop runs after the endpoint's, which has ended its subscriptions.
func (w *whisper) Stop() {
	w.API.Close()
	s := w.Stats()
	w.log.Info("Whisper stops", "envelopes", s.Envelopes, "bytes", s.Bytes, "received", s.Received, "sent", s.Sent, "posted", s.Posted,
		"evicted", s.Evicted, "refused", s.Refused)
}
