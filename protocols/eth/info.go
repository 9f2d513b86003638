package eth

import (
	"math/big"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/p2p/enode"
	"github.com/ethereum/go-ethereum/params"
)

// NodeInfo is what a node says of itself under "eth" (section 8).
type NodeInfo struct {
	Network    uint64              `json:"network"`
	Difficulty *big.Int            `json:"difficulty,omitempty"` // total, of the head; nil if unknown
	Genesis    common.Hash         `json:"genesis"`
	Config     *params.ChainConfig `json:"config,omitempty"`
	Head       common.Hash         `json:"head"`
	ForkID     string              `json:"forkId"` // as ForkID.String
}

// PeerInfo is what is said of a peer under "eth".
type PeerInfo struct {
	Version         uint        `json:"version"`
	EarliestBlock   uint64      `json:"earliestBlock"`
	LatestBlock     uint64      `json:"latestBlock"`
	LatestBlockHash common.Hash `json:"latestBlockHash"`
	TD              *big.Int    `json:"difficulty,omitempty"` // up to version 68
}

func (h *Handler) nodeInfo() any {
	head := h.cfg.Backend.Head()
	return &NodeInfo{
		Network: h.chain.NetworkID, Difficulty: head.TD, Genesis: h.chain.Genesis, Config: h.chain.Params,
		Head: head.Hash, ForkID: h.forkID().String(),
	}
}

// peerInfo is nil for a peer that has not finished the handshake.
func (h *Handler) peerInfo(id enode.ID) any {
	p := h.Peer(id)
	if p == nil {
		return nil
	}
	head := p.Head()
	return &PeerInfo{p.version, head.Earliest, head.Number, head.Hash, head.TD}
}
