package node

import (
	"context"
	"fmt"

	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/log"
	"github.com/ethereum/go-ethereum/rpc"

	"github.com/sennit-net/sennit/cmd/sennit/internal/config"
	"github.com/sennit-net/sennit/p2p"
	"github.com/sennit-net/sennit/protocols/bzz"
	"github.com/sennit-net/sennit/protocols/bzz/chunk"
	"github.com/sennit-net/sennit/protocols/bzz/store"
)

// swarm is the service of Swarm.
type swarm struct {
	*bzz.Node
	chunks *store.Store
	log    log.Logger
}

func newBzz(c *config.Config, logger log.Logger) (service, error) {
	if !c.Bzz.Enabled {
		return nil, nil
	}
	key, _, err := c.Key()
	if err != nil {
		return nil, err
	}
	dir, err := c.ChunkDir()
	if err != nil {
		return nil, err
	}
	overlay := bzz.OverlayOf(&key.PublicKey)
	chunks, err := store.Open(dir, store.Options{Base: overlay, Capacity: c.Bzz.Capacity, Rebuilding: rebuilding(logger)})
	if err != nil {
		return nil, fmt.Errorf("bzz: %w", err)
	}
	settings := c.Bzz.Settings()
	settings.Overlay, settings.Store, settings.NoDial, settings.Logger = overlay, chunks, c.P2P.NoDial, logger
	node, err := bzz.New(settings)
	if err != nil {
		_ = chunks.Close()
		return nil, err
	}
	return &swarm{Node: node, chunks: chunks, log: logger}, nil
}

// rebuilding tells, when it begins and then every tenth of the way, of a store whose index has to be made anew.
func rebuilding(logger log.Logger) func(store.Rebuild) {
	next := int64(0)
	return func(r store.Rebuild) {
		switch {
		case r.Total == 0:
			logger.Warn("the store of Swarm's chunks begins anew", "err", r.Cause)
		case r.Done == 0:
			logger.Warn("the index of Swarm's chunks is made anew", "err", r.Cause, "slots", r.Total)
		case r.Done >= next || r.Done == r.Total:
			logger.Info("making the index of Swarm's chunks", "done", r.Done, "of", r.Total, "chunks", r.Chunks)
		default:
			return
		}
		next = r.Done + (r.Total+9)/10
	}
}

func (s *swarm) Start(server *p2p.Server) error { return s.Node.Start(server) }

// Stop also ends the links of Swarm peers, since their protocols use the store.
func (s *swarm) Stop() {
	s.Node.Stop()
	if err := s.chunks.Close(); err != nil {
		s.log.Error("Swarm's chunks may not be complete", "err", err)
	}
	st, held := s.Stats(), s.chunks.Stats()
	s.log.Info("Swarm stops", "chunks", held.Chunks, "received", st.Received, "served", st.Served, "synced", st.Synced,
		"evicted", held.Evicted, "invalid", st.Invalid)
}

func (s *swarm) APIs() []rpc.API {
	return []rpc.API{{Namespace: "bzz", Service: &swarmAPI{s}}}
}

// swarmAPI has the methods bzz_... of the JSON-RPC endpoint.
type swarmAPI struct{ s *swarm }

// swarmInfo is what bzz_info returns.
type swarmInfo struct {
	bzz.Stats
	Store store.Stats `json:"store"`
}

// Info returns the state of the node and of its store.
func (a *swarmAPI) Info() swarmInfo { return swarmInfo{a.s.Node.Stats(), a.s.chunks.Stats()} }

// GetChunk returns the data of a chunk, span and payload, from the store or else from the network.
func (a *swarmAPI) GetChunk(ctx context.Context, addr chunk.Address) (hexutil.Bytes, error) {
	c, err := a.s.Get(ctx, addr)
	return c.Data(), err
}

// HasChunk tells whether a chunk is in the store.
func (a *swarmAPI) HasChunk(ctx context.Context, addr chunk.Address) (bool, error) {
	return a.s.chunks.Has(ctx, addr)
}

// PutChunk keeps a chunk, given as span and payload, and returns its address.
func (a *swarmAPI) PutChunk(ctx context.Context, data hexutil.Bytes) (chunk.Address, error) {
	c, err := chunk.FromData(data)
	if err != nil {
		return chunk.Address{}, err
	}
	return c.Address(), a.s.Put(ctx, c)
}
