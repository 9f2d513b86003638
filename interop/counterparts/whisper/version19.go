//go:build !geth18

package main

import (
	"github.com/ethereum/go-ethereum/p2p"
	"github.com/ethereum/go-ethereum/p2p/enode"
	shh "github.com/ethereum/go-ethereum/whisper/whisperv6"
)

const clientName = "Geth/v1.9.20-whisper"

func newWhisper(c *shh.Config) *shh.Whisper { return shh.StandaloneWhisperService(c) }

func start(w *shh.Whisper, _ *p2p.Server) error { return w.Start() }

func url(server *p2p.Server) string { return server.Self().URLv4() }

func parseID(text string) (enode.ID, error) { return enode.ParseID(text) }
