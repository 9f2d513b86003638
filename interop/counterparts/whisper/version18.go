//go:build geth18

package main

import (
	"encoding/hex"

	"github.com/ethereum/go-ethereum/p2p"
	"github.com/ethereum/go-ethereum/p2p/enode"
	shh "github.com/ethereum/go-ethereum/whisper/whisperv6"
)

// This file is for go-ethereum 1.8.27: go build -tags geth18 -modfile go18.mod.

const clientName = "Geth/v1.8.27-whisper"

func newWhisper(c *shh.Config) *shh.Whisper { return shh.New(c) }

func start(w *shh.Whisper, server *p2p.Server) error { return w.Start(server) }

func url(server *p2p.Server) string { return server.Self().String() }

func parseID(text string) (id enode.ID, err error) {
	_, err = hex.Decode(id[:], []byte(text))
	return id, err
}
